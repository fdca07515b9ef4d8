/* SPDX-License-Identifier: BSD-2-Clause */
/* Placement in physical memory. */
#include <string.h>

#include <base/bytes.h>
#include <boot/place.h>

#define LOW_END		(1 * MIB)
/* Linux reads all of [512 KiB, 1 MiB) looking for an iBFT; the host view lacks our page. */
#define TRAMPOLINE_END	(512 * KIB)
#define HIGH_END	(4 * GIB)

/* UEFI specification, "EFI_MEMORY_DESCRIPTOR". */
#define EFI_TYPE		0
#define EFI_BASE		8
#define EFI_PAGES		24
#define EFI_ATTRIBUTE		32
#define EFI_RESERVED		0
#define EFI_BOOT_CODE		3
#define EFI_BOOT_DATA		4
#define EFI_CONVENTIONAL	7
#define EFI_MEMORY_RUNTIME	BIT(63)

struct span {
	u64 base, end;
};

struct spans {
	u32 count;
	struct span span[BOOT_MODULES_MAX + DMA_RANGES_MAX + 8];
};

struct search {
	const struct boot_info *info;
	struct spans taken;
	u64 floor, ceiling;	/* the range to find lies inside */
	u64 size, align;
	bool lowest;		/* else highest */
};

static void take(struct spans *spans, u64 base, u64 end)
{
	if (base < end)
		spans->span[spans->count++] = (struct span){ base, end };
}

static void take_hypervisor(struct spans *spans, const struct placement *place)
{
	take(spans, place->hv_base, place->hv_base + place->hv_size);
	take(spans, place->host_base, place->host_base + place->host_size);
	take(spans, place->trampoline, place->trampoline + PAGE_SIZE);
}

/* The first of `spans` that overlaps, or NULL. */
static const struct span *overlap(const struct spans *spans, u64 base, u64 size)
{
	for (u32 i = 0; i < spans->count; i++)
		if (spans->span[i].base < base + size && base < spans->span[i].end)
			return &spans->span[i];
	return NULL;
}

static u32 efi_count(const struct boot_info *info)
{
	return info->efi.map ? info->efi.map_size / info->efi.descriptor_size : 0;
}

static const u8 *efi_descriptor(const struct boot_info *info, u32 index)
{
	return phys(info->efi.map + (u64)index * info->efi.descriptor_size);
}

static struct span efi_span(const u8 *descriptor)
{
	u64 base = get64(descriptor + EFI_BASE);	/* checked: aligned, does not wrap */

	return (struct span){ base, base + (get64(descriptor + EFI_PAGES) << PAGE_SHIFT) };
}

/* Nothing that firmware may still use lies in it: boot-services memory is touched once
 * more when Linux announces its virtual addresses. */
static bool efi_is_quiet(const struct boot_info *info, u64 base, u64 size)
{
	for (u32 i = 0; i < efi_count(info); i++) {
		const u8 *descriptor = efi_descriptor(info, i);
		u32 type = get32(descriptor + EFI_TYPE);
		struct span span = efi_span(descriptor);

		if ((type == EFI_BOOT_CODE || type == EFI_BOOT_DATA) &&
		    span.base < base + size && base < span.end)
			return false;
	}
	return true;
}

/* The best place inside `window`, clear of what is taken; 0 if there is none. */
static u64 search_window(const struct search *s, struct span window)
{
	u64 base = max_u64(window.base, s->floor), end = min_u64(window.end, s->ceiling);

	while (base < end && end - base >= s->size) {
		u64 at = s->lowest ? ALIGN_UP(base, s->align) :
				     ALIGN_DOWN(end - s->size, s->align);
		const struct span *hit;

		if (at < base || at > end - s->size)
			return 0;
		hit = overlap(&s->taken, at, s->size);
		if (!hit)
			return at;
		if (s->lowest)
			base = hit->end;
		else
			end = hit->base;
	}
	return 0;
}

