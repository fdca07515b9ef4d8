/* SPDX-License-Identifier: BSD-2-Clause */
#include "model_amdvi.h"

#include <drivers/iommu/amdvi.h>

#define ops		(&amdvi_ops)
#define DISK		0x00FA		/* 00:1f.2, admitted */
#define CARD		0x0300		/* 03:00.0, admitted: the last bus */
#define STRANGER	0x0208		/* 02:01.0, not admitted */
#define IOAPIC		0x00A0		/* 00:14.0, in the IVRS */
#define BEYOND		0x4000		/* bus 40h: the table ends before */
#define HOST_RAM	(16 * MIB)
#define HIDDEN		(64 * MIB)	/* a chunk that the map leaves out */

static struct dma_platform platform;
static struct dma_limits limits;

static void describe(u32 units, u8 flags)
{
	memset(&platform, 0, sizeof(platform));
	platform.kind = DMA_AMDVI;
	platform.unit_count = units;
	for (u32 i = 0; i < units; i++) {
		platform.unit[i].registers = AMDVI_BASE(i);
		platform.unit[i].flags = flags;
	}
	dma_platform_slot(&platform, DISK);
	dma_platform_slot(&platform, CARD);
	dma_platform_slot(&platform, IOAPIC);
	platform.special_count = 1;
	platform.special[0].requester = IOAPIC;
}

/* The map of RAM up to 3 GiB, in leaves of all sizes, but for a chunk and a page. */
static void make_map(void)
{
	map_make(ops->format, limits.largest_leaf);
	map_open(PAGE_SIZE, 3 * GIB - PAGE_SIZE);
	map_close(HIDDEN, CHUNK_SIZE);
	map_close(HIDDEN + 4 * MIB, PAGE_SIZE);
}

static const char *start(void)
{
	struct dma_root root;

	CHECK(!ops->probe(&platform, &limits));
	make_map();
	root = map_root();
	return ops->start(&platform, &root);
}

#define FLAGS_COHERENT	BIT(5)

static void started(u32 units)
{
	amdvi_reset(EFR_FULL, true);
	describe(units, FLAGS_COHERENT);
	CHECK_EQ(start(), 0);
}

/* --- Who reaches what ----------------------------------------------------------------- */

static void check_reach(struct amdvi_model *unit)
{
	for (unsigned int write = 0; write <= 1; write++) {
		CHECK(amdvi_dma(unit, DISK, HOST_RAM + 0x123, write));
		CHECK(amdvi_dma(unit, DISK | 7, HIDDEN + 4 * MIB - 1, write));	/* 2 MiB */
		CHECK(amdvi_dma(unit, CARD, HIDDEN + 4 * MIB + PAGE_SIZE, write));	/* 4 KiB */
		CHECK(amdvi_dma(unit, CARD, 2 * GIB + 7 * MIB, write));	/* 1 GiB */
		CHECK(!amdvi_dma(unit, DISK, HIDDEN, write));
		CHECK(!amdvi_dma(unit, CARD, HIDDEN + CHUNK_SIZE - 1, write));
		CHECK(!amdvi_dma(unit, CARD, HIDDEN + 4 * MIB, write));
		CHECK(!amdvi_dma(unit, DISK, 3 * GIB, write));
		CHECK(!amdvi_dma(unit, DISK, 0x0000800000000000, write));
		CHECK(!amdvi_dma(unit, STRANGER, HOST_RAM, write));
		CHECK(!amdvi_dma(unit, BEYOND, HOST_RAM, write));
	}
}

static void reach(void)
{
	started(3);
	for (u32 i = 0; i < 3; i++)
		check_reach(&amdvi_model[i]);
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, 3 * 2 * 7);
	CHECK_EQ(faults_lost, 0);
}

