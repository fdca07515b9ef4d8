/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside drivers/acpi: from acpi.c, which finds tables, to those that read a DMAR or an IVRS. */
#ifndef DRIVERS_ACPI_IOMMU_H
#define DRIVERS_ACPI_IOMMU_H

#include <base/bytes.h>
#include <drivers/acpi/acpi.h>

/* A root table names a DMAR (DMA_VTD) or an IVRS (DMA_AMDVI) at `pa`; `table` has no bytes if
 * its length is wrong. What is the matter with it goes to dma.broken. */
void iommu_table(struct acpi_info *info, enum dma_kind kind, u64 pa, struct bytes table);

/* Each returns NULL, or what is wrong with the table, whose checksum is right. */
const char *dmar_parse(struct dma_platform *dma, struct bytes dmar);
const char *ivrs_parse(struct acpi_info *info, struct bytes ivrs);

/* For those two. A structure with its length, two bytes, at 2; no bytes if that is senseless. */
struct bytes iommu_block(struct bytes table, u64 at);
/* Registers at a multiple of `align`, unit->size bytes of them at least. */
const char *iommu_add_unit(struct dma_platform *dma, const struct dma_unit *unit, u64 align);
/* The pages from that of byte `first` to that of byte `last`. */
const char *iommu_add_range(struct dma_platform *dma, u64 first, u64 last);

#endif
