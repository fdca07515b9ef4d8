/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What devices may do, settled before Linux starts: who may send requests, what they reach, and
 * whose configuration the guest may not change. Order: devices_find, the placement and the pool,
 * devices_guard_pci, devices_guard_memory.
 */
#ifndef BOOT_DEVICES_H
#define BOOT_DEVICES_H

#include <boot/multiboot.h>
#include <boot/place.h>
#include <drivers/acpi/acpi.h>
#include <mm/dma.h>

/* Scan PCI for requesters, into acpi->dma, and for functions to guard. NULL, or what there is too
 * much of. */
const char *devices_find(struct acpi_info *acpi);

/* Frames of the pool that the two below take, given RAM up to `top`; `driver` may be NULL. */
u64 devices_pages(const struct acpi_info *acpi, const struct dma_ops *driver, u32 ranges, u64 top);

/* The configuration of host bridges and IOMMUs is the guest's to read only. NULL or an error. */
const char *devices_guard_pci(const struct acpi_info *acpi, const struct e820_map *map);

/* Switch the IOMMUs on with `driver`. NULL; or why devices reach everything. */
const char *devices_guard_memory(struct acpi_info *acpi, const struct dma_ops *driver,
				 const struct e820_map *map, const struct placement *place);

#endif
