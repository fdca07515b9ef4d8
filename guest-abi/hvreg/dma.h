/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor tells of its protection from devices. Failures exit 125. */
#ifndef HVREG_DMA_H
#define HVREG_DMA_H

#include <stdint.h>
#include "json.h"
#include "text.h"

#define DMA_REASON_PARTS	8

struct dma {
	uint64_t state;		/* CARREL_DMA_* */
	uint64_t units, slots, faults, lost;
	char driver[9];
	char reason[DMA_REASON_PARTS * TEXT_REGISTERS * 8 + 1];	/* why not protected, else empty */
};

void dma_read(int device, struct dma *dma);

/* "protected", "unprotected" or "lost". */
const char *dma_state(const struct dma *dma);

/* For hvreg status: the line and one for each unit; a table of faults, if there are any; and both
 * as members of the open object. */
void dma_print(int device, const struct dma *dma);
void dma_print_faults(int device);
void dma_print_json(int device, struct json *json, const struct dma *dma);

#endif