/* The best place in RAM that is also inside `limits`; `best` if nothing is better. */
static u64 search_ram(const struct search *s, struct span limits, u64 best)
{
	const struct e820_map *map = &s->info->map;

	for (u32 i = 0; i < map->count; i++) {
		const struct e820_range *range = &map->range[i];
		struct span window = { max_u64(range->base, limits.base),
				       min_u64(range->base + range->size, limits.end) };
		u64 at;

		if (range->type != E820_RAM)
			continue;
		at = search_window(s, window);
		if (at && (!best || (s->lowest ? at < best : at > best)))
			best = at;
	}
	return best;
}

/* Under EFI only memory counts that the firmware calls conventional. 0: none found. */
static u64 search(const struct search *s)
{
	u64 best = 0;

	if (!s->info->efi.map)
		return search_ram(s, (struct span){ 0, ~0ULL }, 0);
	for (u32 i = 0; i < efi_count(s->info); i++) {
		const u8 *descriptor = efi_descriptor(s->info, i);

		if (get32(descriptor + EFI_TYPE) == EFI_CONVENTIONAL)
			best = search_ram(s, efi_span(descriptor), best);
	}
	return best;
}

static void take_others(struct spans *spans, const struct boot_info *info,
			const struct dma_platform *dma)
{
	take(spans, info->info_base, info->info_end);
	for (u32 i = 0; i < info->module_count; i++)
		take(spans, info->module[i].base, info->module[i].end);
	for (u32 i = 0; i < dma->range_count; i++)
		take(spans, dma->range[i].base, dma->range[i].end);
}

const char *place_hypervisor(struct placement *place, const struct boot_info *info,
			     const struct dma_platform *dma, u64 image_base, u64 image_end,
			     u64 hv_size)
{
	struct search s = { .info = info, .floor = PAGE_SIZE };

	memset(place, 0, sizeof(*place));
	take(&s.taken, image_base, image_end);
	take_others(&s.taken, info, dma);

	s.size = s.align = PAGE_SIZE;
	s.ceiling = TRAMPOLINE_END;
	place->trampoline = search(&s);
	if (!place->trampoline)
		return "no free page below 512 KiB for starting the CPUs";

	s.floor = LOW_END;
	s.ceiling = HIGH_END;
	s.size = hv_size;
	s.align = CHUNK_SIZE;
	place->hv_base = search(&s);
	place->hv_size = hv_size;
	if (!place->hv_base)
		return "no free range below 4 GiB for the hypervisor: give the machine more memory";
	take(&s.taken, place->hv_base, place->hv_base + hv_size);

	s.size = place->host_size = linux_host_size(info);
	s.align = 64 * KIB;
	place->host_base = search(&s);
	if (!place->host_base)
		return "no free range below 4 GiB for Linux's boot data: give the machine more memory";
	return NULL;
}

static u64 place_kernel(const struct search *template, const struct linux_image *image)
{
	struct search s = *template;
	u64 preferred = image->pref_address;
	bool possible = preferred >= LOW_END && preferred < HIGH_END &&
			HIGH_END - preferred >= image->init_size &&
			e820_is_ram(&s.info->map, preferred, image->init_size) &&
			!overlap(&s.taken, preferred, image->init_size);
	u64 other;

	if (possible && efi_is_quiet(s.info, preferred, image->init_size))
		return preferred;
	s.lowest = true;
	s.floor = max_u64(preferred, LOW_END);	/* below, the kernel would move itself */
	s.ceiling = HIGH_END;
	s.size = image->init_size;
	s.align = image->alignment;
	other = image->relocatable ? search(&s) : 0;
	return other || !possible ? other : preferred;
}

