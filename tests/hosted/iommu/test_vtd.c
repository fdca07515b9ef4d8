/* SPDX-License-Identifier: BSD-2-Clause */
#include <drivers/iommu/vtd.h>

#include "model_vtd.h"

#define DISK	0x00FA		/* 00:1f.2 */
#define NIC	0x0300		/* 03:00.0 */
#define STRANGER 0x0310		/* 03:02.0: a known bus */
#define FAR	0x4208		/* 42:01.0: no known bus */
#define SECRET	(6 * MIB)	/* a chunk that is open at first */

static struct dma_platform platform;
static struct dma_limits limits;

static void make_platform(u32 units)
{
	platform = (struct dma_platform){ .kind = DMA_VTD, .unit_count = units };
	for (u32 i = 0; i < units; i++)
		platform.unit[i].registers = MODEL_BASE(i);
	dma_platform_slot(&platform, DISK);
	dma_platform_slot(&platform, NIC);
	limits = (struct dma_limits){ .largest_leaf = 99, .address_bits = 99 };
}

static const char *probe(void)
{
	return vtd_ops.probe(&platform, &limits);
}

/* Ready for start(): 2 GiB of RAM with a hole below 1 MiB. */
static void prepare(u64 cap, u64 ecap, u32 units)
{
	const char *error;

	model_reset(cap, ecap);
	make_platform(units);
	error = probe();
	if (error)
		printf("     %s\n", error);
	CHECK(!error);
	map_make(vtd_ops.format, limits.largest_leaf);
	map_open(64 * KIB, 2 * GIB - 64 * KIB);
}

static const char *start(void)
{
	struct dma_root root = map_root();

	return vtd_ops.start(&platform, &root);
}

static void start_well(u64 cap, u64 ecap, u32 units)
{
	const char *error;

	prepare(cap, ecap, units);
	error = start();
	if (error)
		printf("     %s\n", error);
	CHECK(!error);
}

static void check_fault(u16 requester, u64 address, u8 code, bool write)
{
	CHECK(fault_count);
	CHECK_EQ(faults[fault_count - 1].requester, requester);
	CHECK_EQ(faults[fault_count - 1].address, address);
	CHECK_EQ(faults[fault_count - 1].code, code);
	CHECK_EQ(faults[fault_count - 1].write, write);
}

/* The request is blocked, and the driver tells so. */
static void check_blocked(struct model_unit *unit, u16 requester, u64 address, u8 code, bool write)
{
	unsigned int before = fault_count;

	CHECK(!model_dma(unit, requester, address, write));
	CHECK(!vtd_ops.collect());
	CHECK_EQ(fault_count, before + 1);
	check_fault(requester, address & ~0xFFFULL, code, write);
}

static void check_reaches(struct model_unit *unit, u16 requester, u64 address)
{
	CHECK(model_dma(unit, requester, address, false));
	CHECK(model_dma(unit, requester, address, true));
}

/* Translation is on, it obeys the map, and nothing else goes through. */
static void check_guards(struct model_unit *unit)
{
	CHECK(unit->gsts & TE);
	CHECK_EQ(unit->fectl, BIT(31));
	check_reaches(unit, DISK, 1 * MIB);
	check_reaches(unit, DISK, GIB + 5);
	check_reaches(unit, NIC, 2 * GIB - 1);
	check_reaches(unit, NIC + 7, 2 * GIB - 1);	/* a function of an admitted slot */
	check_blocked(unit, DISK, 0x8000, 6, false);
	check_blocked(unit, NIC, 2 * GIB, 5, true);
	check_blocked(unit, STRANGER, 1 * MIB, 2, true);
	check_blocked(unit, FAR, 1 * MIB, 1, false);
}

/* --- Probing -------------------------------------------------------------------------- */

