/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold in the model, by a look at everything. */
#include "model.h"

static bool may_hold(const struct cached *entry)
{
	const struct chunk *chunk = frame_chunk(entry->pa >> CHUNK_SHIFT);
	const struct frame *frame;

	if (entry->view == HOST_VIEW && entry->table)
		return chunk->state == CHUNK_HV;
	if (entry->view == HOST_VIEW)
		return chunk->state == CHUNK_HOST || chunk->state == CHUNK_MIXED ||
			chunk->state == CHUNK_LEAVING;
	frame = frame_record(&processes[entry->view].world.family, entry->pa);
	if (frame)
		return frame->use >= FRAME_TABLE || frame->use == FRAME_LIMBO;
	return !entry->table && (chunk->state == CHUNK_HV ||
				 (chunk->state == CHUNK_HOST && lent[entry->pa >> 16]));
}

/* Once a CPU paid the view's debts, it has nothing that the tables would not give it. */
static bool is_current(const struct cached *entry)
{
	const struct process *process = &processes[entry->view];
	unsigned int level;
	u64 now;

	if (!process->world.view.table.root)
		return false;
	if (entry->table)
		return frame_record(&process->world.family, entry->pa)->use != FRAME_LIMBO;
	if (!process->world.space.table.root)
		return false;
	now = *table_entry(&process->world.space.table, entry->va, &level);
	return level == 1 && (now & 1) && (now & 0x000FFFFFFFFFF000) == entry->pa &&
		(!(entry->rights & TABLE_W) || (now & 2)) &&
		(!(entry->rights & TABLE_X) || !(now >> 63));
}

/* What a CPU has of a process view that it is not in, it cannot use. */
static bool can_use(const struct cpu *cpu, const struct cached *entry)
{
	return entry->view == HOST_VIEW || entry->view == cpu->where;
}

/* By its own flushes, or because the ledger says that nobody owes. */
static bool has_paid(unsigned int cpu, int which)
{
	const struct view *view = &processes[which].world.view;

	return flush_seen(cpu) >= view->changed || flush_paid_inside(&view->entered, view->changed);
}

static void check_caches(void)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		bool paid[WORLDS] = { has_paid(i, 0), has_paid(i, 1) };

		for (unsigned int k = 0; is_listening(&cpus[i]) && k < cpus[i].count; k++) {
			const struct cached *entry = &cpus[i].cache[k];

			if (!can_use(&cpus[i], entry))
				continue;
			CHECK(may_hold(entry));
			if (entry->view != HOST_VIEW && paid[entry->view])
				CHECK(is_current(entry));
		}
	}
}

void must_be_out_of_reach(u64 pa)
{
	CHECK(!table_walk(&host.table, pa).present);
	for (unsigned int i = 0; i < WORLDS; i++)
		if (processes[i].life != ABSENT && processes[i].world.view.table.root)
			CHECK(!view_rights(&processes[i].world.view, pa));
	for (unsigned int i = 0; i < CPUS; i++)
		for (unsigned int k = 0; is_listening(&cpus[i]) && k < cpus[i].count; k++)
			CHECK(!can_use(&cpus[i], &cpus[i].cache[k]) ||
			      ALIGN_DOWN(cpus[i].cache[k].pa, PAGE_SIZE) != pa);
}

bool content_is(const struct page *page)
{
	const u64 *words = phys(page->pa);

	if (page->content == ZERO)
		return frame_is_zero(page->pa);
	for (unsigned int i = 0; page->content == ADDED && i < 512; i++)
		if (words[i] != ((u64)HOST_COLOUR << 32 | (page->source >> 12) << 12 | i))
			return false;
	return page->content == ADDED || frame_has(page->pa, page->source);
}

static void compare_page(const struct process *process, u64 va, const struct page *page)
{
	unsigned int level;
	u64 entry = *table_entry(&process->world.space.table, va, &level);

	switch ((enum what)page->what) {
	case NONE:
		CHECK_EQ(entry, 0);
		break;
	case DEMAND:
		CHECK_EQ(entry, 2 | page->rights << 9);
		break;
	case HELD:
		CHECK(level == 1 && entry == (page->pa | 4));
		break;
	case PAGE:
		CHECK(level == 1 && (entry & 0x800FFFFFFFFFF07F) ==
		      (page->pa | 0x25 | (page->rights & TABLE_W ? 0x42 : 0) |
		       (page->rights & TABLE_X ? 0 : BIT(63))));
	}
}

static void compare_process(const struct process *process)
{
	for (unsigned int w = 0; w < WINDOWS; w++)
		for (unsigned int i = 0; i < windows[w].pages; i++)
			compare_page(process, windows[w].va + i * PAGE_SIZE, &process->pages[w][i]);
	check_world(&process->world);
}

void check_machine(void)
{
	check_caches();
	for (unsigned int i = 0; i < WORLDS; i++) {
		if (processes[i].life == ALIVE)
			compare_process(&processes[i]);
		else
			CHECK_SOUND(frame_check(&processes[i].world.family));
	}
	CHECK_EQ(frame_lock.next, frame_lock.serving);
}
