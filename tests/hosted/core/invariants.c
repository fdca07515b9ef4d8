/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUs cache, and what must hold of that and of the owners of memory at any time. */
#include "parts.h"

#include <base/phys.h>
#include <core/owner.h>
#include <core/stats.h>

static void set_cached(struct test_cpu *c, u64 frame)
{
	c->has_cached[c->tag] = true;
	set_bit(c->process_cached[c->tag], frame);
}

u64 touch_for(struct test_cpu *c, u64 va, bool write)
{
	const struct view *view = c->process.view;
	u64 at = c->process.cr3;

	CHECK(inside(c));
	for (unsigned int level = 4; level > 0; level--) {
		u64 entry;

		CHECK(view_rights(view, at) & TABLE_W);
		CHECK(!(view_rights(view, at) & TABLE_X));
		set_cached(c, at >> PAGE_SHIFT);
		entry = ((const u64 *)phys(at))[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & 1) || (write && !(entry & 2)))
			return 0;
		if (write && level == 1 && !(entry & BIT(52)))
			c->writable_by[(entry & 0x000FFFFFFFFFF000) >> PAGE_SHIFT] = c->process.cr3;
		CHECK(entry & BIT(5));
		at = entry & 0x000FFFFFFFFFF000;
	}
	if (!CHECK(view_rights(view, at) != 0))
		return 0;
	set_cached(c, at >> PAGE_SHIFT);
	return at;
}

u64 touch(struct test_cpu *c, u64 va)
{
	return touch_for(c, va, false);
}

u64 *reach(struct test_cpu *c, u64 va, bool write)
{
	u64 pa;

	for (unsigned int i = 0; i < 3 && inside(c); i++) {
		pa = touch_for(c, va, write);
		if (pa)
			return phys(pa + (va & (PAGE_SIZE - 1)));
		exit_exception(c, 14, write ? 6 : 4, va);
		if (inside(c) && c->process.rip == CARREL_SHIM_UPCALL)
			return NULL;
	}
	return NULL;
}

bool touch_host(struct test_cpu *c, u64 chunk)
{
	CHECK(!inside(c));
	if (!table_walk(&machine.host_view.table, chunk << CHUNK_SHIFT).present)
		return false;
	set_bit(c->host_cached, chunk);
	return true;
}

static void check_host_view(void)
{
	u64 donated = 0, lent = 0;

	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		bool away = chunks[i].state == CHUNK_LEAVING || chunks[i].state == CHUNK_NOBODY ||
			chunks[i].state == CHUNK_FAMILY;
		bool hidden = away || chunks[i].state == CHUNK_HV;

		CHECK_EQ(table_walk(&machine.host_view.table, i << CHUNK_SHIFT).present, !hidden);
		CHECK(!(away && chunks[i].lent));
		if (cached_by_host(i))
			CHECK(!hidden || chunks[i].state == CHUNK_LEAVING);
		donated += away;
		lent += (u64)__builtin_popcount(chunks[i].lent);
	}
	CHECK_EQ(stats.chunks_donated, donated);
	CHECK_EQ(stats.blocks_lent, lent);
}

/* A frame that some CPU may still reach through a process view. */
static bool may_be_cached(u64 frame)
{
	u64 chunk = frame / CHUNK_PAGES;
	const struct frame *records = phys(chunk << CHUNK_SHIFT);
	u8 use;

	switch ((enum chunk_state)chunks[chunk].state) {
	case CHUNK_HOST: case CHUNK_MIXED:
		return chunks[chunk].lent >> (frame / 16 % 32) & 1;
	case CHUNK_HV:
		return true;	/* the fixed pages, constant for ever */
	case CHUNK_FAMILY:
		use = records[frame % CHUNK_PAGES].use;
		return use == FRAME_PAGE || use == FRAME_TABLE || use == FRAME_LIMBO;
	case CHUNK_NONE: case CHUNK_LEAVING: case CHUNK_NOBODY:
		break;
	}
	return false;
}

static void check_process(struct process *process)
{
	const char *wrong = frame_check(process->family);

	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
	if (process->end > END_DEBTS)
		return;
	wrong = space_check(&process->space);
	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
}

#define SPACES_MAX (PROCESS_MAX + 1U)

static void add_space(const struct space *spaces[], unsigned int *count,
		      const struct process *process, const struct family *family)
{
	if (process && process->family == family && process->space.table.root) {
		CHECK(*count < SPACES_MAX);
		spaces[(*count)++] = &process->space;
	}
}

/* All spaces that lead to a family's frames, those of children in the making too. */
static void check_counts(const struct family *family)
{
	const struct space *spaces[SPACES_MAX];
	const char *wrong = NULL;
	unsigned int count = 0;

	for (u64 i = 0; i < PROCESS_MAX; i++) {
		struct process *process = process_get(process_slots[i].id);

		if (!process)
			continue;
		add_space(spaces, &count, process, family);
		add_space(spaces, &count, process->making, family);
		process_put(process);
	}
	if (count)
		wrong = spaces_check(spaces, count);
	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
}

/* What is writable by what a CPU that is inside has cached, no other space reads. */
static void check_writable(const struct test_cpu *c)
{
	for (u64 frame = 0; frame < ARRAY_SIZE(c->writable_by); frame++) {
		const struct frame *records = phys(frame / CHUNK_PAGES << CHUNK_SHIFT);

		CHECK(c->writable_by[frame] != c->process.cr3 || c->cpu.thread->process->making ||
		      chunks[frame / CHUNK_PAGES].state != CHUNK_FAMILY ||
		      records[frame % CHUNK_PAGES].use != FRAME_PAGE ||
		      records[frame % CHUNK_PAGES].count == 1);
	}
}

/* Invariant 1, and that a chunk which devices may still reach is nobody's. */
static void check_devices(void)
{
	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		enum chunk_state state = owner(i);

		if (state == CHUNK_HV || state == CHUNK_NOBODY || state == CHUNK_FAMILY)
			CHECK(!device_cached(i));
		if (state == CHUNK_HV || state == CHUNK_NOBODY || state == CHUNK_FAMILY ||
		    state == CHUNK_LEAVING)
			CHECK(device_cached(i) || !device_touch(i));
	}
}

void check_machine(void)
{
	check_host_view();
	check_devices();
	for (unsigned int i = 0; i < CPUS; i++) {
		const struct test_cpu *c = &cpus[i];

		CHECK_EQ(c->ours, inside(c));
		CHECK_EQ(c->cpu.thread != NULL, inside(c));
		if (c->cpu.thread)
			CHECK_EQ(c->cpu.thread->state, THREAD_RUNNING);
		CHECK_EQ(c->tag != 0, inside(c));
		if (!inside(c))
			continue;
		check_writable(c);
		for (u64 word = 0; word < ARRAY_SIZE(c->process_cached[0]); word++)
			for (u64 bits = c->process_cached[c->tag][word]; bits; bits &= bits - 1)
				CHECK(may_be_cached(word * 64 + (u64)__builtin_ctzll(bits)));
	}
	for (u64 i = 0; i < PROCESS_MAX; i++) {
		struct process *process = process_get(process_slots[i].id);

		if (!process)
			continue;
		check_process(process);
		check_counts(process->family);
		process_put(process);
	}
}
