/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/multiboot.h>

#include "make.h"
#include "test.h"

#define AREA	0x10000

static struct boot_info info;
static struct block block;

/* The first MiB as a BIOS leaves it, so that the search for the RSDP has something to read. */
static void add_low_memory(void)
{
	memory_add(0, 0x1000);
	memory_add(0x9F000, 0x61000);
	put16(phys(0x40E), 0x9FC0);
}

/* Parse `block` where a byte past its end is a fault. */
static const char *parse2(void)
{
	memory_reset();
	add_low_memory();
	return multiboot_parse(&info, MULTIBOOT2_MAGIC, memory_add_block(AREA, block.bytes,
			       block.size, 8), 4 * GIB);
}

/* A block without end tag for one tag to be added to. */
static void begin(void)
{
	mb2_begin(&block);
	mb2_module(&block, 0x400000, 0x500000, "");
	mb2_map(&block, pc_map, pc_map_count);
}

static const char *parse_with(u32 type, const void *content, u32 size)
{
	begin();
	mb2_tag(&block, type, content, size);
	mb2_end(&block);
	return parse2();
}

static void test_pc(void)
{
	mb2_pc(&block);
	CHECK_ERROR(parse2(), NULL);
	CHECK(!strcmp(info.line, "serial=com1 sipi=trap"));
	CHECK_EQ(info.module_count, 2);
	CHECK_EQ(info.module[0].base, 0x400000);
	CHECK_EQ(info.module[0].end, 0xC00000);
	CHECK(!strcmp(info.module[0].line, "console=ttyS0 quiet"));
	CHECK_EQ(info.module[1].end, 0x1800123);
	CHECK_EQ(info.map.count, pc_map_count);
	CHECK(!memcmp(&info.map.range[3], &pc_map[3], 20));
	CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_TEXT);
	CHECK_EQ(info.framebuffer.width, 80);
	CHECK_EQ(info.rsdp_size, 20);
	CHECK_EQ(get32(info.rsdp + 16), 0x3FFE1000);
	CHECK_EQ(info.efi.system_table, 0);
	CHECK_EQ(info.info_end - info.info_base, block.size);
}

static void test_ovmf(void)
{
	mb2_ovmf(&block);
	CHECK_ERROR(parse2(), NULL);
	CHECK_EQ(info.efi.system_table, 0x3F9EC018);
	CHECK_EQ(info.efi.descriptor_size, 48);
	CHECK_EQ(info.efi.descriptor_version, 1);
	CHECK_EQ(info.efi.map_size, 15 * 48);
	CHECK(info.efi.map >= info.info_base && info.efi.map + info.efi.map_size <= info.info_end);
	CHECK_EQ(get64((u8 *)phys(info.efi.map) + 48 + 8), 0x1000);
	CHECK_EQ(info.rsdp_size, 36);
	CHECK_EQ(get64(info.rsdp + 24), 0x3E902000);
	CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_RGB);
	CHECK_EQ(info.framebuffer.pitch, 3200);
	CHECK_EQ(info.framebuffer.colour[0].at, 16);
}

/* The information cut at every length: never a stray access, never a success. */
static void test_mb2_cut(void)
{
	u32 whole;

	mb2_ovmf(&block);
	whole = block.size;
	for (u32 size = 0; size < whole; size += 4) {
		block.size = size;
		if (size >= 4)
			put32(block.bytes, size);
		if (size >= 8)
			CHECK(parse2() != NULL);
	}
	/* the size says more than there is memory */
	mb2_pc(&block);
	put32(block.bytes, 0xFFFFFFF8);
	CHECK_ERROR(parse2(), "senseless size");
	put32(block.bytes, 4);
	CHECK_ERROR(parse2(), "cut short");
}

