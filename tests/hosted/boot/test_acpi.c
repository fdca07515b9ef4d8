/* SPDX-License-Identifier: BSD-2-Clause */
#include <drivers/acpi/acpi.h>

#include "make.h"
#include "test.h"

#define AREA	0x30000000

static struct block block;
static struct acpi_info info;
static u64 pa;

static void build(bool xsdt)
{
	acpi_pc(&block, AREA, xsdt);	/* for its size */
	pa = ALIGN_DOWN(AREA + ALIGN_UP(block.size, PAGE_SIZE) - block.size, 4);
	acpi_pc(&block, pa, xsdt);
}

/* Parse `block` where a byte past its end is a fault. */
static const char *parse(void)
{
	memory_reset();
	memory_add_block(AREA, block.bytes, block.size, 4);
	return acpi_parse(&info, block.bytes, block.bytes[15] ? 36 : 20, 4 * GIB);
}

static u32 find(const char *signature)
{
	for (u32 at = 36; at + 4 <= block.size; at += 4)
		if (!memcmp(block.bytes + at, signature, 4))
			return at;
	abort();
}

static void check_pc(void)
{
	CHECK_EQ(info.cpu_count, 5);
	CHECK_EQ(info.apic_id[0], 0);
	CHECK_EQ(info.apic_id[3], 6);
	CHECK_EQ(info.apic_id[4], 0x1234);
	CHECK_EQ(info.pm1_control[0], 0x604);
	CHECK_EQ(info.pm1_control[1], 0x704);
	CHECK_EQ(info.reset_port, 0xCF9);
	CHECK_EQ(info.reset_value, 0x0F);
	CHECK_EQ(info.dma.kind, DMA_NO_IOMMU);
	CHECK_EQ(info.ecam_count, 1);
	CHECK_EQ(info.ecam[0].base, 0xB0000000);
	CHECK_EQ(info.ecam[0].last_bus, 0xFF);
}

static void test_rsdt(void)
{
	build(false);
	CHECK_ERROR(parse(), NULL);
	check_pc();
}

static void test_xsdt(void)
{
	build(true);
	CHECK_ERROR(parse(), NULL);
	check_pc();
}

static void test_mcfg(void)
{
	static const struct { u64 base; u8 first, last; const char *problem; } cases[] = {
		{ 0xB0000000, 0, 0xFF, NULL }, { 0xB0000000, 0xFF, 0xFF, NULL },
		{ 0xB0000000, 2, 1, "senseless entry" }, { 0xB0080000, 0, 1, "senseless entry" },
		{ 0, 0, 0xFF, "senseless entry" }, { 0, 1, 0xFF, NULL },
		{ 0 - MIB, 1, 0xFF, "senseless entry" }, { 0 - 16 * MIB, 0, 0xFF, "senseless entry" },
		{ BIT(52) - 255 * MIB, 0, 0xFF, "senseless entry" },
		{ BIT(52) - 256 * MIB, 0, 0xFF, NULL },
	};
	u32 at;

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		build(true);
		at = find("MCFG");
		put64(block.bytes + at + 44, cases[i].base);
		put16(block.bytes + at + 52, 0x102);
		block.bytes[at + 54] = cases[i].first;
		block.bytes[at + 55] = cases[i].last;
		acpi_sum(&block, at);
		CHECK_ERROR(parse(), NULL);
		CHECK_ERROR(info.ecam_problem, cases[i].problem);
		CHECK_EQ(info.ecam_count, !cases[i].problem);
		if (cases[i].problem)
			continue;
		CHECK_EQ(info.ecam[0].base, cases[i].base);
		CHECK_EQ(info.ecam[0].segment, 0x102);
		CHECK_EQ(info.ecam[0].first_bus, cases[i].first);
		CHECK_EQ(info.ecam[0].last_bus, cases[i].last);
	}
	for (u32 size = 0; size < 60; size++) {		/* a bad one stops nothing */
		build(true);
		at = find("MCFG");
		put32(block.bytes + at + 4, size);
		if (size >= 36)
			acpi_sum(&block, at);
		CHECK_ERROR(parse(), NULL);
		CHECK_EQ(info.ecam_count, 0);
		CHECK_ERROR(info.ecam_problem, size == 44 ? NULL : "damaged");
	}
	build(true);
	block.bytes[find("MCFG") + 9]++;
	CHECK_ERROR(parse(), NULL);
	CHECK_ERROR(info.ecam_problem, "checksum is wrong");
}

