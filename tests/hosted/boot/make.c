/* SPDX-License-Identifier: BSD-2-Clause */
#include "make.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <base/bytes.h>

void block_put(struct block *block, const void *bytes, u32 size)
{
	assert(size <= sizeof(block->bytes) - block->size);
	memcpy(block->bytes + block->size, bytes, size);
	block->size += size;
}

void block_put32(struct block *block, u32 value) { block_put(block, &value, 4); }
void block_put64(struct block *block, u64 value) { block_put(block, &value, 8); }

static void block_zero(struct block *block, u32 size)
{
	static const u8 zero[4096];

	block_put(block, zero, size);
}

static void block_align(struct block *block, u32 align)
{
	block_zero(block, (align - block->size % align) % align);
}

void mb2_begin(struct block *block)
{
	block->size = 0;
	block_put64(block, 0);
}

void mb2_tag(struct block *block, u32 type, const void *content, u32 size)
{
	block_put32(block, type);
	block_put32(block, 8 + size);
	block_put(block, content, size);
	block_align(block, 8);
}

void mb2_line(struct block *block, const char *line)
{
	mb2_tag(block, 1, line, strlen(line) + 1);
}

void mb2_module(struct block *block, u32 start, u32 end, const char *line)
{
	struct block tag = { .size = 0 };

	block_put32(&tag, start);
	block_put32(&tag, end);
	block_put(&tag, line, strlen(line) + 1);
	mb2_tag(block, 3, tag.bytes, tag.size);
}

void mb2_map(struct block *block, const struct e820_range *ranges, u32 count)
{
	struct block tag = { .size = 0 };

	block_put32(&tag, 24);
	block_put32(&tag, 0);
	for (u32 i = 0; i < count; i++) {
		block_put64(&tag, ranges[i].base);
		block_put64(&tag, ranges[i].size);
		block_put32(&tag, ranges[i].type);
		block_put32(&tag, 0);
	}
	mb2_tag(block, 6, tag.bytes, tag.size);
}

void mb2_rgb(struct block *block, u64 base, u32 width, u32 height, u8 bpp)
{
	struct block tag = { .size = 0 };
	const u8 rest[] = { bpp, 1, 0, 0, 16, 8, 8, 8, 0, 8 };

	block_put64(&tag, base);
	block_put32(&tag, width * ((bpp + 7U) / 8));
	block_put32(&tag, width);
	block_put32(&tag, height);
	block_put(&tag, rest, sizeof(rest));
	mb2_tag(block, 8, tag.bytes, tag.size);
}

void mb2_end(struct block *block)
{
	mb2_tag(block, 0, "", 0);
	put32(block->bytes, block->size);
}

void efi_put(struct block *block, u32 type, u64 base, u64 pages, u64 attribute)
{
	block_put32(block, type);
	block_put32(block, 0);
	block_put64(block, base);
	block_put64(block, 0);
	block_put64(block, pages);
	block_put64(block, attribute);
	block_put64(block, 0);
}

void mb2_efi(struct block *block, u64 system_table, const struct block *map)
{
	struct block tag = { .size = 0 };

	mb2_tag(block, 12, &system_table, 8);
	block_put32(&tag, 48);
	block_put32(&tag, 1);
	block_put(&tag, map->bytes, map->size);
	mb2_tag(block, 17, tag.bytes, tag.size);
}

const struct e820_range pc_map[] = {
	{ 0x00000000, 0x0009FC00, 1 }, { 0x0009FC00, 0x00000400, 2 },
	{ 0x000F0000, 0x00010000, 2 }, { 0x00100000, 0x3FEE0000, 1 },
	{ 0x3FFE0000, 0x00020000, 2 }, { 0xB0000000, 0x10000000, 2 },
	{ 0xFED1C000, 0x00004000, 2 }, { 0xFFFC0000, 0x00040000, 2 },
};
const u32 pc_map_count = ARRAY_SIZE(pc_map);