static void entries(void)
{
	const struct table_format *format = vtd_ops.format;
	u64 pa = 0x000FEDCBA9876000, leaf;

	CHECK_EQ(format->make_leaf(pa, 1, TABLE_R | TABLE_W, MEMORY_WB), pa | 3);
	CHECK_EQ(format->make_leaf(pa, 1, TABLE_R, MEMORY_WB), pa | 1);
	CHECK_EQ(format->make_leaf(pa, 1, TABLE_W, MEMORY_WB), pa | 2);
	CHECK_EQ(format->make_leaf(2 * MIB, 2, TABLE_R | TABLE_W, MEMORY_WB), 2 * MIB | 0x83);
	CHECK_EQ(format->make_branch(pa, 4), pa | 3);
	for (unsigned int rights = 1; rights < 4; rights++) {
		leaf = format->make_leaf(pa, 1, rights, MEMORY_WB);
		CHECK(format->present(leaf));
		CHECK_EQ(format->rights(leaf), rights);
		CHECK_EQ(format->type(leaf), MEMORY_WB);
	}
	CHECK(!format->present(0) && !format->present(pa | BIT(7)));
}

static void probe_limits(void)
{
	model_reset(CAP_FULL, ECAP_FULL);
	make_platform(2);
	CHECK(!probe());
	CHECK_EQ(limits.largest_leaf, 3);
	CHECK_EQ(limits.address_bits, 48);
	CHECK(limits.coherent && !limits.flush_on_show);
	CHECK_EQ(platform.unit[1].features[0], CAP_FULL);
	CHECK_EQ(platform.unit[1].features[1], ECAP_FULL);
	model[1].cap &= ~(2ULL << 34);		/* the second has no 1 GiB leaves, */
	model[1].ecap &= ~ECAP_C;
	CHECK(!probe());
	CHECK_EQ(limits.largest_leaf, 2);
	CHECK(!limits.coherent);
	model[0].cap &= ~(3ULL << 34);		/* the first none at all */
	model[0].cap |= CAP_CM;
	CHECK(!probe());
	CHECK_EQ(limits.largest_leaf, 1);
	CHECK(limits.flush_on_show);
	model[0].cap = CAP_FULL | 3ULL << 34 | CAP_RWBF;
	CHECK(!probe());
	CHECK(limits.flush_on_show);
	for (u32 i = 0; i < MODEL_UNITS; i++)
		CHECK_EQ(model[i].writes, 0);
}

static void probe_widths(void)
{
	const u64 rest = CAP_FULL & ~CAP_WIDTHS(31);

	model_reset(CAP_FULL, ECAP_FULL);
	make_platform(2);
	model[1].cap = rest | CAP_WIDTHS(2);
	CHECK(!probe());
	CHECK_EQ(limits.address_bits, 39);
	model[1].cap = (rest & ~(0x3FULL << 16)) | CAP_WIDTHS(2) | 35ULL << 16;	/* MGAW 36 */
	CHECK(!probe());
	CHECK_EQ(limits.address_bits, 36);
	model[1].cap = (CAP_FULL & ~(0x3FULL << 16)) | 41ULL << 16;
	CHECK(!probe());
	CHECK_EQ(limits.address_bits, 42);
	model[0].cap = rest | CAP_WIDTHS(4);
	model[1].cap = rest | CAP_WIDTHS(2);
	CHECK_SAYS(probe(), "neither 39-bit nor 48-bit");
	model[0].cap = model[1].cap = rest | CAP_WIDTHS(8);
	CHECK_SAYS(probe(), "neither 39-bit nor 48-bit");
}

static void probe_refuses(void)
{
	make_platform(2);
	model_reset(CAP_FULL, ECAP_FULL);
	model[1].dead = true;
	CHECK_SAYS(probe(), "does not answer");
	model_reset(CAP_FULL, ECAP_FULL);
	model[1].version = 0;
	CHECK_SAYS(probe(), "does not answer");
	model[1].version = ~0U;
	CHECK_SAYS(probe(), "does not answer");
	model_reset(CAP_FULL, ECAP_FULL);
	model[1].cap = 0;
	CHECK_SAYS(probe(), "does not answer");
	model[1].cap = ~0ULL;
	CHECK_SAYS(probe(), "does not answer");
	model_reset(CAP_FULL, ECAP_FULL);
	model[1].ecap = ~0ULL;
	CHECK_SAYS(probe(), "does not answer");
	model[1].ecap = ECAP_FULL & ~ECAP_QI;
	CHECK_SAYS(probe(), "no queued invalidation");
	model_reset(CAP_FULL, ECAP_FULL);
	model[1].cap = (CAP_FULL & ~(0x3FFULL << 24)) | 0xBULL << 24;
	CHECK_SAYS(probe(), "fault recording registers");
}

