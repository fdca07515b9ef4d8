/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that transfer at our word, and what the hypervisor says of them. */
#ifndef RUN_DMA_H
#define RUN_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "frames.h"

#define DMA_DEVICES_MAX	8
#define DMA_PIECE	2048	/* the most that one transfer moves */
#define DMA_HANDFUL	16

/* Of the pages that devices try: one of so many. */
extern size_t dma_every;

/* Their PCI addresses, bus << 8 | slot << 3 | function, those on bus 0 first; how many. */
size_t dma_devices(unsigned int list[DMA_DEVICES_MAX]);
/* In words, as Linux writes it: valid until the next call. */
const char *dma_name(unsigned int device);
/* Decoding and bus mastering on, by Linux. */
void dma_enable(unsigned int device);

/* False if the device did not end. What did not arrive is zero. */
bool dma_read(unsigned int device, uint64_t memory, void *bytes, size_t size);
bool dma_write(unsigned int device, uint64_t memory, const void *bytes, size_t size);
/* ATTACK_DMA_SCAN. */
struct attack dma_scan(unsigned int device, uint64_t key, const uint64_t *list, size_t count);
/* Overwrite a handful of the frames, spread over the list; how many. */
size_t dma_spoil(unsigned int device, const uint64_t *list, size_t count);

/* Of `frames`, as the last scan left them, those of programs alone, one of dma_every; how many. */
size_t private_frames(const struct attack *scan);

/* Leaves every `step`th of `count` in `frames`; how many are left. */
size_t thin(size_t count, size_t step);

/* CARREL_DMA_*. */
uint64_t dma_state(void);
/* Counted for the requester number that a device has. */
uint64_t dma_faults(unsigned int device);
/* This machine's units report faults. */
bool dma_tells(void);
/* A fault was logged since the last call, or since carrel_new_log(). */
bool dma_logged(void);

#endif
