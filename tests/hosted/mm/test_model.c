/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine: CPUs that cache translations, a host view, processes, chunks
 * that change hands, all in random order; and a model that knows nothing of the
 * implementation. After every step no CPU may reach, by anything it ever cached
 * and did not flush, a frame that belongs to somebody else by now; whatever is
 * owed and paid must be gone from the caches; every page must hold the bytes
 * that its owner put there.
 */
#include "test.h"

#define CPUS		4U
#define WORLDS		2U
#define CACHE		96U
#define CHUNK_LIMIT	6U
#define WINDOWS		3U
#define WINDOW_MAX	1400U
#define HOST_VIEW	-1
#define HOST_LIMIT	(MEMORY_CHUNKS * CHUNK_SIZE)

static const struct window {
	u64 va;
	unsigned int pages;
} windows[WINDOWS] = {
	{ 6 * MIB - 60 * PAGE_SIZE, 1400 },		/* whole 2 MiB regions, and edges */
	{ 4 * GIB - 70 * PAGE_SIZE, 140 },
	{ 0x7F8000000000 - 40 * PAGE_SIZE, 80 },	/* the last PML4 entry of the lower half */
};

enum what { NONE, DEMAND, HELD, PAGE };
enum content { ZERO, PAINTED, ADDED };

struct page {
	u8 what, rights, content;
	u64 pa, source;
};

enum life { ABSENT, ALIVE, ENDING };

struct process {
	struct world world;
	enum life life;
	bool early;		/* ENDING: debts are waited for before the space is destroyed */
	unsigned int step;
	u64 stamp, block;
	struct page pages[WINDOWS][WINDOW_MAX];
};

/* What a CPU holds of a view: a translation, or a table on the way to one. */
struct cached {
	int view;
	bool table;
	unsigned int rights;
	u64 va, pa;
};

enum flushing { IDLE, BEGUN, CLEARED };

struct cpu {
	int where;		/* HOST_VIEW or a process */
	bool parked, unparking;
	enum flushing flushing;
	u64 begun;
	unsigned int count;
	struct cached cache[CACHE];
};

static struct process processes[WORLDS];
static struct cpu cpus[CPUS];
static struct view host;
static bool lent[MEMORY_CHUNKS * 32];
static unsigned int done_of[32];	/* how often each step did something */

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa;
	*end = ~0UL << PAGE_SHIFT;
	return MEMORY_WB;
}

/* --- The CPUs ------------------------------------------------------------------------- */

static void cache_add(struct cpu *cpu, struct cached entry)
{
	if (cpu->count < CACHE)
		cpu->cache[cpu->count++] = entry;
	else
		cpu->cache[random_below(CACHE)] = entry;
}

/* Nested translation as hardware does it, remembering every table on the way. */
static bool nested_walk(struct cpu *cpu, int view, const struct table *table, u64 gpa,
			unsigned int *rights)
{
	u64 at = table->root;

	for (unsigned int level = 4;; level--) {
		u64 entry = ((u64 *)phys(at))[gpa >> (12 + 9 * (level - 1)) & 511];

		cache_add(cpu, (struct cached){ .view = view, .table = true, .pa = at });
		if (!table->format->present(entry))
			return false;
		at = entry & TABLE_ADDRESS;
		if (level == 1 || entry & TABLE_LEAF) {
			*rights = table->format->rights(entry) & 7;
			return at + (gpa & (table_size(level) - 1)) == gpa;
		}
	}
}

/* Private translation: bits as the manuals have them, not as the sources name them. */
static bool private_walk(struct cpu *cpu, int which, u64 va, struct cached *result)
{
	const struct world *world = &processes[which].world;
	u64 at = world->space.table.root, entry;
	unsigned int rights;

	for (unsigned int level = 4; level; level--) {
		CHECK(nested_walk(cpu, which, &world->view.table, at, &rights));
		CHECK_EQ(rights, TABLE_R | TABLE_W);
		cache_add(cpu, (struct cached){ .view = which, .table = true, .pa = at });
		entry = ((u64 *)phys(at))[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & 1))
			return false;
		CHECK((entry & 0x24) == 0x24);	/* user, accessed: nobody writes to the table */
		at = entry & 0x000FFFFFFFFFF000;
	}
	CHECK(!(entry & 2) == !(entry & 0x40));
	CHECK(nested_walk(cpu, which, &world->view.table, at, &rights));
	rights &= TABLE_R | (entry & 2 ? TABLE_W : 0) | (entry >> 63 ? 0 : TABLE_X);
	*result = (struct cached){ .view = which, .rights = rights, .va = va, .pa = at };
	cache_add(cpu, *result);
	return true;
}

