/* SPDX-License-Identifier: BSD-2-Clause */
#include "place_check.h"

#include <base/bytes.h>

const struct dma_platform no_dma;

static bool apart(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

static bool in_conventional(const struct boot_info *info, u64 base, u64 size)
{
	if (!info->efi.map)
		return true;
	for (u32 at = 0; at + info->efi.descriptor_size <= info->efi.map_size;
	     at += info->efi.descriptor_size) {
		const u8 *descriptor = phys(info->efi.map + at);
		u64 start = get64(descriptor + 8), pages = get64(descriptor + 24);

		if (get32(descriptor) == 7 && base >= start && base - start <= (pages << 12) &&
		    size <= (pages << 12) - (base - start))
			return true;
	}
	return false;
}

const char *check_place_hypervisor(const struct placement *place, const struct boot_info *info,
				   u64 image_base, u64 image_end, u64 hv_size)
{
	const u64 range[3][2] = { { place->hv_base, place->hv_size },
				  { place->host_base, place->host_size },
				  { place->trampoline, 4096 } };

	if (place->hv_size != hv_size || place->hv_base % 0x200000)
		return "hypervisor: size or alignment";
	if (place->host_base % 0x10000 || place->host_size < 0x10000)
		return "host-readable range: size or alignment";
	if (place->trampoline > 0x7F000 || place->trampoline % 4096 || !place->trampoline)
		return "trampoline: not a page below 512 KiB";
	for (int i = 0; i < 3; i++) {
		u64 base = range[i][0], size = range[i][1];

		if (base + size > 4 * GIB || !e820_is_ram(&info->map, base, size))
			return "a range is not RAM below 4 GiB";
		if (!in_conventional(info, base, size))
			return "a range is not conventional memory";
		if (!apart(base, size, image_base, image_end - image_base))
			return "a range overlaps the image";
		if (!apart(base, size, info->info_base, info->info_end - info->info_base))
			return "a range overlaps the information";
		for (u32 j = 0; j < info->module_count; j++)
			if (!apart(base, size, info->module[j].base,
				   info->module[j].end - info->module[j].base))
				return "a range overlaps a module";
		for (int j = 0; j < i; j++)
			if (!apart(base, size, range[j][0], range[j][1]))
				return "ranges overlap";
	}
	return NULL;
}

static bool clear_of_hypervisor(const struct placement *place, u64 base, u64 size)
{
	return apart(base, size, place->hv_base, place->hv_size) &&
	       apart(base, size, place->host_base, place->host_size) &&
	       apart(base, size, place->trampoline, 4096);
}

const char *check_place_linux(const struct placement *place, const struct boot_info *info,
			      const struct linux_image *image)
{
	const struct boot_module *kernel = &info->module[0];

	if (place->kernel != image->pref_address &&
	    (!image->relocatable || place->kernel % image->alignment ||
	     place->kernel < image->pref_address))
		return "the kernel cannot run at its place";
	if (place->kernel_size != image->init_size ||
	    !e820_is_ram(&info->map, place->kernel, place->kernel_size))
		return "the kernel's place is not RAM";
	if (!clear_of_hypervisor(place, place->kernel, place->kernel_size))
		return "the kernel overlaps the hypervisor";
	if (!place->initrd_size)
		return info->module_count > 1 && info->module[1].base != info->module[1].end ?
			"the initrd is lost" : NULL;
	if (!e820_is_ram(&info->map, place->initrd, place->initrd_size) ||
	    place->initrd + place->initrd_size - 1 > image->initrd_max || place->initrd % 4096)
		return "the initrd is out of the kernel's reach or not in RAM";
	if (!clear_of_hypervisor(place, place->initrd, place->initrd_size))
		return "the initrd overlaps the hypervisor";
	if (!apart(place->initrd, place->initrd_size, place->kernel, place->kernel_size))
		return "the initrd overlaps the kernel";
	if (place->initrd != info->module[1].base &&
	    !apart(place->initrd, place->initrd_size, kernel->base, kernel->end - kernel->base))
		return "moving the initrd destroys the kernel's file";
	return NULL;
}

static u32 type_at(const struct e820_map *map, u64 at)
{
	for (u32 i = 0; i < map->count; i++)
		if (at >= map->range[i].base && at - map->range[i].base < map->range[i].size)
			return map->range[i].type;
	return 0;
}

/* Compare at every border of either map, just before and just behind it. */
const char *check_place_e820(const struct e820_map *map, const struct boot_info *info,
			     const struct placement *place)
{
	const struct e820_map *maps[2] = { map, &info->map };

	for (int m = 0; m < 2; m++) {
		for (u32 i = 0; i < 2 * maps[m]->count; i++) {
			const struct e820_range *range = &maps[m]->range[i / 2];
			u64 at = i % 2 ? range->base : range->base + range->size - 1;
			bool kept = !clear_of_hypervisor(place, at, 1);

			if (type_at(map, at) != (kept ? 2 : type_at(&info->map, at)))
				return "the e820 map is wrong";
		}
	}
	return NULL;
}

const char *check_place_efi_map(const u8 *map, u64 size, const struct boot_info *info,
				const struct placement *place)
{
	u32 step = info->efi.descriptor_size;
	u64 pages = 0, pages_before = 0, kept = 0;

	if (size % step || size > place_efi_map_room(info))
		return "EFI map: size";
	for (u64 at = 0; at < size; at += step) {
		u64 base = get64(map + at + 8), count = get64(map + at + 24);
		bool clear = clear_of_hypervisor(place, base, count << 12);

		if (!count || (!clear && get32(map + at) != 0))
			return "EFI map: a kept range is not reserved";
		if (!clear)
			kept += count;
		pages += count;
	}
	for (u64 at = 0; at < info->efi.map_size; at += step)
		pages_before += get64((u8 *)phys(info->efi.map + at) + 24);
	if (pages != pages_before)
		return "EFI map: pages were lost";
	if (kept != 1 + (place->hv_size + place->host_size) / 4096)
		return "EFI map: too much or too little is reserved";
	return NULL;
}
