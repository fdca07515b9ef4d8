/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of every placement, whatever the input. */
#ifndef PLACE_CHECK_H
#define PLACE_CHECK_H

#include <boot/place.h>

/* A machine without IOMMU. */
extern const struct dma_platform no_dma;

/* Each returns NULL, or what is wrong. */
const char *check_place_hypervisor(const struct placement *place, const struct boot_info *info,
				   u64 image_base, u64 image_end, u64 hv_size);
const char *check_place_linux(const struct placement *place, const struct boot_info *info,
			      const struct linux_image *image);
const char *check_place_e820(const struct e820_map *map, const struct boot_info *info,
			     const struct placement *place);
const char *check_place_efi_map(const u8 *map, u64 size, const struct boot_info *info,
				const struct placement *place);

#endif
