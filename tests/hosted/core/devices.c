/* SPDX-License-Identifier: BSD-2-Clause */
/* A fake IOMMU under the real hv/mm/dma.c: it walks the map by its format, and keeps every
 * translation that a device used until a flush that was begun later has ended. */
#include "machine.h"

#include <base/log.h>
#include <base/phys.h>
#include <mm/dma.h>
#include <virt/svm/svm.h>

#define WORDS	((RAM_CHUNKS + 63) / 64)

unsigned int drains_late, device_flushes;
const char *device_failure;

/* Bits of chunks. Transfers go on while flushes end, which is under dma.c's lock. */
static u64 cached[WORDS], leaving[WORDS];
static struct table walked;
static struct dma_platform platform;

static const char *probe(struct dma_platform *described, struct dma_limits *limits)
{
	described->unit_count = 1;
	described->unit[0].size = 0;
	*limits = (struct dma_limits){ .largest_leaf = 3, .address_bits = 48, .coherent = true };
	return NULL;
}

static u64 pages(const struct dma_platform *described)
{
	(void)described;
	return 0;
}

static const char *start(struct dma_platform *described, const struct dma_root *root)
{
	(void)described;
	walked = (struct table){ .format = &svm_nested_format, .root = root->level4 };
	return NULL;
}

static int admit(u32 slot)
{
	return slot < 32 ? 0 : -1;	/* tables for bus 0 alone */
}

static void flush(void)
{
	device_flushes++;
	for (unsigned int i = 0; i < WORDS; i++)
		leaving[i] |= __atomic_load_n(&cached[i], __ATOMIC_SEQ_CST);
}

static bool flushed(void)
{
	if (drains_late) {
		drains_late--;
		return false;
	}
	for (unsigned int i = 0; i < WORDS; i++) {
		__atomic_fetch_and(&cached[i], ~leaving[i], __ATOMIC_SEQ_CST);
		leaving[i] = 0;
	}
	return true;
}

static const char *collect(void)
{
	return device_failure;
}

static const struct dma_ops ops = {
	.name = "fake", .format = &svm_nested_format, .probe = probe, .pages = pages, .start = start,
	.admit = admit, .flush = flush, .flushed = flushed, .collect = collect,
};

void devices_reset(const struct ram_range *map, size_t count)
{
	const char *error;

	memset(&platform, 0, sizeof(platform));
	error = dma_probe(&ops, &platform, (u32)count, RAM_SIZE);
	for (size_t i = 0; !error && i < count; i++)
		if (map[i].usable && dma_open(map[i].base, map[i].size))
			error = "dma_open";
	if (!error && dma_close(HV_BASE, HV_SIZE))
		error = "dma_close";
	if (!error)
		error = dma_start(&machine.host_view);
	if (error)
		panic("no devices: %s", error);
	memset(cached, 0, sizeof(cached));
	memset(leaving, 0, sizeof(leaving));
	drains_late = 0;
	device_failure = NULL;
}

bool device_cached(u64 chunk)
{
	return __atomic_load_n(&cached[chunk / 64], __ATOMIC_SEQ_CST) >> chunk % 64 & 1;
}

bool device_touch(u64 chunk)
{
	if (!device_cached(chunk) && !table_walk(&walked, chunk << CHUNK_SHIFT).present)
		return false;
	__atomic_fetch_or(&cached[chunk / 64], BIT(chunk % 64), __ATOMIC_SEQ_CST);
	return true;
}
