/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of the processes of the model. */
#include "model.h"

static void learn(struct process *process, unsigned int w, unsigned int i, unsigned int rights,
		  enum content content, u64 source)
{
	u64 pa = space_find(&process->world.space, windows[w].va + i * PAGE_SIZE);

	CHECK(pa);
	process->pages[w][i] = (struct page){ .what = PAGE, .rights = rights, .content = content,
					      .pa = pa, .source = source };
	CHECK(content_is(&process->pages[w][i]));
}

/* A place that a CPU has cached: there it matters most what a change owes. */
static bool cached_place(struct process **process, unsigned int *w, unsigned int *first)
{
	const struct cpu *cpu = &cpus[random_below(CPUS)];
	const struct cached *entry = &cpu->cache[random_below(cpu->count)];

	if (!cpu->count || entry->table || entry->view == HOST_VIEW)
		return false;
	*process = &processes[entry->view];
	for (*w = 0; *w < WINDOWS; ++*w) {
		*first = (entry->va - windows[*w].va) >> PAGE_SHIFT;
		if (entry->va >= windows[*w].va && *first < windows[*w].pages)
			return true;
	}
	return false;
}

static bool random_place(struct process **process, unsigned int *w, unsigned int *first,
			 unsigned int *count)
{
	*count = 1;
	if (random_below(2) && cached_place(process, w, first))
		return (*process)->life == ALIVE;
	*process = &processes[random_below(WORLDS)];
	*w = random_below(WINDOWS);
	*first = random_below(windows[*w].pages);
	if (random_below(6) == 0)
		*first = *first / 64 * 64;
	*count = 1 + random_below(random_below(4) ? 12 : windows[*w].pages);
	if (*count > windows[*w].pages - *first)
		*count = windows[*w].pages - *first;
	return (*process)->life == ALIVE;
}

static unsigned int random_rights(void)
{
	return random_below(6) ? TABLE_R | random_below(4) << 1 : 0;
}

static unsigned int random_budget(void)
{
	return random_below(3) ? 1 + random_below(40) : 2000;
}

static u64 va_of(unsigned int w, unsigned int i)
{
	return windows[w].va + i * PAGE_SIZE;
}

/* A lack of frames is believed where so few are left that a page and its tables take them all. */
static void check_enomem(const struct process *process)
{
	CHECK(process->world.family.free < 12);
}

static bool map(void)
{
	bool demand = random_below(3), used = false;
	unsigned int w, first, count, rights = random_rights();
	struct process *process;
	s64 done;

	if (!random_place(&process, &w, &first, &count))
		return false;
	for (unsigned int i = 0; i < count; i++)
		used |= process->pages[w][first + i].what != NONE;
	done = space_map(&process->world.space, va_of(w, first), count, rights, demand,
			 random_budget());
	if (used) {
		CHECK_EQ(done, CARREL_EARG);
		return false;
	}
	if (done == CARREL_ENOMEM) {
		check_enomem(process);
		return false;
	}
	CHECK(done > 0 && done <= count);
	for (unsigned int i = first; i < first + done; i++) {
		if (demand || !rights)
			process->pages[w][i] = (struct page){ .what = DEMAND, .rights = rights };
		else
			learn(process, w, i, rights, ZERO, 0);
	}
	return true;
}

static bool add(void)
{
	unsigned int w, first, count, rights = TABLE_R | random_below(4) << 1;
	u64 source = (random_chunk() << CHUNK_SHIFT) + random_below(512) * PAGE_SIZE;
	struct process *process;
	s64 done;

	if (!random_place(&process, &w, &first, &count) ||
	    frame_chunk(source >> CHUNK_SHIFT)->state != CHUNK_HOST)
		return false;
	done = space_add(&process->world.space, va_of(w, first), rights, phys(source));
	if (process->pages[w][first].what != NONE) {
		CHECK_EQ(done, CARREL_EARG);
		return false;
	}
	if (done) {
		CHECK_EQ(done, CARREL_ENOMEM);
		check_enomem(process);
		return false;
	}
	learn(process, w, first, rights, ADDED, source);
	return true;
}

static bool unmap(void)
{
	unsigned int w, first, count;
	struct process *process;
	s64 done;

	if (!random_place(&process, &w, &first, &count))
		return false;
	done = space_unmap(&process->world.space, va_of(w, first), count, random_budget());
	if (done == CARREL_ENOMEM) {
		check_enomem(process);
		return false;
	}
	CHECK(done > 0 && done <= count);
	memset(&process->pages[w][first], 0, done * sizeof(struct page));
	return true;
}

