/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map of all devices, who was admitted to it, and what went wrong.
 *
 * `dma_lock` serialises the driver's functions and the counters; the map itself changes under
 * frame_lock alone, as the host view does. Order: frame_lock, then dma_lock.
 */
#include "dma.h"

#include <string.h>

#include <base/lock.h>
#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>

#include "cache.h"
#include "pool.h"

#define RIGHTS		(TABLE_R | TABLE_W)
#define SHOW_READS	10000U

static struct lock dma_lock;
static const struct dma_ops *ops;
static struct dma_platform *platform;
static struct dma_limits limits;
static struct table map;
static u64 frames_left;		/* that the map may still take of the pool */
static enum dma_state state;
static const char *problem = "this machine shows no IOMMU";

static struct dma_requester requester[DMA_REQUESTERS_MAX + 1];	/* the last: all others */
static u64 faults, lost;

/* --- Boot --------------------------------------------------------------------------------- */

/* Firmware may name ranges that no table was counted for: they must not cost the others theirs. */
static u64 take_frame(struct table_memory *memory)
{
	u64 pa = frames_left ? pool_tables.alloc(&pool_tables) : 0;

	(void)memory;
	frames_left -= pa != 0;
	return pa;
}

static struct table_memory map_memory = { .alloc = take_frame };	/* it gives none back */

/* Levels 4 and 3; a level-2 table for each GiB; level-1 tables at the edges of ranges. Below 4 GiB
 * there are ranges of the firmware's, whatever RAM there is. */
static u64 map_pages(u32 ranges, u64 top)
{
	return 2 + (top >> 39) + 2 * ((max_u64(top, 4 * GIB) >> 30) + 1) + 2 * ranges;
}

const char *dma_probe(const struct dma_ops *driver, struct dma_platform *described, u32 ranges,
		      u64 top)
{
	const char *error = driver->probe(described, &limits);

	if (error)
		return error;
	if (limits.largest_leaf < 2)	/* a frame for 2 MiB: the pool has none to spare */
		return "a unit has no large pages";
	if (top > 1UL << limits.address_bits)
		return "a unit cannot address all memory";
	/* A unit that does not look into caches must never meet a table that was just split: then
	 * there is nothing to split, a chunk has an entry of its own. */
	if (!limits.coherent)
		limits.largest_leaf = min_u64(limits.largest_leaf, 2);
	ops = driver;
	platform = described;
	frames_left = map_pages(ranges, top);
	return table_init(&map, ops->format, &map_memory, limits.largest_leaf) ?
		"no memory for the device map" : NULL;
}

u64 dma_pages(const struct dma_ops *driver, const struct dma_platform *described, u32 ranges,
	      u64 top)
{
	return driver->pages(described) + map_pages(ranges, top);
}

/* What is mapped there already stays: ranges of the firmware's maps may overlap. */
int dma_open(u64 base, u64 size)
{
	u64 end = ALIGN_DOWN(min_u64(base + size, 1UL << limits.address_bits), PAGE_SIZE);
	u64 pa = ALIGN_UP(base, PAGE_SIZE);

	if (base + size < base || pa < base)
		return 0;
	while (pa < end) {
		struct table_walk walk = table_walk(&map, pa);
		u64 covered = table_size(walk.level);
		u64 step = min_u64(end, ALIGN_DOWN(pa, covered) + covered) - pa;

		if (!walk.present && table_map(&map, pa, pa, step, RIGHTS, MEMORY_WB))
			return -1;
		pa += step;
	}
	return 0;
}

int dma_close(u64 base, u64 size)
{
	return table_unmap(&map, base, size);
}

static int hide_registers(struct view *host)
{
	for (u32 i = 0; i < platform->unit_count; i++) {
		const struct dma_unit *unit = &platform->unit[i];

		for (u64 pa = unit->registers; pa < unit->registers + unit->size; pa += PAGE_SIZE)
			if (table_walk(&host->table, pa).present && view_limit_page(host, pa, 0))
				return -1;
	}
	return 0;
}

const char *dma_start(struct view *host)
{
	u64 first = table_get(phys(map.root));
	struct dma_root root = { .level4 = map.root };
	const char *error;

	ASSERT(ops->format->present(first));	/* there is RAM at 0 */
	root.level3 = first & TABLE_ADDRESS;
	error = ops->start(platform, &root);
	if (error)
		return error;
	if (hide_registers(host))
		panic("no memory to hide the IOMMU's registers");
	state = DMA_PROTECTED;
	problem = NULL;
	return NULL;
}

void dma_unprotected(const char *why)
{
	problem = why;
}

