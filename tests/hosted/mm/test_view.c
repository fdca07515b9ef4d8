/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#define RWX (TABLE_R | TABLE_W | TABLE_X)
#define LIMIT (6 * GIB)

/* WB RAM with the low video hole, an odd page, and MMIO below 4 GiB. */
static enum memory_type type_at(u64 pa, u64 *end)
{
	static const struct { u64 end; enum memory_type type; } map[] = {
		{ 0xA0000, MEMORY_WB }, { 0xC0000, MEMORY_UC }, { 0xC1000, MEMORY_WP },
		{ 3 * GIB, MEMORY_WB }, { 4 * GIB, MEMORY_UC }, { ~0UL << 12, MEMORY_WB },
	};
	unsigned int i = 0;

	while (map[i].end <= pa)
		i++;
	*end = map[i].end;
	return map[i].type;
}

#define HV_BASE (2 * GIB + 6 * MIB)
#define HV_SIZE (4 * MIB)

static void make_host(struct view *view, const struct table_format *format)
{
	CHECK_EQ(view_make_host(view, format, 3, &pool, LIMIT, HV_BASE, HV_SIZE, type_at), 0);
}

static void check_host_page(const struct view *view, u64 pa, unsigned int rights)
{
	struct table_walk walk = table_walk(&view->table, pa);
	u64 end;

	CHECK_EQ(walk.present ? walk.rights & RWX : 0, rights);
	if (!rights)
		return;
	CHECK_EQ(walk.pa, pa);
	if (view->table.format == &vmx_nested_format)
		CHECK_EQ(walk.entry >> 3 & 7, type_at(pa, &end));
}

static void host_view(void)
{
	const struct table_format *formats[] = { &svm_nested_format, &vmx_nested_format };

	for (unsigned int f = 0; f < 2; f++) {
		struct view view;

		make_host(&view, formats[f]);
		for (u64 pa = 0; pa < 16 * MIB; pa += PAGE_SIZE)
			check_host_page(&view, pa, RWX);
		for (u64 pa = 2 * GIB; pa < 2 * GIB + 16 * MIB; pa += PAGE_SIZE)
			check_host_page(&view, pa,
					pa >= HV_BASE && pa < HV_BASE + HV_SIZE ? 0 : RWX);
		for (u64 pa = 0; pa < LIMIT; pa += 127 * PAGE_SIZE)
			check_host_page(&view, pa,
					pa >= HV_BASE && pa < HV_BASE + HV_SIZE ? 0 : RWX);
		CHECK(!table_walk(&view.table, LIMIT).present);
		CHECK_EQ(table_walk(&view.table, 4 * MIB).level, 2);
		CHECK_EQ(table_walk(&view.table, GIB).level, 3);
		CHECK_EQ(table_walk(&view.table, 3 * GIB).level, 3);
		CHECK_EQ(table_walk(&view.table, 0).level, 1);
		/* root, level 3, two level 2 (low, around the hypervisor), one level 1 */
		CHECK_EQ(pool_out, 5);
		memory_reset();
	}
	for (pool_limit = 0; pool_limit < 5; pool_limit++) {
		struct view view;

		pool_out = 0;
		CHECK_EQ(view_make_host(&view, &svm_nested_format, 3, &pool, LIMIT, HV_BASE,
					HV_SIZE, type_at), -1);
	}
	CHECK_PANICS(struct view v; view_make_host(&v, &svm_nested_format, 3, &pool, HV_BASE,
						   HV_BASE, HV_SIZE, type_at));
}

/* Hidden, stamped after it is gone; shown again without a frame, with its memory type. */
static struct view *stamped_view;
static u64 stamped_pa;
static unsigned int stamps;

static void must_be_gone(void)
{
	CHECK(!table_walk(&stamped_view->table, stamped_pa).present);
	stamps++;
}

