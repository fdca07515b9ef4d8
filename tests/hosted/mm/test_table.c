/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include <pthread.h>

static const struct table_format *const formats[] = { &guest_format, &svm_nested_format,
						      &vmx_nested_format };
#define RWX (TABLE_R | TABLE_W | TABLE_X)

/* Rights that every format can express, and what a walk tells of them. */
static unsigned int shown(const struct table_format *format, unsigned int rights)
{
	return format == &guest_format ? rights : rights | TABLE_USER;
}

static unsigned int random_rights(void)
{
	return TABLE_R | random_below(4) << 1;
}

static void leaf_sizes(void)
{
	for (unsigned int f = 0; f < ARRAY_SIZE(formats); f++) {
		for (unsigned int largest = 1; largest <= 3; largest++) {
			struct table table;
			u64 size = table_size(largest);

			memory_reset();
			CHECK_EQ(table_init(&table, formats[f], &pool, largest), 0);
			CHECK_EQ(table_map(&table, size, 2 * size, size, RWX, MEMORY_WB), 0);
			CHECK_EQ(table_walk(&table, size).level, largest);
			CHECK_EQ(table_walk(&table, size + 0x123).pa, 2 * size + 0x123);
			CHECK_EQ(pool_out, 5 - largest);
			CHECK(!table_walk(&table, size - 1).present);
			CHECK(!table_walk(&table, 2 * size).present);
		}
	}
	CHECK_PANICS(struct table t; table_init(&t, &guest_format, &pool, 4));
}

/* One byte of misalignment between va and pa costs the large leaves, nothing else. */
static void alignment(void)
{
	struct table table;

	CHECK_EQ(table_init(&table, &vmx_nested_format, &pool, 3), 0);
	CHECK_EQ(table_map(&table, GIB - 0x3000, 5 * GIB - 0x3000, 0x3000 + 4 * MIB + 0x1000, RWX,
			   MEMORY_UC), 0);
	CHECK_EQ(table_walk(&table, GIB - 1).level, 1);
	CHECK_EQ(table_walk(&table, GIB).level, 2);
	CHECK_EQ(table_walk(&table, GIB + 4 * MIB).level, 1);
	CHECK_EQ(table_walk(&table, GIB + 4 * MIB).pa, 5 * GIB + 4 * MIB);
	CHECK_EQ(table_map(&table, 8 * GIB, 9 * GIB + 0x1000, 2 * MIB, RWX, MEMORY_UC), 0);
	CHECK_EQ(table_walk(&table, 8 * GIB).level, 1);
	/* the top of the address space, where an end would be 2^64 */
	CHECK_EQ(table_map(&table, 0 - 2 * MIB, 0, 2 * MIB, RWX, MEMORY_WB), 0);
	CHECK_EQ(table_walk(&table, ~0UL).pa, 2 * MIB - 1);
	CHECK_EQ(table_protect(&table, 0 - 0x1000UL, 0x1000, TABLE_R), 0);
	CHECK_EQ(table_unmap(&table, 0 - 2 * MIB, 2 * MIB), 0);
	CHECK(!table_walk(&table, ~0UL).present);
}

static void programming_errors(void)
{
	struct table table;
	u64 *slot;

	CHECK_EQ(table_init(&table, &guest_format, &pool, 3), 0);
	CHECK_EQ(table_map(&table, 2 * MIB, 2 * MIB, 2 * MIB, RWX, MEMORY_WB), 0);
	CHECK_PANICS(table_map(&table, 3 * MIB, 0, PAGE_SIZE, RWX, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 0, 0, 4 * MIB, RWX, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 8 * MIB, 0, 0, RWX, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 8 * MIB + 1, 0, PAGE_SIZE, RWX, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 8 * MIB, 1, PAGE_SIZE, RWX, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 8 * MIB, 0, PAGE_SIZE, 0, MEMORY_WB));
	CHECK_PANICS(table_map(&table, 8 * MIB, 0 - PAGE_SIZE, 2 * PAGE_SIZE, RWX, MEMORY_WB));
	CHECK_PANICS(table_unmap(&table, 0 - PAGE_SIZE, 2 * PAGE_SIZE));
	CHECK_PANICS(table_protect(&table, 2 * MIB, PAGE_SIZE, 0));
	slot = table_slot(&table, 16 * MIB);
	*slot = guest_make_demand(TABLE_R);	/* in use, though not present */
	CHECK_PANICS(table_map(&table, 16 * MIB, 0, PAGE_SIZE, RWX, MEMORY_WB));
	CHECK_PANICS(table_grow(&table, slot, 1, 0));
}