static void leaf_sizes(void)
{
	started(1);
	CHECK_EQ(limits.largest_leaf, 3);
	CHECK_EQ(limits.address_bits, 48);
	CHECK(limits.flush_on_show);
	CHECK_EQ(table_walk(&map, 2 * GIB).level, 3);
	CHECK_EQ(table_walk(&map, HIDDEN + 2 * MIB).level, 2);
	CHECK_EQ(table_walk(&map, HIDDEN + 4 * MIB + PAGE_SIZE).level, 1);
	CHECK_EQ(table_walk(&map, HOST_RAM).rights, TABLE_R | TABLE_W);
	CHECK_EQ(table_protect(&map, HOST_RAM, PAGE_SIZE, TABLE_R), 0);
	CHECK_EQ(table_walk(&map, HOST_RAM).rights, TABLE_R);
	CHECK(amdvi_dma(&amdvi_model[0], DISK, HOST_RAM, false));
	CHECK(!amdvi_dma(&amdvi_model[0], DISK, HOST_RAM, true));
}

/* Nobody else gets through, in the whole table and beyond, and each is told of. */
static void all_others(void)
{
	started(1);
	for (u32 requester = 0; requester < 0x10000; requester += 1 + requester / 0x2000) {
		bool admitted = dma_platform_has(&platform, dma_slot(requester));

		CHECK_EQ(amdvi_dma(&amdvi_model[0], requester, HOST_RAM, true), admitted);
		CHECK_EQ(amdvi_interrupt(&amdvi_model[0], requester, FIXED), admitted);
		CHECK_EQ(ops->collect(), 0);
		CHECK_EQ(fault_count, !admitted);
		CHECK(admitted || faults[0].requester == requester);
		fault_count = 0;
	}
}

/* A unit that does not look into caches: what was not written back is not there. */
static void not_coherent(void)
{
	amdvi_reset(EFR_FULL, false);
	describe(2, 0);
	platform.special[0].settings = 2;
	CHECK_EQ(start(), 0);
	CHECK(!limits.coherent);
	CHECK(amdvi_interrupt(&amdvi_model[0], IOAPIC, EXTINT));
	check_reach(&amdvi_model[1]);
	for (u32 i = 0; i < 600; i++) {
		ops->flush();
		CHECK(ops->flushed());
	}
	CHECK_EQ(ops->admit(dma_slot(STRANGER)), 0);
	CHECK(amdvi_dma(&amdvi_model[0], STRANGER, HOST_RAM, true));
	CHECK(amdvi_dma(&amdvi_model[1], STRANGER, HOST_RAM, true));
}

static void pages_bound(void)
{
	u64 bound;

	amdvi_reset(EFR_FULL, true);
	describe(3, FLAGS_COHERENT);
	bound = ops->pages(&platform);
	CHECK_EQ(start(), 0);
	CHECK_EQ(ops->admit(dma_slot(STRANGER)), 0);
	CHECK(pool_out <= bound && bound < 40);
	/* the budget of a 64 GiB machine, 1 MiB, less the map (tests/hosted/mm/test_dma.c) */
	dma_platform_slot(&platform, 0x3F00);
	CHECK(ops->pages(&platform) * PAGE_SIZE <= 704 * KIB);
	/* the largest table there can be */
	dma_platform_slot(&platform, 0xFFFF);
	CHECK_EQ(ops->pages(&platform), 512 + 1 + 2 * 3);
	CHECK_EQ(sizeof(platform.slots) * 8, DMA_SLOTS);
}

/* --- Admission ------------------------------------------------------------------------ */

static void admission(void)
{
	u32 commands;

	started(2);
	for (u32 i = 0; i < 2; i++) {
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER, HOST_RAM, false));
		CHECK(!amdvi_interrupt(&amdvi_model[i], STRANGER, FIXED));
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER + 7, HOST_RAM, false));
	}
	commands = amdvi_model[0].executed;
	CHECK_EQ(ops->admit(dma_slot(STRANGER)), 0);
	CHECK(amdvi_model[0].executed - commands <= 11);
	for (u32 i = 0; i < 2; i++) {
		for (u32 function = 0; function < 8; function++)
			CHECK(amdvi_dma(&amdvi_model[i], STRANGER + function, HOST_RAM, true));
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER + 8, HOST_RAM, true));
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER - 1, HOST_RAM, true));
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER, HIDDEN, true));
		CHECK(amdvi_interrupt(&amdvi_model[i], STRANGER, FIXED));
		CHECK(!amdvi_interrupt(&amdvi_model[i], STRANGER, NMI));
	}
	CHECK_EQ(ops->admit(dma_slot(BEYOND)), (u64)-1);
	CHECK_EQ(ops->admit(DMA_SLOTS), (u64)-1);
	CHECK_EQ(ops->admit((3 + 8) * 32 + 31), 0);	/* the last of the spare buses */
	CHECK_EQ(ops->admit((3 + 9) * 32), (u64)-1);
}