static void hide_and_show(void)
{
	const struct table_format *formats[] = { &svm_nested_format, &vmx_nested_format };
	const u64 chunks[] = { 0, 1, 3, 511, 512, 513, 1023, LIMIT / CHUNK_SIZE - 1 };

	for (unsigned int f = 0; f < 2; f++) {
		struct view view;

		make_host(&view, formats[f]);
		stamped_view = &view;
		for (unsigned int i = 0; i < ARRAY_SIZE(chunks); i++) {
			u64 pa = chunks[i] << CHUNK_SHIFT, before = view.changed;
			unsigned int level = table_walk(&view.table, pa).level;

			stamped_pa = pa;
			on_stamp = must_be_gone;
			pool_limit = pool_out;		/* 1 GiB: a frame is needed and missing */
			if (level == 3) {
				CHECK_EQ(view_hide_chunk(&view, chunks[i]), -1);
				CHECK_EQ(view.changed, before);
				check_host_page(&view, pa, RWX);
				pool_limit++;
			}
			CHECK_EQ(view_hide_chunk(&view, chunks[i]), 0);
			CHECK(view.changed > before);
			for (u64 at = pa; at < pa + CHUNK_SIZE; at += PAGE_SIZE)
				check_host_page(&view, at, 0);
			if (pa)
				check_host_page(&view, pa - 1, RWX);
			if (pa + CHUNK_SIZE < LIMIT)
				check_host_page(&view, pa + CHUNK_SIZE, RWX);
			before = view.changed;
			pool_limit = pool_out;
			on_stamp = NULL;
			view_show_chunk(&view, chunks[i]);
			CHECK_EQ(view.changed, before);	/* absence is not cached */
			for (u64 at = pa; at < pa + CHUNK_SIZE; at += PAGE_SIZE)
				check_host_page(&view, at, RWX);
			pool_limit = POOL_ALL;
		}
		CHECK(stamps);
		memory_reset();
	}
}

/* All 512 chunks of a GiB away and back: the tables stay, so nothing can fail. */
static void whole_gib(void)
{
	struct view view;

	make_host(&view, &svm_nested_format);
	for (u64 chunk = 512; chunk < 1024; chunk++)
		CHECK_EQ(view_hide_chunk(&view, chunk), 0);
	pool_limit = 0;
	for (u64 chunk = 512; chunk < 1024; chunk++)
		view_show_chunk(&view, chunk);
	for (u64 pa = GIB; pa < 2 * GIB; pa += 31 * PAGE_SIZE)
		check_host_page(&view, pa, RWX);
	CHECK_PANICS(view_show_chunk(&view, 600));	/* twice */
}

static void limited_page(void)
{
	const u64 pages[] = { 0x8000, 0xA0000, 5 * MIB, GIB + 5 * PAGE_SIZE, 0xFEE00000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		const unsigned int rights[] = { TABLE_R, 0, TABLE_R | TABLE_W, RWX, 0, RWX };
		struct view view;

		make_host(&view, &vmx_nested_format);
		if (table_walk(&view.table, pages[i]).level > 1) {
			pool_limit = pool_out;
			CHECK_EQ(view_limit_page(&view, pages[i], TABLE_R), -1);
			check_host_page(&view, pages[i], RWX);
			pool_limit = POOL_ALL;
		}
		for (unsigned int r = 0; r < ARRAY_SIZE(rights); r++) {
			u64 before = view.changed;

			CHECK_EQ(view_limit_page(&view, pages[i], rights[r]), 0);
			CHECK(view.changed > before);
			check_host_page(&view, pages[i], rights[r]);
			check_host_page(&view, pages[i] - PAGE_SIZE, RWX);
			check_host_page(&view, pages[i] + PAGE_SIZE, RWX);
			pool_limit = 0;		/* from the second time on no frame is needed */
		}
		memory_reset();
	}
}

static u64 removed_pa;

static void must_be_removed(void)
{
	CHECK_EQ(view_rights(stamped_view, removed_pa), 0);
	stamps++;
}