static void test_mb2_tag_lengths(void)
{
	for (u32 size = 0; size < 8; size++) {
		begin();
		block_put32(&block, 99);
		block_put32(&block, size);
		mb2_end(&block);
		CHECK_ERROR(parse2(), "shorter than its own head");
	}
	begin();
	block_put32(&block, 99);
	block_put32(&block, 0xFFFFFFFF);
	mb2_end(&block);
	CHECK_ERROR(parse2(), "reaches past");
	CHECK_ERROR(parse_with(3, "12345678", 8), "module's tag is too short");
	CHECK_ERROR(parse_with(6, "1234", 4), "too short");
	CHECK_ERROR(parse_with(8, "1234567890123456789012", 22), "framebuffer's tag is too short");
	CHECK_ERROR(parse_with(12, "1234", 4), "too short");
	CHECK_ERROR(parse_with(17, "1234", 4), "too short");
	CHECK_ERROR(parse_with(11, "1234", 4), "32-bit EFI");
	CHECK_ERROR(parse_with(18, "", 0), "boot services still run");
	CHECK_ERROR(parse_with(99, "1234567", 7), NULL);
}

static void test_mb2_entry_sizes(void)
{
	static const u32 senseless[] = { 0, 8, 16, 20, 25, 0x80000000, 0xFFFFFFF8 };
	u8 content[56] = { 0 };

	for (u32 i = 0; i < ARRAY_SIZE(senseless); i++) {
		put32(content, senseless[i]);
		CHECK_ERROR(parse_with(6, content, sizeof(content)), "senseless entry size");
		CHECK_ERROR(parse_with(17, content, sizeof(content)),
			    senseless[i] % 8 || senseless[i] < 40 ? "senseless entry size" : "empty");
	}
	put32(content, 32);
	CHECK_ERROR(parse_with(6, content, sizeof(content)), "senseless entry size");
	put32(content, 48);
	CHECK_ERROR(parse_with(6, content, sizeof(content)), NULL);
	CHECK_ERROR(parse_with(17, content, 8), "empty");
}

static void test_lines(void)
{
	char line[4096];

	memset(line, 'x', sizeof(line));
	CHECK_ERROR(parse_with(1, line, 100), "damaged or longer");	/* no NUL */
	CHECK_ERROR(parse_with(1, line, 4000), "damaged or longer");
	line[2047] = '\0';
	CHECK_ERROR(parse_with(1, line, 2048), NULL);
	CHECK_EQ(strlen(info.line), 2047);
	line[2047] = 'x';
	line[2048] = '\0';
	CHECK_ERROR(parse_with(1, line, 2049), "longer than 2047");
	CHECK_ERROR(parse_with(1, "", 0), "damaged");
	CHECK_ERROR(parse_with(1, "/boot/carrel.elf  a=b c", 24), NULL);
	CHECK(!strcmp(info.line, "a=b c"));
	CHECK_ERROR(parse_with(1, "(hd0,1)/carrel.elf", 19), NULL);
	CHECK(!strcmp(info.line, ""));
}

static void test_modules(void)
{
	mb2_begin(&block);
	mb2_map(&block, pc_map, pc_map_count);
	mb2_end(&block);
	CHECK_ERROR(parse2(), "no kernel");
	begin();
	mb2_module(&block, 0x700000, 0x600000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "ends before it begins");
	begin();
	mb2_module(&block, 0x4FFFFF, 0x600000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "overlap");
	begin();
	mb2_module(&block, 0x3FFD0000, 0x3FFE0001, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "outside usable memory");
	begin();
	mb2_module(&block, 0xFEE00000, 0xFEE01000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "outside usable memory");
	begin();
	for (u32 i = 1; i < 8; i++)
		mb2_module(&block, 0x800000 + i * 0x1000, 0x801000 + i * 0x1000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), NULL);
	CHECK_EQ(info.module_count, 8);
	begin();
	for (u32 i = 1; i < 9; i++)
		mb2_module(&block, 0x800000 + i * 0x1000, 0x801000 + i * 0x1000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "more than 8 modules");
}