static void admission_unanswered(void)
{
	started(2);
	amdvi_model[1].hold = true;
	CHECK_EQ(ops->admit(dma_slot(STRANGER)), (u64)-1);
	CHECK(!ops->flushed());
}

/* --- Interrupts ----------------------------------------------------------------------- */

static const u8 modes[] = { FIXED, ARBITRATED, SMI, NMI, INIT, EXTINT };

static void interrupts(void)
{
	started(1);
	CHECK_EQ(platform.unit[0].msi, DMA_MSI_FIXED);
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		CHECK_EQ(amdvi_interrupt(&amdvi_model[0], DISK, modes[i]), modes[i] <= ARBITRATED);
		CHECK_EQ(amdvi_interrupt(&amdvi_model[0], IOAPIC, modes[i]), modes[i] <= ARBITRATED);
		CHECK(!amdvi_interrupt(&amdvi_model[0], STRANGER, modes[i]));
		CHECK(!amdvi_interrupt(&amdvi_model[0], BEYOND, modes[i]));
	}
}

/* What the driver did not take is as it was. */
static void check_untouched(void)
{
	for (u64 pa = POOL_BASE + pool_out * PAGE_SIZE; pa < POOL_BASE + POOL_FRAMES * PAGE_SIZE; pa++)
		CHECK_EQ(*(u8 *)phys(pa), 0xEE);
}

/* What the IVRS lets an IOAPIC do, and none of its neighbours. One lies beyond the table. */
static void interrupts_special(void)
{
	static const struct { u8 setting, mode; } kinds[] = {
		{ 0x01, INIT }, { 0x02, EXTINT }, { 0x04, NMI }, { 0x10, SMI },
	};

	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		pool_out = 0;
		amdvi_reset(EFR_FULL, true);
		describe(1, FLAGS_COHERENT);
		platform.special[0].settings = kinds[k].setting;
		platform.special[1] = (struct dma_special){ BEYOND, 0xFF };
		platform.special_count = 2;
		CHECK_EQ(start(), 0);
		for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
			bool fixed = modes[i] <= ARBITRATED;

			CHECK_EQ(amdvi_interrupt(&amdvi_model[0], IOAPIC, modes[i]),
				 fixed || modes[i] == kinds[k].mode);
			CHECK_EQ(amdvi_interrupt(&amdvi_model[0], IOAPIC + 1, modes[i]), fixed);
		}
		check_untouched();
	}
}

/* Where nobody tells who the IOAPICs are, all messages pass, but DMA does not. */
static void interrupts_unknown(void)
{
	amdvi_reset(EFR_FULL, true);
	describe(1, FLAGS_COHERENT);
	platform.special_count = 0;
	CHECK_EQ(start(), 0);
	CHECK_EQ(platform.unit[0].msi, DMA_MSI_ANY);
	CHECK(amdvi_interrupt(&amdvi_model[0], STRANGER, FIXED));
	CHECK(amdvi_interrupt(&amdvi_model[0], DISK, NMI));
	check_reach(&amdvi_model[0]);
}

/* Where one IOAPIC is not known: those that are send what they may, SMIs too. */
static void interrupts_incomplete(void)
{
	amdvi_reset(EFR_FULL, true);
	describe(1, FLAGS_COHERENT);
	platform.special[0].settings = 0xD7;
	platform.interrupts_pass = true;
	CHECK_EQ(start(), 0);
	CHECK_EQ(platform.unit[0].msi, DMA_MSI_ANY);
	CHECK(amdvi_interrupt(&amdvi_model[0], STRANGER, FIXED));
	CHECK(amdvi_interrupt(&amdvi_model[0], IOAPIC, SMI));
	CHECK(!amdvi_interrupt(&amdvi_model[0], DISK, SMI));
	check_reach(&amdvi_model[0]);
}

/* --- Invalidation --------------------------------------------------------------------- */