/* An initrd may stay where the loader put it, or go as high as the kernel allows. */
static u64 place_initrd(const struct search *template, const struct boot_module *initrd,
			const struct linux_image *image)
{
	struct search s = *template;
	u64 size = initrd->end - initrd->base;

	if (IS_ALIGNED(initrd->base, PAGE_SIZE) && initrd->end - 1 <= image->initrd_max &&
	    !overlap(&s.taken, initrd->base, size))
		return initrd->base;
	s.floor = LOW_END;
	s.ceiling = min_u64(HIGH_END, image->initrd_max + 1);
	s.size = size;
	s.align = PAGE_SIZE;
	return search(&s);
}

const char *place_linux(struct placement *place, const struct boot_info *info,
			const struct linux_image *image)
{
	const struct boot_module *kernel = &info->module[BOOT_KERNEL];
	const struct boot_module *initrd = &info->module[BOOT_INITRD];
	struct search s = { .info = info };

	take_hypervisor(&s.taken, place);
	place->kernel_size = image->init_size;
	place->kernel = place_kernel(&s, image);
	if (!place->kernel)
		return "no free range for the kernel: give the machine more memory";
	place->initrd_size = 0;
	if (info->module_count <= BOOT_INITRD || initrd->base == initrd->end)
		return NULL;

	take(&s.taken, place->kernel, place->kernel + place->kernel_size);
	take(&s.taken, kernel->base, kernel->end);	/* still there when the initrd moves */
	place->initrd_size = initrd->end - initrd->base;
	place->initrd = place_initrd(&s, initrd, image);
	if (!place->initrd)
		return "no free range for the initrd: give the machine more memory";
	return NULL;
}

bool place_e820(struct e820_map *map, const struct boot_info *info,
		const struct placement *place)
{
	struct spans spans = { 0 };

	*map = info->map;
	take_hypervisor(&spans, place);
	for (u32 i = 0; i < spans.count; i++)
		if (!e820_add(map, spans.span[i].base, spans.span[i].end - spans.span[i].base,
			      E820_RESERVED))
			return false;
	return true;
}

u64 place_efi_map_room(const struct boot_info *info)
{
	/* six borders split six descriptors at most, unless descriptors overlap */
	return info->efi.map ? info->efi.map_size + 6ULL * info->efi.descriptor_size : 0;
}

/* Append a copy of `from` for [base, end). */
static u8 *efi_emit(u8 *to, const u8 *from, u32 size, u64 base, u64 end, bool reserve)
{
	memcpy(to, from, size);
	put64(to + EFI_BASE, base);
	put64(to + EFI_PAGES, (end - base) >> PAGE_SHIFT);
	if (reserve) {
		put32(to + EFI_TYPE, EFI_RESERVED);
		put64(to + EFI_ATTRIBUTE, get64(from + EFI_ATTRIBUTE) & ~EFI_MEMORY_RUNTIME);
	}
	return to + size;
}

/* Where the piece of `spans` that begins at `base` ends, and whether it is kept. */
static u64 piece_end(const struct spans *spans, u64 base, u64 end, bool *inside)
{
	*inside = false;
	for (u32 i = 0; i < spans->count; i++) {
		const struct span *span = &spans->span[i];

		if (span->base <= base && base < span->end) {
			*inside = true;
			return min_u64(end, span->end);
		}
		if (base < span->base)
			end = min_u64(end, span->base);
	}
	return end;
}

u64 place_efi_map(u8 *to, const struct boot_info *info, const struct placement *place)
{
	u8 *start = to, *limit = to + place_efi_map_room(info);
	u32 size = info->efi.descriptor_size;
	struct spans spans = { 0 };

	take_hypervisor(&spans, place);
	for (u32 i = 0; i < efi_count(info); i++) {
		const u8 *descriptor = efi_descriptor(info, i);
		struct span all = efi_span(descriptor);

		while (all.base < all.end) {
			bool inside;
			u64 end;

			if (to == limit)
				return 0;
			end = piece_end(&spans, all.base, all.end, &inside);
			to = efi_emit(to, descriptor, size, all.base, end, inside);
			all.base = end;
		}
	}
	return to - start;
}
