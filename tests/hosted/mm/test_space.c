/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#define R TABLE_R
#define W TABLE_W
#define X TABLE_X
#define LOWER_END 0x7FFFFFFFF000UL
#define ANY 1000000U	/* a budget that is enough */

#define READ	4UL	/* #PF error codes from CPL 3 */
#define WRITE	6UL
#define FETCH	20UL
#define PRESENT	1UL

static struct world world;

static void fresh(unsigned int chunks)
{
	memory_reset();
	make_world(&world, chunks, &svm_nested_format);
}

/* What an address holds: 0 nothing, 'd' demand, 'h' a page without rights, 'p' a page. */
static char kind(u64 va, unsigned int *rights)
{
	unsigned int level;
	u64 entry = *table_entry(&world.space.table, va, &level);

	*rights = guest_rights(entry) & 7;
	if (!entry)
		return 0;
	if (guest_is_demand(entry))
		return 'd';
	return guest_present(entry) ? 'p' : 'h';
}

#define CHECK_IS(va, what, with) \
	do { \
		unsigned int rights_; \
		char what_ = (what); \
		CHECK_EQ(kind(va, &rights_), what_); \
		CHECK(!what_ || rights_ == (with)); \
	} while (0)

static void ranges(void)
{
	static const struct { u64 va, pages; bool ok; } cases[] = {
		{ 0, 1, false }, { PAGE_SIZE, 1, true }, { PAGE_SIZE, 0, false },
		{ PAGE_SIZE + 1, 1, false },
		{ CARREL_GATE_VA - PAGE_SIZE, 1, true }, { CARREL_GATE_VA - PAGE_SIZE, 2, false },
		{ CARREL_GATE_VA, 1, false }, { CARREL_BOUNCE_VA, 1, false },
		{ CARREL_CHANNEL_VA, 1, false }, { CARREL_SHIM_VA - PAGE_SIZE, 1, false },
		{ CARREL_SHIM_VA - PAGE_SIZE, 2, false }, { CARREL_SHIM_VA, 1, true },
		{ PAGE_SIZE, LOWER_END >> 12, false },
		{ PAGE_SIZE, (CARREL_GATE_VA >> 12) - 1, true },
		{ PAGE_SIZE, CARREL_GATE_VA >> 12, false },
		{ LOWER_END - PAGE_SIZE, 1, true }, { LOWER_END - PAGE_SIZE, 2, false },
		{ LOWER_END, 1, false }, { 0x800000000000, 1, false },
		{ 0xFFFF800000000000, 1, false }, { 0 - PAGE_SIZE, 1, false },
		{ CARREL_SHIM_VA, ~0UL, false }, { CARREL_SHIM_VA, BIT(52), false },
		{ CARREL_SHIM_VA, BIT(52) + 1, false }, { PAGE_SIZE, ~0UL >> 12, false },
	};

	fresh(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 va = cases[i].va, pages = cases[i].pages;

		CHECK_EQ(space_range_ok(va, pages), cases[i].ok);
		if (cases[i].ok)
			continue;
		CHECK_EQ(space_map(&world.space, va, pages, R, true, ANY), CARREL_EARG);
		CHECK_EQ(space_map(&world.space, va, pages, R, false, ANY), CARREL_EARG);
		CHECK_EQ(space_unmap(&world.space, va, pages, ANY), CARREL_EARG);
		CHECK_EQ(space_protect(&world.space, va, pages, R, ANY), CARREL_EARG);
		if (pages == 1)
			CHECK_EQ(space_add(&world.space, va, R, phys(0)), CARREL_EARG);
	}
	for (unsigned int rights = 0; rights < 32; rights++) {
		bool ok = rights < 8 && (!rights || (rights & R));
		u64 va = PAGE_SIZE * (rights + 1);
		bool ok_shared = !(rights & 8) && (!(rights & 7) || (rights & R));

		CHECK_EQ(space_map(&world.space, va, 1, rights, true, ANY),
			 ok_shared ? 1 : CARREL_EARG);
		CHECK_EQ(space_protect(&world.space, PAGE_SIZE, 1, rights, ANY),
			 ok ? 1 : CARREL_EARG);
		CHECK_EQ(space_add(&world.space, va + MIB, rights, phys(0)), ok ? 0 : CARREL_EARG);
	}
	CHECK_PANICS(space_map(&world.space, GIB, 1, R, true, 0));
	check_world(&world);
}

