/* SPDX-License-Identifier: BSD-2-Clause */
/* DMAR and IVRS: what is read, what is refused, how they are hidden. */
#include <drivers/acpi/acpi.h>

#include "make.h"
#include "test.h"

#define AREA	0x30000000
#define ROOTS	2

static struct block tables, machine;
static struct acpi_info info;
static u64 pa;
static u32 open_table;

#define PUT(...) \
	block_put(&tables, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* --- Makers: a table is begun, filled, and ended ------------------------------------------- */

static void begin(const char *signature)
{
	open_table = acpi_open(&tables, signature);
	PUT(38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void end(void)
{
	acpi_close(&tables, open_table);
}

/* A DRHD; `scopes` bytes of device scopes follow. */
static void drhd(u64 registers, u8 scopes)
{
	PUT(0, 0, 16 + scopes, 0, 1, 0, 5, 0);
	block_put64(&tables, registers);
}

static void rmrr(u64 base, u64 limit)
{
	PUT(1, 0, 32, 0, 0, 0, 0, 0);
	block_put64(&tables, base);
	block_put64(&tables, limit);
	PUT(1, 8, 0, 0, 0, 0, 29, 0);
}

/* An IVHD; `entries` bytes of device entries follow. */
static void ivhd(u8 type, u16 function, u64 registers, u8 entries)
{
	u8 size = type == 0x10 ? 24 : 40;

	PUT(type, 0xB0, size + entries, 0, function, function >> 8, 0x40, 0);
	block_put64(&tables, registers);
	PUT(3, 0, 0, 0, 0, 0, 0, 0);
	if (size == 40)
		PUT(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void ivmd(u8 type, u8 flags, u64 start, u64 length)
{
	PUT(type, flags, 32, 0, 8, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	block_put64(&tables, start);
	block_put64(&tables, length);
}

/* A PC with `tables`, its RSDT and XSDT; a byte past its end is a fault. */
static void place(void)
{
	acpi_pc_more(&machine, AREA, &tables);	/* for its size */
	pa = ALIGN_DOWN(AREA + ALIGN_UP(machine.size, PAGE_SIZE) - machine.size, 4);
	acpi_pc_more(&machine, pa, &tables);
	memory_reset();
	memory_add_block(AREA, machine.bytes, machine.size, 4);
}

static const char *parse(void)
{
	return acpi_parse(&info, phys(pa), 36, 4 * GIB);
}

/* Parse it: the machine starts whatever its IOMMU tables are. */
static void run(void)
{
	place();
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.cpu_count, 5);
	CHECK_EQ(info.ecam_count, 1);
}

static void check_broken(const char *why)
{
	CHECK_ERROR(info.dma.broken, why);
	CHECK_EQ(info.dma.unit_count, 0);
	CHECK_EQ(info.dma.range_count, 0);
}

/* The table that was made last is refused. */
static void run_broken(u32 kind, const char *why)
{
	end();
	run();
	check_broken(why);
	CHECK_EQ(info.dma.kind, kind);
	tables.size = 0;
}

static u32 count_slots(void)
{
	u32 count = 0;

	for (u32 slot = 0; slot < DMA_SLOTS; slot++)
		count += dma_platform_has(&info.dma, slot);
	return count;
}

static bool has_slot(u16 requester)
{
	return dma_platform_has(&info.dma, dma_slot(requester));
}

/* Where the first table of that name is, from offset `from` of the block on; 0: nowhere. */
static u64 find(const char *signature, u32 from)
{
	for (u32 at = from; at + 4 <= machine.size; at += 4)
		if (!memcmp((u8 *)phys(pa) + at, signature, 4))
			return pa + at;
	return 0;
}

static void sum(u64 table)
{
	u8 *at = phys(table);

	at[9] = 0;
	at[9] = -bytes_sum((struct bytes){ at, get32(at + 4) });
}

/* --- Good tables --------------------------------------------------------------------------- */

static void test_none(void)
{
	tables.size = 0;
	run();
	CHECK_EQ(info.dma.kind, DMA_NO_IOMMU);
	check_broken(NULL);
	CHECK_EQ(info.iommu_table_count, 0);
}

static void test_dmar_qemu(void)
{
	tables.size = 0;
	acpi_dmar(&tables);
	run();
	CHECK_EQ(info.dma.kind, DMA_VTD);
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	CHECK_EQ(info.dma.unit[0].registers, 0xFED90000);
	CHECK_EQ(info.dma.unit[0].segment, 0);
	CHECK_EQ(info.dma.unit[0].function, DMA_NO_FUNCTION);
	CHECK_EQ(info.dma.range_count, 0);
	CHECK(has_slot(0xFF00));
	CHECK_EQ(count_slots(), 1);
	CHECK_EQ(info.iommu_table_count, 1);
}

static void test_dmar(void)
{
	tables.size = 0;
	begin("DMAR");
	drhd(0xFED90000, 8);
	PUT(1, 8, 0, 0, 0, 0, 2, 0);
	PUT(2, 0, 8, 0, 1, 0, 0, 0);			/* ATSR */
	PUT(3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xD9, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0);
	rmrr(0x7B000000, 0x7B7FFFFF);
	drhd(0xFED91000, 52);
	PUT(3, 8, 0, 0, 2, 0xF0, 31, 0);
	PUT(4, 8, 0, 0, 0, 0x00, 31, 7);
	PUT(5, 8, 0, 0, 1, 0x12, 21, 1);
	PUT(3, 10, 0, 0, 3, 1, 2, 3, 4, 5);		/* behind a bridge */
	PUT(2, 10, 0, 0, 0, 0, 28, 0, 0, 0);
	PUT(6, 8, 0, 0, 0, 0x55, 1, 0);			/* newer than this */
	PUT(4, 0, 12, 0, 0, 0, 0, 1, 'A', 'B', 'C', 0);	/* ANDD */
	PUT(0x77, 0x77, 5, 0, 0);			/* newer than this */
	rmrr(0xFFFFFFFFF000, 0xFFFFFFFFFFFF);
	rmrr(0x7B000000, 0x7B7FFFFF);			/* the same again, and almost the same */
	rmrr(0x7B000000, 0x7B6FFFFF);
	rmrr(0x7B100000, 0x7B7FFFFF);
	end();
	run();
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.dma.unit_count, 2);
	CHECK_EQ(info.dma.unit[1].registers, 0xFED91000);
	CHECK_EQ(info.dma.unit[1].segment, 5);
	CHECK_EQ(info.dma.unit[1].function, DMA_NO_FUNCTION);
	CHECK(has_slot(0xF0F8) && has_slot(0x00FF) && has_slot(0x12A9));
	CHECK_EQ(count_slots(), 3);
	CHECK_EQ(info.dma.range_count, 4);
	CHECK_EQ(info.dma.range[0].base, 0x7B000000);
	CHECK_EQ(info.dma.range[0].end, 0x7B800000);
	CHECK_EQ(info.dma.range[1].end, BIT(48));
}

/* Endpoint and bridge, each by its first step; all; and another segment's. */
static void test_dmar_served(void)
{
	static const struct { u8 flags, segment; u32 count; } kinds[] = {
		{ 0, 0, 2 }, { 1, 0, DMA_SLOTS }, { 0, 5, 0 }, { 1, 5, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		u32 served = 0;

		tables.size = 0;
		begin("DMAR");
		drhd(0xFED90000, 26);
		tables.bytes[tables.size - 12] = kinds[i].flags;
		tables.bytes[tables.size - 10] = kinds[i].segment;
		PUT(1, 8, 0, 0, 0, 0x80, 2, 0, 2, 10, 0, 0, 0, 0, 28, 0, 4, 0, 3, 8, 0, 0, 2, 0, 31, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, NULL);
		for (u32 slot = 0; slot < DMA_SLOTS; slot++)
			served += dma_platform_serves(&info.dma, slot);
		CHECK_EQ(served, kinds[i].count);
		CHECK(kinds[i].segment || (dma_platform_serves(&info.dma, dma_slot(0x8010)) &&
					   dma_platform_serves(&info.dma, dma_slot(0x00E0))));
		CHECK(has_slot(0x00F8));
	}
	tables.size = 0;
	begin("DMAR");
	drhd(0xFED90000, 8);
	PUT(1, 8, 0, 0, 0, 0xFF, 255, 0);
	run_broken(DMA_VTD, "device number");
}

static void test_ivrs_qemu(void)
{
	tables.size = 0;
	acpi_ivrs(&tables);
	run();
	CHECK_EQ(info.dma.kind, DMA_AMDVI);
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	CHECK_EQ(info.dma.unit[0].registers, 0xFED80000);
	CHECK_EQ(info.dma.unit[0].function, 0x0008);
	CHECK_EQ(info.dma.unit[0].segment, 0);
	CHECK_EQ(info.dma.unit[0].flags, 0xD1);
	CHECK(has_slot(0x00A0));
	CHECK_EQ(count_slots(), 1);
}

static void test_ivrs(void)
{
	tables.size = 0;
	begin("IVRS");
	ivhd(0x11, 0x0002, 0xFD300000, 0);
	ivmd(0x20, 8, 0x7C000000, 0x1000);		/* an exclusion range, for all */
	PUT(0x7F, 0, 4, 0, 0x1F, 0, 4, 0, 0x23, 0, 4, 0);	/* newer than this */
	ivmd(0x21, 7, 0x7D000000, 0x3000);
	ivmd(0x22, 7, 0x7D000000, 0x3000);
	ivhd(0x40, 0x6002, 0xD0100000, 136);
	PUT(0, 0, 0, 0, 1, 0, 0, 0, 3, 8, 0, 0, 4, 0xFE, 0xFF, 0);
	PUT(0x42, 0x10, 3, 0, 0, 0x08, 0x30, 0);
	PUT(0x43, 0x00, 4, 0, 0, 0xA5, 0x40, 0, 4, 0xFF, 4, 0);
	PUT(0x46, 0x00, 5, 0, 0, 0, 0, 0, 0x47, 0, 6, 0, 0, 0, 0, 0, 4, 0xFF, 6, 0);
	PUT(0x48, 0, 0, 0xD7, 0x00, 0xA0, 0x00, 1, 0x48, 0, 0, 0, 0, 0xB0, 0x00, 2);
	PUT(0x80, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	PUT(0xF0, 0xA8, 0x50, 0x40, 'A', 'M', 'D', 'I', '0', '0', '2', '0', 0, 0, 0, 0, 0, 0, 0, 0,
	    2, 0);
	PUT(0xF0, 0xB8, 0x51, 0x40, 'A', 'M', 'D', 'I', '0', '0', '2', '0', 0, 0, 0, 0, 0, 0, 0, 0,
	    2, 4, '\\', '_', 'S', 'B');
	end();
	put16(tables.bytes + tables.size - 136 - 40 + 2, 40 + 136);
	run();
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.dma.unit_count, 2);
	CHECK_EQ(info.dma.unit[1].function, 0x6002);
	CHECK_EQ(info.dma.unit[1].segment, 3);
	CHECK(!dma_platform_serves(&info.dma, dma_slot(0x310)));	/* segment 3 */
	CHECK(has_slot(0x3008) && has_slot(0x40A5) && has_slot(0x00A0) && has_slot(0x00B0));
	CHECK(has_slot(0x50A8) && has_slot(0x51B8));
	CHECK_EQ(count_slots(), 6);
	CHECK_EQ(info.dma.special_count, 2);
	CHECK_EQ(info.dma.special[0].requester, 0xA0);
	CHECK_EQ(info.dma.special[0].settings, 0xD7);
	CHECK_EQ(info.dma.special[1].requester, 0xB0);
	CHECK_EQ(info.dma.range_count, 2);
	CHECK_EQ(info.dma.range[0].base, 0x7C000000);
	CHECK_EQ(info.dma.range[0].end, 0x7C001000);
	CHECK_EQ(info.dma.range[1].end, 0x7D003000);
}

/* The MADT has the IOAPIC 0: if no entry names it, interrupts are not confined. */
static void test_ivrs_ioapics(void)
{
	static const struct { u8 handle, variety; bool pass; } kinds[] = {
		{ 0, 1, false }, { 1, 1, true }, { 0, 2, true }, { 8, 1, true },
	};

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		tables.size = 0;
		begin("IVRS");
		ivhd(0x10, 0x0002, 0xFD300000, 16);
		PUT(0x48, 0, 0, 0xD7, kinds[i].handle, 0xA0, 0x00, kinds[i].variety);
		PUT(0x48, 0, 0, 0, 0x21, 0x01, 0x00, 1);
		end();
		run();
		CHECK_ERROR(info.dma.broken, NULL);
		CHECK_EQ(info.dma.interrupts_pass, kinds[i].pass);
		CHECK_EQ(info.dma.special_count, 2);
		CHECK(has_slot(0xA0) && has_slot(0x01));
	}
}

static void check_served(const u8 *entries, u8 size, u32 count, u16 one)
{
	u32 served = 0;

	tables.size = 0;
	begin("IVRS");
	ivhd(0x10, 0x0002, 0xFD300000, size);
	put16(tables.bytes + tables.size - 8, 0);	/* segment */
	block_put(&tables, entries, size);
	end();
	run();
	CHECK_ERROR(info.dma.broken, NULL);
	for (u32 slot = 0; slot < DMA_SLOTS; slot++)
		served += dma_platform_serves(&info.dma, slot);
	CHECK_EQ(served, count);
	CHECK(dma_platform_serves(&info.dma, dma_slot(one)));
}

static void test_served(void)
{
	static const u8 all[] = { 1, 0, 0, 0 }, range[] = { 3, 8, 3, 0, 4, 0xFF, 4, 0 },
		one[] = { 2, 0x10, 0, 0 }, alias[] = { 0x42, 0x10, 3, 0, 0, 0x08, 0x30, 0 },
		special[] = { 0x48, 0, 0, 0, 0, 0xA0, 0, 1, 2, 0x18, 0, 0 },
		reversed[] = { 3, 8, 3, 0, 4, 0, 2, 0, 2, 0, 0, 0 };

	check_served(all, sizeof(all), DMA_SLOTS, 0xFFFF);
	check_served(range, sizeof(range), 63, 0x480);
	check_served(one, sizeof(one), 1, 0x10);
	check_served(alias, sizeof(alias), 1, 0x310);
	check_served(special, sizeof(special), 1, 0x18);
	check_served(reversed, sizeof(reversed), 2, 0x308);
}

/* For old software there are several IVHDs of one unit; the newest type counts, in any order. */
static void test_ivhd_types(void)
{
	static const u8 types[][3] = {
		{ 0x10, 0x11, 0x40 }, { 0x40, 0x11, 0x10 }, { 0x11, 0x40, 0x10 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(types); i++) {
		tables.size = 0;
		begin("IVRS");
		for (u32 j = 0; j < 3; j++) {
			ivhd(types[i][j], 2, 0xFD300000, 8);
			PUT(0x42, 0, 1, 0, 0, 0, types[i][j], 0);
		}
		ivhd(0x10, 0x2002, 0xFD400000, 0);	/* there is no other of this one */
		end();
		run();
		CHECK_ERROR(info.dma.broken, NULL);
		CHECK_EQ(info.dma.unit_count, 2);
		CHECK(has_slot(0x4000));
		CHECK_EQ(count_slots(), 1);
	}
	for (u32 i = 0; i < 2; i++) {	/* but in another segment it is another unit */
		tables.size = 0;
		begin("IVRS");
		ivhd(0x10, 2, 0xFD300000, 0);
		ivhd(i ? 0x10 : 0x40, 2, 0xFD400000, 0);
		put16(tables.bytes + open_table + 48 + 24 + 16, 4);
		end();
		run();
		CHECK_EQ(info.dma.unit_count, 2);
	}
}

/* --- Bad ones ------------------------------------------------------------------------------ */

static void test_dmar_broken(void)
{
	tables.size = 0;
	begin("DMAR");
	run_broken(DMA_VTD, "the DMAR names no IOMMU");
	begin("DMAR");
	rmrr(0x1000, 0x1FFF);
	run_broken(DMA_VTD, "the DMAR names no IOMMU");
	begin("DMAR");
	PUT(0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0xD9, 0xFE, 0, 0, 0);
	run_broken(DMA_VTD, "a structure too short for its type");
	begin("DMAR");
	PUT(1, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	run_broken(DMA_VTD, "a structure too short for its type");
	for (u32 length = 0; length < 9; length++) {	/* 0 would loop, 8 is one past the end */
		begin("DMAR");
		drhd(0xFED90000, 0);
		PUT(9, 0, length, 0, 0, 0, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, length == 7 ? NULL : "a structure of senseless length");
		tables.size = 0;
	}
	for (u32 length = 0; length < 256; length++) {
		begin("DMAR");
		drhd(0xFED90000, 10);
		PUT(2, length, 0, 0, 0, 0, 28, 0, 0, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, length == 10 ? NULL : "a device scope of senseless length");
		tables.size = 0;
	}
	begin("DMAR");
	drhd(0xFED90000, 15);
	PUT(2, 7, 0, 0, 0, 0, 28, 2, 8, 0, 0, 0, 0, 28, 1);
	run_broken(DMA_VTD, "a device scope of senseless length");
	begin("DMAR");			/* what is good after it changes nothing */
	rmrr(1, 0);
	drhd(0xFED90000, 0);
	run_broken(DMA_VTD, "senseless memory");
	begin("DMAR");
	drhd(0xFED90000, 16);
	PUT(3, 8, 0, 0, 0, 0, 32, 0);
	PUT(3, 8, 0, 0, 0, 0, 31, 0);
	run_broken(DMA_VTD, "a device number that cannot be");
	begin("DMAR");
	drhd(0xFED90000, 8);
	PUT(5, 8, 0, 0, 0, 0, 31, 8);
	run_broken(DMA_VTD, "a device number that cannot be");
}

static void test_ivrs_broken(void)
{
	tables.size = 0;
	begin("IVRS");
	run_broken(DMA_AMDVI, "the IVRS names no IOMMU");
	begin("IVRS");
	ivmd(0x20, 1, 0x1000, 0x1000);
	run_broken(DMA_AMDVI, "the IVRS names no IOMMU");
	begin("IVRS");
	PUT(0x10, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	run_broken(DMA_AMDVI, "a block too short for its type");
	begin("IVRS");
	ivhd(0x40, 2, 0xFD300000, 0);
	put16(tables.bytes + tables.size - 38, 39);
	tables.size--;
	run_broken(DMA_AMDVI, "a block too short for its type");
	begin("IVRS");
	ivmd(0x22, 1, 0x1000, 0x1000);
	put16(tables.bytes + tables.size - 30, 31);
	tables.size--;
	run_broken(DMA_AMDVI, "a block too short for its type");
	for (u32 length = 0; length < 9; length++) {
		begin("IVRS");
		ivhd(0x10, 2, 0xFD300000, 0);
		PUT(0x7F, 0, length, 0, 0, 0, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, length == 7 ? NULL : "a block of senseless length");
		tables.size = 0;
	}
	begin("IVRS");
	ivhd(0x10, 2, 0xFD300000, 0);
	ivhd(0x10, 2, 0xFD400000, 0);
	run_broken(DMA_AMDVI, "two IOMMUs are one PCI function");
	begin("IVRS");			/* what is good after it changes nothing */
	ivmd(0x20, 0, 1, 0);
	ivhd(0x10, 2, 0xFD300000, 0);
	run_broken(DMA_AMDVI, "senseless memory");
}

/* Every type of device entry, its last byte missing. */
static void test_ivhd_entries(void)
{
	for (u32 type = 0; type < 256; type++) {
		u32 size = type < 64 ? 4 : type < 128 ? 8 : type < 192 ? 16 : type == 0xF0 ? 22 : 32;

		for (u32 cut = 0; cut < 2; cut++) {
			tables.size = 0;
			begin("IVRS");
			ivhd(0x40, 2, 0xFD300000, 4 + size - cut);
			PUT(1, 0, 0, 0, type);
			for (u32 i = 1; i < size - cut; i++)	/* FFh: no entry that fits */
				PUT(type == 0xF0 && i == 21 ? 0 : 0xFF);
			end();
			run();
			CHECK_ERROR(info.dma.broken, cut ? "a device entry of senseless length" : NULL);
		}
	}
	for (u32 uid = 0; uid < 256; uid++) {
		tables.size = 0;
		begin("IVRS");
		ivhd(0x40, 2, 0xFD300000, 22 + 9);
		PUT(0xF0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, uid,
		    0, 0, 0, 0, 0, 0, 0, 0, 0);
		end();
		run();
		/* what is left of the nine bytes must be whole entries of type 0 */
		CHECK_ERROR(info.dma.broken, uid == 1 || uid == 5 || uid == 9 ? NULL :
			    "a device entry of senseless length");
	}
}

static void test_registers(void)
{
	static const struct { u64 registers; const char *error; } cases[] = {
		{ 0, "where none can be" }, { 0xFC000, "where none can be" },
		{ 0xFED90800, "where none can be" }, { BIT(52), "where none can be" },
		{ ~0ULL << 14, "where none can be" }, { MIB, NULL }, { BIT(52) - 0x4000, NULL },
		{ 0xFD300000, "share registers" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		tables.size = 0;
		begin("DMAR");
		drhd(0xFD300000, 0);
		drhd(cases[i].registers, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, cases[i].error);
		tables.size = 0;
		begin("IVRS");
		ivhd(0x10, 2, 0xFD300000, 0);
		ivhd(0x10, 0x2002, cases[i].registers, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, cases[i].error);
	}
	tables.size = 0;
	begin("IVRS");
	ivhd(0x10, 2, 0xFD301000, 0);
	run_broken(DMA_AMDVI, "where none can be");
	for (u32 pages = 0; pages < 4; pages++) {	/* 2^pages, right below another unit or not */
		tables.size = 0;
		begin("DMAR");
		drhd(0xFD304000, 0);
		drhd(0xFD300000, 0);
		tables.bytes[tables.size - 16 + 5] = pages;
		end();
		run();
		CHECK_ERROR(info.dma.broken, pages < 3 ? NULL : "share registers");
	}
}

static void test_counts(void)
{
	for (u32 i = 0; i < 4; i++) {
		bool ivrs = i & 1;
		u32 more = i >> 1;

		tables.size = 0;
		begin(ivrs ? "IVRS" : "DMAR");
		for (u32 j = 0; j < DMA_UNITS_MAX + more; j++)
			if (ivrs)
				ivhd(0x11, j << 8, 0xD0000000 + j * MIB, 0);
			else
				drhd(0xD0000000 + j * PAGE_SIZE, 0);
		end();
		run();
		CHECK_ERROR(info.dma.broken, more ? "raise DMA_UNITS_MAX" : NULL);
		CHECK_EQ(info.dma.unit_count, more ? 0 : DMA_UNITS_MAX);
		tables.size = 0;
		begin(ivrs ? "IVRS" : "DMAR");
		if (ivrs)
			ivhd(0x11, 2, 0xD0000000, 0);
		else
			drhd(0xD0000000, 0);
		for (u32 j = 0; j < DMA_RANGES_MAX + more; j++)
			if (ivrs)
				ivmd(0x21, 1, j * MIB, PAGE_SIZE);
			else
				rmrr(j * MIB, j * MIB + PAGE_SIZE - 1);
		end();
		run();
		CHECK_ERROR(info.dma.broken, more ? "raise DMA_RANGES_MAX" : NULL);
		CHECK_EQ(info.dma.range_count, more ? 0 : DMA_RANGES_MAX);
	}
}

static void check_range(u64 base, u64 end)
{
	CHECK_ERROR(info.dma.broken, end ? NULL : "senseless memory for DMA");
	CHECK_EQ(info.dma.range_count, end != 0);
	CHECK_EQ(info.dma.range[0].base, base);
	CHECK_EQ(info.dma.range[0].end, end);
}

static void test_ranges(void)
{
	static const struct { u64 first, last, base, end; } cases[] = {
		{ 0x1000, 0x1FFF, 0x1000, 0x2000 }, { 0, 0xFFF, 0, 0x1000 },
		{ 0x98208000, 0x98208000, 0x98208000, 0x98209000 },	/* as seen in an IVMD */
		{ 0x1800, 0x2000, 0x1000, 0x3000 }, { 0, 0, 0, 0x1000 },
		{ 0, BIT(52) - 1, 0, BIT(52) },
		{ 0x1000, 0xFFF, 0, 0 }, { 0x2000, 0xFFF, 0, 0 }, { 0x2800, 0x27FF, 0, 0 },
		{ 0, ~0ULL, 0, 0 }, { 0x1000, ~0ULL, 0, 0 }, { 0, BIT(52), 0, 0 },
		{ BIT(52), BIT(52) + 0xFFF, 0, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		tables.size = 0;
		begin("DMAR");
		drhd(0xFD300000, 0);
		rmrr(cases[i].first, cases[i].last);
		end();
		run();
		check_range(cases[i].base, cases[i].end);
		tables.size = 0;
		begin("IVRS");
		ivhd(0x10, 2, 0xFD300000, 0);
		ivmd(0x22, 1, cases[i].first, cases[i].last - cases[i].first + 1);
		end();
		run();
		check_range(cases[i].base, cases[i].end);
	}
}

/* Where the tables' first one lies when it is moved right before what is not there. */
#define MOVED_END	0x38001000

static void move_table(u32 size)
{
	u64 table = MOVED_END - size, root = find("XSDT", 0);

	memcpy(memory_add(table, size), tables.bytes, size);
	put32(phys(table + 4), size);
	sum(table);
	put64(phys(root + 36 + 3 * 8), table);
	sum(root);
	put32(phys(find("RSDT", 0)), 0);	/* nobody's */
}

/* A newer IVHD, too short to be looked into, at the end of what is there. */
static void test_short_ivhd(void)
{
	tables.size = 0;
	begin("IVRS");
	ivhd(0x10, 2, 0xFD300000, 0);
	PUT(0x40, 0, 4, 0);
	end();
	place();
	move_table(tables.size);
	CHECK_ERROR(acpi_parse(&info, phys(pa), 36, MOVED_END), NULL);
	check_broken("a block too short for its type");
}

/* Cut short everywhere, with a right checksum, at the end of what is there and of reach. */
static void test_lengths(void)
{
	static void (*const make[])(struct block *) = { acpi_dmar, acpi_ivrs };

	for (u32 i = 0; i < ARRAY_SIZE(make); i++) {
		u32 whole;

		tables.size = 0;
		make[i](&tables);
		whole = tables.size;
		for (u32 size = 36; size <= whole; size++) {
			place();
			move_table(size);
			CHECK_ERROR(acpi_parse(&info, phys(pa), 36, MOVED_END), NULL);
			CHECK_EQ(info.dma.unit_count, size == whole);
			if (size < whole)
				check_broken(size == 48 ? "names no IOMMU" : "damaged");
			for (u32 cut = 1; cut <= size; cut++) {
				CHECK_ERROR(acpi_parse(&info, phys(pa), 36, MOVED_END - cut), NULL);
				check_broken(size - cut < 4 ? NULL : "its length or checksum is wrong");
			}
		}
	}
}

static void test_damaged(void)
{
	static const char *const names[] = { "DMAR", "IVRS" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		static const u32 lengths[] = { 0, 35, 36, 47, MIB + 1, 0x7FFFFFFF, 0xFFFFFFFF };

		tables.size = 0;
		begin(names[i]);
		end();
		place();
		for (u32 j = 0; j < ARRAY_SIZE(lengths); j++) {
			u64 table = find(names[i], 0);

			put32(phys(table + 4), lengths[j]);
			if (lengths[j] == 36 || lengths[j] == 47)
				sum(table);
			CHECK_ERROR(parse(), NULL);
			check_broken(lengths[j] == 36 || lengths[j] == 47 ? "it is too short" :
				     "its length or checksum is wrong");
			CHECK(!strncmp(info.dma.broken + 4, names[i], 4));
			CHECK_EQ(info.dma.kind, i ? DMA_AMDVI : DMA_VTD);
		}
		tables.bytes[9]++;
		run();
		check_broken("its length or checksum is wrong");
	}
}

/* Every byte of a good table changed, its checksum right: nothing is read that is not there. */
static void test_bytes(void)
{
	static const u8 values[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 0x7F, 0x80, 0xF0, 0xFF };
	u32 good = 0;

	for (u32 i = 0; i < 2; i++) {
		tables.size = 0;
		if (i)
			acpi_ivrs(&tables);
		else
			acpi_dmar(&tables);
		place();
		for (u32 at = 36; at < tables.size; at++) {
			u64 table = find(i ? "IVRS" : "DMAR", 0);
			u8 *byte = phys(table + at), old = *byte;

			for (u32 j = 0; j < ARRAY_SIZE(values); j++) {
				*byte = values[j];
				sum(table);
				CHECK_ERROR(parse(), NULL);
				CHECK(!info.dma.broken == (info.dma.unit_count == 1));
				good += !info.dma.broken;
			}
			*byte = old;
		}
	}
	CHECK(good > 100);
}

/* --- Several tables, and two roots ---------------------------------------------------------- */

static void test_both(void)
{
	tables.size = 0;
	acpi_dmar(&tables);
	acpi_ivrs(&tables);
	run();
	check_broken("both a DMAR and an IVRS");
	CHECK_EQ(info.dma.kind, DMA_VTD);
	tables.size = 0;
	acpi_ivrs(&tables);
	acpi_dmar(&tables);
	run();
	check_broken("both a DMAR and an IVRS");
	CHECK_EQ(info.dma.kind, DMA_AMDVI);
	tables.size = 0;
	begin("DMAR");
	end();
	acpi_ivrs(&tables);
	run();
	check_broken("the DMAR names no IOMMU");	/* the first reason is told */
}

static void test_two(void)
{
	tables.size = 0;
	acpi_dmar(&tables);
	acpi_dmar(&tables);
	run();				/* copies */
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	CHECK_EQ(info.iommu_table_count, 2);
	for (u32 i = 2; i < ACPI_IOMMU_TABLES_MAX + 1; i++)
		acpi_dmar(&tables);
	run();
	check_broken("more than four copies");
	tables.size = 0;
	acpi_dmar(&tables);
	acpi_dmar(&tables);
	tables.bytes[tables.size - 1]++;	/* in the last one */
	acpi_sum(&tables, ALIGN_UP(tables.size / 2, 16));
	run();
	check_broken("two DMARs, and they differ");
	tables.size = 0;
	acpi_dmar(&tables);
	begin("DMAR");
	drhd(0xFED91000, 0);
	run_broken(DMA_VTD, "two DMARs, and they differ");
	acpi_ivrs(&tables);
	begin("IVRS");
	ivhd(0x10, 2, 0xFD300000, 0);
	run_broken(DMA_AMDVI, "two IVRSs, and they differ");
}

/* The root entry that points to `from` points to `to`. */
static void redirect(const char *root, u64 from, u64 to)
{
	u64 at = find(root, 0), entry = find(root, 0) + 36;
	u32 size = *root == 'X' ? 8 : 4;

	while (get32(phys(entry)) != from)
		entry += size;
	put32(phys(entry), to);
	sum(at);
}

static void check_hidden(const char *old, const char *new, u32 count)
{
	u64 at = pa - 4;

	CHECK_ERROR(parse(), NULL);
	CHECK_ERROR(info.dma.broken, NULL);
	CHECK_EQ(info.iommu_table_count, count);
	acpi_hide_iommu(&info);
	CHECK(!find(old, 0));
	for (u32 i = 0; i < count; i++) {
		at = find(new, at + 4 - pa);
		CHECK(at && !bytes_sum((struct bytes){ phys(at), get32(phys(at + 4)) }));
	}
	for (u32 i = 0; i < ROOTS; i++) {	/* an OS finds none, by either root */
		make_rsdp(phys(pa), i, find("RSDT", 0), find("XSDT", 0));
		CHECK_ERROR(acpi_parse(&info, phys(pa), i ? 36 : 20, 4 * GIB), NULL);
		CHECK_EQ(info.dma.kind, DMA_NO_IOMMU);
		CHECK_EQ(info.cpu_count, 5);
		CHECK_EQ(info.ecam_count, 1);
	}
}

static void test_hide(void)
{
	u64 first, second;

	tables.size = 0;
	acpi_dmar(&tables);
	place();
	check_hidden("DMAR", "XMAR", 1);
	acpi_hide_iommu(&info);		/* of what has none: nothing to do */
	CHECK(find("XMAR", 0));
	tables.size = 0;
	acpi_ivrs(&tables);
	place();
	check_hidden("IVRS", "XVRS", 1);
	/* two copies: each root leads to one of them */
	acpi_ivrs(&tables);
	place();
	first = find("IVRS", 0);
	second = find("IVRS", first + 4 - pa);
	redirect("XSDT", second, find("APIC", 0));
	redirect("RSDT", first, find("APIC", 0));
	check_hidden("IVRS", "XVRS", 2);
	/* the XSDT, which counts, leads to none */
	tables.size = 0;
	acpi_dmar(&tables);
	place();
	redirect("XSDT", find("DMAR", 0), find("APIC", 0));
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.dma.kind, DMA_VTD);
	check_hidden("DMAR", "XMAR", 1);
}

/* An RSDT that cannot be read beside a good XSDT is nobody's. */
static void test_second_root(void)
{
	tables.size = 0;
	acpi_dmar(&tables);
	place();
	((u8 *)phys(find("RSDT", 0)))[9]++;
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	make_rsdp(phys(pa), true, 0xFFFFFFFF, find("XSDT", 0));
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	make_rsdp(phys(pa), true, 0, find("XSDT", 0));
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.dma.unit_count, 1);
	/* but one that can be counts: there is an IVRS that only it names */
	acpi_ivrs(&tables);
	place();
	redirect("XSDT", find("IVRS", 0), find("APIC", 0));
	CHECK_ERROR(parse(), NULL);
	check_broken("both a DMAR and an IVRS");
	CHECK_EQ(info.dma.kind, DMA_VTD);
}

const struct test iommu_tests[] = {
	{ "iommu: neither DMAR nor IVRS", test_none },
	{ "iommu: QEMU's DMAR", test_dmar_qemu },
	{ "iommu: a DMAR of everything", test_dmar },
	{ "iommu: QEMU's IVRS", test_ivrs_qemu },
	{ "iommu: an IVRS of everything", test_ivrs },
	{ "iommu: IOAPICs of MADT and IVRS", test_ivrs_ioapics },
	{ "iommu: who is served by an IVRS", test_served },
	{ "iommu: who is served by a DMAR", test_dmar_served },
	{ "iommu: one unit in IVHDs of several types", test_ivhd_types },
	{ "iommu: bad DMARs", test_dmar_broken },
	{ "iommu: bad IVRSs", test_ivrs_broken },
	{ "iommu: IVHD device entries", test_ivhd_entries },
	{ "iommu: registers", test_registers },
	{ "iommu: number of units and ranges", test_counts },
	{ "iommu: ranges", test_ranges },
	{ "iommu: every length", test_lengths },
	{ "iommu: an IVHD that is cut short", test_short_ivhd },
	{ "iommu: damaged tables", test_damaged },
	{ "iommu: every byte", test_bytes },
	{ "iommu: DMAR and IVRS", test_both },
	{ "iommu: two tables", test_two },
	{ "iommu: hiding", test_hide },
	{ "iommu: the other root", test_second_root },
	{ 0 }
};