static void process_view(void)
{
	struct world world;
	u64 pa[3000], changed;

	for (unsigned int round = 0; round < 2; round++) {
		flush_done(3, flush_begin());
		make_world(&world, 8, round ? &vmx_nested_format : &svm_nested_format);
		stamped_view = &world.view;
		CHECK_EQ(world.view.tag, 1);
		/* a CPU that had a view of this tag before flushes when it enters */
		CHECK(world.view.changed > flush_seen(3));
		for (unsigned int i = 0; i < ARRAY_SIZE(pa); i++) {
			changed = world.view.changed;
			pa[i] = frame_alloc(&world.family, FRAME_PAGE, false);
			CHECK_EQ(view_rights(&world.view, pa[i]), 0);
			CHECK_EQ(view_add(&world.view, pa[i], i % 2 ? RWX : TABLE_R), 0);
			CHECK_EQ(view_rights(&world.view, pa[i]), i % 2 ? RWX : TABLE_R);
			CHECK_EQ(world.view.changed, changed);
		}
		CHECK_PANICS(view_add(&world.view, pa[5], RWX));
		stamps = 0;
		on_stamp = must_be_removed;
		for (unsigned int i = 0; i < ARRAY_SIZE(pa); i++) {
			unsigned int at = (i * 7 + 3) % ARRAY_SIZE(pa);

			changed = world.view.changed;
			removed_pa = pa[at];
			CHECK_EQ(view_rights(&world.view, pa[at]), at % 2 ? RWX : TABLE_R);
			view_remove(&world.view, pa[at]);
			CHECK_EQ(view_rights(&world.view, pa[at]), 0);
			CHECK(world.view.changed > changed);
		}
		on_stamp = NULL;
		/* and one for each table that covered a chunk: five of them lead to nothing now */
		CHECK_EQ(stamps, ARRAY_SIZE(pa) + 5);
		for (unsigned int i = 0; i < ARRAY_SIZE(pa); i++)
			if (table_walk(&world.view.table, pa[i]).level == 1)
				CHECK_EQ(pa[i] >> CHUNK_SHIFT,
					 world.space.table.root >> CHUNK_SHIFT);
		CHECK_PANICS(view_remove(&world.view, pa[5]));
		memory_reset();
	}
}

/* Nothing of another chunk is taken for what was used last. */
static void last_table(void)
{
	struct world world;
	u64 root_rights;

	make_world(&world, 2, &svm_nested_format);
	root_rights = view_rights(&world.view, world.space.table.root);
	CHECK_EQ(view_add(&world.view, (HOST_FIRST + 9) * CHUNK_SIZE, TABLE_R), 0);
	CHECK_EQ(view_add(&world.view, (HOST_FIRST + 10) * CHUNK_SIZE, RWX), 0);
	CHECK_EQ(view_rights(&world.view, (HOST_FIRST + 9) * CHUNK_SIZE), TABLE_R);
	CHECK_EQ(view_rights(&world.view, (HOST_FIRST + 10) * CHUNK_SIZE), RWX);
	view_remove(&world.view, (HOST_FIRST + 9) * CHUNK_SIZE);
	CHECK_EQ(view_rights(&world.view, (HOST_FIRST + 10) * CHUNK_SIZE), RWX);
	CHECK_EQ(view_rights(&world.view, world.space.table.root), root_rights);
	drain_family(&world.family, 0);
	CHECK_EQ(view_add(&world.view, (HOST_FIRST + 11) * CHUNK_SIZE, RWX), -1);
	CHECK_EQ(view_rights(&world.view, (HOST_FIRST + 11) * CHUNK_SIZE), 0);
	CHECK_EQ(view_add(&world.view, (HOST_FIRST + 10) * CHUNK_SIZE + PAGE_SIZE, RWX), 0);
}

static void destroyed(void)
{
	struct world world;
	unsigned int calls = 0, budget, used;

	make_world(&world, 2, &vmx_nested_format);
	for (u64 i = 0; i < 9; i++)
		CHECK_EQ(view_add(&world.view, (HOST_FIRST + 5 + i) * CHUNK_SIZE, RWX), 0);
	used = world.family.used;
	do
		budget = 2;
	while (++calls < 100 && !view_destroy(&world.view, &budget));
	CHECK(calls >= 5 && calls < 100);
	CHECK_EQ(world.family.used, used);	/* in limbo: CPUs may have cached them */
	CHECK_SOUND(frame_check(&world.family));
	CHECK(frame_reclaim(&world.family, world.family.limbo_stamp, 100));
	CHECK_EQ(world.family.used, 1);		/* the private root, which was not the view's */
}

const struct test view_tests[] = {
	{ "the host view: everything but the hypervisor, typed", host_view },
	{ "a chunk hidden and shown again", hide_and_show },
	{ "all chunks of a GiB hidden and shown again", whole_gib },
	{ "one page limited", limited_page },
	{ "frames in and out of a process view", process_view },
	{ "the table used last", last_table },
	{ "a process view destroyed", destroyed },
	{ 0 }
};