/* Unmap, invalidate, wait; only then is it over, on every unit. */
static void order(void)
{
	struct amdvi_model *slow = &amdvi_model[1];
	u64 pa = HOST_RAM;

	started(2);
	CHECK(ops->flushed());
	slow->hold = true;
	CHECK(amdvi_dma(slow, DISK, pa, true));
	map_close(pa, CHUNK_SIZE);
	CHECK(amdvi_dma(slow, DISK, pa, true));	/* from its cache */
	ops->flush();
	CHECK(!ops->flushed());
	CHECK(!amdvi_dma(&amdvi_model[0], DISK, pa, true));
	CHECK(amdvi_dma(slow, DISK, pa, true));
	amdvi_run(slow, 1);
	CHECK(!amdvi_dma(slow, DISK, pa, true));
	CHECK(!ops->flushed());	/* older requests may still be on their way */
	amdvi_run(slow, 1);
	CHECK(ops->flushed());
	CHECK(!amdvi_dma(slow, CARD, pa, false));
}

/* The first of two that ends is not the second. */
static void order_of_two(void)
{
	struct amdvi_model *unit = &amdvi_model[0];

	started(1);
	unit->hold = true;
	ops->flush();
	ops->flush();
	for (u32 i = 0; i < 4; i++) {
		CHECK(!ops->flushed());
		amdvi_run(unit, 1);
	}
	CHECK(ops->flushed());
}

static void one_for_all(void)
{
	u32 before;

	started(3);
	before = amdvi_model[2].invalidations;
	map_close(HOST_RAM, CHUNK_SIZE);
	ops->flush();
	CHECK_EQ(amdvi_model[2].invalidations - before, 1);
	CHECK_EQ(platform.unit[2].flushes, 2);	/* and the one at start */
}

static void buffer_wraps(void)
{
	started(2);
	for (u32 i = 0; i < 5000; i++) {
		amdvi_model[0].hold = i % 3;
		ops->flush();
		CHECK_EQ(ops->flushed(), !amdvi_model[0].hold);
		amdvi_run(&amdvi_model[0], AMDVI_ALL);
		CHECK(ops->flushed());
	}
	CHECK_EQ(amdvi_model[1].waits, 5001);
	CHECK_EQ(ops->collect(), 0);
}

/* A slow unit: the buffer fills up, and what does not fit waits for room. */
static void buffer_full(void)
{
	struct amdvi_model *unit = &amdvi_model[0];

	started(1);
	unit->hold = true;
	unit->lag = 20;
	for (u32 i = 0; i < 1000; i++) {
		ops->flush();
		CHECK(!ops->flushed());
	}
	CHECK(unit->waits > 100 && unit->waits < 1001);
	amdvi_run(unit, AMDVI_ALL);
	CHECK(ops->flushed());
	CHECK_EQ(unit->waits, 1001);
	CHECK_EQ(ops->collect(), 0);
}

/* A unit that stands: what it was not asked is never over, even if it runs again. */
static void buffer_stands(void)
{
	struct amdvi_model *unit = &amdvi_model[1];

	started(2);
	unit->hold = true;
	for (u32 i = 0; i < 130; i++)
		ops->flush();
	CHECK(!ops->flushed());
	unit->hold = false;
	amdvi_run(unit, AMDVI_ALL);
	CHECK(!ops->flushed());
	ops->flush();
	CHECK(!ops->flushed());
	CHECK_SAYS(ops->collect(), "command buffer");
}

/* --- Events --------------------------------------------------------------------------- */

static void events(void)
{
	started(2);
	CHECK(!amdvi_dma(&amdvi_model[1], STRANGER, HOST_RAM + 0x18, true));
	CHECK(!amdvi_dma(&amdvi_model[1], DISK, HIDDEN, false));
	CHECK(!amdvi_dma(&amdvi_model[0], BEYOND, 0, false));
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, 3);
	CHECK_EQ(faults[0].requester, BEYOND);
	CHECK_EQ(faults[0].code, ILLEGAL_DEV_TABLE_ENTRY);
	CHECK_EQ(faults[1].requester, STRANGER);
	CHECK_EQ(faults[1].code, IO_PAGE_FAULT);
	CHECK_EQ(faults[1].address, HOST_RAM + 0x18);
	CHECK(faults[1].write);
	CHECK_EQ(faults[2].requester, DISK);
	CHECK_EQ(faults[2].address, HIDDEN);
	CHECK(!faults[2].write);
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, 3);
}