static void add(void)
{
	const u64 va = CARREL_SHIM_VA + 5 * PAGE_SIZE;
	u64 pa;

	fresh(1);
	events_clear();
	CHECK_EQ(space_add(&world.space, va, R | X, phys(20 * CHUNK_SIZE)), 0);
	check_world(&world);
	pa = space_find(&world.space, va);
	CHECK(pa && !memcmp(phys(pa), phys(20 * CHUNK_SIZE), PAGE_SIZE));
	CHECK_EQ(space_find(&world.space, va + 0x123), pa + 0x123);
	CHECK_EQ(space_find(&world.space, va + PAGE_SIZE), 0);
	CHECK_EQ(space_find(&world.space, 0x800000000000), 0);
	CHECK_EQ(space_find(&world.space, va | 0xFFFF000000000000), 0);
	CHECK_IS(va, 'p', R | X);
	CHECK_EQ(space_add(&world.space, va, R, phys(0)), CARREL_EARG);
	CHECK_EQ(space_map(&world.space, va - 5 * PAGE_SIZE, 10, R, true, ANY), CARREL_EARG);
	CHECK_EQ(space_map(&world.space, GIB, 512, R, true, ANY), 512);
	CHECK_EQ(space_add(&world.space, GIB + PAGE_SIZE, R, phys(0)), CARREL_EARG);
	CHECK_EQ(space_find(&world.space, GIB + PAGE_SIZE), 0);
	check_world(&world);
}

static void fixed(void)
{
	struct space *space = &world.space;
	u64 hv = HV_FIRST * CHUNK_SIZE, channel = 20 * CHUNK_SIZE, before;
	unsigned int budget = ANY;

	fresh(1);
	CHECK_EQ(frame_lend(channel >> 16), 0);
	CHECK_EQ(space_fix(space, CARREL_GATE_VA, hv, PAGE_SIZE, R | X, true), 0);
	CHECK_EQ(space_fix(space, CARREL_BOUNCE_VA, hv + PAGE_SIZE, PAGE_SIZE, R | X, false), 0);
	CHECK_EQ(space_fix(space, CARREL_DESC_VA, hv + 2 * PAGE_SIZE, PAGE_SIZE, R, false), 0);
	CHECK_EQ(space_fix(space, CARREL_CHANNEL_VA, channel, CARREL_BLOCK_SIZE, R | W, true), 0);
	check_world(&world);
	CHECK_EQ(space_fix(space, CARREL_GATE_VA, hv + 3 * PAGE_SIZE, PAGE_SIZE, R, true),
		 CARREL_EARG);
	CHECK_EQ(space_fix(space, CARREL_CHANNEL_VA - PAGE_SIZE, channel + MIB, 2 * PAGE_SIZE, R,
			   true), CARREL_EARG);
	CHECK_IS(CARREL_CHANNEL_VA - PAGE_SIZE, 0, 0);
	CHECK_EQ(view_rights(&world.view, hv), R | X);
	CHECK_EQ(view_rights(&world.view, channel + CARREL_BLOCK_SIZE - 1), R | W);
	CHECK_EQ(view_rights(&world.view, channel + CARREL_BLOCK_SIZE), 0);
	/* supervisor pages are never the program's, even where the entry would allow it */
	CHECK_EQ(space_fault(space, CARREL_DESC_VA, READ | PRESENT), 0);
	CHECK_EQ(space_fault(space, CARREL_BOUNCE_VA, FETCH | PRESENT), 0);
	CHECK_EQ(space_fault(space, CARREL_GATE_VA, FETCH | PRESENT), 1);
	CHECK_EQ(space_fault(space, CARREL_GATE_VA, WRITE | PRESENT), 0);
	CHECK_EQ(space_fault(space, CARREL_CHANNEL_VA, FETCH | PRESENT), 0);
	CHECK_PANICS(space_fix(space, CARREL_SHIM_VA, hv, PAGE_SIZE, R, true));
	CHECK_PANICS(space_fix(space, CARREL_GATE_VA - PAGE_SIZE, hv, PAGE_SIZE, R, true));
	CHECK_PANICS(space_fix(space, CARREL_SHIM_VA - PAGE_SIZE, hv, 2 * PAGE_SIZE, R, true));
	CHECK_PANICS(space_fix(space, CARREL_DESC_VA + PAGE_SIZE, hv, PAGE_SIZE, R | W | X, true));
	CHECK_PANICS(space_fix(space, CARREL_DESC_VA + PAGE_SIZE, hv, PAGE_SIZE, W, true));
	CHECK_PANICS(space_fix(space, CARREL_DESC_VA + PAGE_SIZE, hv, PAGE_SIZE, 0, true));
	check_world(&world);
	before = world.view.changed;
	CHECK(space_destroy(space, &budget));
	CHECK(world.view.changed > before);
	CHECK_EQ(view_rights(&world.view, hv), 0);
	CHECK_EQ(view_rights(&world.view, channel), 0);
	CHECK_EQ(frame_chunk(20)->state, CHUNK_HOST);
	CHECK(frame_has(channel, HOST_COLOUR) && frame_has(hv, HOST_COLOUR));
}

