/* SPDX-License-Identifier: BSD-2-Clause */
/* The zero page is read back with Linux's own definition of it. */
#include <asm/bootparam.h>

#include <boot/linux.h>
#include <boot/place.h>

#include "make.h"
#include "place_check.h"
#include "test.h"

static struct boot_info info;
static struct linux_image image;
static struct linux_entry entry;
static struct placement place;
static u8 file[0x40000];

static void test_header(void)
{
	u64 size = make_bzimage(file, 27, 0x10000);

	CHECK_ERROR(linux_check(&image, file, size), NULL);
	CHECK_EQ(image.setup_size, 28 * 512);
	CHECK_EQ(image.kernel_size, 0x10000);
	CHECK_EQ(image.pref_address, 0x1000000);
	CHECK_EQ(image.init_size, 0x2800000);
	CHECK_EQ(image.alignment, 0x200000);
	CHECK(image.relocatable);
	CHECK_EQ(image.line_max, 2047);
	CHECK_EQ(image.initrd_max, 0x7FFFFFFF);
	CHECK_EQ(image.header_size, 0x26C - 0x1F1);
	size = make_bzimage(file, 0, 0x10000);
	CHECK_ERROR(linux_check(&image, file, size), NULL);
	CHECK_EQ(image.setup_size, 5 * 512);
	CHECK_ERROR(linux_check(&image, file, size + 1000), NULL);	/* signed: something follows */
	CHECK_EQ(image.kernel_size, 0x10000 + 1000);
	file[0x201] = 0xFF;		/* a longer header than the zero page has room for */
	CHECK_ERROR(linux_check(&image, file, size), NULL);
	CHECK_EQ(image.header_size, 0x290 - 0x1F1);
}

static void test_hostile_header(void)
{
	static const struct { u32 offset, value; const char *error; } bad[] = {
		{ 0x1FE, 0, "not a Linux bzImage" },
		{ 0x202, 0, "not a Linux bzImage" },
		{ 0x206, 0x020B, "too old" },
		{ 0x200, 0x50EB, "too old" },		/* header ends before init_size */
		{ 0x210, 0, "no 64-bit entry" },
		{ 0x236, 0xFFFE, "no 64-bit entry" },
		{ 0x1F4, 0x1001, "cut short" },
		{ 0x1F4, 0xFFFFFFFF, "cut short" },
		{ 0x1F1, 0xFF, "cut short" },
		{ 0x260, 0xFFFF, "less memory than the file" },
		{ 0x230, 0, "alignment" },
		{ 0x230, 0x300000, "alignment" },
		{ 0x230, 0x800, "alignment" },
		{ 0x230, 0x80000000, "alignment" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u64 size = make_bzimage(file, 27, 0x10000);
		u8 *exact;

		if (bad[i].offset == 0x1F1)
			file[0x1F1] = bad[i].value;
		else if (bad[i].offset == 0x236 || bad[i].offset == 0x206 ||
			 bad[i].offset == 0x1FE || bad[i].offset == 0x200)
			put16(file + bad[i].offset, bad[i].value);
		else
			put32(file + bad[i].offset, bad[i].value);
		exact = malloc(size);
		memcpy(exact, file, size);
		CHECK_ERROR(linux_check(&image, exact, size), bad[i].error);
		free(exact);
	}
}

/* A file cut anywhere is refused, and nothing behind its end is read. */
static void test_cut(void)
{
	u64 whole = make_bzimage(file, 27, 0x10000);

	for (u64 size = 0; size < whole; size += size < 1200 ? 1 : 509) {
		u8 *exact = malloc(size);

		memcpy(exact, file, size);
		CHECK(linux_check(&image, exact, size) != NULL);
		free(exact);
	}
}

/* Debian's kernel as it is, and cut short by its last byte. */
static void test_debian(void)
{
	FILE *stream = kernel_path ? fopen(kernel_path, "rb") : NULL;
	u64 size;
	u8 *kernel;

	if (!stream) {
		skip("no build/guest/vmlinuz: run scripts/packages install");
		return;
	}
	fseek(stream, 0, SEEK_END);
	size = ftell(stream);
	rewind(stream);
	kernel = malloc(size);
	CHECK_EQ(fread(kernel, 1, size, stream), size);
	fclose(stream);
	CHECK_ERROR(linux_check(&image, kernel, size), NULL);
	CHECK_EQ(image.pref_address, 0x1000000);
	CHECK_EQ(image.alignment, 0x200000);
	CHECK(image.relocatable && image.line_max == 2047);
	CHECK(image.init_size > size && image.initrd_max == 0x7FFFFFFF);
	/* the 64-bit entry begins with cld; cli */
	CHECK(!memcmp(kernel + image.setup_size + 0x200, "\xFC\xFA", 2));
	CHECK_ERROR(linux_check(&image, kernel, image.setup_size + get32(kernel + 0x1F4) * 16ULL - 1),
		    "cut short");
	free(kernel);
}

/* A machine of 256 MiB with a kernel and an initrd of random bytes. */
static const char *load(u64 kernel_at, u64 kernel_size, u64 initrd_at, u64 initrd_size)
{
	u64 size = make_bzimage(file, 27, kernel_size);
	const char *error;

	memory_reset();
	memory_add(0, 256 * MIB);
	memset(&info, 0, sizeof(info));
	e820_add(&info.map, 0, 0xA0000, E820_RAM);
	e820_add(&info.map, 0x100000, 255 * MIB, E820_RAM);
	memcpy(phys(kernel_at), file, size);
	for (u64 i = 0; i < initrd_size; i++)
		*(u8 *)phys(initrd_at + i) = i * 13 + (i >> 8);
	info.module_count = 2;
	info.module[0].base = kernel_at;
	info.module[0].end = kernel_at + size;
	strcpy(info.module[0].line, "console=ttyS0 quiet");
	info.module[1].base = initrd_at;
	info.module[1].end = initrd_at + initrd_size;
	make_rsdp(info.rsdp, true, 1, 2);
	info.rsdp_size = 36;
	error = linux_check(&image, phys(kernel_at), size);
	if (!error)
		error = place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x400000);
	if (!error)
		error = place_linux(&place, &info, &image);
	return error;
}

