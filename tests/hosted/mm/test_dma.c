/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of all devices (hv/mm/dma.c), over a driver that does nothing but walk it. */
#include "test.h"

#include <mm/dma.h>

#define HV_BASE		(3 * GIB - 8 * MIB)
#define HV_SIZE		(4 * MIB)

static struct dma_platform platform;
static struct dma_limits offered;
static const char *failure;
static struct table walked;
static u64 level3;
static unsigned int flushes, admitted;
static bool ended;
static struct dma_fault recorded[64];
static unsigned int recorded_count;

static const char *probe(struct dma_platform *described, struct dma_limits *limits)
{
	described->unit[0].size = 2 * PAGE_SIZE;
	*limits = offered;
	return failure;
}

static u64 pages(const struct dma_platform *described)
{
	(void)described;
	return 0;
}

static const char *start(struct dma_platform *described, const struct dma_root *root)
{
	CHECK(described == &platform);
	walked = (struct table){ .format = &svm_nested_format, .root = root->level4 };
	level3 = root->level3;
	return failure;
}

static int admit(u32 slot)
{
	(void)slot;
	admitted++;
	return admitted > 3 ? -1 : 0;
}

static void flush(void)
{
	flushes++;
	ended = false;
}

static bool flushed(void)
{
	return ended;
}

static const char *collect(void)
{
	for (unsigned int i = 0; i < recorded_count; i++)
		dma_fault(&recorded[i]);
	recorded_count = 0;
	return failure;
}

static const struct dma_ops fake = {
	.name = "fake", .format = &svm_nested_format, .probe = probe, .pages = pages, .start = start,
	.admit = admit, .flush = flush, .flushed = flushed, .collect = collect,
};

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa;
	*end = 64 * GIB;
	return MEMORY_WB;
}

static struct view host;

static void begin(unsigned int leaf, bool coherent)
{
	offered = (struct dma_limits){ .largest_leaf = leaf, .address_bits = 48, .coherent = coherent };
	failure = NULL;
	flushes = admitted = 0;
	memset(&platform, 0, sizeof(platform));
	platform.kind = DMA_VTD;
	platform.unit_count = 1;
	platform.unit[0].registers = 0xFED90000;
	CHECK_EQ(view_make_host(&host, &svm_nested_format, 3, &pool, 64 * GIB, HV_BASE, HV_SIZE, all_wb),
		 0);
	pool_out = 0;
	CHECK(!dma_probe(&fake, &platform, 7, 65 * GIB));
}

static bool reaches(u64 pa)
{
	struct table_walk walk = table_walk(&walked, pa);

	CHECK(!walk.present || (walk.pa == pa && walk.rights & TABLE_W));
	return walk.present;
}

static void unprotected(void)
{
	struct dma_report report;
	struct dma_requester row;

	CHECK_EQ(dma_state(), DMA_UNPROTECTED);
	CHECK(strstr(dma_problem(), "no IOMMU"));
	CHECK_EQ(dma_hide_chunk(5), 0);
	CHECK(dma_drained());
	dma_show_chunk(5);
	CHECK_EQ(dma_admit(0x10), 0);
	dma_report(&report);
	CHECK(!report.name && !report.unit_count && !dma_report_unit(0));
	CHECK(dma_report_requester(0, &row) && !row.faults);
	dma_unprotected("the DMAR is damaged");
	CHECK(!strcmp(dma_problem(), "the DMAR is damaged"));
}

/* The memory of a 64 GiB PC, with two ranges of the firmware's that overlap it. */
static void open_pc(void)
{
	CHECK_EQ(dma_open(0, 0x9FC00), 0);
	CHECK_EQ(dma_open(MIB, 3 * GIB - MIB), 0);
	CHECK_EQ(dma_open(4 * GIB, 61 * GIB), 0);
	CHECK_EQ(dma_open(2 * GIB + 0x3000, 0x5000), 0);
	CHECK_EQ(dma_open(3 * GIB - 0x2000, 0x4000), 0);
	CHECK_EQ(dma_close(HV_BASE, HV_SIZE), 0);
	CHECK_EQ(dma_close(0x8000, PAGE_SIZE), 0);
}