static void eager(void)
{
	const u64 va = 2 * MIB - 3 * PAGE_SIZE;
	u64 changed;

	fresh(2);
	changed = world.view.changed;
	CHECK_EQ(space_map(&world.space, va, 7, R | W, false, ANY), 7);
	check_world(&world);
	for (unsigned int i = 0; i < 7; i++) {
		CHECK_IS(va + i * PAGE_SIZE, 'p', R | W);
		CHECK(frame_is_zero(space_find(&world.space, va + i * PAGE_SIZE)));
	}
	CHECK_EQ(world.view.changed, changed);	/* adding owes nothing */
	CHECK_EQ(space_map(&world.space, va + 6 * PAGE_SIZE, 2, R, false, ANY), CARREL_EARG);
	CHECK_EQ(space_map(&world.space, va - PAGE_SIZE, 2, R, false, ANY), CARREL_EARG);
	CHECK_IS(va - PAGE_SIZE, 0, 0);
	CHECK_IS(va + 7 * PAGE_SIZE, 0, 0);
	/* no page behind what nobody may touch */
	CHECK_EQ(space_map(&world.space, GIB, 3, 0, false, ANY), 3);
	CHECK_IS(GIB, 'd', 0);
	check_world(&world);
}

static void budgets(void)
{
	const u64 va = 4 * MIB - 5 * PAGE_SIZE, pages = 600;
	u64 done = 0;
	unsigned int calls = 0;

	fresh(4);
	for (; done < pages; calls++) {
		s64 n = space_map(&world.space, va + done * PAGE_SIZE, pages - done, R | W,
				  false, 7);

		CHECK(n > 0 && n <= 7);
		CHECK_IS(va + (done + n - 1) * PAGE_SIZE, 'p', R | W);
		CHECK_IS(va + (done + n) * PAGE_SIZE, 0, 0);
		done += n;
	}
	CHECK_EQ(calls, (pages + 6) / 7);
	for (done = 0; done < pages;) {
		s64 n = space_protect(&world.space, va + done * PAGE_SIZE, pages - done, R, 11);

		CHECK(n > 0 && n <= 11);
		done += n;
	}
	CHECK_IS(va + 599 * PAGE_SIZE, 'p', R);
	for (done = 0; done < pages;) {
		s64 n = space_unmap(&world.space, va + done * PAGE_SIZE, pages - done, 13);

		CHECK(n > 0 && n <= 13);
		check_world(&world);
		done += n;
	}
	/* holes are cheap, but not free: 64 TiB of nothing takes some calls, not one long one */
	for (done = 0, calls = 0; done < BIT(34) - 512; calls++) {
		s64 n = space_unmap(&world.space, 512 * PAGE_SIZE + done * PAGE_SIZE,
				    BIT(34) - 512 - done, 64);

		CHECK(n > 0);
		done += n;
	}
	CHECK(calls > 1 && calls < 60);
}

/* A reservation of any size costs what its edges need. */
static void reservations(void)
{
	const u64 huge = 3 * BIT(40) + 2 * GIB + 6 * MIB;
	unsigned int used, budget = ANY;

	fresh(1);
	used = world.family.used;
	CHECK_EQ(space_map(&world.space, 512 * GIB, GIB >> 12, R | W, true, 1), GIB >> 12);
	CHECK_EQ(world.family.used, used + 1);		/* one table, for a 1 GiB entry */
	used = world.family.used;
	CHECK_EQ(space_map(&world.space, 2048 * GIB - 4 * MIB, huge >> 12, R | W, true, ANY),
		 huge >> 12);
	CHECK(world.family.used - used <= 12);
	check_world(&world);
	CHECK_IS(2048 * GIB - 4 * MIB, 'd', R | W);
	CHECK_IS(2048 * GIB - 4 * MIB + huge - 1, 'd', R | W);
	CHECK_IS(2048 * GIB - 4 * MIB - 1, 0, 0);
	CHECK_IS(2048 * GIB - 4 * MIB + huge, 0, 0);
	used = world.family.used;
	CHECK_EQ(space_fault(&world.space, 3000 * GIB + 5 * MIB, WRITE), 1);
	CHECK_EQ(world.family.used, used + 2 + 16);
	CHECK_IS(3000 * GIB + 5 * MIB, 'p', R | W);
	CHECK_IS(3000 * GIB + 6 * MIB, 'd', R | W);
	CHECK_IS(3000 * GIB + 900 * MIB, 'd', R | W);
	CHECK_EQ(space_protect(&world.space, 3100 * GIB + 3 * MIB, 512, 0, ANY), 512);
	CHECK_IS(3100 * GIB + 3 * MIB - 1, 'd', R | W);
	CHECK_IS(3100 * GIB + 3 * MIB, 'd', 0);
	CHECK_IS(3100 * GIB + 5 * MIB - 1, 'd', 0);
	CHECK_IS(3100 * GIB + 5 * MIB, 'd', R | W);
	CHECK_EQ(space_unmap(&world.space, 3200 * GIB + PAGE_SIZE, 1, ANY), 1);
	CHECK_IS(3200 * GIB, 'd', R | W);
	CHECK_IS(3200 * GIB + PAGE_SIZE, 0, 0);
	CHECK_IS(3200 * GIB + 2 * PAGE_SIZE, 'd', R | W);
	CHECK_IS(3201 * GIB - 1, 'd', R | W);
	check_world(&world);
	/* all of it away again: the tables go too */
	CHECK_EQ(space_unmap(&world.space, 2048 * GIB - 4 * MIB, huge >> 12, ANY), huge >> 12);
	check_world(&world);
	CHECK(frame_reclaim(&world.family, world.family.limbo_stamp, 1000));
	CHECK(space_destroy(&world.space, &budget));
	CHECK(view_destroy(&world.view, &budget));
	CHECK(frame_reclaim(&world.family, world.family.limbo_stamp, 1000));
	CHECK_EQ(world.family.used, 0);
}