static bool protect(void)
{
	unsigned int w, first, count, budget = random_budget(), rights = random_rights(), hole;
	struct process *process;
	s64 done;

	if (!random_place(&process, &w, &first, &count))
		return false;
	for (hole = 0; hole < count && process->pages[w][first + hole].what != NONE; hole++)
		;
	done = space_protect(&process->world.space, va_of(w, first), count, rights, budget);
	if (done == CARREL_EARG) {
		CHECK(hole < count);
		return false;
	}
	if (done == CARREL_ENOMEM) {
		check_enomem(process);
		return false;
	}
	CHECK(done > 0 && done <= hole && (hole == count || hole >= budget));
	for (unsigned int i = first; i < first + done; i++) {
		struct page *page = &process->pages[w][i];

		page->rights = rights;
		if (page->what != DEMAND)
			page->what = rights ? PAGE : HELD;
	}
	return true;
}

static void learn_around(struct process *process, unsigned int w, unsigned int i)
{
	for (unsigned int k = 0; k < windows[w].pages; k++) {
		struct page *page = &process->pages[w][k];

		if (page->what != DEMAND || va_of(w, k) >> 16 != va_of(w, i) >> 16 ||
		    !space_find(&process->world.space, va_of(w, k)))
			continue;
		CHECK_EQ(page->rights, process->pages[w][i].rights);
		learn(process, w, k, page->rights, ZERO, 0);
	}
	CHECK_EQ(process->pages[w][i].what, PAGE);
}

/* A #PF, and whether it can be retried. */
static bool take_fault(struct process *process, unsigned int w, unsigned int i, u64 error,
		       unsigned int wanted)
{
	const struct page *page = &process->pages[w][i];
	bool ok = (page->what == DEMAND || page->what == PAGE) && (page->rights & wanted);
	u64 va = va_of(w, i) + random_below(PAGE_SIZE);
	int result = space_fault(&process->world.space, va, error);

	if (result == CARREL_ENOMEM) {
		CHECK(page->what == DEMAND && ok);
		check_enomem(process);
		return false;
	}
	CHECK_EQ(result, ok);
	if (ok)
		learn_around(process, w, i);
	return ok;
}

/* An access of a program, through what the CPU has cached if it has. */
static bool touch(void)
{
	static const struct { u64 error; unsigned int rights; } accesses[] = {
		{ 4, TABLE_R }, { 6, TABLE_W }, { 0x14, TABLE_X },
	};
	struct cpu *cpu = &cpus[random_below(CPUS)];
	unsigned int w, i, count, access = random_below(3), wanted = accesses[access].rights;
	struct process *process;
	struct cached entry, *hit;
	struct page *page;

	random_place(&process, &w, &i, &count);
	if (cpu->where == HOST_VIEW)
		return false;
	process = &processes[cpu->where];
	hit = cache_find(cpu, cpu->where, va_of(w, i));
	if (hit && (hit->rights & wanted)) {
		/* perhaps stale: it writes to a frame in limbo, which must be scrubbed later */
		if (wanted == TABLE_W && frame_record(&process->world.family, hit->pa)->use ==
		    FRAME_LIMBO)
			frame_paint(hit->pa, 77);
		return true;
	}
	if (!private_walk(cpu, cpu->where, va_of(w, i), &entry) || !(entry.rights & wanted)) {
		cache_drop(cpu, cpu->where, va_of(w, i));
		if (!take_fault(process, w, i, accesses[access].error | (hit ? 1 : 0), wanted))
			return false;
		CHECK(private_walk(cpu, cpu->where, va_of(w, i), &entry));
		CHECK(entry.rights & wanted);
	}
	page = &process->pages[w][i];
	CHECK(page->what == PAGE && page->pa == entry.pa && content_is(page));
	if (wanted == TABLE_W) {
		page->content = PAINTED;
		page->source = 100 + cpu->where;
		frame_paint(page->pa, page->source);
	}
	return true;
}

static bool reclaim(void)
{
	struct world *world = &processes[random_below(WORLDS)].world;
	u64 stamp = world->family.limbo_stamp;
	unsigned int before = world->family.used;

	if (!world->family.limbo)
		return false;
	if (!flush_paid_inside(&world->view.entered, stamp)) {
		CHECK(!frame_reclaim(&world->family, stamp - 1, 1000));
		CHECK_EQ(world->family.used, before);
		return false;
	}
	frame_reclaim(&world->family, stamp, 1 + random_below(40));
	return true;
}

const struct step page_steps[] = {
	{ "map", map, 8 },
	{ "add", add, 2 },
	{ "unmap", unmap, 6 },
	{ "protect", protect, 6 },
	{ "touch", touch, 30 },
	{ "reclaim", reclaim, 4 },
	{ 0 },
};
