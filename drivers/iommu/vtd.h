/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel Virtualization Technology for Directed I/O: DMA remapping units. */
#ifndef DRIVERS_IOMMU_VTD_H
#define DRIVERS_IOMMU_VTD_H

#include <mm/dma.h>

extern const struct dma_ops vtd_ops;

#endif