static void faults(void)
{
	const u64 va = 16 * MIB + 5 * 16 * PAGE_SIZE;
	u64 changed;

	fresh(2);
	CHECK_EQ(space_map(&world.space, va - 20 * PAGE_SIZE, 25, R | W, true, ANY), 25);
	CHECK_EQ(space_map(&world.space, va + 5 * PAGE_SIZE, 3, R | X, true, ANY), 3);
	CHECK_EQ(space_map(&world.space, va + 9 * PAGE_SIZE, 1, R | W, true, ANY), 1);
	CHECK_EQ(space_fault(&world.space, va + 8 * PAGE_SIZE, READ), 0);	/* a hole */
	CHECK_EQ(space_fault(&world.space, va, FETCH), 0);
	CHECK_EQ(space_fault(&world.space, va + 5 * PAGE_SIZE, WRITE), 0);
	CHECK_EQ(space_fault(&world.space, va, WRITE | 8), 0);			/* reserved bits */
	CHECK_EQ(space_fault(&world.space, va | BIT(47), WRITE), 0);
	CHECK_EQ(space_fault(&world.space, va | 0xFFFF000000000000, WRITE), 0);
	CHECK_EQ(space_fault(&world.space, va + BIT(48), WRITE), 0);
	CHECK_EQ(space_fault(&world.space, ~0UL, READ), 0);
	CHECK_IS(va, 'd', R | W);
	CHECK_EQ(space_fault(&world.space, va + 2 * PAGE_SIZE + 77, WRITE), 1);
	check_world(&world);
	/* the 64 KiB around it, where the range has the same rights; nothing outside */
	for (unsigned int i = 0; i < 16; i++)
		CHECK_IS(va + i * PAGE_SIZE, i < 5 || i == 9 ? 'p' : i < 8 ? 'd' : 0,
			 i < 5 || i == 9 ? R | W : R | X);
	CHECK_IS(va - PAGE_SIZE, 'd', R | W);
	CHECK(frame_is_zero(space_find(&world.space, va)));
	/* present by now, or with more rights than the CPU had cached: once more */
	changed = world.view.changed;
	CHECK_EQ(space_fault(&world.space, va, WRITE), 1);
	CHECK_EQ(space_fault(&world.space, va, WRITE | PRESENT), 1);
	CHECK_EQ(space_fault(&world.space, va, FETCH | PRESENT), 0);
	CHECK_EQ(space_protect(&world.space, va, 1, R, ANY), 1);
	CHECK(world.view.changed > changed);
	CHECK_EQ(space_fault(&world.space, va, WRITE | PRESENT), 0);
	changed = world.view.changed;
	CHECK_EQ(space_protect(&world.space, va, 1, R | W | X, ANY), 1);
	CHECK_EQ(world.view.changed, changed);		/* giving rights owes nothing */
	CHECK_EQ(space_fault(&world.space, va, WRITE | PRESENT), 1);
	CHECK_EQ(space_fault(&world.space, va, FETCH | PRESENT), 1);
	/* the pool runs dry: first page first, the neighbours as far as it goes */
	CHECK_EQ(space_map(&world.space, GIB, 16, R, true, ANY), 16);
	drain_family(&world.family, 0);
	CHECK_EQ(space_fault(&world.space, GIB + 9 * PAGE_SIZE, READ), CARREL_ENOMEM);
	CHECK_IS(GIB + 9 * PAGE_SIZE, 'd', R);
	frame_free(&world.family, (HOST_FIRST + 1) * CHUNK_SIZE + 400 * PAGE_SIZE);
	frame_free(&world.family, (HOST_FIRST + 1) * CHUNK_SIZE + 401 * PAGE_SIZE);
	CHECK_EQ(space_fault(&world.space, GIB + 9 * PAGE_SIZE, READ), 1);
	CHECK_IS(GIB + 9 * PAGE_SIZE, 'p', R);
	CHECK_IS(GIB, 'p', R);
	CHECK_IS(GIB + PAGE_SIZE, 'd', R);
	check_world(&world);
}

