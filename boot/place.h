/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where everything goes in physical memory: the hypervisor, its trampoline page,
 * what Linux may read late, the kernel and the initrd; and the memory maps that
 * tell Linux so. Pure: nothing is read or written but the arguments and (through
 * phys()) the EFI memory map.
 */
#ifndef BOOT_PLACE_H
#define BOOT_PLACE_H

#include <boot/linux.h>
#include <boot/multiboot.h>
#include <mm/dma.h>

struct placement {
	u64 hv_base, hv_size;		/* 2 MiB-aligned, below 4 GiB; the hypervisor's own */
	u64 trampoline;			/* one page below 512 KiB; the hypervisor's own for good */
	u64 host_base, host_size;	/* 64 KiB-aligned, below 4 GiB: Linux reads it, uses it not */
	u64 kernel, kernel_size;	/* destination and init_size */
	u64 initrd, initrd_size;	/* destination; size 0: none */
};

/*
 * Choose hypervisor, trampoline and host-readable range, clear of each other, of
 * [image_base, image_end) (this program where the loader put it), of the modules,
 * of the loader's information and of what devices reach on their own. `hv_size` is
 * a multiple of 2 MiB. NULL, or what is missing.
 */
const char *place_hypervisor(struct placement *place, const struct boot_info *info,
			     const struct dma_platform *dma, u64 image_base, u64 image_end,
			     u64 hv_size);

/*
 * Choose the places of kernel and initrd, clear of what place_hypervisor chose. The
 * loader's image and information are over by then, and the initrd is moved before
 * the kernel is. NULL, or what is missing.
 */
const char *place_linux(struct placement *place, const struct boot_info *info,
			const struct linux_image *image);

/* The firmware's map less what the hypervisor keeps. False when it got too long. */
bool place_e820(struct e820_map *map, const struct boot_info *info,
		const struct placement *place);

/* The largest size in bytes that place_efi_map can need; 0 without EFI. */
u64 place_efi_map_room(const struct boot_info *info);

/*
 * Write the EFI memory map to `to` with the hypervisor's ranges split out as
 * EfiReservedMemoryType (KASLR takes its slots from this map alone). Returns the
 * size in bytes, at most place_efi_map_room(); 0 if descriptors overlap so much that
 * the pieces do not fit.
 */
u64 place_efi_map(u8 *to, const struct boot_info *info, const struct placement *place);

#endif