/* All that is written to, and what a guest could use behind it, lies inside. */
static void probe_size(void)
{
	model_reset(CAP_FULL, ECAP_FULL);
	make_platform(1);
	CHECK(!probe());
	CHECK_EQ(platform.unit[0].size, 0x1000);
	model[0].cap = (CAP_FULL & ~(0x3FFULL << 24)) | 0xFCULL << 24;	/* up to 1000h */
	CHECK(!probe());
	CHECK_EQ(platform.unit[0].size, 0x1000);
	model[0].cap = (CAP_FULL & ~(0x3FFULL << 24)) | 0xFDULL << 24;
	CHECK(!probe());
	CHECK_EQ(platform.unit[0].size, 0x2000);
	model[0].cap = (CAP_FULL & ~(0xFFULL << 40)) | 0xFFULL << 40;
	CHECK(!probe());
	CHECK_EQ(platform.unit[0].size, 0x2000);
	model[0].cap = CAP_FULL;
	model[0].ecap = ECAP_FULL | 0x3FFULL << 8;
	CHECK(!probe());
	CHECK_EQ(platform.unit[0].size, 0x4000);
}

/* --- Starting ------------------------------------------------------------------------- */

static void guards(void)
{
	start_well(CAP_FULL, ECAP_FULL, 3);
	for (u32 i = 0; i < 3; i++) {
		check_guards(&model[i]);
		CHECK_EQ(platform.unit[i].flushes, 1);
	}
	start_well(CAP_FULL & ~CAP_DRAIN, ECAP_FULL, 1);
	check_guards(&model[0]);
}

static void guards_39(void)
{
	start_well((CAP_FULL & ~CAP_WIDTHS(31)) | CAP_WIDTHS(2), ECAP_FULL, 1);
	check_guards(&model[0]);
	check_blocked(&model[0], DISK, BIT(39), 4, true);	/* not the same as address 0 */
}

/* Leaves of each size, and a hole of each size in them. */
static void leaves(void)
{
	for (unsigned int largest = 1; largest <= 3; largest++) {
		u64 pages = (1ULL << (largest - 1)) - 1;

		model_reset((CAP_FULL & ~(3ULL << 34)) | pages << 34, ECAP_FULL);
		make_platform(1);
		CHECK(!probe());
		CHECK_EQ(limits.largest_leaf, largest);
		map_make(vtd_ops.format, limits.largest_leaf);
		map_open(GIB, largest == 3 ? 2 * GIB : 8 * MIB);
		CHECK_EQ(table_walk(&map, GIB).level, largest);
		CHECK(!start());
		check_reaches(&model[0], DISK, GIB + 2 * MIB);
		map_close(GIB + 2 * MIB, largest == 1 ? PAGE_SIZE : 2 * MIB);
		vtd_ops.flush();
		CHECK(vtd_ops.flushed());
		check_blocked(&model[0], DISK, GIB + 2 * MIB + 8, 6, false);
		check_reaches(&model[0], DISK, GIB + 2 * MIB - 1);
		check_reaches(&model[0], DISK, GIB + 4 * MIB);
	}
}

/* As a firmware may leave a unit that it used itself, with tables that let everything through. */
static void leave_on(struct model_unit *unit, u64 mode)
{
	unit->gsts = TE | SRTP | QIE | IRE | SIRTP | CFI;
	unit->rtaddr = 0x123000 | mode << 10;
	unit->root = 0x123000;
	unit->iqa = MAP_BASE;
	unit->iqh = unit->iqt = 0x70;
	unit->fectl = 0;
	unit->pmen = EPM | PRS;
	for (u32 i = 0; i < MODEL_RECORDS + 1; i++)
		model_record(unit, DISK, i * PAGE_SIZE, 6, false);
	for (u32 i = 0; i < MODEL_CACHE; i++) {
		unit->context[i] = (struct model_cached){ true, STRANGER, 0, 0, 0, 1, 0x202 };
		unit->iotlb[i] = (struct model_cached){ true, DISK, 2 * GIB >> 12, 2 * GIB, 3, 0,
							0x102 };
	}
}