/* --- Random changes against a page-by-page model -------------------------------------- */

#define WINDOW_PAGES 2048U
#define LARGE_PAGES (3 * GIB >> PAGE_SHIFT)

struct page {
	u64 pa;
	unsigned int rights;	/* 0: not present */
	enum memory_type type;
};

struct random_run {
	struct table table;
	u64 va;			/* of the window */
	u64 pages;
	struct page *model;
};

static void compare_page(const struct random_run *run, u64 i)
{
	const struct table_format *format = run->table.format;
	struct table_walk walk = table_walk(&run->table, run->va + (i << PAGE_SHIFT) + 7);
	const struct page *page = &run->model[i];

	CHECK_EQ(walk.present, page->rights != 0);
	if (!walk.present)
		return;
	CHECK_EQ(walk.pa, page->pa + 7);
	CHECK_EQ(walk.rights, shown(format, page->rights));
	if (format == &vmx_nested_format)
		CHECK_EQ(walk.entry >> 3 & 7, page->type);
}

static bool none_present(const struct random_run *run, u64 first, u64 count)
{
	for (u64 i = first; i < first + count; i++)
		if (run->model[i].rights)
			return false;
	return true;
}

/* A range of one of the sizes that matter, in the window. */
static void random_range(const struct random_run *run, u64 *first, u64 *count)
{
	static const u64 grains[] = { 1, 1, 8, 512, 512, 512 * 512 };
	u64 grain = grains[random_below(ARRAY_SIZE(grains))];

	*first = random_below(run->pages) / grain * grain;
	*count = (1 + random_below(4)) * grain;
	if (random_below(4) == 0)
		*count += random_below(3);
	if (*count > run->pages - *first)
		*count = run->pages - *first;
}

static int random_map(struct random_run *run, u64 first, u64 count)
{
	static const enum memory_type types[] = { MEMORY_UC, MEMORY_WC, MEMORY_WT, MEMORY_WB };
	u64 va = run->va + (first << PAGE_SHIFT);
	u64 pa = random_below(3) ? va + 64 * GIB : random_below(BIT(24)) << PAGE_SHIFT;
	unsigned int rights = random_rights();
	enum memory_type type = types[random_below(4)];

	if (table_map(&run->table, va, pa, count << PAGE_SHIFT, rights, type))
		return -1;
	for (u64 i = 0; i < count; i++)
		run->model[first + i] = (struct page){ pa + (i << PAGE_SHIFT), rights, type };
	return 0;
}

static int random_change(struct random_run *run, u64 first, u64 count)
{
	u64 va = run->va + (first << PAGE_SHIFT), size = count << PAGE_SHIFT;
	unsigned int rights = random_below(2) ? random_rights() : 0;

	if (rights ? table_protect(&run->table, va, size, rights) :
	    table_unmap(&run->table, va, size))
		return -1;
	for (u64 i = first; i < first + count; i++)
		if (run->model[i].rights)
			run->model[i].rights = rights;
	return 0;
}

static void compare_around(const struct random_run *run, u64 first, u64 count)
{
	compare_page(run, first);
	compare_page(run, first + count - 1);
	if (first)
		compare_page(run, first - 1);
	if (first + count < run->pages)
		compare_page(run, first + count);
	for (unsigned int i = 0; i < 32; i++)
		compare_page(run, random_below(run->pages));
	for (unsigned int i = 0; i < 8; i++)
		compare_page(run, first + random_below(count));
}