void mb2_pc(struct block *block)
{
	static const u8 text[24] = { 0, 0x80, 0x0B, 0, 0, 0, 0, 0, 160, 0, 0, 0, 80, 0, 0, 0,
				     25, 0, 0, 0, 16, 2, 0, 0 };
	u8 rsdp[36];

	make_rsdp(rsdp, false, 0x3FFE1000, 0);
	mb2_begin(block);
	mb2_line(block, "serial=com1 sipi=trap");
	mb2_module(block, 0x400000, 0xC00000, "console=ttyS0 quiet");
	mb2_module(block, 0xC00000, 0x1800123, "");
	mb2_map(block, pc_map, pc_map_count);
	mb2_tag(block, 8, text, sizeof(text));
	mb2_tag(block, 14, rsdp, 20);
	mb2_end(block);
}

void mb2_ovmf(struct block *block)
{
	static const struct e820_range ranges[] = {
		{ 0x00000000, 0x000A0000, 1 }, { 0x00100000, 0x00700000, 1 },
		{ 0x00800000, 0x00008000, 4 }, { 0x00808000, 0x00008000, 1 },
		{ 0x00810000, 0x000F0000, 4 }, { 0x00900000, 0x3DE00000, 1 },
		{ 0x3E700000, 0x00200000, 2 }, { 0x3E900000, 0x00100000, 3 },
		{ 0x3EA00000, 0x01000000, 1 }, { 0x3FA00000, 0x00600000, 2 },
	};
	struct block map = { .size = 0 };
	u8 rsdp[36];

	make_rsdp(rsdp, true, 0x3E901000, 0x3E902000);
	efi_put(&map, 3, 0x00000000, 0x001, 0xF);		/* boot code */
	efi_put(&map, 7, 0x00001000, 0x09F, 0xF);
	efi_put(&map, 7, 0x00100000, 0x700, 0xF);
	efi_put(&map, 10, 0x00800000, 0x008, 0xF);		/* ACPI NVS */
	efi_put(&map, 7, 0x00808000, 0x008, 0xF);
	efi_put(&map, 10, 0x00810000, 0x0F0, 0xF);
	efi_put(&map, 4, 0x00900000, 0xC00, 0xF);		/* boot data: 9 to 21 MiB */
	efi_put(&map, 7, 0x01500000, 0x2E000, 0xF);
	efi_put(&map, 2, 0x2F500000, 0x2000, 0xF);		/* loader data */
	efi_put(&map, 7, 0x31500000, 0xCD00, 0xF);
	efi_put(&map, 4, 0x3E200000, 0x500, 0xF);
	efi_put(&map, 6, 0x3E700000, 0x200, BIT(63) | 0xF);	/* runtime data */
	efi_put(&map, 9, 0x3E900000, 0x100, 0xF);		/* ACPI tables */
	efi_put(&map, 4, 0x3EA00000, 0x1000, 0xF);
	efi_put(&map, 0, 0x3FA00000, 0x600, 0);
	mb2_begin(block);
	mb2_line(block, "");
	mb2_module(block, 0x4000000, 0x4800000, "console=ttyS0");
	mb2_module(block, 0x4800000, 0x5800000, "");
	mb2_map(block, ranges, ARRAY_SIZE(ranges));
	mb2_rgb(block, 0x80000000, 800, 600, 32);
	mb2_efi(block, 0x3F9EC018, &map);
	mb2_tag(block, 14, rsdp, 20);
	mb2_tag(block, 15, rsdp, 36);
	mb2_end(block);
}