static struct cached *cache_find(struct cpu *cpu, int view, u64 va)
{
	for (unsigned int i = 0; i < cpu->count; i++)
		if (!cpu->cache[i].table && cpu->cache[i].view == view && cpu->cache[i].va == va)
			return &cpu->cache[i];
	return NULL;
}

/* A fault drops what was cached of the address. */
static void cache_drop(struct cpu *cpu, int view, u64 va)
{
	struct cached *entry;

	while ((entry = cache_find(cpu, view, va)))
		*entry = cpu->cache[--cpu->count];
}

static void flush_at_once(unsigned int id)
{
	u64 begun = flush_begin();

	cpus[id].count = 0;
	flush_done(id, begun);
}

/* --- What must hold after every step -------------------------------------------------- */

static bool is_listening(const struct cpu *cpu)
{
	return !cpu->parked && !cpu->unparking;
}

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

/* Before a frame is scrubbed: nobody's view has it, and no CPU can reach it any more. */
static void must_be_out_of_reach(u64 pa)
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

static bool content_is(const struct page *page)
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

static void check_machine(void)
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

/* --- Steps: chunks -------------------------------------------------------------------- */

static u64 random_chunk(void)
{
	return random_below(MEMORY_CHUNKS);
}

static bool any_lent(u64 chunk)
{
	for (unsigned int i = 0; i < 32; i++)
		if (lent[chunk * 32 + i])
			return true;
	return false;
}

static bool donate(void)
{
	u64 chunk = random_chunk();
	enum chunk_state state = frame_chunk(chunk)->state;

	if (state != CHUNK_HOST || any_lent(chunk)) {
		CHECK_EQ(frame_leave(chunk, 0),
			 state != CHUNK_HOST ? CARREL_EOWNER : CARREL_ESTATE);
		return false;
	}
	CHECK_EQ(view_hide_chunk(&host, chunk), 0);
	CHECK_EQ(frame_leave(chunk, host.changed), 0);
	return true;
}

static bool arrive(void)
{
	u64 chunk = random_chunk();

	if (frame_chunk(chunk)->state != CHUNK_LEAVING ||
	    !flush_paid(&host.entered, frame_chunk(chunk)->value))
		return false;
	CHECK_EQ(frame_arrive(chunk), 0);
	return true;
}

static bool bind(void)
{
	u64 chunk = random_chunk();
	struct process *process = &processes[random_below(WORLDS)];

	if (process->life != ALIVE || process->world.family.chunks >= CHUNK_LIMIT)
		return false;
	if (frame_chunk(chunk)->state != CHUNK_NOBODY) {
		CHECK_EQ(frame_bind(&process->world.family, chunk), CARREL_EOWNER);
		return false;
	}
	CHECK_EQ(frame_bind(&process->world.family, chunk), 0);
	return true;
}

static bool unbind(void)
{
	u64 chunk = random_chunk();
	struct family *family = &processes[random_below(WORLDS)].world.family;
	bool idle = true;

	if (!frame_record(family, chunk << CHUNK_SHIFT)) {
		CHECK_EQ(frame_unbind(family, chunk), CARREL_EOWNER);
		return false;
	}
	for (u64 i = 1; i < 512; i++)
		idle &= frame_record(family, (chunk << CHUNK_SHIFT) + i * PAGE_SIZE)->use <=
			FRAME_CLEAN;
	CHECK_EQ(frame_unbind(family, chunk), idle ? 0 : CARREL_ESTATE);
	return idle;
}

/* Nothing but zeros and what the host itself had left there. */
static bool give_back(void)
{
	u64 chunk = random_chunk();

	if (frame_chunk(chunk)->state != CHUNK_NOBODY) {
		CHECK_EQ(frame_return(chunk), CARREL_EOWNER);
		return false;
	}
	view_show_chunk(&host, chunk);
	CHECK_EQ(frame_return(chunk), 0);
	for (u64 pa = chunk << CHUNK_SHIFT; pa < (chunk + 1) << CHUNK_SHIFT; pa += PAGE_SIZE) {
		CHECK(frame_is_zero(pa) || frame_has(pa, HOST_COLOUR));
		frame_paint(pa, HOST_COLOUR);
	}
	return true;
}

