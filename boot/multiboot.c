/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 (specification 0.6.96) and 2 (2.0) information, hostile until checked. */
#include <string.h>

#include <base/bytes.h>
#include <boot/multiboot.h>

#define INFO_SIZE_MAX	(16 * MIB)

/* Multiboot 1: offsets and flags of the information structure. */
#define MB1_FLAGS		0
#define MB1_LINE		16
#define MB1_MODULE_COUNT	20
#define MB1_MODULES		24
#define MB1_MAP_SIZE		44
#define MB1_MAP			48
#define MB1_FRAMEBUFFER		88
#define MB1_SIZE		116
#define MB1_HAS_LINE		BIT(2)
#define MB1_HAS_MODULES		BIT(3)
#define MB1_HAS_MAP		BIT(6)
#define MB1_HAS_FRAMEBUFFER	BIT(12)
#define MB1_MODULE_SIZE		16
#define MB1_MAP_ENTRY_SIZE	20		/* less its own size field */

/* Multiboot 2: tag types. */
enum {
	TAG_END = 0, TAG_LINE = 1, TAG_MODULE = 3, TAG_MAP = 6, TAG_FRAMEBUFFER = 8,
	TAG_EFI32 = 11, TAG_EFI64 = 12, TAG_RSDP1 = 14, TAG_RSDP2 = 15, TAG_EFI_MAP = 17,
	TAG_EFI_SERVICES = 18,
};

#define FRAMEBUFFER_TYPE_RGB	1
#define FRAMEBUFFER_TYPE_TEXT	2

#define EFI_DESCRIPTOR_MIN	40

/*
 * Copy a command line of at most `text.size` bytes. A first word that is a path
 * is the file's name, which some loaders put there; no option looks like that.
 */
static bool copy_line(char line[BOOT_LINE_SIZE], struct bytes text)
{
	const char *from = (const char *)text.at;
	size_t length;

	if (!from)
		return false;
	length = strnlen(from, min_u64(text.size, BOOT_LINE_SIZE));
	if (length == BOOT_LINE_SIZE || length == text.size)
		return false;
	if (*from == '/' || *from == '(')
		from += strcspn(from, " ");
	strcpy(line, from + strspn(from, " "));
	return true;
}

static const char *take_line(struct boot_info *info, struct bytes text)
{
	return copy_line(info->line, text) ? NULL :
		"the command line is damaged or longer than 2047 characters";
}

static const char too_many_modules[] =
	"more than 8 modules: remove module lines from the loader's menu entry";

static const char *add_module(struct boot_info *info, u64 base, u64 end, struct bytes text)
{
	struct boot_module *module = &info->module[info->module_count];

	if (info->module_count == BOOT_MODULES_MAX)
		return too_many_modules;
	if (base > end)
		return "a module ends before it begins: the loader's information is damaged";
	if (!copy_line(module->line, text))
		return "a module's command line is damaged or longer than 2047 characters";
	module->base = base;
	module->end = end;
	info->module_count++;
	return NULL;
}

/* GRUB has types of its own (20: EFI runtime code): reserved, as its Linux loader says. */
static const char *add_range(struct boot_info *info, const u8 *range)
{
	u32 type = get32(range + 16);

	if (!type || type > E820_LAST)
		type = E820_RESERVED;
	if (!e820_add(&info->map, get64(range), get64(range + 8), type))
		return "the memory map has more than 256 ranges";
	return NULL;
}

/* `at` leads to address, pitch, width, height, depth and type, in both versions' layout. */
static void set_framebuffer(struct framebuffer *fb, const u8 *at, const u8 *colours)
{
	u8 type = at[21];

	fb->base = get64(at);
	fb->pitch = get32(at + 8);
	fb->width = get32(at + 12);
	fb->height = get32(at + 16);
	fb->bpp = at[20];
	if (type == FRAMEBUFFER_TYPE_TEXT)
		fb->kind = FRAMEBUFFER_TEXT;
	if (type != FRAMEBUFFER_TYPE_RGB)
		return;
	fb->kind = FRAMEBUFFER_RGB;
	static_assert(sizeof(fb->colour) == 6, "as both versions have it");
	memcpy(fb->colour, colours, sizeof(fb->colour));
}

