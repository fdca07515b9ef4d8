/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux x86 boot protocol; see Documentation/x86/boot.rst and zero-page.rst in Linux. */
#include <string.h>

#include <base/bytes.h>
#include <boot/linux.h>
#include <boot/place.h>

/* Setup header, at the same offsets in the file and in the zero page. */
#define SETUP_SECTS		0x1F1
#define SYSSIZE			0x1F4
#define VID_MODE		0x1FA
#define BOOT_FLAG		0x1FE
#define HEADER_LENGTH		0x201
#define HEADER_MAGIC		0x202
#define VERSION			0x206
#define TYPE_OF_LOADER		0x210
#define LOADFLAGS		0x211
#define CODE32_START		0x214
#define RAMDISK_IMAGE		0x218
#define RAMDISK_SIZE		0x21C
#define CMD_LINE_PTR		0x228
#define INITRD_ADDR_MAX		0x22C
#define KERNEL_ALIGNMENT	0x230
#define RELOCATABLE_KERNEL	0x234
#define XLOADFLAGS		0x236
#define CMDLINE_SIZE		0x238
#define SETUP_DATA		0x250
#define PREF_ADDRESS		0x258
#define INIT_SIZE		0x260
#define HEADER_NEEDED		0x264	/* end of the last field that is needed */

#define VERSION_2_12		0x020C	/* the first with xloadflags */
#define LOADED_HIGH		BIT(0)
#define CAN_USE_HEAP		BIT(7)
#define XLF_KERNEL_64		BIT(0)
#define ENTRY_64		0x200

/* The rest of the zero page (struct boot_params). */
#define ZP_ACPI_RSDP_ADDR	0x070
#define ZP_EFI_INFO		0x1C0
#define ZP_E820_ENTRIES		0x1E8
#define ZP_HEADER_END		0x290
#define ZP_E820_TABLE		0x2D0
#define ZP_E820_MAX		128U
#define E820_ENTRY_SIZE		20U
#define SETUP_E820_EXT		1

/* struct screen_info, at the start of the zero page. */
#define SI_ORIG_Y		0x01
#define SI_ORIG_VIDEO_MODE	0x06
#define SI_ORIG_VIDEO_COLS	0x07
#define SI_ORIG_VIDEO_EGA_BX	0x0A
#define SI_ORIG_VIDEO_LINES	0x0E
#define SI_ORIG_VIDEO_ISVGA	0x0F
#define SI_ORIG_VIDEO_POINTS	0x10
#define SI_LFB_WIDTH		0x12
#define SI_LFB_HEIGHT		0x14
#define SI_LFB_DEPTH		0x16
#define SI_LFB_BASE		0x18
#define SI_LFB_SIZE		0x1C
#define SI_LFB_LINELENGTH	0x24
#define SI_RED_SIZE		0x26
#define SI_PAGES		0x32
#define SI_CAPABILITIES		0x36
#define SI_EXT_LFB_BASE		0x3A
#define VIDEO_IS_VGA		0x01	/* as the 16-bit setup code reports a VGA */
#define VIDEO_TYPE_VLFB		0x23
#define VIDEO_TYPE_EFI		0x70
#define VIDEO_CAPABILITY_64BIT_BASE BIT(1)

/* The host-readable range, by pages. */
#define HOST_ZERO_PAGE		(0 * PAGE_SIZE)
#define HOST_SMALL		(1 * PAGE_SIZE)	/* GDT, RSDP; a stack from its end down */
#define HOST_LINE		(2 * PAGE_SIZE)
#define HOST_TABLES		(3 * PAGE_SIZE)	/* PML4, PDPT, four PDs */
#define HOST_E820_EXT		(9 * PAGE_SIZE)
#define HOST_EFI_MAP		(10 * PAGE_SIZE)
#define SMALL_GDT		0
#define SMALL_RSDP		64
static_assert(BOOT_LINE_SIZE <= PAGE_SIZE, "command line page");
static_assert(16 + (E820_MAX - ZP_E820_MAX) * E820_ENTRY_SIZE <= PAGE_SIZE, "e820 extension page");