static void firmware_left_on(void)
{
	prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 2);
	leave_on(&model[1], 0);
	CHECK(!start());
	CHECK(!model[1].was_off);	/* not for a moment */
	CHECK(!vtd_ops.collect());
	CHECK(!fault_count && !faults_lost);
	CHECK_EQ(model[1].pmen, 0);
	check_guards(&model[1]);
}

static void firmware_other_mode(void)
{
	prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 2);
	leave_on(&model[0], 1);		/* scalable mode */
	CHECK(!start());
	CHECK(model[0].was_off);
	check_guards(&model[0]);
}

/* Its queue runs still; or it stopped with an error, for ever. */
static void firmware_queue(void)
{
	prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 1);
	leave_on(&model[0], 0);
	for (u32 i = 0; i < 3; i++) {	/* three waits are left in it */
		((u64 *)phys(MAP_BASE + 0x70 + 16 * i))[0] = 0x65;
		((u64 *)phys(MAP_BASE + 0x70 + 16 * i))[1] = MAP_BASE - 8;
	}
	map_make(vtd_ops.format, limits.largest_leaf);	/* not in the page of that queue */
	map_open(64 * KIB, 2 * GIB - 64 * KIB);
	model[0].iqt = 0xA0;
	model[0].hold = true;
	model[0].lag = 100;
	CHECK(!start());
	check_guards(&model[0]);

	prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 1);
	leave_on(&model[0], 0);
	model[0].iqt = 0xA0;
	model[0].fsts |= FSTS_IQE | FSTS_ICE | FSTS_ITE;
	CHECK(!start());
	CHECK(!vtd_ops.collect());
	check_guards(&model[0]);
}

static void check_refused(const char *words)
{
	const char *error = start();

	CHECK_SAYS(error, words);
	for (u32 i = 0; i < platform.unit_count; i++) {
		CHECK(model[i].dead || !(model[i].gsts & (TE | IRE | QIE) & ~model[i].stuck));
		CHECK_EQ(platform.unit[i].msi, DMA_MSI_ANY);
	}
}

/* Each step is waited for, and the one that does not come is named; nothing stays on. */
static void steps_that_fail(void)
{
	static const struct { u64 bit; const char *words; } steps[] = {
		{ SRTP, "the root table" }, { SIRTP, "interrupt remapping table" },
		{ QIE, "start its invalidation queue" }, { IRE, "start to remap interrupts" },
		{ TE, "start translation" }, { WBF, "write buffer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		prepare(CAP_FULL | CAP_RWBF, ECAP_FULL, 2);
		model[1].stuck = steps[i].bit;
		check_refused(steps[i].words);
	}
	prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 2);
	model[0].pmen = EPM | PRS;
	model[0].keeps_regions = true;
	check_refused("protected memory");
	prepare(CAP_FULL, ECAP_FULL, 2);
	model[1].hold = true;
	check_refused("end an invalidation");
	prepare(CAP_FULL, ECAP_FULL, 2);
	model[1].breaks = true;
	check_refused("end an invalidation");
	prepare(CAP_FULL, ECAP_FULL, 2);
	model[1].dead = true;
	check_refused("VT-d: a unit does not");
}