static void test_maps(void)
{
	static const struct e820_range reserved[] = { { 0, 0x100000, 2 } };
	static const struct e820_range absurd[] = {
		{ 0, ~0ULL, 1 }, { 0x100000, ~0ULL, 2 }, { ~0ULL, ~0ULL, 1 }, { 0, 0, 77 },
	};
	static const struct e820_range types[] = {
		{ 0, 0x10000, 1 }, { 0x10000, 0x1000, 7 }, { 0x11000, 0x1000, 20 },
		{ 0x12000, 0x1000, 0 }, { 0x13000, 0x1000, 0xFFFFFFFF },
	};

	mb2_begin(&block);
	mb2_module(&block, 0x400000, 0x500000, "");
	mb2_end(&block);
	CHECK_ERROR(parse2(), "no usable memory");
	mb2_begin(&block);
	mb2_map(&block, reserved, 1);
	mb2_end(&block);
	CHECK_ERROR(parse2(), "no usable memory");
	mb2_begin(&block);
	mb2_module(&block, 0x4000, 0x5000, "");
	mb2_map(&block, absurd, ARRAY_SIZE(absurd));
	mb2_end(&block);
	CHECK_ERROR(parse2(), NULL);
	CHECK_EQ(info.map.count, 2);
	CHECK_EQ(info.map.range[0].size, 0x100000);
	mb2_begin(&block);
	mb2_module(&block, 0x4000, 0x5000, "");
	mb2_map(&block, types, ARRAY_SIZE(types));
	mb2_end(&block);
	CHECK_ERROR(parse2(), NULL);
	CHECK_EQ(info.map.count, 3);
	CHECK(info.map.range[1].type == 7 && info.map.range[2].type == 2);
	mb2_begin(&block);
	for (u32 i = 0; i < 2; i++) {
		struct e820_range many[130];

		for (u32 j = 0; j < 130; j++)
			many[j] = (struct e820_range){ (i * 130 + j) * 0x2000, 0x1000, 1 };
		mb2_map(&block, many, 130);
	}
	mb2_end(&block);
	CHECK_ERROR(parse2(), "more than 256 ranges");
}

/* A framebuffer that makes no sense is none; the machine boots. */
static void test_framebuffers(void)
{
	static const struct { u32 offset, value; } bad[] = {
		{ 0, 0 }, { 8, 3199 }, { 8, 0x10000 }, { 12, 0 }, { 12, 801 }, { 12, 0xFFFFFFFF },
		{ 16, 0 }, { 16, 40000 }, { 20, 0x00000108 }, { 20, 0x00000121 },
		{ 20, 0x00000020 }, { 24, 0x08190810 }, { 24, 0x08080010 },
	};
	u8 content[30] = { 0 };

	for (u32 i = 0; i <= ARRAY_SIZE(bad); i++) {
		put64(content, 0xC0000000);
		put32(content + 8, 3200);
		put32(content + 12, 800);
		put32(content + 16, 600);
		memcpy(content + 20, (u8[]){ 32, 1, 0, 0, 16, 8, 8, 8, 0, 8 }, 10);
		if (i == ARRAY_SIZE(bad)) {
			CHECK_ERROR(parse_with(8, content, 30), NULL);
			CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_RGB);
			break;
		}
		put32(content + bad[i].offset, bad[i].value);
		CHECK_ERROR(parse_with(8, content, 30), NULL);
		CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_NONE);
	}
}

static void test_text_screens(void)
{
	static const struct { u32 offset, value; } bad[] = {
		{ 0, 0 }, { 8, 159 }, { 12, 0 }, { 12, 256 }, { 16, 256 }, { 16, 0 },
	};
	u8 content[24] = { 0 };

	for (u32 i = 0; i <= ARRAY_SIZE(bad); i++) {
		put64(content, 0xB8000);
		put32(content + 8, 160);
		put32(content + 12, 80);
		put32(content + 16, 25);
		content[20] = 16;
		content[21] = 2;
		if (i < ARRAY_SIZE(bad))
			put32(content + bad[i].offset, bad[i].value);
		CHECK_ERROR(parse_with(8, content, 24), NULL);
		CHECK_EQ(info.framebuffer.kind,
			 i < ARRAY_SIZE(bad) ? FRAMEBUFFER_NONE : FRAMEBUFFER_TEXT);
	}
}