/* Null, unused, 10h: 64-bit code, 18h: flat data; accessed, so that no load writes. */
static const u64 boot_gdt[] = { 0, 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF };
static_assert(sizeof(boot_gdt) <= SMALL_RSDP, "GDT before RSDP");

const char *linux_check(struct linux_image *image, const void *file, u64 size)
{
	const u8 *head = file;
	u32 sectors, header_end;

	if (size < 2 * 512 || get16(head + BOOT_FLAG) != 0xAA55 ||
	    memcmp(head + HEADER_MAGIC, "HdrS", 4))
		return "the first module is not a Linux bzImage";
	header_end = HEADER_MAGIC + head[HEADER_LENGTH];
	if (get16(head + VERSION) < VERSION_2_12 || header_end < HEADER_NEEDED)
		return "the kernel is too old: boot protocol 2.12 (Linux 3.8) or newer is needed";
	if (!(head[LOADFLAGS] & LOADED_HIGH) || !(get16(head + XLOADFLAGS) & XLF_KERNEL_64))
		return "the kernel has no 64-bit entry: an x86-64 bzImage is needed";
	sectors = head[SETUP_SECTS] ? head[SETUP_SECTS] : 4;

	image->header_size = min_u64(header_end, ZP_HEADER_END) - SETUP_SECTS;
	image->setup_size = (sectors + 1) * 512;
	image->pref_address = get64(head + PREF_ADDRESS);
	image->init_size = get32(head + INIT_SIZE);
	image->alignment = get32(head + KERNEL_ALIGNMENT);
	image->relocatable = head[RELOCATABLE_KERNEL];
	image->line_max = get32(head + CMDLINE_SIZE);
	image->initrd_max = get32(head + INITRD_ADDR_MAX);
	if (image->setup_size + ENTRY_64 >= size ||
	    get32(head + SYSSIZE) * 16ULL > size - image->setup_size)
		return "the kernel is cut short: its file is smaller than its header says";
	image->kernel_size = size - image->setup_size;
	if (image->kernel_size > image->init_size)
		return "the kernel's header is damaged: it needs less memory than the file is long";
	if (image->alignment < PAGE_SIZE || image->alignment > GIB ||
	    (image->alignment & (image->alignment - 1)))
		return "the kernel's header is damaged: its alignment is senseless";
	return NULL;
}

u64 linux_host_size(const struct boot_info *info)
{
	return ALIGN_UP(HOST_EFI_MAP + place_efi_map_room(info), 64 * KIB);
}

static void set_framebuffer_info(u8 *zero, const struct framebuffer *fb, bool efi)
{
	u64 size = (u64)fb->pitch * fb->height;
	u8 colours[8] = { 0 }, top = 0;	/* size and position of red, green, blue and the rest */

	for (u32 i = 0; i < ARRAY_SIZE(fb->colour); i++) {
		colours[2 * i] = fb->colour[i].size;
		colours[2 * i + 1] = fb->colour[i].at;
		top = max_u64(top, fb->colour[i].at + fb->colour[i].size);
	}
	colours[6] = fb->bpp - top;
	colours[7] = colours[6] ? top : 0;
	zero[SI_ORIG_VIDEO_ISVGA] = efi ? VIDEO_TYPE_EFI : VIDEO_TYPE_VLFB;
	put16(zero + SI_LFB_WIDTH, fb->width);
	put16(zero + SI_LFB_HEIGHT, fb->height);
	put16(zero + SI_LFB_DEPTH, fb->bpp);
	put32(zero + SI_LFB_BASE, fb->base);
	put32(zero + SI_LFB_SIZE, efi ? size : ALIGN_UP(size, 64 * KIB) / (64 * KIB));
	put16(zero + SI_LFB_LINELENGTH, fb->pitch);
	memcpy(zero + SI_RED_SIZE, colours, sizeof(colours));
	put16(zero + SI_PAGES, 1);
	if (fb->base >> 32) {
		put32(zero + SI_CAPABILITIES, VIDEO_CAPABILITY_64BIT_BASE);
		put32(zero + SI_EXT_LFB_BASE, fb->base >> 32);
	}
}