static void firmware_that_stays(void)
{
	static const struct { u64 bit, mode; const char *words; } steps[] = {
		{ TE, 1, "firmware's translation" }, { IRE, 0, "firmware's interrupt remapping" },
		{ QIE, 0, "firmware's invalidation queue" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		prepare(CAP_FULL | CAP_PMR, ECAP_FULL, 2);
		leave_on(&model[0], steps[i].mode);
		leave_on(&model[1], 0);
		model[0].stuck = steps[i].bit;
		check_refused(steps[i].words);
	}
}

static void interrupts(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	CHECK(model[1].gsts & IRE);
	CHECK_EQ(platform.unit[1].msi, DMA_MSI_COMPATIBLE);
	CHECK(model_interrupt(&model[1], NIC, false, 0));
	for (u32 index = 0; index < 256; index += 51)
		CHECK(!model_interrupt(&model[1], NIC, true, index));
	CHECK(!vtd_ops.collect());
	check_fault(NIC, 0, 0x22, true);	/* no address: the index tells nothing */
	CHECK(!model_interrupt(&model[1], NIC, true, 256));
	CHECK(!vtd_ops.collect());
	check_fault(NIC, 0, 0x21, true);	/* the table is no longer than its page */
	prepare(CAP_FULL, ECAP_FULL, 2);
	model[1].no_cfi = true;
	CHECK(!start());
	CHECK(!(model[1].gsts & (IRE | CFI)));
	CHECK_EQ(platform.unit[0].msi, DMA_MSI_COMPATIBLE);
	CHECK_EQ(platform.unit[1].msi, DMA_MSI_ANY);
	CHECK(model_interrupt(&model[1], NIC, false, 0));
	start_well(CAP_FULL, ECAP_FULL & ~ECAP_IR, 1);
	CHECK(!(model[0].gsts & IRE));
	CHECK_EQ(platform.unit[0].msi, DMA_MSI_ANY);
}

/* --- Flushes -------------------------------------------------------------------------- */

/* Unmap, invalidate, wait, and only then is it true; until then devices do use what they know. */
static void order(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	for (u32 i = 0; i < 2; i++) {
		check_reaches(&model[i], DISK, SECRET);
		model[i].hold = true;
	}
	map_close(SECRET, 2 * MIB);
	CHECK(vtd_ops.flushed());	/* nothing was begun */
	vtd_ops.flush();
	for (u32 i = 0; i < 2; i++) {
		CHECK(!vtd_ops.flushed());
		check_reaches(&model[i], DISK, SECRET);
		model_run(&model[i], 1);
		check_blocked(&model[i], DISK, SECRET, 5, true);
		CHECK(!vtd_ops.flushed());
		model_run(&model[i], 1);
	}
	CHECK(vtd_ops.flushed());
	vtd_ops.flush();
	model_run(&model[1], MODEL_ALL);
	CHECK(!vtd_ops.flushed());
	vtd_ops.flush();
	model_run(&model[0], 2);	/* the first of two */
	CHECK(!vtd_ops.flushed());
	model_run(&model[0], MODEL_ALL);
	CHECK(!vtd_ops.flushed());
	model_run(&model[1], MODEL_ALL);
	CHECK(vtd_ops.flushed());
}

/* One invalidation a unit, however much was hidden; it drains where the unit can. */
static void one_invalidation(void)
{
	u32 before;

	start_well(CAP_FULL, ECAP_FULL, 2);
	before = model[1].invalidations;
	map_close(SECRET, 64 * MIB);
	vtd_ops.flush();
	CHECK_EQ(model[1].invalidations, before + 1);
	CHECK_EQ(platform.unit[1].flushes, 2);
	for (u64 pa = SECRET; pa < SECRET + 64 * MIB; pa += MIB) {
		CHECK(!model_dma(&model[1], DISK, pa, false));
		CHECK(!vtd_ops.collect());
		fault_count = 0;
	}
}

static void queue_wraps(void)
{
	u32 before;

	start_well(CAP_FULL, ECAP_FULL, 1);
	before = model[0].waits;
	for (u32 i = 0; i < 5000; i++) {
		map_close(SECRET, 2 * MIB);
		vtd_ops.flush();
		CHECK(vtd_ops.flushed());
		CHECK(!model_dma(&model[0], NIC, SECRET, true));
		map_open(SECRET, 2 * MIB);
		check_reaches(&model[0], NIC, SECRET);
	}
	CHECK_EQ(model[0].waits, before + 5000);
	CHECK_EQ(platform.unit[0].flushes, 5001);
}

/* A unit that is behind: flush() waits for room, none is lost, none is over too early. */
static void queue_lags(void)
{
	u32 before;

	start_well(CAP_FULL, ECAP_FULL, 2);
	before = model[0].waits;
	model[0].hold = true;
	model[0].lag = 300;
	for (u32 i = 0; i < 1000; i++) {
		vtd_ops.flush();
		CHECK(!vtd_ops.flushed());
	}
	CHECK(model[0].waits > before + 800);
	model_run(&model[0], 100);
	CHECK(!vtd_ops.flushed());
	model_run(&model[0], MODEL_ALL);
	CHECK(vtd_ops.flushed());
	CHECK_EQ(model[0].waits, before + 1000);
	CHECK(!vtd_ops.collect());
}

/* A unit that hangs: no room one day, and from then on no flush is ever over. */
static void queue_hangs(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	model[1].hold = true;
	for (u32 i = 0; i < 200; i++) {
		vtd_ops.flush();
		CHECK(!vtd_ops.flushed());
	}
	CHECK_SAYS(vtd_ops.collect(), "invalidation queue of a unit stopped");
	model[1].hold = false;
	model_run(&model[1], MODEL_ALL);
	CHECK(!vtd_ops.flushed());
	vtd_ops.flush();
	CHECK(!vtd_ops.flushed());
	CHECK_EQ(vtd_ops.admit(dma_slot(FAR)), -1);
	CHECK_SAYS(vtd_ops.collect(), "stopped");
}

static void queue_errors(void)
{
	static const u32 errors[] = { FSTS_IQE, FSTS_ICE, FSTS_ITE };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		start_well(CAP_FULL, ECAP_FULL, 2);
		CHECK(!vtd_ops.collect());
		model[1].fsts |= errors[i];
		CHECK_SAYS(vtd_ops.collect(), "stopped");
		CHECK_SAYS(vtd_ops.collect(), "stopped");	/* and it stays so */
	}
	start_well(CAP_FULL, ECAP_FULL, 2);
	model[1].breaks = true;
	vtd_ops.flush();
	CHECK(!vtd_ops.flushed());
	CHECK_SAYS(vtd_ops.collect(), "stopped");
	CHECK_EQ(vtd_ops.admit(dma_slot(FAR)), -1);
	for (size_t i = 0; i < 2; i++) {	/* by whoever found a way to its registers */
		start_well(CAP_FULL, ECAP_FULL, 2);
		model[1].gsts &= i ? ~QIE : ~TE;
		CHECK_SAYS(vtd_ops.collect(), "switched off");
	}
	start_well(CAP_FULL, ECAP_FULL, 2);
	model[0].dead = true;
	vtd_ops.flush();
	CHECK(!vtd_ops.flushed());
	CHECK_SAYS(vtd_ops.collect(), "answers no more");
}

