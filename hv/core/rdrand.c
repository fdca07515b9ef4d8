/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPU's generator: SDM "RDRAND", "RDSEED". */
#include "random.h"

#include <base/x86.h>

static bool has_rdrand(void)
{
	return cpuid(1, 0).ecx & BIT(30);
}

static bool has_rdseed(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & BIT(18);
}

static bool rdrand(u64 *word)
{
	bool good;

	asm volatile("rdrand %0" : "=r"(*word), "=@ccc"(good));
	return good;
}

static bool rdseed(u64 *word)
{
	bool good;

	asm volatile("rdseed %0" : "=r"(*word), "=@ccc"(good));
	return good;
}

const struct random_source random_cpu = {
	.has = has_rdrand,
	.has_seed = has_rdseed,
	.rand = rdrand,
	.seed = rdseed,
};