static bool lend(void)
{
	u64 block = random_below(MEMORY_CHUNKS * 32);
	u8 state = frame_chunk(block / 32)->state;

	if (state != CHUNK_HOST || lent[block]) {
		if (state != CHUNK_MIXED)
			CHECK_EQ(frame_lend(block), -1);
		return false;
	}
	CHECK_EQ(frame_lend(block), 0);
	CHECK_EQ(frame_unlend(block), 0);
	return true;
}

/* --- Steps: CPUs ---------------------------------------------------------------------- */

/* As the core does: into the mask before the first entry, later flush what changed since. */
static bool enter(void)
{
	unsigned int id = random_below(CPUS), which = random_below(WORLDS);
	struct view *view = &processes[which].world.view;
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || !is_listening(cpu) || cpu->flushing ||
	    processes[which].life != ALIVE)
		return false;
	cpu_mask_set(&view->entered, id);
	flush_enter(id, &view->entered, &processes[which].world.family.entered);
	if (view->changed > flush_seen(id))
		flush_at_once(id);
	cpu->where = which;
	return true;
}

static bool leave(void)
{
	unsigned int id = random_below(CPUS);

	if (cpus[id].where == HOST_VIEW)
		return false;
	cpus[id].where = HOST_VIEW;
	flush_leave(id);
	return true;
}

/* A flush in its three parts, with anything of the others in between. */
static bool flush_part(void)
{
	unsigned int id = random_below(CPUS);
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || cpu->parked)
		return false;
	switch (cpu->flushing) {
	case IDLE:
		cpu->begun = flush_begin();
		cpu->flushing = BEGUN;
		break;
	case BEGUN:
		cpu->count = 0;
		cpu->flushing = CLEARED;
		break;
	case CLEARED:
		flush_done(id, cpu->begun);
		cpu->flushing = IDLE;
		cpu->unparking = false;
	}
	return true;
}

static bool park(void)
{
	unsigned int id = random_below(CPUS);
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || cpu->flushing || cpu->unparking)
		return false;
	cpu->parked = !cpu->parked;
	cpu->unparking = !cpu->parked;	/* no entry before the flush */
	flush_park(id, cpu->parked);
	return true;
}

static bool host_touch(void)
{
	struct cpu *cpu = &cpus[random_below(CPUS)];
	u64 pa = random_below(HOST_LIMIT >> PAGE_SHIFT) << PAGE_SHIFT;
	unsigned int rights;

	if (cpu->where != HOST_VIEW || !is_listening(cpu))
		return false;
	if (nested_walk(cpu, HOST_VIEW, &host.table, pa, &rights)) {
		struct cached entry = { .view = HOST_VIEW, .rights = rights, .va = pa, .pa = pa };

		/* by what is cached the kernel writes even to a chunk that is leaving */
		cache_add(cpu, entry);
	}
	for (unsigned int i = 0; i < cpu->count; i++) {
		const struct cached *entry = &cpu->cache[i];

		if (entry->view == HOST_VIEW && !entry->table &&
		    frame_chunk(entry->pa >> CHUNK_SHIFT)->state != CHUNK_MIXED)
			frame_paint(entry->pa, HOST_COLOUR);
	}
	return true;
}

/* --- Steps: processes ----------------------------------------------------------------- */

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

/* --- Steps: birth and death ----------------------------------------------------------- */

static u64 find_chunk(enum chunk_state state)
{
	for (u64 chunk = HOST_FIRST; chunk < MEMORY_CHUNKS; chunk++)
		if (frame_chunk(chunk)->state == state)
			return chunk;
	return 0;
}

static bool create(void)
{
	unsigned int which = random_below(WORLDS);
	struct process *process = &processes[which];
	struct world *world = &process->world;
	u64 chunk = find_chunk(CHUNK_NOBODY), home = find_chunk(CHUNK_HOST);

	if (process->life != ABSENT || !chunk || !home)
		return false;
	memset(process, 0, sizeof(*process));
	world->family.id = which + 1;
	CHECK_EQ(frame_bind(&world->family, chunk), 0);
	view_memory_init(&world->nested, &world->family);
	CHECK_EQ(view_make_process(&world->view, which ? &vmx_nested_format : &svm_nested_format,
				   &world->nested.memory, which + 1), 0);
	CHECK_EQ(space_init(&world->space, &world->view, &world->family), 0);
	process->block = home * 32 + which;
	CHECK_EQ(frame_lend(process->block), 0);
	lent[process->block] = true;
	CHECK_EQ(space_fix(&world->space, CARREL_CHANNEL_VA, process->block << 16,
			   CARREL_BLOCK_SIZE, TABLE_R | TABLE_W, true), 0);
	process->life = ALIVE;
	return true;
}

