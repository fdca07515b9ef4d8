/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <base/mmio.h>
#include <mm/cache.h>
#include <mm/pool.h>

#define STATUS_STRIDE	64U		/* a line for each unit's status word */
static_assert(STATUS_STRIDE * DMA_UNITS_MAX <= PAGE_SIZE, "status page");

struct units units;

void unit_publish(u64 pa)
{
	if (!units.coherent)
		cache_write_back(ALIGN_DOWN(pa, PAGE_SIZE));
}

u64 unit_page(void)
{
	u64 pa = pool_tables.alloc(&pool_tables);

	if (pa)
		unit_publish(pa);
	return pa;
}

bool units_make(struct dma_platform *platform, u32 queue_head)
{
	u64 status = unit_page();
	bool good = status;

	units.count = platform->unit_count;
	units.queue_head = queue_head;
	for (u32 i = 0; i < units.count; i++) {
		units.unit[i] = (struct unit){
			.dma = &platform->unit[i],
			.queue = unit_page(),
			.status = status + i * STATUS_STRIDE,
		};
		good = good && units.unit[i].queue;
	}
	return good;
}

bool unit_wait_for(const struct unit *unit, u32 at, u64 mask, u64 value, u32 reads)
{
	for (u32 i = 0; i < reads; i++)
		if ((mmio_read32(unit->dma->registers + at) & mask) == value)
			return true;
	return false;
}

/* --- The queue ---------------------------------------------------------------------------- */

static u32 head_of(const struct unit *unit)
{
	return mmio_read32(unit->dma->registers + units.queue_head) >> QUEUE_SHIFT;
}

/* Always the case unless the unit is far behind. */
static bool has_room(const struct unit *unit)
{
	for (u32 i = 0; i < WAIT_READS; i++)
		if ((head_of(unit) - unit->tail - 1) % QUEUE_SIZE)
			return true;
	return false;
}

void unit_put(struct unit *unit, u64 low, u64 high)
{
	struct entry *queue = phys(unit->queue);

	if (unit->failed || !has_room(unit)) {
		unit->failed = true;
		return;
	}
	queue[unit->tail] = (struct entry){ low, high };
	unit->tail = (unit->tail + 1) % QUEUE_SIZE;
}

void unit_kick(struct unit *unit)
{
	unit_publish(unit->queue);
	asm volatile("" : : : "memory");
	mmio_write64(unit->dma->registers + units.queue_head + 8, (u64)unit->tail << QUEUE_SHIFT);
}

static bool is_over(const struct unit *unit)
{
	const u32 *status = phys(unit->status);

	return !unit->failed && __atomic_load_n(status, __ATOMIC_ACQUIRE) == unit->sequence;
}

bool unit_wait(struct unit *unit)
{
	for (u32 i = 0; i < WAIT_READS && !unit->failed && !is_over(unit); i++)
		head_of(unit);	/* takes its time */
	unit->failed |= !is_over(unit);
	return !unit->failed;
}

bool units_flushed(void)
{
	for_each_unit(unit)
		if (!is_over(unit))
			return false;
	return true;
}

int units_wait(void)
{
	bool good = true;

	for_each_unit(unit)
		good &= unit_wait(unit);
	return good ? 0 : -1;
}
