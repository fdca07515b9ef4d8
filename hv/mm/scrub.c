/* SPDX-License-Identifier: BSD-2-Clause */
#include "scrub.h"

#include <base/phys.h>

#include "cache.h"

static void zero_page(void *page)
{
	u64 count = PAGE_SIZE / 8;

	asm volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0UL) : "memory");
}

void scrub_page(u64 pa)
{
	cache_write_back(pa);
	zero_page(phys(pa));
	cache_write_back(pa);
}