static void log_wraps(void)
{
	u32 told = 0;

	started(1);
	for (u32 i = 0; i < 200; i++) {
		u32 count = i * 7 % 60;

		for (u32 n = 0; n < count; n++)
			amdvi_record(&amdvi_model[0], i, told + n, IO_PAGE_FAULT, false);
		CHECK_EQ(ops->collect(), 0);
		CHECK_EQ(fault_count, count);
		CHECK(!count || faults[count - 1].address == told + count - 1);
		told += count;
		fault_count = 0;
	}
	CHECK(told > 5 * AMDVI_QUEUE);
	CHECK_EQ(faults_lost, 0);
}

/* More than the log holds: what it holds is told, that there was more, and it goes on. */
static void log_overflows(void)
{
	struct amdvi_model *unit = &amdvi_model[0];

	started(1);
	for (u32 round = 0; round < 3; round++) {
		unit->slow = round * 3;
		for (u32 n = 0; n < 300; n++)
			amdvi_record(unit, STRANGER, n, IO_PAGE_FAULT, true);
		CHECK(unit->status & EVENTOVERFLOW);
		fault_count = 0;
		CHECK_EQ(ops->collect(), 0);
		CHECK_EQ(fault_count, AMDVI_QUEUE - 1);
		CHECK_EQ(faults[AMDVI_QUEUE - 2].address, AMDVI_QUEUE - 2);
		CHECK_EQ(faults_lost, round + 1);
		for (u32 i = 0; i < 9; i++)
			CHECK_EQ(ops->collect(), 0);	/* it takes its time to run again */
		CHECK_EQ(unit->status & (EVENTOVERFLOW | EVENTLOGRUN), EVENTLOGRUN);
		CHECK_EQ(faults_lost, round + 1);
		CHECK(!unit->was_off);
	}
	fault_count = 0;
	CHECK(!amdvi_dma(unit, STRANGER, HOST_RAM, true));
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, 1);
	CHECK_EQ(faults_lost, 3);
}

/* The tail moves before the event is there: it is told once, later, whole. */
static void event_late(void)
{
	struct amdvi_model *unit = &amdvi_model[0];

	started(1);
	unit->late = true;
	for (u32 i = 0; i < 600; i++) {
		amdvi_record(unit, STRANGER, i << 12, IO_PAGE_FAULT, false);
		CHECK_EQ(ops->collect(), 0);
		CHECK_EQ(fault_count, 0);
		amdvi_write_late(unit);
		CHECK_EQ(ops->collect(), 0);
		CHECK_EQ(fault_count, 1);
		CHECK_EQ(faults[0].address, i << 12);
		fault_count = 0;
	}
}

/* They come when the log is stopped, and are not left for the new one. */
static void log_overflows_late(void)
{
	struct amdvi_model *unit = &amdvi_model[0];

	started(1);
	unit->late = true;
	for (u32 n = 0; n < 300; n++)
		amdvi_record(unit, STRANGER, n, IO_PAGE_FAULT, true);
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, AMDVI_QUEUE - 1);
	unit->late = false;
	amdvi_record(unit, STRANGER, 0x1000, IO_PAGE_FAULT, true);
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, AMDVI_QUEUE);
	CHECK_EQ(faults[AMDVI_QUEUE - 1].address, 0x1000);
}

static void command_fails(void)
{
	static const u8 codes[] = { 5, 6 };

	started(1);
	CHECK_EQ(ops->collect(), 0);
	amdvi_model[0].breaks = true;
	ops->flush();
	CHECK(!ops->flushed());
	CHECK_SAYS(ops->collect(), "command buffer");
	CHECK_EQ(fault_count, 0);
	CHECK_SAYS(ops->collect(), "command buffer");
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		pool_out = 0;
		started(1);
		amdvi_record(&amdvi_model[0], 0, 0, codes[i], false);
		CHECK_SAYS(ops->collect(), "command buffer");
	}
}

static void unit_goes(void)
{
	started(2);
	amdvi_model[0].dead = true;
	amdvi_record(&amdvi_model[1], STRANGER, 0, IO_PAGE_FAULT, false);
	ops->flush();
	CHECK(!ops->flushed());
	CHECK_SAYS(ops->collect(), "answers no more");
	CHECK_EQ(fault_count, 1);	/* of the other */
}