/* A screen that makes no sense is no screen; that is no reason not to boot. */
static void check_framebuffer(struct framebuffer *fb)
{
	bool good = fb->base && fb->base < BIT(52) && fb->width && fb->width <= 32768 && fb->height &&
		    fb->height <= 32768 && fb->pitch <= 0xFFFF;

	if (fb->kind == FRAMEBUFFER_TEXT)
		good = good && fb->width <= 255 && fb->height <= 255 && fb->pitch >= fb->width * 2;
	else if (fb->kind == FRAMEBUFFER_RGB)
		good = good && fb->bpp >= 15 && fb->bpp <= 32 &&
		       fb->pitch >= fb->width * ((fb->bpp + 7) / 8);
	for (u32 i = 0; good && fb->kind == FRAMEBUFFER_RGB && i < ARRAY_SIZE(fb->colour); i++) {
		const struct framebuffer_colour *colour = &fb->colour[i];

		good = colour->size && colour->size <= 16 && colour->at + colour->size <= fb->bpp;
	}
	if (!good)
		*fb = (struct framebuffer){ 0 };
}

/* Keep an RSDP if it is one; a later version replaces an earlier one. */
static bool take_rsdp(struct boot_info *info, struct bytes bytes)
{
	struct bytes first = bytes_part(bytes, 0, 20);
	u8 size = 20;

	if (!first.at || memcmp(first.at, "RSD PTR ", 8) || bytes_sum(first))
		return false;
	if (first.at[15] >= 2) {
		struct bytes all = bytes_part(bytes, 0, BOOT_RSDP_SIZE);

		if (!all.at || get32(all.at + 20) < BOOT_RSDP_SIZE || bytes_sum(all))
			return false;
		size = BOOT_RSDP_SIZE;
	}
	if (size > info->rsdp_size) {
		memcpy(info->rsdp, bytes.at, size);
		info->rsdp_size = size;
	}
	return true;
}

/* ACPI specification, "Finding the RSDP on IA-PC Systems". */
static void search_rsdp(struct boot_info *info, u64 base, u64 size, u64 reach)
{
	struct bytes area = bytes_phys(base, size, reach);

	for (u64 at = 0; area.at && at + 20 <= size; at += 16)
		if (take_rsdp(info, bytes_part(area, at, min_u64(size - at, BOOT_RSDP_SIZE))))
			return;
}

static void search_rsdp_bios(struct boot_info *info, u64 reach)
{
	struct bytes segment = bytes_phys(0x40E, 2, reach);
	u64 ebda = segment.at ? (u64)get16(segment.at) << 4 : 0;

	if (ebda >= 0x400 && ebda < 0xA0000)
		search_rsdp(info, ebda, KIB, reach);
	if (!info->rsdp_size)
		search_rsdp(info, 0xE0000, 0x20000, reach);
}

/* A line of unknown length: all that lies behind `pa`. */
static struct bytes mb1_text(u32 pa, u64 reach)
{
	return bytes_phys(pa, pa < reach ? reach - pa : 0, reach);
}

static const char *mb1_modules(struct boot_info *info, const u8 *mbi, u64 reach)
{
	u32 count = get32(mbi + MB1_MODULE_COUNT);
	struct bytes list = bytes_phys(get32(mbi + MB1_MODULES), count * MB1_MODULE_SIZE, reach);
	const char *error = NULL;

	if (count > BOOT_MODULES_MAX)
		return too_many_modules;
	if (!list.at)
		return "the list of modules lies outside memory";
	for (u32 i = 0; !error && i < count; i++) {
		const u8 *module = list.at + i * MB1_MODULE_SIZE;
		u32 line = get32(module + 8);
		struct bytes none = { (const u8 *)"", 1 };

		error = add_module(info, get32(module), get32(module + 4),
				   line ? mb1_text(line, reach) : none);
	}
	return error;
}