void mb1_pc(struct block *block, u32 pa)
{
	u32 line, lines[2], modules;

	block->size = 0;
	block_zero(block, 120);
	put32(block->bytes, BIT(0) | BIT(2) | BIT(3) | BIT(6));
	line = block->size;
	block_put(block, "serial=com1", 12);
	lines[0] = block->size;
	block_put(block, "console=ttyS0", 14);
	lines[1] = block->size;
	block_put(block, "", 1);
	block_align(block, 4);
	modules = block->size;
	block_put32(block, 0x400000);
	block_put32(block, 0xC00000);
	block_put32(block, pa + lines[0]);
	block_put32(block, 0);
	block_put32(block, 0xC00000);
	block_put32(block, 0x1800123);
	block_put32(block, pa + lines[1]);
	block_put32(block, 0);
	put32(block->bytes + 16, pa + line);
	put32(block->bytes + 20, 2);
	put32(block->bytes + 24, pa + modules);
	put32(block->bytes + 48, pa + block->size);
	put32(block->bytes + 44, pc_map_count * 24);
	for (u32 i = 0; i < pc_map_count; i++) {
		block_put32(block, 20);
		block_put64(block, pc_map[i].base);
		block_put64(block, pc_map[i].size);
		block_put32(block, pc_map[i].type);
	}
}

void make_rsdp(u8 *rsdp, bool revision2, u32 rsdt, u64 xsdt)
{
	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "CARREL", 6);
	rsdp[15] = revision2 ? 2 : 0;
	put32(rsdp + 16, rsdt);
	rsdp[8] = -bytes_sum((struct bytes){ rsdp, 20 });
	if (!revision2)
		return;
	put32(rsdp + 20, 36);
	put64(rsdp + 24, xsdt);
	rsdp[32] = -bytes_sum((struct bytes){ rsdp, 36 });
}

u64 make_bzimage(u8 *file, u8 setup_sects, u32 kernel)
{
	u64 setup = ((setup_sects ? setup_sects : 4) + 1) * 512, size = setup + kernel;

	for (u64 i = 0; i < size; i++)
		file[i] = i < setup ? 0 : i * 7 + (i >> 8);
	file[0x1F1] = setup_sects;
	put32(file + 0x1F4, kernel / 16);
	put16(file + 0x1FE, 0xAA55);
	put16(file + 0x200, 0x6AEB);		/* jmp: the header ends at 26Ch */
	memcpy(file + 0x202, "HdrS", 4);
	put16(file + 0x206, 0x020F);
	file[0x211] = 0x81;			/* high, CAN_USE_HEAP */
	put32(file + 0x214, 0x100000);
	put32(file + 0x22C, 0x7FFFFFFF);
	put32(file + 0x230, 0x200000);
	file[0x234] = 1;
	file[0x235] = 21;
	put16(file + 0x236, 0x3F);
	put32(file + 0x238, 2047);
	put64(file + 0x250, 0xDEAD);		/* setup_data: not ours to hand on */
	put64(file + 0x258, 0x1000000);
	put32(file + 0x260, 0x2800000);
	return size;
}

void acpi_sum(struct block *block, u32 offset)
{
	u8 *table = block->bytes + offset;

	table[9] = 0;
	table[9] = -bytes_sum((struct bytes){ table, get32(table + 4) });
}

u32 acpi_open(struct block *block, const char *signature)
{
	u32 offset;

	block_align(block, 16);
	offset = block->size;
	block_put(block, signature, 4);
	block_zero(block, 32);
	return offset;
}

void acpi_close(struct block *block, u32 offset)
{
	put32(block->bytes + offset + 4, block->size - offset);
	acpi_sum(block, offset);
}

static u32 acpi_madt(struct block *block)
{
	u32 offset = acpi_open(block, "APIC");

	block_put32(block, 0xFEE00000);
	block_put32(block, 1);
	for (u8 i = 0; i < 4; i++)
		block_put(block, (u8[]){ 0, 8, i, i * 2, 1, 0, 0, 0 }, 8);
	block_put(block, (u8[]){ 0, 8, 4, 0xFF, 1, 0, 0, 0 }, 8);	/* no processor */
	block_put(block, (u8[]){ 0, 8, 5, 9, 2, 0, 0, 0 }, 8);		/* can be plugged in */
	block_put(block, (u8[]){ 1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0 }, 12);
	block_put(block, (u8[]){ 9, 16, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0 }, 16);
	block_put(block, (u8[]){ 9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0 }, 16);
	acpi_close(block, offset);
	return offset;
}