/* Returns how many steps found no frame. */
static unsigned int random_steps(const struct table_format *format, u64 va, u64 pages,
				 unsigned int steps)
{
	static struct page model[LARGE_PAGES];
	struct random_run run = { .va = va, .pages = pages, .model = model };
	unsigned int failures = 0;

	memset(model, 0, sizeof(model));
	CHECK_EQ(table_init(&run.table, format, &pool, 1 + random_below(3)), 0);
	for (unsigned int step = 0; step < steps; step++) {
		u64 first, count;
		int result;

		random_range(&run, &first, &count);
		pool_limit = random_below(3) ? POOL_ALL : pool_out + random_below(3);
		if (none_present(&run, first, count) && random_below(4))
			result = random_map(&run, first, count);
		else
			result = random_change(&run, first, count);
		failures += result != 0;
		for (u64 i = 0; pages <= WINDOW_PAGES && i < pages; i++)
			compare_page(&run, i);
		compare_around(&run, first, count);
	}
	CHECK(failures < steps / 2);
	return failures;
}

static void random_small(void)
{
	unsigned int failures = 0;

	for (unsigned int round = 0; round < 30; round++) {
		memory_reset();
		failures += random_steps(formats[round % 3], 512 * GIB - 4 * MIB, WINDOW_PAGES,
					 150);
	}
	CHECK(failures > 10);
}

static void random_large(void)
{
	unsigned int failures = 0;

	for (unsigned int round = 0; round < 3; round++) {
		memory_reset();
		failures += random_steps(formats[round], 511 * GIB, LARGE_PAGES, 400);
	}
	CHECK(failures > 10);
}

/* Out of frames at each allocation of one change: the old state, and success afterwards. */
static void every_failure(void)
{
	for (unsigned int f = 0; f < ARRAY_SIZE(formats); f++) {
		struct table table;
		unsigned int missing, before;

		CHECK_EQ(table_init(&table, formats[f], &pool, 3), 0);
		for (missing = 0;; missing++) {
			pool_limit = pool_out + missing;
			before = pool_out;
			if (!table_map(&table, 3 * GIB - 0x2000, 0x2000, 0x5000, RWX, MEMORY_WB))
				break;
			CHECK_EQ(pool_out, before + missing);
			for (u64 va = 3 * GIB - 0x3000; va < 3 * GIB + 0x5000; va += PAGE_SIZE)
				CHECK(!table_walk(&table, va).present);
		}
		/* tables that were made stay: nothing is ever asked for twice */
		CHECK_EQ(pool_out, 1 + 1 + 2 + 2);
		pool_limit = POOL_ALL;
		CHECK_EQ(table_map(&table, 4 * GIB, 4 * GIB, GIB, RWX, MEMORY_WB), 0);
		for (missing = 0; missing < 4; missing++) {	/* 1 GiB to 2 MiB to 4 KiB, twice */
			CHECK_EQ(table_walk(&table, 4 * GIB + 0x1000).pa, 4 * GIB + 0x1000);
			pool_limit = pool_out + (missing ? 1 : 0);
			CHECK_EQ(table_unmap(&table, 4 * GIB + 0x1000, GIB - 0x2000),
				 missing < 3 ? -1 : 0);
			CHECK(table_walk(&table, 4 * GIB).present);
			CHECK_EQ(table_walk(&table, 4 * GIB + 64 * MIB).present, missing < 3);
		}
		CHECK(table_walk(&table, 5 * GIB - 1).present);
		memory_reset();
	}
}

