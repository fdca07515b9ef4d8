/* SPDX-License-Identifier: BSD-2-Clause */
#include <carrel/hypercall.h>
#include "device.h"
#include "dma.h"
#include "fail.h"

static void read_reason(int device, struct dma *dma)
{
	uint64_t value[TEXT_REGISTERS];
	unsigned int i;

	for (i = 0; i < DMA_REASON_PARTS; i++) {
		if (!device_info(device, CARREL_INFO_DMA_TEXT, i, 0, value))
			return;
		text_of_registers(dma->reason + i * sizeof(value), value, TEXT_REGISTERS);
	}
}

void dma_read(int device, struct dma *dma)
{
	uint64_t value[6];

	if (!device_info(device, CARREL_INFO_DMA, 0, 0, value))
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not tell about DMA");
	*dma = (struct dma){
		.state = value[0],
		.units = value[2],
		.faults = value[3],
		.lost = value[4],
		.slots = value[5],
	};
	text_of_registers(dma->driver, &value[1], 1);
	if (dma->state != CARREL_DMA_PROTECTED)
		read_reason(device, dma);
}

const char *dma_state(const struct dma *dma)
{
	switch (dma->state) {
	case CARREL_DMA_PROTECTED:
		return "protected";
	case CARREL_DMA_LOST:
		return "lost";
	}
	return "unprotected";
}