static void protect(void)
{
	const u64 va = 8 * MIB - 2 * PAGE_SIZE;
	u64 pa, changed;

	fresh(2);
	changed = world.view.changed;
	CHECK_EQ(space_map(&world.space, va, 4, R | W, false, ANY), 4);
	CHECK_EQ(space_map(&world.space, va + 4 * PAGE_SIZE, 2048, R | W, true, ANY), 2048);
	pa = space_find(&world.space, va);
	frame_paint(pa, 9);
	/* a hole: nothing changes */
	CHECK_EQ(space_protect(&world.space, va - PAGE_SIZE, 3, R, ANY), CARREL_EARG);
	CHECK_EQ(space_protect(&world.space, va, 2053, R, ANY), CARREL_EARG);
	CHECK_IS(va, 'p', R | W);
	CHECK_IS(va + 5 * PAGE_SIZE, 'd', R | W);
	CHECK_EQ(world.view.changed, changed);
	/* the same rights: nothing is owed; none at all: the bytes stay */
	CHECK_EQ(space_protect(&world.space, va, 2052, R | W, ANY), 2052);
	CHECK_EQ(world.view.changed, changed);
	CHECK_EQ(space_protect(&world.space, va, 2052, 0, ANY), 2052);
	changed = world.view.changed;
	CHECK(changed);
	CHECK_IS(va, 'h', 0);
	CHECK_IS(va + 4 * PAGE_SIZE, 'd', 0);
	CHECK_IS(va + 2051 * PAGE_SIZE, 'd', 0);
	CHECK_EQ(space_find(&world.space, va), 0);
	CHECK_EQ(space_fault(&world.space, va, READ), 0);
	CHECK_EQ(space_map(&world.space, va, 1, R, false, ANY), CARREL_EARG);
	check_world(&world);
	CHECK_EQ(space_protect(&world.space, va, 1, R | X, ANY), 1);
	CHECK_EQ(world.view.changed, changed);
	CHECK(space_find(&world.space, va) == pa && frame_has(pa, 9));
	CHECK_EQ(space_protect(&world.space, va, 1, R, ANY), 1);	/* only X goes */
	CHECK(world.view.changed > changed);
	CHECK_EQ(space_unmap(&world.space, va + PAGE_SIZE, 1, ANY), 1);	/* a held page */
	CHECK_IS(va + PAGE_SIZE, 0, 0);
	check_world(&world);
	/* demand ranges change without debts */
	changed = world.view.changed;
	CHECK_EQ(space_protect(&world.space, va + 100 * PAGE_SIZE, 1000, R, ANY), 1000);
	CHECK_EQ(world.view.changed, changed);
	CHECK_IS(va + 99 * PAGE_SIZE, 'd', 0);
	CHECK_IS(va + 100 * PAGE_SIZE, 'd', R);
	CHECK_IS(va + 1099 * PAGE_SIZE, 'd', R);
	CHECK_IS(va + 1100 * PAGE_SIZE, 'd', 0);
	CHECK_EQ(space_fault(&world.space, va + 500 * PAGE_SIZE, READ), 1);
	check_world(&world);
}

static void pinned(void)
{
	const u64 va = CARREL_THREADS_VA;
	unsigned int budget = ANY;
	u64 pa;

	fresh(1);
	CHECK_EQ(space_pin(&world.space, va), 0);
	CHECK_EQ(space_map(&world.space, va - 4 * PAGE_SIZE, 8, R | W, false, ANY), 8);
	CHECK_EQ(space_map(&world.space, va + 4 * PAGE_SIZE, 8, R | W, true, ANY), 8);
	CHECK_EQ(space_pin(&world.space, va + 5 * PAGE_SIZE), 0);	/* nothing there yet */
	pa = space_find(&world.space, va);
	CHECK_EQ(space_pin(&world.space, va), pa);
	check_world(&world);
	CHECK_EQ(space_unmap(&world.space, va, 1, ANY), CARREL_EARG);
	CHECK_EQ(space_protect(&world.space, va - 4 * PAGE_SIZE, 8, R, ANY), CARREL_EARG);
	CHECK_IS(va - 4 * PAGE_SIZE, 'p', R | W);
	CHECK_EQ(space_unmap(&world.space, va + PAGE_SIZE, 3, ANY), 3);
	CHECK_EQ(space_unmap(&world.space, va - 4 * PAGE_SIZE, 8, ANY), CARREL_EARG);
	CHECK_IS(va, 'p', R | W);
	CHECK_IS(va - PAGE_SIZE, 0, 0);
	CHECK_EQ(space_find(&world.space, va), pa);
	CHECK_EQ(space_fault(&world.space, va, WRITE | PRESENT), 1);
	check_world(&world);
	CHECK(space_destroy(&world.space, &budget));	/* with the space it goes */
	CHECK(frame_reclaim(&world.family, world.family.limbo_stamp, 1000));
	CHECK_SOUND(frame_check(&world.family));
}