static void write_buffer(void)
{
	start_well(CAP_FULL | CAP_RWBF, ECAP_FULL, 2);
	check_guards(&model[1]);
	map_close(SECRET, 2 * MIB);
	vtd_ops.flush();
	CHECK(vtd_ops.flushed());
	check_blocked(&model[1], DISK, SECRET, 6, false);
	map_open(SECRET, 2 * MIB);
	CHECK(!model_dma(&model[1], DISK, SECRET, false));
	CHECK(limits.flush_on_show);
	vtd_ops.flush();
	check_reaches(&model[1], DISK, SECRET);
	CHECK(!vtd_ops.admit(dma_slot(FAR)));
	check_reaches(&model[1], FAR, SECRET);
	model[0].stuck = WBF;		/* never empty: never over */
	vtd_ops.flush();
	CHECK(!vtd_ops.flushed());
	CHECK_SAYS(vtd_ops.collect(), "stopped");
}

static void caching_mode(void)
{
	start_well(CAP_FULL | CAP_CM, ECAP_FULL, 1);
	check_guards(&model[0]);
	map_close(SECRET, 2 * MIB);
	vtd_ops.flush();
	check_blocked(&model[0], DISK, SECRET, 6, false);
	map_open(SECRET, 2 * MIB);
	check_blocked(&model[0], DISK, SECRET, 6, false);	/* it knows that there is nothing */
	CHECK(limits.flush_on_show);
	vtd_ops.flush();
	check_reaches(&model[0], DISK, SECRET);
	CHECK(!vtd_ops.admit(dma_slot(STRANGER)));
	check_reaches(&model[0], STRANGER, SECRET);
	CHECK(!vtd_ops.admit(dma_slot(FAR)));
	check_reaches(&model[0], FAR, SECRET);
}