static void check_moved(u64 kernel_size, u64 initrd_size)
{
	const u8 *kernel = phys(place.kernel), *initrd = phys(place.initrd);
	u64 bad = 0;

	CHECK(!memcmp(kernel, file + image.setup_size, kernel_size));
	for (u64 i = 0; i < initrd_size; i++)
		bad += initrd[i] != (u8)(i * 13 + (i >> 8));
	CHECK_EQ(bad, 0);
}

static const struct boot_params *zero_page(void)
{
	return phys(entry.rsi);
}

static void test_zero_page(void)
{
	const struct boot_params *bp;
	u64 bytes = 0;

	CHECK_ERROR(load(0x400000, 0x20000, 0x500000, 0x12345), NULL);
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	bp = zero_page();
	CHECK_EQ(entry.rsi, place.host_base);
	CHECK_EQ(bp->sentinel, 0);
	CHECK(!memcmp(&bp->hdr, file + 0x1F1, 0x1FA - 0x1F1));
	CHECK_EQ(bp->hdr.header, 0x53726448);
	CHECK_EQ(bp->hdr.type_of_loader, 0xFF);
	CHECK_EQ(bp->hdr.loadflags, LOADED_HIGH);
	CHECK_EQ(bp->hdr.vid_mode, 0xFFFF);
	CHECK_EQ(bp->hdr.setup_data, 0);
	CHECK_EQ(bp->hdr.code32_start, place.kernel);
	CHECK_EQ(bp->hdr.ramdisk_image, place.initrd);
	CHECK_EQ(bp->hdr.ramdisk_size, 0x12345);
	CHECK_EQ(bp->ext_ramdisk_image | bp->ext_ramdisk_size | bp->ext_cmd_line_ptr, 0);
	CHECK(!strcmp(phys(bp->hdr.cmd_line_ptr), "console=ttyS0 quiet"));
	CHECK_EQ(bp->hdr.init_size, 0x2800000);
	CHECK(!memcmp(phys(bp->acpi_rsdp_addr), info.rsdp, 36));
	CHECK_EQ(bp->efi_info.efi_loader_signature, 0);
	CHECK_EQ(place.host_base + place.host_size, place.hv_base);	/* so they are one range */
	CHECK_EQ(bp->e820_entries, 5);
	for (u32 i = 0; i < bp->e820_entries; i++) {
		const struct boot_e820_entry *e = &bp->e820_table[i];

		CHECK(!i || e->addr >= e[-1].addr + e[-1].size);
		if (e->type == 2)
			bytes += e->size;
		CHECK(e->type != 2 || e->addr == place.host_base || e->addr == place.trampoline);
	}
	CHECK_EQ(bytes, place.hv_size + place.host_size + PAGE_SIZE);
	CHECK_EQ(bp->screen_info.orig_video_isVGA, 1);
	CHECK_EQ(bp->screen_info.orig_video_cols, 80);
	CHECK_EQ(bp->screen_info.orig_video_lines, 25);
	CHECK_EQ(bp->screen_info.orig_y, 24);
	check_moved(0x20000, 0x12345);
}