/* --- Start ---------------------------------------------------------------------------- */

static void probing(void)
{
	amdvi_reset(EFR_FULL, true);
	describe(3, FLAGS_COHERENT);
	CHECK_EQ(ops->probe(&platform, &limits), 0);
	CHECK(limits.coherent);
	CHECK_EQ(platform.unit[0].size, 512 * KIB);
	CHECK_EQ(platform.unit[0].features[0], EFR_FULL);
	amdvi_model[1].efr &= ~EFR_PC;
	platform.unit[1].flags = 0;
	CHECK_EQ(ops->probe(&platform, &limits), 0);
	CHECK_EQ(platform.unit[1].size, 16 * KIB);
	CHECK(!limits.coherent);
	amdvi_model[1].efr |= EFR_HATS_NONE;
	CHECK_SAYS(ops->probe(&platform, &limits), "no page tables");
	amdvi_model[1].dead = true;
	CHECK_SAYS(ops->probe(&platform, &limits), "does not answer");
	for (u32 i = 0; i < 3; i++)
		CHECK(!amdvi_model[i].control && !amdvi_model[i].table);
}

static void control_flags(void)
{
	static const struct { u8 flag; u16 bit; } flags[] = {
		{ BIT(0), HTTUNEN }, { BIT(1), PASSPW }, { BIT(2), RESPASSPW }, { BIT(3), ISOC },
	};

	for (u32 i = 0; i < ARRAY_SIZE(flags); i++) {
		pool_out = 0;
		amdvi_reset(EFR_FULL, true);
		describe(1, FLAGS_COHERENT | flags[i].flag);
		CHECK_EQ(start(), 0);
		CHECK_EQ(amdvi_model[0].control,
			 IOMMUEN | EVENTLOGEN | COHERENT | CMDBUFEN | flags[i].bit);
	}
}

/* On, with logs running, an exclusion range, and caches full of what let everything pass. */
static void leave_on(struct amdvi_model *unit)
{
	unit->control = IOMMUEN | EVENTLOGEN | CMDBUFEN | PPRLOGEN | BIT(16) | BIT(17);
	unit->status = EVENTLOGRUN | CMDBUFRUN | PPRLOGRUN | EVENTOVERFLOW;
	unit->commands = unit->events = POOL_BASE + MIB / 2;
	unit->command_head = unit->command_tail = 0x230;
	unit->event_head = 0x40;
	unit->event_tail = 0x30;
	unit->exclusion = HIDDEN | 3;
	unit->exclusion_limit = HIDDEN + CHUNK_SIZE - PAGE_SIZE;
	unit->entry[0] = (struct amdvi_entry){ true, STRANGER, { 0 } };
	unit->entry[1] = (struct amdvi_entry){ true, DISK, { 0 } };
	for (u16 domain = 0; domain < 3; domain++)
		unit->page[domain] = (struct amdvi_page){ true, domain, HIDDEN >> 12, 3 };
}

static void left_on(u64 efr)
{
	amdvi_reset(efr, true);
	describe(2, FLAGS_COHERENT);
	leave_on(&amdvi_model[0]);
	leave_on(&amdvi_model[1]);
	amdvi_model[1].slow = 100;
	CHECK_EQ(start(), 0);
	for (u32 i = 0; i < 2; i++) {
		CHECK(!amdvi_model[i].was_off);
		CHECK(!amdvi_dma(&amdvi_model[i], STRANGER, HIDDEN, false));
		check_reach(&amdvi_model[i]);
		CHECK_EQ(amdvi_model[i].control, IOMMUEN | EVENTLOGEN | COHERENT | CMDBUFEN);
	}
	CHECK_EQ(ops->collect(), 0);
	CHECK_EQ(fault_count, 2 * (1 + 2 * 7));
	CHECK_EQ(faults_lost, 0);
}

static void firmware_left_it_on(void)
{
	left_on(EFR_FULL);
}

/* Between two tables of which one lies above 4 GiB there would be a third. */
static void firmware_table_is_high(void)
{
	amdvi_reset(EFR_FULL, true);
	describe(1, FLAGS_COHERENT);
	leave_on(&amdvi_model[0]);
	amdvi_model[0].table = 5 * GIB | 0x1FF;
	CHECK_EQ(start(), 0);
	CHECK(amdvi_model[0].was_off);
	check_reach(&amdvi_model[0]);
}

