/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own map: image W^X at its link address, RAM by the direct map. */
#ifndef HV_MM_HOSTMAP_H
#define HV_MM_HOSTMAP_H

#include <base/types.h>

#define HV_VIRT 0xFFFFFFFF80000000UL	/* linker.ld */

/*
 * Build the map in frames of the pool. The image (text, read-only data, data and bss, as
 * linker.ld bounds them) lies at `image_pa`; the direct map covers [0, top) but the image's
 * text and read-only data. Returns the value for CR3, or panics.
 */
u64 hostmap_build(u64 image_pa, u64 top);

#endif