/* --- Out of frames, at each allocation of each operation ------------------------------ */

struct case_ {
	const char *name;
	s64 (*run)(void);
	s64 done;
};

#define BASE (3 * GIB - 2 * PAGE_SIZE)	/* edges at 1 GiB, 2 MiB and 4 KiB */

static s64 run_add(void)
{
	return space_add(&world.space, 700 * GIB, R, phys(0)) ? CARREL_ENOMEM : 1;
}

static s64 run_fix(void)
{
	return space_fix(&world.space, CARREL_CHANNEL_VA, 20 * CHUNK_SIZE, CARREL_BLOCK_SIZE, R | W,
			 true) ? CARREL_ENOMEM : 1;
}

/* The second half needs a table of its own. */
static s64 run_fix_across(void)
{
	return space_fix(&world.space, CARREL_CHANNEL_VA + 2 * MIB - CARREL_BLOCK_SIZE / 2,
			 20 * CHUNK_SIZE, CARREL_BLOCK_SIZE, R | W, true) ? CARREL_ENOMEM : 1;
}

static s64 run_eager(void)
{
	return space_map(&world.space, 700 * GIB, 1, R | W, false, ANY);
}

/* Where the private table is there already. */
static s64 run_eager_near(void)
{
	return space_map(&world.space, BASE - PAGE_SIZE, 1, R | W, false, ANY);
}

static s64 run_demand(void)
{
	return space_map(&world.space, 700 * GIB, 1, R | W, true, ANY);
}

static s64 run_fault(void)
{
	return space_fault(&world.space, BASE + GIB, READ);
}

static s64 run_cut(void)
{
	return space_unmap(&world.space, BASE + GIB, 1, ANY);
}

static s64 run_protect(void)
{
	return space_protect(&world.space, BASE + GIB, 1, 0, ANY);
}

#define SNAPSHOT (5 * 16U)
struct snapshot {
	char kinds[SNAPSHOT];
	unsigned int rights[SNAPSHOT];
};

static void take_snapshot(struct snapshot *snapshot)
{
	static const u64 centres[] = { BASE, BASE + GIB, 700 * GIB, CARREL_CHANNEL_VA,
				       CARREL_CHANNEL_VA + 2 * MIB };

	for (unsigned int i = 0; i < SNAPSHOT; i++)
		snapshot->kinds[i] = kind(centres[i / 16] + (i % 16 - 8UL) * PAGE_SIZE,
					  &snapshot->rights[i]);
}

/* Frames of the family in use as pages. */
static unsigned int count_pages(void)
{
	unsigned int count = 0;
	const struct frame *frame;

	for (u64 pa = 0; pa < MEMORY_SIZE; pa += PAGE_SIZE) {
		frame = frame_record(&world.family, pa);
		count += frame && frame->use == FRAME_PAGE;
	}
	return count;
}

/* One operation with so many frames left; true when they were enough. `elsewhere`: the frames lie
 * in a chunk that the view has no table for yet. */
static bool run_with(const struct case_ *c, unsigned int left, bool elsewhere)
{
	struct snapshot before = { 0 }, after = { 0 };
	unsigned int pages;
	s64 result;

	fresh(1);
	CHECK_EQ(frame_lend(20 * CHUNK_SIZE >> 16), 0);
	CHECK_EQ(space_map(&world.space, BASE, (2 * GIB >> 12) + 7, R, true, ANY),
		 (2 * GIB >> 12) + 7);
	if (elsewhere) {
		drain_family(&world.family, 0);
		give_chunk(&world.family, HOST_FIRST + 1);
	}
	drain_family(&world.family, left);
	take_snapshot(&before);
	pages = count_pages();
	result = c->run();
	check_world(&world);
	if (result == c->done)
		return true;
	CHECK_EQ(result, CARREL_ENOMEM);
	CHECK_EQ(count_pages(), pages);
	take_snapshot(&after);
	CHECK(!memcmp(&before, &after, sizeof(before)));
	return false;
}

static void out_of_frames(void)
{
	static const struct case_ cases[] = {
		{ "add", run_add, 1 }, { "fix", run_fix, 1 }, { "eager", run_eager, 1 },
		{ "fix across 2 MiB", run_fix_across, 1 }, { "near", run_eager_near, 1 },
		{ "demand", run_demand, 1 }, { "fault", run_fault, 1 }, { "cut", run_cut, 1 },
		{ "protect", run_protect, 1 },
	};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const struct case_ *c = &cases[i / 2];
		unsigned int left = 0;

		while (left < 14 && !run_with(c, left, i % 2))
			left++;
		if (left == 0 || left == 14)
			printf("     %s: needed %u frames\n", c->name, left);
		CHECK(left > 0 && left < 14);
	}
}