/* Without INVALIDATE_IOMMU_ALL each entry of the table is forgotten by its number. */
static void old_unit(void)
{
	left_on(0);
	CHECK_EQ(amdvi_model[0].entries_forgotten, (3 + 1 + 8) * 256);
}

/* The last of three fails; all are off then. */
static void check_start_fails(const char *words)
{
	describe(3, FLAGS_COHERENT);
	check_says(start(), words, __FILE__, __LINE__);
	for (u32 i = 0; i < 3; i++) {
		CHECK(!(amdvi_model[i].control & IOMMUEN));
		CHECK_EQ(platform.unit[i].msi, DMA_MSI_ANY);
	}
	pool_out = 0;
	amdvi_reset(EFR_FULL, true);
}

static void start_fails(void)
{
	amdvi_reset(EFR_FULL, true);
	amdvi_model[2].hold = true;
	check_start_fails("does not end an invalidation");
	amdvi_model[2].breaks = true;
	check_start_fails("does not end an invalidation");
	amdvi_model[2].stuck = CMDBUFRUN;
	check_start_fails("does not start its command buffer");
	amdvi_model[2].stuck = EVENTLOGRUN;
	check_start_fails("does not start its command buffer and event log");
	leave_on(&amdvi_model[2]);
	amdvi_model[2].stuck = PPRLOGRUN;
	check_start_fails("does not stop the firmware's");
}

static void start_without_memory(void)
{
	u32 needed;

	started(3);
	needed = pool_out;
	CHECK(needed < POOL_FRAMES);
	for (u32 i = 1; i <= 6; i++) {	/* the device table's are taken before, or panic */
		pool_out = 0;
		pool_limit = needed - i;
		amdvi_reset(EFR_FULL, true);
		check_start_fails("no memory");
	}
}

const struct test amdvi_tests[] = {
	{ "AMD-Vi: who reaches what", reach },
	{ "AMD-Vi: leaves of all sizes, rights", leaf_sizes },
	{ "AMD-Vi: nobody else, in the table and beyond", all_others },
	{ "AMD-Vi: a unit that does not look into caches", not_coherent },
	{ "AMD-Vi: pages() is an upper bound", pages_bound },
	{ "AMD-Vi: a slot is admitted", admission },
	{ "AMD-Vi: a slot is admitted, but a unit does not answer", admission_unanswered },
	{ "AMD-Vi: interrupts of devices", interrupts },
	{ "AMD-Vi: interrupts of an IOAPIC", interrupts_special },
	{ "AMD-Vi: interrupts where no IOAPIC is named", interrupts_unknown },
	{ "AMD-Vi: interrupts where one IOAPIC is not named", interrupts_incomplete },
	{ "AMD-Vi: unmap, invalidate, wait", order },
	{ "AMD-Vi: the second of two flushes", order_of_two },
	{ "AMD-Vi: one invalidation for a chunk", one_for_all },
	{ "AMD-Vi: the command buffer wraps", buffer_wraps },
	{ "AMD-Vi: the command buffer is full", buffer_full },
	{ "AMD-Vi: the command buffer stands", buffer_stands },
	{ "AMD-Vi: events", events },
	{ "AMD-Vi: the event log wraps", log_wraps },
	{ "AMD-Vi: the event log overflows", log_overflows },
	{ "AMD-Vi: the event log overflows before events arrive", log_overflows_late },
	{ "AMD-Vi: an event comes after the tail", event_late },
	{ "AMD-Vi: a command fails", command_fails },
	{ "AMD-Vi: a unit goes away", unit_goes },
	{ "AMD-Vi: probing changes nothing", probing },
	{ "AMD-Vi: what the firmware wants of the control register", control_flags },
	{ "AMD-Vi: the firmware left it on", firmware_left_it_on },
	{ "AMD-Vi: the firmware's table lies above 4 GiB", firmware_table_is_high },
	{ "AMD-Vi: a unit of the first generation, left on", old_unit },
	{ "AMD-Vi: start fails", start_fails },
	{ "AMD-Vi: start without memory", start_without_memory },
	{ NULL, NULL },
};