static u64 walk(u64 cr3, u64 va)
{
	u64 entry = get64((u8 *)phys(cr3) + (va >> 39 & 511) * 8);

	if (!(entry & 1))
		return ~0ULL;
	entry = get64((u8 *)phys(entry & ~0xFFFULL) + (va >> 30 & 511) * 8);
	if (!(entry & 1))
		return ~0ULL;
	entry = get64((u8 *)phys(entry & ~0xFFFULL) + (va >> 21 & 511) * 8);
	if ((entry & 0x83) != 0x83)
		return ~0ULL;
	return (entry & ~0x1FFFFFULL) | (va & 0x1FFFFF);
}

static void test_entry(void)
{
	const u8 *gdt;

	CHECK_ERROR(load(0x400000, 0x20000, 0x500000, 0x12345), NULL);
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	CHECK_EQ(entry.rip, place.kernel + 0x200);
	for (u64 va = 0x123; va < 4 * GIB; va += 2 * MIB)
		if (!CHECK_EQ(walk(entry.cr3, va), va))
			break;
	CHECK_EQ(walk(entry.cr3, 4 * GIB), ~0ULL);
	CHECK_EQ(walk(entry.cr3, BIT(39)), ~0ULL);
	gdt = phys(entry.gdt_base);
	CHECK_EQ(entry.gdt_limit, 31);
	CHECK_EQ(get64(gdt), 0);
	CHECK_EQ(get64(gdt + 0x10), 0x00AF9B000000FFFF);	/* 64-bit code, DPL 0, present */
	CHECK_EQ(get64(gdt + 0x18), 0x00CF93000000FFFF);
	for (u32 i = 0; i < 4; i++) {
		const u64 at[] = { entry.rsi, entry.cr3, entry.gdt_base, entry.rsp - 16 };

		CHECK(at[i] >= place.host_base && at[i] < place.host_base + place.host_size);
	}
	CHECK_EQ(entry.rsp % 16, 0);
}

/* Files below, above and across their destinations, in both directions, odd lengths. */
static void test_moves(void)
{
	for (unsigned int round = 0; round < 60; round++) {
		u64 kernel_size = 16 * (0x40 + random_below(0x3000));
		u64 kernel_at = ALIGN_DOWN(0x1000000 - 0x10000 + random_below(0x50000), 0x1000);
		u64 initrd_size = 1 + random_below(0x60000);
		u64 initrd_at = ALIGN_UP(kernel_at + 28 * 512 + kernel_size, PAGE_SIZE);

		if (round % 3 == 1)
			initrd_at = 0xFA00000 - 0x40000 + random_below(0x30) * 0x1000;
		if (round % 3 == 2)
			initrd_at += random_below(0x2000) * 0x1000 + 3;	/* unaligned: moves */
		if (!CHECK_ERROR(load(kernel_at, kernel_size, initrd_at, initrd_size), NULL))
			return;
		CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
		check_moved(kernel_size, initrd_size);
	}
	/* the initrd moves by less than its own length, upwards and downwards */
	for (s64 by = -0x3000; by <= 0x3000; by += 0x1001) {
		CHECK_ERROR(load(0x400000, 0x1000, 0x8000000, 0x12347), NULL);
		place.initrd = 0x8000000 + by;
		CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
		check_moved(0x1000, 0x12347);
	}
}

static void test_framebuffers(void)
{
	const struct screen_info *si;

	CHECK_ERROR(load(0x400000, 0x1000, 0x500000, 0), NULL);
	info.framebuffer = (struct framebuffer){ FRAMEBUFFER_RGB, 0xC0000000, 3200, 800, 600, 32,
						 { { 16, 8 }, { 8, 8 }, { 0, 8 } } };
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	si = &zero_page()->screen_info;
	CHECK_EQ(zero_page()->hdr.ramdisk_size | zero_page()->hdr.ramdisk_image, 0);
	CHECK_EQ(si->orig_video_isVGA, VIDEO_TYPE_VLFB);
	CHECK_EQ(si->lfb_base, 0xC0000000);
	CHECK_EQ(si->lfb_size, (3200 * 600 + 65535) / 65536);
	CHECK(si->lfb_width == 800 && si->lfb_height == 600 && si->lfb_depth == 32);
	CHECK_EQ(si->lfb_linelength, 3200);
	CHECK(si->red_size == 8 && si->red_pos == 16 && si->green_size == 8 && si->green_pos == 8);
	CHECK(si->blue_size == 8 && si->blue_pos == 0 && si->rsvd_size == 8 && si->rsvd_pos == 24);
	CHECK_EQ(si->capabilities, 0);

	CHECK_ERROR(load(0x400000, 0x1000, 0x500000, 0), NULL);
	info.framebuffer = (struct framebuffer){ FRAMEBUFFER_RGB, 0x12380000000, 1600, 800, 600, 16,
						 { { 11, 5 }, { 5, 6 }, { 0, 5 } } };
	memory_add(0x300000, 0x1000);
	info.efi = (struct boot_efi){ 0x123456789A, 0x300000, 48, 48, 1 };
	put32(phys(0x300000), 7);
	put64((u8 *)phys(0x300000) + 24, 0x10000);
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	si = &zero_page()->screen_info;
	CHECK_EQ(si->orig_video_isVGA, VIDEO_TYPE_EFI);
	CHECK_EQ(si->lfb_base, 0x80000000);
	CHECK_EQ(si->ext_lfb_base, 0x123);
	CHECK_EQ(si->capabilities, VIDEO_CAPABILITY_64BIT_BASE);
	CHECK_EQ(si->lfb_size, 1600 * 600);
	CHECK(si->rsvd_size == 0 && si->rsvd_pos == 0);
}

