/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TSC_H
#define TSC_H

#include <stdint.h>

/* On the counting rigs: instructions since the machine began. */
static inline uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return low | (uint64_t)high << 32;
}

#endif