/* An error wants a screen to be shown on, and must not be shown on a senseless one. */
static void test_framebuffer_of_failure(void)
{
	begin();
	mb2_rgb(&block, 0xC0000000, 800, 600, 32);
	mb2_tag(&block, 18, "", 0);
	mb2_end(&block);
	CHECK_ERROR(parse2(), "boot services");
	CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_RGB);
	begin();
	mb2_rgb(&block, 0xC0000000, 800, 600, 200);
	mb2_tag(&block, 18, "", 0);
	mb2_end(&block);
	CHECK_ERROR(parse2(), "boot services");
	CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_NONE);
}

static void test_rsdp_copies(void)
{
	u8 rsdp[36];

	make_rsdp(rsdp, true, 1, 2);
	rsdp[33]++;
	CHECK_ERROR(parse_with(15, rsdp, 36), NULL);
	CHECK_EQ(info.rsdp_size, 0);
	make_rsdp(rsdp, true, 1, 2);
	CHECK_ERROR(parse_with(15, rsdp, 35), NULL);
	CHECK_EQ(info.rsdp_size, 0);
	CHECK_ERROR(parse_with(15, rsdp, 36), NULL);
	CHECK_EQ(info.rsdp_size, 36);
	CHECK_ERROR(parse_with(14, rsdp, 19), NULL);
	CHECK_EQ(info.rsdp_size, 0);
}

static void test_no_magic(void)
{
	CHECK_ERROR(multiboot_parse(&info, 0, 0x1000, 4 * GIB), "not started by a multiboot");
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT2_MAGIC, 4 * GIB - 4, 4 * GIB), "outside memory");
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, 4 * GIB - 4, 4 * GIB), "outside memory");
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT2_MAGIC, ~0ULL, 4 * GIB), "outside memory");
	memory_add(0x1000, 4096);
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT2_MAGIC, 0x1004, 4 * GIB), "not aligned");
}

static void test_efi_descriptors(void)
{
	static const u64 bad[][2] = {
		{ 0x1001, 1 }, { BIT(52), 0 }, { 0x1000, BIT(40) }, { ~0xFFFULL, 2 }, { 0, ~0ULL },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		struct block map = { .size = 0 };

		efi_put(&map, 7, 0x1000, 5, 0xF);
		efi_put(&map, 7, bad[i][0], bad[i][1], 0xF);
		begin();
		mb2_efi(&block, 0x1000, &map);
		mb2_end(&block);
		CHECK_ERROR(parse2(), "EFI memory map is damaged");
	}
}

static void test_no_efi_map(void)
{
	u64 table = 0x1000;

	CHECK_ERROR(parse_with(12, &table, 8), "EFI without its memory map");
}

static const char *parse1(u32 *pa)
{
	memory_reset();
	add_low_memory();
	*pa = 0;
	mb1_pc(&block, 0);
	*pa = memory_add_block(AREA, block.bytes, block.size, 4);
	mb1_pc(&block, *pa);
	memcpy(phys(*pa), block.bytes, block.size);
	return multiboot_parse(&info, MULTIBOOT1_MAGIC, *pa, 4 * GIB);
}

static void test_mb1(void)
{
	u32 pa;

	CHECK_ERROR(parse1(&pa), NULL);
	CHECK(!strcmp(info.line, "serial=com1"));
	CHECK_EQ(info.module_count, 2);
	CHECK(!strcmp(info.module[0].line, "console=ttyS0"));
	CHECK_EQ(info.module[1].end, 0x1800123);
	CHECK_EQ(info.map.count, pc_map_count);
	CHECK_EQ(info.framebuffer.kind, FRAMEBUFFER_NONE);
	CHECK_EQ(info.rsdp_size, 0);
	CHECK_EQ(info.info_base, info.info_end);
}

