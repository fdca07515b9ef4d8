/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Devices that this kernel finds. */
#ifndef CARREL_MODULE_DMA_H
#define CARREL_MODULE_DMA_H

/* Module init: tells the hypervisor of every PCI device, now and when one is added. An errno. */
int dma_init(void);
/* Module exit: devices that are added later get no DMA. */
void dma_exit(void);

#endif