static void test_mcfg_count(void)
{
	struct block more = { .size = 0 };

	for (u32 count = ACPI_ECAM_MAX; count < ACPI_ECAM_MAX + 2; count++) {
		u32 at;

		more.size = 0;
		at = acpi_open(&more, "MCFG");
		block_put64(&more, 0);
		for (u32 i = 0; i < count; i++) {
			block_put64(&more, (i + 1) * GIB);
			block_put64(&more, 0xFF000000ULL | i);
		}
		acpi_close(&more, at);
		acpi_pc_more(&block, AREA, &more);
		memset(block.bytes + find("MCFG"), 'Z', 4);	/* the PC's own */
		memory_reset();
		memcpy(memory_add(AREA, block.size), block.bytes, block.size);
		CHECK_ERROR(acpi_parse(&info, block.bytes, 36, 4 * GIB), NULL);
		CHECK_ERROR(info.ecam_problem, count > ACPI_ECAM_MAX ? "more than 16" : NULL);
		CHECK_EQ(info.ecam_count, count > ACPI_ECAM_MAX ? 0 : ACPI_ECAM_MAX);
	}
}

/* Every table's length set to everything interesting, its checksum right again. */
static void test_lengths(void)
{
	static const char *const names[] = { "SSDT", "APIC", "FACP", "XSDT" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		u32 at, whole;

		build(true);
		at = find(names[i]);
		whole = get32(block.bytes + at + 4);
		for (u32 size = 0; size < whole; size++) {
			put32(block.bytes + at + 4, size);
			if (size >= 36)
				acpi_sum(&block, at);
			parse();
		}
		for (u32 size = 0x7FFFFFFF; size > 0xFFFFF; size /= 2) {
			put32(block.bytes + at + 4, size);
			if (i)
				CHECK(parse() != NULL);
			else
				CHECK_ERROR(parse(), NULL);	/* nobody reads an SSDT here */
		}
		put32(block.bytes + at + 4, 0xFFFFFFFF);
		CHECK(!parse() == !i);
	}
}

static void test_madt_entries(void)
{
	build(true);
	for (u32 size = 0; size < 8; size++) {
		u32 at = find("APIC");

		block.bytes[at + 45] = size;
		acpi_sum(&block, at);
		CHECK(parse() != NULL);
		build(true);
	}
	block.bytes[find("APIC") + 45] = 255;
	acpi_sum(&block, find("APIC"));
	CHECK_ERROR(parse(), "senseless length");
	build(true);
	memset(block.bytes + find("APIC") + 44, 0, 4);	/* an entry of length 0: would loop */
	acpi_sum(&block, find("APIC"));
	CHECK_ERROR(parse(), "senseless length");
}

/* A MADT of `count` x2APIC entries in a root of its own. */
static void build_cpus(u32 count, u32 flags)
{
	u32 at, size = 44 + count * 16;

	build(true);
	at = find("APIC");
	memcpy(block.bytes + block.size, block.bytes + at, 44);
	put64(block.bytes + find("XSDT") + 36 + 8, pa + block.size);
	acpi_sum(&block, find("XSDT"));
	memset(block.bytes + at, 0, 4);
	at = block.size;
	put32(block.bytes + at + 4, size);
	for (u32 i = 0; i < count; i++) {
		u8 *entry = block.bytes + at + 44 + i * 16;

		memset(entry, 0, 16);
		entry[0] = 9;
		entry[1] = 16;
		put32(entry + 4, i);
		put32(entry + 8, flags);
	}
	block.size += size;
	acpi_sum(&block, at);
	memory_reset();
	memcpy(memory_add(pa, block.size), block.bytes, block.size);
}

static void test_cpu_count(void)
{
	build_cpus(MAX_CPUS, 1);
	CHECK_ERROR(acpi_parse(&info, block.bytes, 36, 4 * GIB), NULL);
	CHECK_EQ(info.cpu_count, MAX_CPUS);
	build_cpus(MAX_CPUS + 1, 1);
	CHECK_ERROR(acpi_parse(&info, block.bytes, 36, 4 * GIB), "raise MAX_CPUS");
	build_cpus(MAX_CPUS + 1, 2);
	CHECK_ERROR(acpi_parse(&info, block.bytes, 36, 4 * GIB), "no enabled processor");
	build_cpus(0, 0);
	CHECK_ERROR(acpi_parse(&info, block.bytes, 36, 4 * GIB), "no enabled processor");
}