static void check_pc(void)
{
	static const u64 yes[] = { 0, 0x7000, 0x9000, 0x9E000, MIB, HV_BASE - 0x1000, HV_BASE + HV_SIZE,
		3 * GIB - 0x1000, 3 * GIB + 0x1000, 4 * GIB, 65 * GIB - 0x1000, 17 * GIB + 0x123000 };
	static const u64 no[] = { 0x8000, 0x9F000, 0xA0000, 0xFF000, HV_BASE, HV_BASE + HV_SIZE - 0x1000,
		3 * GIB + 0x2000, 0xFED90000, 0xFEE00000, 4 * GIB - 0x1000, 65 * GIB, 1UL << 47 };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		CHECK(reaches(yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		CHECK(!reaches(no[i]));
}

static void pc(void)
{
	for (unsigned int leaf = 2; leaf <= 3; leaf++) {
		begin(leaf, true);
		open_pc();
		CHECK(!dma_start(&host));
		CHECK_EQ(dma_state(), DMA_PROTECTED);
		CHECK(!dma_problem());
		check_pc();
		CHECK_EQ(level3, table_get(phys(walked.root)) & TABLE_ADDRESS);
		/* the budget: under 1 MiB for 64 GiB, with what the drivers take for 64 buses
		 * (tests/hosted/iommu); and the bound that the pool is made by holds */
		CHECK(pool_out * PAGE_SIZE <= 320 * KIB);
		CHECK(pool_out <= dma_pages(&fake, &platform, 7, 65 * GIB));
		/* registers left the host's view, their neighbours did not */
		CHECK(!table_walk(&host.table, 0xFED90000).present);
		CHECK(!table_walk(&host.table, 0xFED91FFF).present);
		CHECK(table_walk(&host.table, 0xFED92000).present);
		CHECK(table_walk(&host.table, 0xFED8F000).present);
		memory_reset();
	}
}

/* Units that read tables past the caches never meet one that was split. */
static void incoherent(void)
{
	unsigned int frames;

	begin(3, false);
	open_pc();
	CHECK(!dma_start(&host));
	check_pc();
	CHECK_EQ(table_walk(&walked, 5 * GIB).level, 2);
	frames = pool_out;
	events_clear();
	CHECK_EQ(dma_hide_chunk(5 * GIB / CHUNK_SIZE), 0);
	CHECK_EQ(pool_out, frames);
	CHECK_EQ(event_count, 1);
	CHECK_EQ(events[0].kind, EVENT_WRITE_BACK);
	CHECK(!reaches(5 * GIB) && reaches(5 * GIB + CHUNK_SIZE));
	dma_show_chunk(5 * GIB / CHUNK_SIZE);
	CHECK_EQ(event_count, 2);
	CHECK(reaches(5 * GIB));
}

static void chunks(void)
{
	const u64 chunk = 6 * GIB / CHUNK_SIZE;

	begin(3, true);
	open_pc();
	CHECK(!dma_start(&host));
	CHECK_EQ(table_walk(&walked, 6 * GIB).level, 3);
	pool_limit = pool_out;
	CHECK_EQ(dma_hide_chunk(chunk), -1);	/* nothing changed */
	CHECK_EQ(flushes, 0);
	CHECK(reaches(6 * GIB));
	pool_limit = POOL_ALL;
	CHECK_EQ(dma_hide_chunk(chunk), 0);
	CHECK_EQ(flushes, 1);
	CHECK(!dma_drained());
	ended = true;
	CHECK(dma_drained());
	for (u64 pa = 6 * GIB; pa < 6 * GIB + CHUNK_SIZE; pa += PAGE_SIZE)
		CHECK(!reaches(pa));
	CHECK(reaches(6 * GIB - 1) && reaches(6 * GIB + CHUNK_SIZE));
	pool_limit = 0;
	dma_show_chunk(chunk);			/* needs no frame, and no flush */
	CHECK_EQ(flushes, 1);
	CHECK(reaches(6 * GIB));
}

/* A unit with caching mode keeps that something was absent. */
static void caching_mode(void)
{
	begin(3, true);
	offered.flush_on_show = true;
	CHECK(!dma_probe(&fake, &platform, 7, 65 * GIB));
	open_pc();
	CHECK(!dma_start(&host));
	CHECK_EQ(dma_hide_chunk(100), 0);
	dma_show_chunk(100);
	CHECK_EQ(flushes, 2);
}

/* Ranges that make no sense, and addresses that the units cannot name. */
static void odd_ranges(void)
{
	begin(3, true);
	offered.address_bits = 39;
	CHECK(!dma_probe(&fake, &platform, 7, 65 * GIB));
	CHECK_EQ(dma_open(0, 2 * MIB), 0);
	CHECK_EQ(dma_open(0x300800, 0x1000), 0);	/* no whole page */
	CHECK_EQ(dma_open(0x400800, 0), 0);
	CHECK_EQ(dma_open(~0UL - 0x800, 0x100), 0);
	CHECK_EQ(dma_open(~0UL - 0x2000, ~0UL), 0);	/* wraps */
	CHECK_EQ(dma_open((1UL << 39) - GIB, 2 * GIB), 0);
	CHECK_EQ(dma_open(1UL << 60, GIB), 0);
	CHECK(!dma_start(&host));
	CHECK(reaches(0x1FF000) && !reaches(0x300000) && !reaches(0x301000) && !reaches(0x400000));
	CHECK(reaches((1UL << 39) - 0x1000) && !reaches(1UL << 39));
}

/* Firmware that names memory where none can be: the map takes what was counted for it. */
static void far_ranges(void)
{
	u64 bound;

	begin(2, true);
	open_pc();
	bound = dma_pages(&fake, &platform, 7, 65 * GIB);
	CHECK_EQ(dma_open(1UL << 40, 1UL << 46), -1);
	CHECK(pool_out <= bound && bound < POOL_ALL);
	CHECK_EQ(dma_open(1UL << 47, GIB), -1);
	CHECK(pool_out <= bound);
}

static void requesters(void)
{
	struct dma_requester row;
	struct dma_report report;
	u64 before;

	begin(3, true);
	open_pc();
	dma_platform_slot(&platform, 0x0010);
	CHECK(!dma_start(&host));
	CHECK_EQ(dma_admit(0x0017), 0);		/* the slot is there */
	CHECK_EQ(admitted, 0);
	CHECK_EQ(dma_admit(0x0500), 0);
	CHECK_EQ(dma_admit(0x0501), 0);
	CHECK_EQ(admitted, 1);
	CHECK(dma_platform_has(&platform, dma_slot(0x0507)));
	dma_report(&report);
	CHECK_EQ(report.slot_count, 2);
	before = report.faults;
	for (unsigned int i = 0; i < DMA_REQUESTERS_MAX + 5; i++)
		recorded[i] = (struct dma_fault){ 0x1000 * i, (u16)i, 5, i & 1 };
	recorded_count = DMA_REQUESTERS_MAX + 5;
	dma_report(&report);
	CHECK_EQ(report.faults, before + DMA_REQUESTERS_MAX + 5);
	CHECK(dma_report_requester(3, &row));
	CHECK(row.last.requester == 3 && row.faults == 1 && row.last.address == 0x3000 && row.last.write);
	CHECK(dma_report_requester(DMA_REQUESTERS_MAX, &row));
	CHECK(row.last.requester == DMA_NO_FUNCTION && row.faults == 5);
	CHECK(!dma_report_requester(DMA_REQUESTERS_MAX + 1, &row));
	CHECK(dma_report_unit(0) == &platform.unit[0] && !dma_report_unit(1));
}

static void failing(void)
{
	begin(3, true);
	failure = "it lacks something";
	CHECK(dma_probe(&fake, &platform, 7, 65 * GIB) == failure);
	failure = NULL;
	offered.address_bits = 36;
	CHECK(strstr(dma_probe(&fake, &platform, 7, 65 * GIB), "all memory"));
	offered = (struct dma_limits){ .largest_leaf = 1, .address_bits = 48 };
	CHECK(strstr(dma_probe(&fake, &platform, 7, 65 * GIB), "large pages"));
	begin(3, true);
	open_pc();
	CHECK(!dma_start(&host));
	CHECK_EQ(dma_hide_chunk(100), 0);
	failure = "it stopped";
	CHECK_EQ(dma_state(), DMA_LOST);
	failure = NULL;
	CHECK_EQ(dma_state(), DMA_LOST);	/* for good */
	CHECK(!strcmp(dma_problem(), "it stopped"));
	CHECK(!dma_drained());
}

const struct test dma_tests[] = {
	{ "dma: a machine without IOMMU", unprotected },	/* must be the first */
	{ "dma: the map of a PC of 64 GiB", pc },
	{ "dma: units that do not look into caches", incoherent },
	{ "dma: chunks leave and come back", chunks },
	{ "dma: caching mode", caching_mode },
	{ "dma: odd ranges", odd_ranges },
	{ "dma: ranges far away", far_ranges },
	{ "dma: requesters, admitted and refused", requesters },
	{ "dma: a unit that fails", failing },
	{ 0 }
};
