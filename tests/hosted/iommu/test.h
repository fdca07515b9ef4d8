/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame of the hosted tests of drivers/iommu: checks, memory as CPUs and as units see it, the
 * map that devices obey, and what the driver told of faults. */
#ifndef TEST_IOMMU_H
#define TEST_IOMMU_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/mmio.h>
#include <mm/cache.h>
#include <mm/dma.h>
#include <mm/pool.h>
#include <mm/table.h>

/* A failed check is printed and ends the running test. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)
/* A text that holds `words`. */
#define CHECK_SAYS(text, words) check_says((text), words, __FILE__, __LINE__)

void check(bool good, const char *file, int line, const char *what);
void check_eq(u64 a, u64 b, const char *file, int line, const char *what);
void check_says(const char *text, const char *words, const char *file, int line);

struct test {
	const char *name;
	void (*run)(void);
};
/* One list a driver, ended by an entry without a name. */
extern const struct test vtd_tests[], amdvi_tests[];

/*
 * Memory: the frames of the driver, then those of the map. Units see what CPUs wrote at once,
 * or after cache_write_back (the map's frames: at once, hv/mm/dma.c sees to that), or only
 * after the model calls memory_drain().
 */
#define POOL_BASE	(1 * MIB)
#define POOL_FRAMES	256U
#define MAP_BASE	(2 * MIB)
#define MAP_FRAMES	256U
#define MEMORY_SIZE	(3 * MIB)

enum unit_sees { SEES_CACHES, SEES_MEMORY, SEES_DRAINED };
extern enum unit_sees unit_sees;
void memory_drain(void);
u64 unit_read64(u64 pa);

/* Frames that pool_tables may still give. */
extern unsigned int pool_limit, pool_out;

/* Registers: the model of the running test answers. */
struct mmio_model {
	u64 (*read)(u64 pa, unsigned int size);
	void (*write)(u64 pa, unsigned int size, u64 value);
};
extern const struct mmio_model *mmio_model;

/* The map, made as hv/mm/dma.c makes it. */
extern struct table map;
void map_make(const struct table_format *format, unsigned int largest_leaf);
void map_open(u64 base, u64 size);
void map_close(u64 base, u64 size);
struct dma_root map_root(void);

/* What came by dma_fault() and dma_fault_lost(). */
#define FAULTS_MAX 512U
extern struct dma_fault faults[FAULTS_MAX];
extern unsigned int fault_count, faults_lost;

#endif