static void test_fadt(void)
{
	u32 at;

	build(true);
	at = find("FACP");
	block.bytes[at + 172] = 0;		/* memory space: not a port */
	put64(block.bytes + at + 176, 0x1234);
	block.bytes[at + 184] = 1;
	put64(block.bytes + at + 188, 0x10704);	/* not a port either */
	put32(block.bytes + at + 68, 0x20000);
	put64(block.bytes + at + 120, 0x10000);
	acpi_sum(&block, at);
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.pm1_control[0], 0x604);
	CHECK_EQ(info.pm1_control[1], 0);
	CHECK_EQ(info.reset_port, 0);
	put32(block.bytes + at + 4, 116);	/* of ACPI 1: neither extended fields nor reset */
	put32(block.bytes + at + 68, 0x804);
	acpi_sum(&block, at);
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.pm1_control[0], 0x604);
	CHECK_EQ(info.pm1_control[1], 0x804);
	CHECK_EQ(info.reset_port, 0);
	put32(block.bytes + at + 4, 115);
	acpi_sum(&block, at);
	CHECK_ERROR(parse(), "FADT is too short");
	build(true);
	put32(block.bytes + find("FACP") + 112, 0);
	acpi_sum(&block, find("FACP"));
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.reset_port, 0);
}

static void test_roots(void)
{
	u8 rsdp[36];

	build(true);
	CHECK_ERROR(acpi_parse(&info, block.bytes, 0, 4 * GIB), "no RSDP");
	CHECK_ERROR(acpi_parse(&info, block.bytes, 36, pa + 100), "no root table");
	make_rsdp(rsdp, true, 0, ~0ULL - 3);
	CHECK_ERROR(acpi_parse(&info, rsdp, 36, 4 * GIB), "no root table");
	make_rsdp(rsdp, true, 0, 0);
	memory_add(0, 4096);
	CHECK_ERROR(acpi_parse(&info, rsdp, 36, 4 * GIB), "no root table");
	/* an RSDT where an XSDT should be */
	build(false);
	memory_reset();
	memory_add_block(AREA, block.bytes, block.size, 4);
	make_rsdp(rsdp, true, 0, pa + find("RSDT"));
	CHECK_ERROR(acpi_parse(&info, rsdp, 36, 4 * GIB), "no root table");
	make_rsdp(rsdp, true, pa + find("RSDT"), 0);
	CHECK_ERROR(acpi_parse(&info, rsdp, 36, 4 * GIB), NULL);
	/* entries that point to the root itself, outside memory, and to one table twice */
	build(true);
	put64(block.bytes + find("XSDT") + 36, pa + find("XSDT"));
	acpi_sum(&block, find("XSDT"));
	CHECK_ERROR(parse(), NULL);
	put64(block.bytes + find("XSDT") + 36, ~0ULL - 1);
	acpi_sum(&block, find("XSDT"));
	CHECK_ERROR(parse(), NULL);
	put64(block.bytes + find("XSDT") + 36, pa + find("APIC"));
	acpi_sum(&block, find("XSDT"));
	CHECK_ERROR(parse(), NULL);
	CHECK_EQ(info.cpu_count, 5);
	/* a root that is not a whole number of entries, and one with a wrong checksum */
	put32(block.bytes + find("XSDT") + 4, 36 + 4 * 8 - 1);
	acpi_sum(&block, find("XSDT"));
	CHECK_ERROR(parse(), "root table is damaged");
	build(true);
	block.bytes[find("XSDT") + 9]++;
	CHECK_ERROR(parse(), "root table is damaged");
}

static void test_missing(void)
{
	static const struct { const char *table, *error; } missing[] = {
		{ "APIC", "no MADT" }, { "FACP", "no FADT" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(missing); i++) {
		build(false);
		memset(block.bytes + find(missing[i].table), 'Z', 4);
		CHECK_ERROR(parse(), missing[i].error);
	}
}

const struct test acpi_tests[] = {
	{ "acpi: a PC's tables by the RSDT", test_rsdt },
	{ "acpi: a PC's tables by the XSDT", test_xsdt },
	{ "acpi: MCFG", test_mcfg },
	{ "acpi: number of ECAM ranges", test_mcfg_count },
	{ "acpi: every length of every table", test_lengths },
	{ "acpi: MADT entries", test_madt_entries },
	{ "acpi: number of processors", test_cpu_count },
	{ "acpi: FADT", test_fadt },
	{ "acpi: hostile roots", test_roots },
	{ "acpi: missing tables", test_missing },
	{ 0 }
};