/* --- Chunks ------------------------------------------------------------------------------- */

/* The entry of a chunk, for units that read memory past the caches. */
static void write_back(u64 pa)
{
	unsigned int level;

	if (!limits.coherent)
		cache_write_back(ALIGN_DOWN(phys_address(table_entry(&map, pa, &level)), PAGE_SIZE));
}

static void flush(void)
{
	lock_take(&dma_lock);
	ops->flush();
	lock_release(&dma_lock);
}

int dma_hide_chunk(u64 chunk)
{
	u64 pa = chunk << CHUNK_SHIFT;

	if (state == DMA_UNPROTECTED)
		return 0;
	if (table_unmap(&map, pa, CHUNK_SIZE))
		return -1;
	write_back(pa);
	flush();
	return 0;
}

bool dma_drained(void)
{
	bool drained;

	if (state == DMA_UNPROTECTED)
		return true;
	lock_take(&dma_lock);
	drained = ops->flushed();
	lock_release(&dma_lock);
	return drained;
}

void dma_show_chunk(u64 chunk)
{
	u64 pa = chunk << CHUNK_SHIFT;
	int failed;

	if (state == DMA_UNPROTECTED)
		return;
	failed = table_map(&map, pa, pa, CHUNK_SIZE, RIGHTS, MEMORY_WB);
	ASSERT(!failed);	/* the way there was made when it was hidden */
	write_back(pa);
	if (!limits.flush_on_show)
		return;
	flush();
	/* the host may use it at once; if units take long, a transfer of its own may fail */
	for (u32 i = 0; i < SHOW_READS && !dma_drained(); i++)
		__builtin_ia32_pause();
}

/* --- Requesters --------------------------------------------------------------------------- */

int dma_admit(u16 number)
{
	u32 slot = dma_slot(number);
	bool failed;

	if (state == DMA_UNPROTECTED)
		return 0;
	lock_take(&dma_lock);
	failed = !dma_platform_has(platform, slot) && ops->admit(slot);
	if (!failed)
		dma_platform_slot(platform, number);
	lock_release(&dma_lock);
	return failed ? CARREL_ELIMIT : 0;
}

/* The row that counts for a requester: its own, a new one, or the last. */
static struct dma_requester *row_of(u16 number)
{
	struct dma_requester *row = requester, *last = &requester[DMA_REQUESTERS_MAX];

	while (row < last && row->faults && row->last.requester != number)
		row++;
	return row;
}

void dma_fault(const struct dma_fault *fault)
{
	struct dma_requester *row = row_of(fault->requester);

	row->faults++;
	row->last = *fault;
	if (row == &requester[DMA_REQUESTERS_MAX])
		row->last.requester = DMA_NO_FUNCTION;
	faults++;
	log_guest("DMA %s of %lx by %02x:%02x.%x refused (%s %02x)", fault->write ? "write" : "read",
		  fault->address, fault->requester >> 8, fault->requester >> 3 & 31,
		  fault->requester & 7, ops->name, fault->code);
}

void dma_fault_lost(void)
{
	lost++;
}

/* Under dma_lock. */
static void collect(void)
{
	const char *failure = ops->collect();

	if (!failure || state == DMA_LOST)
		return;
	problem = failure;
	state = DMA_LOST;
	log_line("DMA protection is LOST: %s; nothing more becomes private", failure);
}

enum dma_state dma_state(void)
{
	if (state == DMA_PROTECTED) {
		lock_take(&dma_lock);
		collect();
		lock_release(&dma_lock);
	}
	return state;
}

const char *dma_problem(void)
{
	return problem;
}

static u32 count_slots(void)
{
	u32 count = 0;

	for (u32 bus = 0; bus < DMA_BUSES; bus++)
		for (u32 left = platform->slots[bus]; left; left &= left - 1)
			count++;
	return count;
}

void dma_report(struct dma_report *report)
{
	memset(report, 0, sizeof(*report));
	if (dma_state() == DMA_UNPROTECTED)
		return;
	report->name = ops->name;
	report->unit_count = platform->unit_count;
	report->slot_count = count_slots();
	report->faults = faults;
	report->lost = lost;
}

const struct dma_unit *dma_report_unit(u64 index)
{
	if (state == DMA_UNPROTECTED || index >= platform->unit_count)
		return NULL;
	return &platform->unit[index];
}

bool dma_report_requester(u64 index, struct dma_requester *row)
{
	if (index >= ARRAY_SIZE(requester))
		return false;
	lock_take(&dma_lock);
	*row = requester[index];
	lock_release(&dma_lock);
	return true;
}