static u32 acpi_fadt(struct block *block)
{
	u32 offset = acpi_open(block, "FACP");

	block_zero(block, 244 - 36);
	put32(block->bytes + offset + 64, 0x604);
	put32(block->bytes + offset + 68, 0);
	put32(block->bytes + offset + 112, BIT(10));
	block->bytes[offset + 116] = 1;
	put64(block->bytes + offset + 120, 0xCF9);
	block->bytes[offset + 128] = 0x0F;
	block->bytes[offset + 184] = 1;
	put64(block->bytes + offset + 188, 0x704);
	acpi_close(block, offset);
	return offset;
}

static u32 acpi_mcfg(struct block *block)
{
	u32 offset = acpi_open(block, "MCFG");

	block_put64(block, 0);
	block_put64(block, 0xB0000000);
	block_put(block, (u8[]){ 0, 0, 0, 0xFF, 0, 0, 0, 0 }, 8);
	acpi_close(block, offset);
	return offset;
}

void acpi_pc(struct block *block, u64 pa, bool xsdt)
{
	u32 table[4], root;

	block->size = 0;
	block_zero(block, 36);
	table[0] = acpi_open(block, "SSDT");
	acpi_close(block, table[0]);
	table[1] = acpi_madt(block);
	table[2] = acpi_fadt(block);
	table[3] = acpi_mcfg(block);
	root = acpi_open(block, xsdt ? "XSDT" : "RSDT");
	for (u32 i = 0; i < 4; i++)
		if (xsdt)
			block_put64(block, pa + table[i]);
		else
			block_put32(block, pa + table[i]);
	acpi_close(block, root);
	make_rsdp(block->bytes, xsdt, pa + root, pa + root);
}

void acpi_pc_more(struct block *block, u64 pa, const struct block *more)
{
	u32 table[16], count = 3, rsdt, xsdt;

	block->size = 0;
	block_zero(block, 36);
	table[0] = acpi_madt(block);
	table[1] = acpi_fadt(block);
	table[2] = acpi_mcfg(block);
	for (u32 at = 0; at < more->size; at = ALIGN_UP(at + get32(more->bytes + at + 4), 16)) {
		assert(count < ARRAY_SIZE(table));
		block_align(block, 16);
		table[count++] = block->size;
		block_put(block, more->bytes + at, get32(more->bytes + at + 4));
	}
	rsdt = acpi_open(block, "RSDT");
	for (u32 i = 0; i < count; i++)
		block_put32(block, pa + table[i]);
	acpi_close(block, rsdt);
	xsdt = acpi_open(block, "XSDT");
	for (u32 i = 0; i < count; i++)
		block_put64(block, pa + table[i]);
	acpi_close(block, xsdt);
	make_rsdp(block->bytes, true, pa + rsdt, pa + xsdt);
}

void acpi_dmar(struct block *tables)
{
	static const u8 content[] = {
		38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0xD9, 0xFE, 0, 0, 0, 0,
		3, 8, 0, 0, 0, 0xFF, 0, 0,
		1, 8, 0, 0, 0, 0, 0, 0,
		1, 8, 0, 0, 0, 0, 1, 0,
		1, 8, 0, 0, 0, 0, 31, 0,
		1, 8, 0, 0, 0, 0, 31, 2,
		1, 8, 0, 0, 0, 0, 31, 3,
	};
	u32 offset = acpi_open(tables, "DMAR");

	block_put(tables, content, sizeof(content));
	acpi_close(tables, offset);
}

void acpi_ivrs(struct block *tables)
{
	static const u8 content[] = {
		0, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x10, 0xD1, 56, 0, 8, 0, 0x40, 0, 0, 0, 0xD8, 0xFE, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0, 0, 0,
		2, 0, 0, 0,
		2, 8, 0, 0,
		2, 0x10, 0, 0,
		2, 0xF8, 0, 0,
		2, 0xFA, 0, 0,
		2, 0xFB, 0, 0,
		0x48, 0, 0, 0, 0, 0xA0, 0, 1,
	};
	u32 offset = acpi_open(tables, "IVRS");

	block_put(tables, content, sizeof(content));
	acpi_close(tables, offset);
}
