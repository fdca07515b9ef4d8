/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include <base/log.h>
#include <base/phys.h>

void cache_write_back(u64 pa)
{
	ASSERT(IS_ALIGNED(pa, PAGE_SIZE));
	/* lines of 64 bytes, on every x86-64 CPU (CPUID.1:EBX[15:8] = 8) */
	asm volatile(".set .Lline, 0\n\t"
		     ".rept 64\n\t"
		     "clflush .Lline(%0)\n\t"
		     ".set .Lline, .Lline + 64\n\t"
		     ".endr\n\t"
		     "mfence" : : "r"(phys(pa)) : "memory");
}