/* Without a word from a BIOS loader the screen is in the text mode that BIOS left. */
static void set_screen_info(u8 *zero, const struct boot_info *info)
{
	const struct framebuffer *fb = &info->framebuffer;
	bool efi = info->efi.system_table != 0;
	bool described = fb->kind == FRAMEBUFFER_TEXT;

	if (fb->kind == FRAMEBUFFER_RGB) {
		set_framebuffer_info(zero, fb, efi);
	} else if (described || !efi) {
		zero[SI_ORIG_VIDEO_MODE] = 3;
		zero[SI_ORIG_VIDEO_COLS] = described ? fb->width : 80;
		zero[SI_ORIG_VIDEO_LINES] = described ? fb->height : 25;
		zero[SI_ORIG_Y] = zero[SI_ORIG_VIDEO_LINES] - 1;	/* scroll, overwrite nothing */
		put16(zero + SI_ORIG_VIDEO_EGA_BX, 3);
		zero[SI_ORIG_VIDEO_ISVGA] = VIDEO_IS_VGA;
		put16(zero + SI_ORIG_VIDEO_POINTS, 16);
	}
}

/* The zero page holds 128 ranges; the rest goes into a setup_data node. */
static void set_e820(u8 *zero, u8 *ext, u64 ext_pa, const struct e820_map *map)
{
	u32 count = min_u64(map->count, ZP_E820_MAX), rest = map->count - count;

	zero[ZP_E820_ENTRIES] = count;
	for (u32 i = 0; i < map->count; i++) {
		const struct e820_range *range = &map->range[i];
		u8 *to = i < count ? zero + ZP_E820_TABLE + i * E820_ENTRY_SIZE :
				     ext + 16 + (i - count) * E820_ENTRY_SIZE;

		put64(to, range->base);
		put64(to + 8, range->size);
		put32(to + 16, range->type);
	}
	if (!rest)
		return;
	put32(ext + 8, SETUP_E820_EXT);
	put32(ext + 12, rest * E820_ENTRY_SIZE);
	put64(zero + SETUP_DATA, ext_pa);
}

static void set_efi_info(u8 *zero, const struct boot_efi *efi, u64 map, u32 map_size)
{
	u8 *to = zero + ZP_EFI_INFO;

	memcpy(to, "EL64", 4);
	put32(to + 4, efi->system_table);
	put32(to + 8, efi->descriptor_size);
	put32(to + 12, efi->descriptor_version);
	put32(to + 16, map);
	put32(to + 20, map_size);
	put32(to + 24, efi->system_table >> 32);
	put32(to + 28, map >> 32);
}

static void set_header(u8 *zero, const struct boot_info *info, const struct placement *place,
		       const struct linux_image *image)
{
	const u8 *file = phys(info->module[BOOT_KERNEL].base);

	memcpy(zero + SETUP_SECTS, file + SETUP_SECTS, image->header_size);
	put16(zero + VID_MODE, 0xFFFF);		/* "normal" */
	zero[TYPE_OF_LOADER] = 0xFF;		/* no number assigned */
	zero[LOADFLAGS] &= ~CAN_USE_HEAP;
	put32(zero + CODE32_START, place->kernel);
	put32(zero + RAMDISK_IMAGE, place->initrd_size ? place->initrd : 0);
	put32(zero + RAMDISK_SIZE, place->initrd_size);
	put32(zero + CMD_LINE_PTR, place->host_base + HOST_LINE);
	put64(zero + SETUP_DATA, 0);
}