static void slots(void)
{
	struct table table;
	unsigned int level;
	u64 *slot, *entry;

	CHECK_EQ(table_init(&table, &guest_format, &pool, 3), 0);
	slot = table_slot(&table, 5 * GIB + 0x7000);
	CHECK(slot && !*slot && pool_out == 4);
	CHECK(table_slot(&table, 5 * GIB + 0x8000) == slot + 1 && pool_out == 4);
	CHECK(table_entry(&table, 5 * GIB + 0x7FFF, &level) == slot && level == 1);
	entry = table_entry(&table, 5 * GIB + 2 * MIB, &level);
	CHECK_EQ(level, 2);
	*entry = guest_make_demand(TABLE_R);	/* in use: no slot, and no table put over it */
	CHECK(!table_slot(&table, 5 * GIB + 2 * MIB) && pool_out == 4);
	*entry = 0;
	CHECK_EQ(table_map(&table, 5 * GIB + 2 * MIB, 0, 2 * MIB, RWX, MEMORY_WB), 0);
	CHECK(!table_slot(&table, 5 * GIB + 2 * MIB));
	pool_limit = pool_out;
	CHECK(!table_slot(&table, 5 * GIB + 4 * MIB));
	CHECK(!table_grow(&table, table_entry(&table, 5 * GIB + 4 * MIB, &level), 2, 7 << 1));
	pool_limit = POOL_ALL;
	slot = table_grow(&table, table_entry(&table, 5 * GIB + 4 * MIB, &level), 2, 7 << 1);
	for (unsigned int i = 0; i < 512; i++)
		CHECK_EQ(slot[i], 7 << 1);
	CHECK(table_entry(&table, 5 * GIB + 6 * MIB - 1, &level) == slot + 511);
}

static void prune(void)
{
	struct table table;
	u64 *slot;

	CHECK_EQ(table_init(&table, &guest_format, &pool, 1), 0);
	table_prune(&table, 0);
	CHECK_EQ(pool_out, 1);
	slot = table_slot(&table, 5 * GIB);
	*table_slot(&table, 5 * GIB + 4 * MIB) = guest_make_demand(0);
	*slot = guest_make_demand(TABLE_R);
	table_prune(&table, 5 * GIB);
	CHECK_EQ(pool_out, 5);			/* something is there, though not present */
	*slot = 0;
	table_prune(&table, 5 * GIB);
	CHECK_EQ(pool_out, 4);			/* its neighbour keeps the tables above */
	*table_slot(&table, 5 * GIB + 4 * MIB) = 0;
	table_prune(&table, 5 * GIB + 4 * MIB);
	CHECK_EQ(pool_out, 1);
	CHECK(table.root);
}

static void destroy(void)
{
	for (unsigned int size = 1; size < 40; size += 3) {
		struct table table;
		unsigned int calls = 0, budget;

		CHECK_EQ(table_init(&table, &guest_format, &pool, 2), 0);
		for (unsigned int i = 0; i < 40; i++)
			*table_slot(&table, random_below(BIT(35)) << PAGE_SHIFT) = 0;
		do {
			unsigned int before = pool_out;

			budget = size;
			calls++;
			if (table_destroy(&table, &budget))
				break;
			CHECK_EQ(budget, 0);
			CHECK_EQ(before - pool_out, size);
		} while (calls < 1000);
		CHECK(pool_out == 0 && table.root == 0);
		budget = 1;
		CHECK(table_destroy(&table, &budget) && budget == 1);
	}
}

/* --- A CPU that walks meanwhile ------------------------------------------------------- */

struct walker {
	const struct table *table;
	bool stop, wrong;
};

#define STABLE (7 * GIB + 3 * MIB + 0x5000)