/* --- Tables --------------------------------------------------------------------------- */

static void written_back(void)
{
	start_well(CAP_FULL, ECAP_FULL & ~ECAP_C, 2);
	CHECK(unit_sees == SEES_MEMORY);
	check_guards(&model[1]);
	CHECK(!model_interrupt(&model[1], NIC, true, 255));
	CHECK(!vtd_ops.collect());
	check_fault(NIC, 0, 0x22, true);
	CHECK(!vtd_ops.admit(dma_slot(STRANGER)));
	check_reaches(&model[1], STRANGER, SECRET);
	CHECK(!vtd_ops.admit(dma_slot(FAR)));
	check_reaches(&model[1], FAR, SECRET);
	check_blocked(&model[1], FAR + 8, SECRET, 2, true);
}

static void admission(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	check_blocked(&model[1], STRANGER, SECRET, 2, true);
	CHECK(!vtd_ops.admit(dma_slot(STRANGER)));
	CHECK(!vtd_ops.admit(dma_slot(STRANGER)));	/* twice is once */
	check_reaches(&model[0], STRANGER, SECRET);
	check_reaches(&model[1], STRANGER + 7, SECRET);
	check_blocked(&model[1], STRANGER + 8, SECRET, 2, true);
	CHECK_EQ(vtd_ops.admit(DMA_SLOTS), -1);
	CHECK_EQ(vtd_ops.admit(~0U), -1);
	CHECK(vtd_ops.flushed());
	CHECK_EQ(platform.unit[0].flushes, 3);
}

/* Not more frames than pages() said, whoever is admitted. */
static void frames(void)
{
	u64 all;

	prepare(CAP_FULL, ECAP_FULL, 3);
	for (u32 bus = 100; bus < 120; bus++)
		dma_platform_slot(&platform, bus << 8 | 0xF8);
	all = vtd_ops.pages(&platform);
	CHECK(!start());
	CHECK_EQ(pool_out, all - 16);
	for (u32 slot = 0; slot < 32; slot++)
		CHECK(!vtd_ops.admit(100 << 5 | slot));
	CHECK_EQ(pool_out, all - 16);
	for (u32 bus = 200; bus < 216; bus++)
		CHECK(!vtd_ops.admit(bus << 5));
	CHECK_EQ(pool_out, all);
	CHECK_EQ(vtd_ops.admit(216 << 5), -1);
	CHECK(!vtd_ops.admit(215 << 5 | 31));
	CHECK_EQ(pool_out, all);
	check_reaches(&model[2], 215 << 8 | 0xFF, SECRET);
	check_blocked(&model[2], 216 << 8, SECRET, 1, true);
	/* the budget of a 64 GiB machine, 1 MiB, less the map (tests/hosted/mm/test_dma.c) */
	make_platform(3);
	for (u32 bus = 0; bus < 64; bus++)
		dma_platform_slot(&platform, bus << 8);
	CHECK(vtd_ops.pages(&platform) * PAGE_SIZE <= 704 * KIB);
	make_platform(DMA_UNITS_MAX);
	memset(platform.slots, 0xFF, sizeof(platform.slots));
	CHECK_EQ(vtd_ops.pages(&platform), 3 + 64 + 256 + 16);
	CHECK(vtd_ops.pages(&platform) * PAGE_SIZE <= 2 * MIB);
}

static void no_frames(void)
{
	u64 needed;

	start_well(CAP_FULL, ECAP_FULL, 2);
	needed = pool_out;
	for (u64 left = 0; left < needed; left++) {
		prepare(CAP_FULL, ECAP_FULL, 2);
		pool_limit = pool_out + left;
		check_refused("no memory");
		CHECK(!model[0].gsts && !model[1].gsts);
	}
	pool_limit = POOL_FRAMES;
	start_well(CAP_FULL, ECAP_FULL, 2);
	pool_limit = pool_out;
	CHECK_EQ(vtd_ops.admit(dma_slot(FAR)), -1);
	CHECK(!vtd_ops.admit(dma_slot(STRANGER)));	/* needs none */
	check_blocked(&model[0], FAR, SECRET, 1, true);
	pool_limit = POOL_FRAMES;
	CHECK(!vtd_ops.admit(dma_slot(FAR)));
	check_reaches(&model[0], FAR, SECRET);
}