/* PML4, PDPT and four PDs: the first 4 GiB by 2 MiB pages, present and writable. */
static void set_tables(u8 *tables, u64 pa)
{
	put64(tables, (pa + PAGE_SIZE) | 3);
	for (u64 i = 0; i < 4; i++)
		put64(tables + PAGE_SIZE + i * 8, (pa + (2 + i) * PAGE_SIZE) | 3);
	for (u64 i = 0; i < 4 * 512; i++)
		put64(tables + 2 * PAGE_SIZE + i * 8, i * CHUNK_SIZE | 0x83);
}

/* Overlaps are fine. Eight bytes a step: a byte a step would be felt at boot. */
static void move(u64 to_pa, u64 from_pa, u64 size)
{
	u8 *to = phys(to_pa), *from = phys(from_pa);
	u64 words = size / 8, rest = size % 8;

	if (to == from || !size)
		return;
	if (to < from || to >= from + size) {
		asm volatile("rep movsq\n\tmov %3, %0\n\trep movsb"
			     : "+&c"(words), "+&D"(to), "+&S"(from) : "r"(rest) : "memory");
		return;
	}
	to += size - 1;
	from += size - 1;
	asm volatile("std\n\t"
		     "rep movsb\n\t"
		     "sub $7, %1\n\tsub $7, %2\n\tmov %3, %0\n\t"
		     "rep movsq\n\t"
		     "cld"
		     : "+&c"(rest), "+&D"(to), "+&S"(from) : "r"(words) : "memory", "cc");
}

static const char *fill_host_range(const struct boot_info *info, const struct placement *place,
				   const struct linux_image *image)
{
	static struct e820_map map;	/* too large for a boot stack */
	u64 pa = place->host_base;
	u8 *host = phys(pa);
	u64 efi_size;

	memset(host, 0, HOST_EFI_MAP);
	if (!place_e820(&map, info, place))
		return "the memory map has too many ranges";
	set_header(host, info, place, image);
	set_screen_info(host, info);
	set_e820(host, host + HOST_E820_EXT, pa + HOST_E820_EXT, &map);
	set_tables(host + HOST_TABLES, pa + HOST_TABLES);
	memcpy(host + HOST_SMALL + SMALL_GDT, boot_gdt, sizeof(boot_gdt));
	strcpy((char *)host + HOST_LINE, info->module[BOOT_KERNEL].line);
	if (info->rsdp_size) {
		memcpy(host + HOST_SMALL + SMALL_RSDP, info->rsdp, info->rsdp_size);
		put64(host + ZP_ACPI_RSDP_ADDR, pa + HOST_SMALL + SMALL_RSDP);
	}
	if (!info->efi.system_table)
		return NULL;
	efi_size = place_efi_map(host + HOST_EFI_MAP, info, place);
	if (!efi_size)
		return "the EFI memory map overlaps itself";
	set_efi_info(host, &info->efi, pa + HOST_EFI_MAP, efi_size);
	return NULL;
}

const char *linux_load(struct linux_entry *entry, const struct boot_info *info,
		       const struct placement *place, const struct linux_image *image)
{
	const char *error;

	if (strlen(info->module[BOOT_KERNEL].line) > image->line_max)
		return "the kernel's command line is longer than the kernel accepts";
	error = fill_host_range(info, place, image);
	if (error)
		return error;
	/* in this order: the initrd's place is clear of the kernel's file, not the reverse */
	if (place->initrd_size)
		move(place->initrd, info->module[BOOT_INITRD].base, place->initrd_size);
	move(place->kernel, info->module[BOOT_KERNEL].base + image->setup_size, image->kernel_size);

	*entry = (struct linux_entry){
		.rip = place->kernel + ENTRY_64,
		.rsp = place->host_base + HOST_SMALL + PAGE_SIZE,
		.rsi = place->host_base + HOST_ZERO_PAGE,
		.cr3 = place->host_base + HOST_TABLES,
		.gdt_base = place->host_base + HOST_SMALL + SMALL_GDT,
		.gdt_limit = sizeof(boot_gdt) - 1,
	};
	return NULL;
}