/* Progress that was made stays, and the rest can be asked for again. */
static void partly_out_of_frames(void)
{
	fresh(1);
	CHECK_EQ(space_map(&world.space, GIB, 1, R | W, false, ANY), 1);
	drain_family(&world.family, 5);
	CHECK_EQ(space_map(&world.space, GIB + PAGE_SIZE, 9, R | W, false, ANY), 5);
	CHECK_EQ(space_map(&world.space, GIB + 6 * PAGE_SIZE, 4, R | W, false, ANY), CARREL_ENOMEM);
	check_world(&world);
	give_chunk(&world.family, HOST_FIRST + 1);
	CHECK_EQ(space_map(&world.space, GIB + 6 * PAGE_SIZE, 4, R | W, false, ANY), 4);
	check_world(&world);
}

/* --- Order ---------------------------------------------------------------------------- */

static u64 going_va, going_pa, going_table;

/* At the stamp of a page's debt no table leads to it any more. */
static void must_be_unreachable(void)
{
	unsigned int level;

	if (view_rights(&world.view, going_pa))
		CHECK(!view_rights(&world.view, going_table));	/* the table's own stamp */
	else
		CHECK(!(*table_entry(&world.space.table, going_va, &level) & GUEST_P));
}

static unsigned int find_event(enum event_kind event, u64 pa, unsigned int from)
{
	for (unsigned int i = from; i < event_count && i < EVENTS_MAX; i++)
		if (events[i].kind == event && (event == EVENT_STAMP || events[i].pa == pa))
			return i;
	CHECK(!"an event that is missing");
	return 0;
}

/* Unmapped from both tables, stamped, limbo with that stamp, paid, written back, scrubbed,
 * written back, and only then another use: for a page and for the table that it emptied. */
static void order(void)
{
	struct cpu_mask *entered = &world.view.entered;
	unsigned int at[2], level;
	u64 pa[2];

	fresh(1);
	going_va = 40 * GIB;
	CHECK_EQ(space_map(&world.space, going_va, 1, R | W, false, ANY), 1);
	cpu_mask_set(entered, 9);
	flush_done(9, flush_begin());
	going_pa = pa[0] = space_find(&world.space, going_va);
	going_table = pa[1] = (u64)((u8 *)ALIGN_DOWN((u64)table_entry(&world.space.table, going_va,
						&level), PAGE_SIZE) - (u8 *)phys(0));
	CHECK_EQ(frame_record(&world.family, going_table)->use, FRAME_TABLE);
	frame_paint(going_pa, 8);
	events_clear();
	on_stamp = must_be_unreachable;
	CHECK_EQ(space_unmap(&world.space, going_va, 1, ANY), 1);
	on_stamp = NULL;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int stamp = find_event(EVENT_STAMP, 0, i ? at[0] : 0);

		at[i] = find_event(EVENT_LIMBO, pa[i], stamp);
		CHECK(at[i] == stamp + 1 && events[at[i]].stamp == events[stamp].stamp);
		CHECK(view_rights(&world.view, pa[i]) == 0);
	}
	/* level 1, 2 and 3 tables and the page: nothing scrubbed, nothing reused */
	for (unsigned int i = 0; i < event_count; i++)
		CHECK(events[i].kind == EVENT_STAMP || events[i].kind == EVENT_LIMBO);
	CHECK_EQ(event_count, 8);
	CHECK(frame_has(going_pa, 8));
	CHECK(!flush_paid(entered, world.family.limbo_stamp));
	CHECK_EQ(world.family.limbo_stamp, world.view.changed);
	flush_done(9, flush_begin());
	CHECK(flush_paid(entered, world.family.limbo_stamp));
	events_clear();
	CHECK(frame_reclaim(&world.family, world.family.limbo_stamp, 100));
	CHECK_EQ(event_count, 16);
	for (unsigned int i = 0; i < 16; i += 4) {
		CHECK(events[i].kind == EVENT_SCRUB && events[i + 3].kind == EVENT_SCRUBBED);
		CHECK(events[i + 1].kind == EVENT_WRITE_BACK && !events[i + 1].zero ==
		      (events[i].pa == going_pa));
		CHECK(events[i + 2].kind == EVENT_WRITE_BACK && events[i + 2].zero);
	}
	check_world(&world);
}

/* --- The end -------------------------------------------------------------------------- */