static const char *mb1_map(struct boot_info *info, const u8 *mbi, u64 reach)
{
	u32 size = get32(mbi + MB1_MAP_SIZE);
	struct bytes map = bytes_phys(get32(mbi + MB1_MAP), size, reach);
	const char *error = NULL;
	u64 at = 0;

	if (!map.at || size > INFO_SIZE_MAX)
		return "the memory map lies outside memory";
	while (!error && at < size) {
		struct bytes entry = bytes_part(map, at, 4 + MB1_MAP_ENTRY_SIZE);

		if (!entry.at || get32(entry.at) < MB1_MAP_ENTRY_SIZE)
			return "the memory map is cut short: the loader's information is damaged";
		error = add_range(info, entry.at + 4);
		at += 4 + (u64)get32(entry.at);
	}
	return error;
}

static const char *parse1(struct boot_info *info, u64 pa, u64 reach)
{
	struct bytes mbi = bytes_phys(pa, MB1_SIZE, reach);
	const char *error = NULL;
	u32 flags;

	if (!mbi.at)
		return "the multiboot information lies outside memory";
	flags = get32(mbi.at + MB1_FLAGS);
	if (!(flags & MB1_HAS_MAP))
		return "the loader gives no memory map: use GRUB 2";
	if (flags & MB1_HAS_LINE)
		error = take_line(info, mb1_text(get32(mbi.at + MB1_LINE), reach));
	if (error)
		return error;
	if (flags & MB1_HAS_FRAMEBUFFER)
		set_framebuffer(&info->framebuffer, mbi.at + MB1_FRAMEBUFFER,
				mbi.at + MB1_FRAMEBUFFER + 22);
	error = mb1_map(info, mbi.at, reach);
	if (!error && (flags & MB1_HAS_MODULES))
		error = mb1_modules(info, mbi.at, reach);
	return error;
}

static const char *tag_map(struct boot_info *info, struct bytes tag)
{
	const char *error = NULL;
	u32 size;

	if (tag.size < 16)
		return "the memory map's tag is too short";
	size = get32(tag.at + 8);
	if (size < 24 || size % 8 || (tag.size - 16) % size)
		return "the memory map's tag has a senseless entry size";
	for (u64 at = 16; !error && at < tag.size; at += size)
		error = add_range(info, tag.at + at);
	return error;
}

/* UEFI specification, "EFI_MEMORY_DESCRIPTOR": address at 8, pages at 24. */
static bool efi_map_is_sound(const u8 *map, u32 size, u32 step)
{
	for (u32 at = 0; at < size; at += step) {
		u64 base = get64(map + at + 8), pages = get64(map + at + 24);

		if (!IS_ALIGNED(base, PAGE_SIZE) || base >= BIT(52) ||
		    pages > (BIT(52) - base) >> PAGE_SHIFT)
			return false;
	}
	return true;
}

static const char *tag_efi_map(struct boot_info *info, struct bytes tag, u64 pa)
{
	struct boot_efi *efi = &info->efi;

	if (tag.size < 16)
		return "the EFI memory map's tag is too short";
	if (efi->map)
		return "there are two EFI memory maps: the loader's information is damaged";
	efi->descriptor_size = get32(tag.at + 8);
	efi->descriptor_version = get32(tag.at + 12);
	if (efi->descriptor_size < EFI_DESCRIPTOR_MIN || efi->descriptor_size % 8)
		return "the EFI memory map has a senseless entry size";
	efi->map = pa + 16;
	efi->map_size = tag.size - 16;
	efi->map_size -= efi->map_size % efi->descriptor_size;
	if (!efi->map_size)
		return "the EFI memory map is empty";
	if (!efi_map_is_sound(tag.at + 16, efi->map_size, efi->descriptor_size))
		return "the EFI memory map is damaged: a descriptor is not possible";
	return NULL;
}

static const char *tag_framebuffer(struct boot_info *info, struct bytes tag)
{
	static const u8 none[6];

	if (tag.size < 31 || (tag.at[29] == FRAMEBUFFER_TYPE_RGB && tag.size < 38))
		return "the framebuffer's tag is too short";
	set_framebuffer(&info->framebuffer, tag.at + 8, tag.size < 38 ? none : tag.at + 32);
	return NULL;
}

