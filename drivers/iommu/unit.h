/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside drivers/iommu: what units of both vendors have in common. Their tables are pages of the
 * pool, written back where units do not look into caches. What a unit shall forget it is told
 * through a queue, a ring of requests in one page; the last of a group makes it write their number
 * to its status word when all before are over.
 */
#ifndef DRIVERS_IOMMU_UNIT_H
#define DRIVERS_IOMMU_UNIT_H

#include <mm/dma.h>

#define QUEUE_SIZE	256U
#define QUEUE_SHIFT	4		/* heads and tails are offsets */
#define WAIT_READS	1000000U	/* of registers: a tenth of a second or more */

struct entry {		/* of a queue, of an event log, of VT-d's tables */
	u64 low, high;
};
static_assert(sizeof(struct entry) == 1 << QUEUE_SHIFT, "entries");

struct unit {
	struct dma_unit *dma;
	u64 queue;		/* physical */
	u32 tail;		/* the next request */
	u32 sequence;		/* the number of the last group */
	u64 status;		/* where it writes the number of the last group that is over */
	bool failed;		/* too slow: nothing is ever over again */
	u64 events;		/* AMD-Vi: event log, physical; */
	u32 head;		/* the next event */
};

struct units {
	struct unit unit[DMA_UNITS_MAX];
	u32 count;
	bool coherent;		/* all look into caches */
	u32 queue_head;		/* register; the tail is the next one */
};
extern struct units units;

#define for_each_unit(u) \
	for (struct unit *u = units.unit; u < units.unit + units.count; u++)

/* A page of a table was written. */
void unit_publish(u64 pa);
/* An empty one, as units see it too; 0: no frame. */
u64 unit_page(void);
/* Each unit's queue and status word. False: no frame. */
bool units_make(struct dma_platform *platform, u32 queue_head);

/* Until a register, or the low half of one, has `value` in `mask`; false: not in `reads`. */
bool unit_wait_for(const struct unit *unit, u32 at, u64 mask, u64 value, u32 reads);

/* A request, which waits for room; then tell the unit of all so far. */
void unit_put(struct unit *unit, u64 low, u64 high);
void unit_kick(struct unit *unit);
/* The last group of one unit, of all: over now; 0 or -1 when they should be. */
bool unit_wait(struct unit *unit);
bool units_flushed(void);
int units_wait(void);

#endif