static void destroyed(void)
{
	for (unsigned int size = 1; size < 2000; size = size * 3 + 5) {
		unsigned int budget, calls = 0;

		fresh(6);
		CHECK_EQ(frame_lend(20 * CHUNK_SIZE >> 16), 0);
		CHECK_EQ(space_fix(&world.space, CARREL_CHANNEL_VA, 20 * CHUNK_SIZE,
				   CARREL_BLOCK_SIZE, R | W, true), 0);
		CHECK_EQ(space_map(&world.space, 2 * MIB, 700, R, false, ANY), 700);
		CHECK_EQ(space_map(&world.space, 700 * MIB, 512 * 1024, R, true, ANY), 512 * 1024);
		CHECK_EQ(space_protect(&world.space, 2 * MIB, 300, 0, ANY), 300);
		for (unsigned int i = 0; i < 60; i++)
			space_map(&world.space, random_below(BIT(34)) << 12, 1, R, false, ANY);
		check_world(&world);
		do {
			if (calls && world.space.table.root)
				check_world(&world);
			budget = size;
		} while (++calls < 200000 && !space_destroy(&world.space, &budget));
		CHECK(!world.space.table.root && budget <= size);
		CHECK(size > 100 || calls > 10);
		do
			budget = 50;
		while (!view_destroy(&world.view, &budget));
		CHECK_SOUND(frame_check(&world.family));
		while (!frame_reclaim(&world.family, world.family.limbo_stamp, 100))
			;
		CHECK_EQ(world.family.used, 0);
		CHECK_EQ(world.family.free, 6 * 511);
		budget = size;
		CHECK(space_destroy(&world.space, &budget) && budget == size);
	}
}

/* The walker must find what it is there to find. */
static void walker_sees(void)
{
	const u64 va = 64 * MIB;
	unsigned int level;
	u64 *entry, *table, other, nested;

	fresh(2);
	CHECK_EQ(space_map(&world.space, va, 3, R | W, false, ANY), 3);
	CHECK_EQ(space_map(&world.space, va + MIB, 3, R | W, true, ANY), 3);
	entry = table_entry(&world.space.table, va, &level);
	table = (u64 *)ALIGN_DOWN((u64)entry, PAGE_SIZE);
	other = frame_alloc(&world.family, FRAME_OBJECT, false);
	nested = frame_alloc(&world.family, FRAME_PAGE, false);
	check_world(&world);
#define SPOIL(lvalue, value) \
	do { \
		u64 old = (lvalue); \
		(lvalue) = (value); \
		CHECK(space_check(&world.space)); \
		(lvalue) = old; \
		CHECK_SOUND(space_check(&world.space)); \
	} while (0)
	SPOIL(entry[0], guest_make_page(world.space.table.root, R | W | TABLE_USER));
	SPOIL(entry[0], guest_make_page(other, R | W | TABLE_USER));
	SPOIL(entry[0], guest_make_page(nested, R | W | TABLE_USER));	/* not in the view */
	SPOIL(entry[0], entry[1]);					/* twice */
	SPOIL(entry[0], guest_make_page(20 * CHUNK_SIZE, R | TABLE_USER));
	SPOIL(entry[0], guest_make_page(HV_FIRST * CHUNK_SIZE, R | TABLE_USER));
	SPOIL(entry[0], entry[0] & ~GUEST_A);
	SPOIL(entry[0], entry[0] & ~GUEST_D);
	SPOIL(entry[0], entry[0] & ~GUEST_US);
	SPOIL(entry[0], 0);						/* left in the view */
	SPOIL(entry[0], 8);						/* means nothing */
	SPOIL(entry[256], guest_make_demand(R) | BIT(20));
	SPOIL(((u64 *)phys(world.space.table.root))[3], guest_make_demand(R));
	SPOIL(((u64 *)phys(world.space.table.root))[300], guest_make_demand(R));
	SPOIL(((u64 *)phys(world.space.table.root))[0], 0);
	SPOIL(world.space.table.root, other);
#undef SPOIL
	CHECK_EQ(view_add(&world.view, nested, R | W | X), 0);	/* in the view for nothing */
	CHECK(space_check(&world.space));
	view_remove(&world.view, nested);
	view_remove(&world.view, world.space.table.root);
	CHECK_EQ(view_add(&world.view, world.space.table.root, R), 0);
	CHECK(space_check(&world.space));
	view_remove(&world.view, world.space.table.root);
	CHECK_EQ(view_add(&world.view, world.space.table.root, R | W), 0);
	CHECK_SOUND(space_check(&world.space));
	memset(table, 0, PAGE_SIZE);
	CHECK(space_check(&world.space));				/* an empty table */
}

const struct test space_tests[] = {
	{ "which ranges and rights are a caller's", ranges },
	{ "pages added", add },
	{ "fixed pages and the channel", fixed },
	{ "eager pages", eager },
	{ "budgets", budgets },
	{ "reservations cost nothing", reservations },
	{ "page faults", faults },
	{ "protection", protect },
	{ "pinned pages", pinned },
	{ "out of frames at each allocation: the old state", out_of_frames },
	{ "out of frames midway: progress stays", partly_out_of_frames },
	{ "the order of a change of owner", order },
	{ "a space destroyed in bounded steps", destroyed },
	{ "the walker sees what is wrong", walker_sees },
	{ 0 }
};