/* One tag; `tag.size` is its own length, at least 8. */
static const char *parse_tag(struct boot_info *info, struct bytes tag, u64 pa)
{
	switch (get32(tag.at)) {
	case TAG_LINE:
		return take_line(info, bytes_part(tag, 8, tag.size - 8));
	case TAG_MODULE:
		if (tag.size < 17)
			return "a module's tag is too short";
		return add_module(info, get32(tag.at + 8), get32(tag.at + 12),
				  bytes_part(tag, 16, tag.size - 16));
	case TAG_MAP:
		return tag_map(info, tag);
	case TAG_FRAMEBUFFER:
		return tag_framebuffer(info, tag);
	case TAG_EFI32:
		return "32-bit EFI firmware is not supported: start GRUB for BIOS";
	case TAG_EFI64:
		if (tag.size < 16)
			return "the EFI system table's tag is too short";
		info->efi.system_table = get64(tag.at + 8);
		return NULL;
	case TAG_RSDP1:
	case TAG_RSDP2:
		take_rsdp(info, bytes_part(tag, 8, tag.size - 8));
		return NULL;
	case TAG_EFI_MAP:
		return tag_efi_map(info, tag, pa);
	case TAG_EFI_SERVICES:
		return "EFI boot services still run: use GRUB's multiboot2, which ends them";
	default:
		return NULL;
	}
}

static const char *parse2(struct boot_info *info, u64 pa, u64 reach)
{
	struct bytes head = bytes_phys(pa, 8, reach), block;
	u64 at = 8;

	if (!head.at || !IS_ALIGNED(pa, 8))
		return "the multiboot information lies outside memory or is not aligned";
	block = bytes_phys(pa, get32(head.at), reach);
	if (!block.at || block.size > INFO_SIZE_MAX)
		return "the multiboot information has a senseless size";
	info->info_base = pa;
	info->info_end = pa + block.size;
	for (;;) {
		struct bytes tag = bytes_part(block, at, 8);
		const char *error;

		if (!tag.at)
			return "the multiboot information is cut short: it has no end tag";
		if (get32(tag.at) == TAG_END)
			return NULL;
		if (get32(tag.at + 4) < 8)
			return "a multiboot tag is shorter than its own head";
		tag = bytes_part(block, at, get32(tag.at + 4));
		if (!tag.at)
			return "a multiboot tag reaches past the end of the information";
		error = parse_tag(info, tag, pa + at);
		if (error)
			return error;
		at = ALIGN_UP(at + tag.size, 8);
	}
}

static const char *check_modules(const struct boot_info *info)
{
	const struct boot_module *module = info->module;

	if (!info->module_count || module->base == module->end)
		return "no kernel: name a bzImage in the first module line of the menu entry";
	for (u32 i = 0; i < info->module_count; i++) {
		u64 size = module[i].end - module[i].base;

		if (size && !e820_is_ram(&info->map, module[i].base, size))
			return "a module lies outside usable memory: the information is damaged";
		for (u32 j = 0; j < i; j++)
			if (module[i].base < module[j].end && module[j].base < module[i].end)
				return "two modules overlap: the information is damaged";
	}
	return NULL;
}

const char *multiboot_parse(struct boot_info *info, u32 magic, u64 info_pa, u64 reach)
{
	const char *error;

	memset(info, 0, sizeof(*info));
	if (magic == MULTIBOOT1_MAGIC)
		error = parse1(info, info_pa, reach);
	else if (magic == MULTIBOOT2_MAGIC)
		error = parse2(info, info_pa, reach);
	else
		return "not started by a multiboot loader: use GRUB's multiboot or multiboot2";
	check_framebuffer(&info->framebuffer);	/* errors want to be shown */
	if (error)
		return error;
	if (!e820_ram_end(&info->map))
		return "the memory map holds no usable memory";
	if (info->efi.system_table && !info->efi.map)
		return "EFI without its memory map: use GRUB's multiboot2, not multiboot";
	if (!info->efi.system_table)
		info->efi.map = 0;
	if (!info->rsdp_size && !info->efi.system_table)
		search_rsdp_bios(info, reach);
	return check_modules(info);
}