static void test_efi_info(void)
{
	struct efi_info efi;
	const u8 *map;

	CHECK_ERROR(load(0x400000, 0x1000, 0x500000, 0x1000), NULL);
	info.efi = (struct boot_efi){ 0x123456789A, 0x300000, 48, 48, 1 };
	put32(phys(0x300000), 7);
	put64((u8 *)phys(0x300000) + 24, 0x10000);
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	efi = zero_page()->efi_info;
	CHECK_EQ(efi.efi_loader_signature, 0x34364C45);
	CHECK_EQ(efi.efi_systab, 0x3456789A);
	CHECK_EQ(efi.efi_systab_hi, 0x12);
	CHECK_EQ(efi.efi_memdesc_size, 48);
	CHECK_EQ(efi.efi_memdesc_version, 1);
	CHECK_EQ(efi.efi_memmap_hi, 0);
	CHECK_EQ(efi.efi_memmap_size, 5 * 48);	/* one descriptor, three ranges split out */
	map = phys(efi.efi_memmap);
	CHECK_EQ(get64(map + 48 + 8), place.trampoline);
	CHECK_EQ(get32(map + 48), 0);
	CHECK_EQ(zero_page()->screen_info.orig_video_isVGA, 0);
	CHECK(efi.efi_memmap + efi.efi_memmap_size <= place.host_base + place.host_size);
	/* a map that is larger than usual makes the range larger */
	info.efi.map_size = 48 * 2000;
	CHECK_EQ(linux_host_size(&info) % 0x10000, 0);
	CHECK(linux_host_size(&info) >= 10 * PAGE_SIZE + 48 * 2006);
}

static void test_many_ranges(void)
{
	const struct boot_params *bp;
	const struct setup_data *data;
	const struct boot_e820_entry *more;

	CHECK_ERROR(load(0x400000, 0x1000, 0x500000, 0x1000), NULL);
	for (u64 i = 0; i < 200; i++)
		CHECK(e820_add(&info.map, 8 * GIB + i * 0x2000, 0x1000, E820_RAM));
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
	bp = zero_page();
	CHECK_EQ(bp->e820_entries, 128);
	data = phys(bp->hdr.setup_data);
	CHECK_EQ(data->next, 0);
	CHECK_EQ(data->type, SETUP_E820_EXT);
	CHECK_EQ(data->len, (205 - 128) * 20);
	more = (const void *)data->data;
	CHECK_EQ(more[0].addr, bp->e820_table[127].addr + 0x2000);
	CHECK_EQ(more[205 - 128 - 1].addr, 8 * GIB + 199 * 0x2000);
	for (u64 i = info.map.count; i < E820_MAX; i++)
		e820_add(&info.map, 16 * GIB + i * 0x2000, 0x1000, E820_RAM);
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), "too many ranges");
}

static void test_long_line(void)
{
	CHECK_ERROR(load(0x400000, 0x1000, 0x500000, 0x1000), NULL);
	image.line_max = 18;
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), "longer than the kernel accepts");
	image.line_max = 19;
	CHECK_ERROR(linux_load(&entry, &info, &place, &image), NULL);
}

const struct test linux_tests[] = {
	{ "linux: bzImage header", test_header },
	{ "linux: hostile headers", test_hostile_header },
	{ "linux: a file cut short", test_cut },
	{ "linux: Debian's kernel", test_debian },
	{ "linux: zero page, read with Linux's definition", test_zero_page },
	{ "linux: entry: identity map, GDT, stack", test_entry },
	{ "linux: kernel and initrd across their destinations", test_moves },
	{ "linux: framebuffers", test_framebuffers },
	{ "linux: EFI system table and map", test_efi_info },
	{ "linux: more ranges than the zero page holds", test_many_ranges },
	{ "linux: a command line longer than the kernel takes", test_long_line },
	{ 0 }
};