/* --- Faults --------------------------------------------------------------------------- */

static void faults_told(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	for (u32 round = 0; round < 7; round++) {	/* around the ring */
		fault_count = 0;
		for (u32 i = 0; i < 3; i++)
			CHECK(!model_dma(&model[1], FAR + i, 3 * GIB + i * PAGE_SIZE + 8, i & 1));
		CHECK(!vtd_ops.collect());
		CHECK_EQ(fault_count, 3);
		for (u32 i = 0; i < 3; i++) {		/* oldest first */
			CHECK_EQ(faults[i].requester, FAR + i);
			CHECK_EQ(faults[i].address, 3 * GIB + i * PAGE_SIZE);
			CHECK_EQ(faults[i].code, 1);
			CHECK_EQ(faults[i].write, i & 1);
		}
		CHECK(!vtd_ops.collect());
		CHECK_EQ(fault_count, 3);
	}
	CHECK_EQ(faults_lost, 0);
	model_record(&model[1], NIC, 0xABCDULL << 48, 0x26, false);
	model_record(&model[1], NIC, 0x1000, 0x30, false);
	CHECK(!vtd_ops.collect());
	CHECK(faults[3].code == 0x26 && !faults[3].address);
	CHECK(faults[4].code == 0x30 && faults[4].address == 0x1000);
}

static void faults_overflow(void)
{
	start_well(CAP_FULL, ECAP_FULL, 2);
	for (u32 round = 1; round < 4; round++) {
		fault_count = 0;
		for (u32 i = 0; i < 9; i++)
			CHECK(!model_dma(&model[0], STRANGER, 3 * GIB, true));
		CHECK(model[0].fsts & FSTS_PFO);
		CHECK(!vtd_ops.collect());
		CHECK_EQ(fault_count, MODEL_RECORDS);
		CHECK_EQ(faults_lost, round);
		CHECK_EQ(model[0].fsts & (FSTS_PFO | FSTS_PPF), 0);
		check_blocked(&model[0], FAR, SECRET, 1, true);
	}
}

const struct test vtd_tests[] = {
	{ "VT-d: entries, bit by bit", entries },
	{ "VT-d: what all units can do", probe_limits },
	{ "VT-d: widths that units share, or do not", probe_widths },
	{ "VT-d: units that cannot be driven", probe_refuses },
	{ "VT-d: where registers end", probe_size },
	{ "VT-d: started units let the admitted reach the map, nobody else, nothing else", guards },
	{ "VT-d: three levels", guards_39 },
	{ "VT-d: leaves of 4 KiB, 2 MiB and 1 GiB, with holes", leaves },
	{ "VT-d: a unit that the firmware left on is never off", firmware_left_on },
	{ "VT-d: a unit that the firmware left on in scalable mode", firmware_other_mode },
	{ "VT-d: a queue that the firmware left, running or broken", firmware_queue },
	{ "VT-d: each step that does not come ends the start", steps_that_fail },
	{ "VT-d: what the firmware left on and stays on ends the start", firmware_that_stays },
	{ "VT-d: interrupt messages", interrupts },
	{ "VT-d: unmap, invalidate, wait, and then flushed() is true", order },
	{ "VT-d: one invalidation hides any amount", one_invalidation },
	{ "VT-d: the queue wraps", queue_wraps },
	{ "VT-d: a unit that is behind", queue_lags },
	{ "VT-d: a unit that hangs ends no flush", queue_hangs },
	{ "VT-d: errors of the queue are told", queue_errors },
	{ "VT-d: a write buffer before the unit", write_buffer },
	{ "VT-d: caching mode", caching_mode },
	{ "VT-d: a unit that does not look into caches", written_back },
	{ "VT-d: a slot more", admission },
	{ "VT-d: frames taken and foretold", frames },
	{ "VT-d: no frames", no_frames },
	{ "VT-d: faults are told once", faults_told },
	{ "VT-d: more faults than records", faults_overflow },
	{ 0 }
};
