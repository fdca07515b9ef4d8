/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include <base/log.h>
#include <base/phys.h>

#define LINE 64	/* CLFLUSH line of every x86-64 CPU, CPUID.1:EBX[15:8] = 8 */

static inline void clflush(const volatile char *line)
{
	asm volatile("clflush %0" : : "m"(*line) : "memory");
}

void cache_write_back(u64 pa)
{
	const char *page = phys(pa);

	ASSERT(IS_ALIGNED(pa, PAGE_SIZE));
	for (const char *at = page; at < page + PAGE_SIZE; at += 8 * LINE) {
		clflush(at);
		clflush(at + LINE);
		clflush(at + 2 * LINE);
		clflush(at + 3 * LINE);
		clflush(at + 4 * LINE);
		clflush(at + 5 * LINE);
		clflush(at + 6 * LINE);
		clflush(at + 7 * LINE);
	}
	asm volatile("mfence" : : : "memory");
}