static void test_mb1_rsdp_search(void)
{
	u8 rsdp[36];
	u32 pa;

	CHECK_ERROR(parse1(&pa), NULL);
	make_rsdp(phys(0xF5A20), false, 0x1234, 0);
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), NULL);
	CHECK_EQ(info.rsdp_size, 20);
	CHECK_EQ(get32(info.rsdp + 16), 0x1234);
	make_rsdp(phys(0x9FFE0), false, 0x5678, 0);	/* the EBDA is searched first */
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), NULL);
	CHECK_EQ(get32(info.rsdp + 16), 0x5678);
	((u8 *)phys(0x9FFE0))[12]++;
	memset(phys(0xF5A20), 0, 36);
	make_rsdp(rsdp, false, 0x9ABC, 0);
	memcpy(phys(0xFFFE0), rsdp, 20);		/* the last place where it fits */
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), NULL);
	CHECK_EQ(get32(info.rsdp + 16), 0x9ABC);
	memset(phys(0xFFFE0), 0, 32);
	make_rsdp(phys(0x100), false, 0xDEF0, 0);
	put16(phys(0x40E), 0x10);			/* no EBDA begins in the vector table */
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), NULL);
	CHECK_EQ(info.rsdp_size, 0);
	memcpy(phys(0xFFFF0), "RSD PTR ", 8);		/* does not fit below 1 MiB */
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), NULL);
	CHECK_EQ(info.rsdp_size, 0);
}

static void test_mb1_hostile(void)
{
	static const struct { u32 offset, value; const char *error; } bad[] = {
		{ 0, BIT(0) | BIT(3), "no memory map" },
		{ 16, 0xFFFFFFFF, "command line" },
		{ 20, 9, "more than 8 modules" },
		{ 20, 0x10000001, "more than 8 modules" },
		{ 24, 0xFFFFFFF8, "list of modules" },
		{ 44, 0xFFFFFFFF, "memory map lies outside" },
		{ 44, 191, "cut short" },
		{ 48, 0xFFFFFFF0, "memory map lies outside" },
		{ 20, 0, "no kernel" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u32 pa;

		CHECK_ERROR(parse1(&pa), NULL);
		memset(memory_add(4 * GIB - PAGE_SIZE, PAGE_SIZE), 'x', PAGE_SIZE);
		put32((u8 *)phys(pa) + bad[i].offset, bad[i].value);
		CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), bad[i].error);
	}
	for (u32 reach = 0; reach < block.size; reach += 4) {
		u32 pa;

		/* memory ends inside the information: the command line, the lists */
		CHECK_ERROR(parse1(&pa), NULL);
		CHECK(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, pa + reach) != NULL);
	}
	for (u32 size = 0; size < 20; size++) {
		u32 pa;

		CHECK_ERROR(parse1(&pa), NULL);
		put32(phys(get32((u8 *)phys(pa) + 48)), size);	/* first entry */
		CHECK_ERROR(multiboot_parse(&info, MULTIBOOT1_MAGIC, pa, 4 * GIB), "cut short");
	}
}

const struct test multiboot_tests[] = {
	{ "multiboot2: a PC's information", test_pc },
	{ "multiboot2: an EFI machine's information", test_ovmf },
	{ "multiboot2: cut at every length", test_mb2_cut },
	{ "multiboot2: tag lengths", test_mb2_tag_lengths },
	{ "multiboot2: entry sizes", test_mb2_entry_sizes },
	{ "multiboot2: RSDP copies", test_rsdp_copies },
	{ "multiboot2: framebuffers", test_framebuffers },
	{ "multiboot2: text screens", test_text_screens },
	{ "multiboot2: the framebuffer when parsing fails", test_framebuffer_of_failure },
	{ "multiboot2: EFI descriptors", test_efi_descriptors },
	{ "multiboot2: EFI without a map", test_no_efi_map },
	{ "multiboot: command lines", test_lines },
	{ "multiboot: modules", test_modules },
	{ "multiboot: memory maps", test_maps },
	{ "multiboot: magic and address", test_no_magic },
	{ "multiboot1: a PC's information", test_mb1 },
	{ "multiboot1: the RSDP is searched", test_mb1_rsdp_search },
	{ "multiboot1: hostile fields", test_mb1_hostile },
	{ 0 }
};
