/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD I/O Virtualization Technology: IOMMUs. */
#ifndef DRIVERS_IOMMU_AMDVI_H
#define DRIVERS_IOMMU_AMDVI_H

#include <mm/dma.h>

extern const struct dma_ops amdvi_ops;

#endif