static void *walk_on(void *argument)
{
	struct walker *walker = argument;

	while (!__atomic_load_n(&walker->stop, __ATOMIC_RELAXED)) {
		struct table_walk walk = table_walk(walker->table, STABLE);

		if (!walk.present || walk.pa != STABLE || !(walk.rights & TABLE_R))
			__atomic_store_n(&walker->wrong, true, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void start_walker(struct walker *walker, struct table *table, pthread_t *thread)
{
	memory_reset();
	CHECK_EQ(table_init(table, &svm_nested_format, &pool, 3), 0);
	CHECK_EQ(table_map(table, 7 * GIB, 7 * GIB, GIB, RWX, MEMORY_WB), 0);
	*walker = (struct walker){ .table = table };
	CHECK_EQ(pthread_create(thread, NULL, walk_on, walker), 0);
}

static void stop_walker(struct walker *walker, pthread_t thread)
{
	__atomic_store_n(&walker->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK(!walker->wrong);
}

/* Put the 1 GiB leaf back; the tables below leak until the pool is reset. */
static void unsplit(const struct table *table)
{
	u64 *level3 = phys(*(u64 *)phys(table->root) & TABLE_ADDRESS);

	table_set(&level3[7], svm_nested_format.make_leaf(7 * GIB, 3, RWX, MEMORY_WB));
}

/* The page that the walker uses is split, and its neighbours change: it never goes away. */
static void walk_meanwhile(void)
{
	struct walker walker;
	struct table table;
	pthread_t thread;

	for (unsigned int round = 0; round < 6; round++) {
		start_walker(&walker, &table, &thread);
		while (pool_out < 900) {
			table_unmap(&table, STABLE + PAGE_SIZE, PAGE_SIZE);
			table_protect(&table, 7 * GIB, GIB, TABLE_R);
			unsplit(&table);
		}
		stop_walker(&walker, thread);
	}
}

/* --- The guest's format --------------------------------------------------------------- */

static void guest_entries(void)
{
	u64 pa = 0x000FEDCBA9876000;

	CHECK_EQ(guest_make_page(pa, TABLE_R | TABLE_USER), pa | 0x8000000000000025);
	CHECK_EQ(guest_make_page(pa, TABLE_R | TABLE_W | TABLE_USER), pa | 0x8000000000000067);
	CHECK_EQ(guest_make_page(pa, TABLE_R | TABLE_X | TABLE_USER), pa | 0x25);
	CHECK_EQ(guest_make_page(pa, TABLE_R | TABLE_X), pa | 0x21);
	CHECK_EQ(guest_make_page(pa, 0), pa | 4);
	CHECK_EQ(guest_make_demand(TABLE_R | TABLE_W), 0x602);
	CHECK_EQ(guest_format.make_branch(pa, 2), pa | 0x27);
	for (unsigned int rights = 0; rights < 16; rights++) {
		u64 entry;

		if (!(rights & TABLE_R))
			continue;
		entry = guest_make_page(pa, rights);
		CHECK_EQ(guest_rights(entry), rights);
		CHECK_EQ(guest_frame(entry), pa);
		CHECK(guest_has_frame(entry) && !guest_is_demand(entry));
		CHECK_EQ(guest_rights(guest_make_demand(rights & 7)), rights & 7);
		CHECK(guest_is_demand(guest_make_demand(rights & 7)));
		CHECK(!guest_has_frame(guest_make_demand(rights & 7)));
	}
	CHECK(guest_has_frame(guest_make_page(pa, 0)) && !guest_rights(guest_make_page(pa, 0)));
	CHECK(!guest_present(guest_make_page(pa, 0)) && !guest_is_demand(guest_make_page(pa, 0)));
	/* a demand entry that would look pinned is not */
	CHECK(!guest_is_pinned(guest_make_demand(TABLE_R)));
}

const struct test table_tests[] = {
	{ "the largest leaf that fits", leaf_sizes },
	{ "unaligned edges, and the top of the address space", alignment },
	{ "programming errors are caught", programming_errors },
	{ "random changes against a model, 8 MiB around 512 GiB", random_small },
	{ "random changes against a model, 3 GiB, samples", random_large },
	{ "out of frames at each allocation", every_failure },
	{ "slots, entries and grown tables", slots },
	{ "empty tables are pruned, the root never", prune },
	{ "destroyed in bounded steps", destroy },
	{ "a walk goes on while its leaf is split", walk_meanwhile },
	{ "private entries, bit by bit", guest_entries },
	{ 0 }
};