/* The end begins: nobody is inside any more, and nobody enters. */
static bool kill(void)
{
	unsigned int which = random_below(WORLDS);
	struct process *process = &processes[which];

	if (process->life != ALIVE || random_below(8))
		return false;
	for (unsigned int i = 0; i < CPUS; i++)
		if (cpus[i].where == (int)which) {
			cpus[i].where = HOST_VIEW;
			flush_leave(i);
		}
	process->life = ENDING;
	process->early = random_below(2);
	view_changed(&process->world.view);
	return true;
}

static bool everything_paid(const struct process *process)
{
	return flush_paid_inside(&process->world.view.entered, process->world.view.changed) &&
		flush_paid_inside(&process->world.view.entered, process->world.family.limbo_stamp);
}

/* One step on the way; true when the next one can follow. */
static bool end_step(struct process *process)
{
	struct world *world = &process->world;
	unsigned int budget = 1 + random_below(300);

	switch (process->step) {
	case 0:
		return !process->early || everything_paid(process);
	case 1:
		return space_destroy(&world->space, &budget);
	case 2:
		return view_destroy(&world->view, &budget);
	case 3:		/* the CPUs that were inside flush now, if they did not before */
		return process->early || everything_paid(process);
	case 4:
		CHECK_EQ(frame_unlend(process->block), 0);
		lent[process->block] = false;
		return true;
	case 5:
		return frame_reclaim(&world->family, world->family.limbo_stamp, budget);
	default:
		CHECK_EQ(world->family.used, 0);
		while (world->family.chunks)
			CHECK_EQ(frame_unbind(&world->family, frame_idle_chunk(&world->family)), 0);
		process->life = ABSENT;
		return false;
	}
}

static bool end(void)
{
	struct process *process = &processes[random_below(WORLDS)];

	if (process->life != ENDING)
		return false;
	if (end_step(process)) {
		if (process->step == 0 && process->early)
			memset(&process->world.view.entered, 0, sizeof(struct cpu_mask));
		process->step++;
	}
	return true;
}

/* --- All together --------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool (*run)(void);
	unsigned int weight;
} steps[] = {
	{ "donate", donate, 6 }, { "arrive", arrive, 12 }, { "bind", bind, 5 },
	{ "unbind", unbind, 16 }, { "return", give_back, 4 }, { "lend", lend, 1 },
	{ "enter", enter, 10 }, { "leave", leave, 5 }, { "flush", flush_part, 14 },
	{ "park", park, 2 }, { "host touch", host_touch, 4 }, { "map", map, 8 },
	{ "add", add, 2 }, { "unmap", unmap, 6 }, { "protect", protect, 6 },
	{ "touch", touch, 30 }, { "reclaim", reclaim, 4 }, { "create", create, 8 },
	{ "kill", kill, 2 }, { "end", end, 12 },
};

static void one_step(void)
{
	unsigned int total = 0, at;

	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	at = random_below(total);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		if (at < steps[i].weight) {
			done_of[i] += steps[i].run();
			return;
		}
		at -= steps[i].weight;
	}
}

static void machine_reset(void)
{
	memory_reset();
	memset(processes, 0, sizeof(processes));
	memset(lent, 0, sizeof(lent));
	CHECK_EQ(view_make_host(&host, &svm_nested_format, 3, &pool, HOST_LIMIT,
				HV_FIRST * CHUNK_SIZE, HV_CHUNKS * CHUNK_SIZE, all_wb), 0);
	for (unsigned int i = 0; i < CPUS; i++) {
		cpus[i] = (struct cpu){ .where = HOST_VIEW };
		flush_park(i, false);
		flush_leave(i);
		flush_at_once(i);
		cpu_mask_set(&host.entered, i);
	}
	on_scrub = must_be_out_of_reach;
}

static void whole_machine(void)
{
	memset(done_of, 0, sizeof(done_of));
	for (unsigned int round = 0; round < 4; round++) {
		machine_reset();
		for (unsigned int i = 0; i < 5000; i++) {
			one_step();
			check_machine();
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		if (done_of[i] < 20)
			printf("     '%s' did something %u times only\n", steps[i].name,
			       done_of[i]);
		CHECK(done_of[i] >= 20);
	}
}

const struct test model_tests[] = {
	{ "the whole machine against a model, 20000 steps", whole_machine },
	{ 0 }
};
