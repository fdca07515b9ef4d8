/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID. A line a leaf, as of operations.c, and a pair of marks around each batch.
 */
#include <stdio.h>
#include "work.h"

#define BATCH		20

static const uint32_t asked[LEAVES][2] = {
	{ 0, 0 }, { 1, 0 }, { 4, 1 }, { 7, 0 }, { 0xB, 0 }, { 0xD, 0 }, { 0xD, 1 },
	{ 0x40000000, 0 }, { 0x40000001, 0 }, { 0x80000000, 0 }, { 0x80000001, 0 },
	{ 0x80000008, 0 }, { 0x8000000A, 0 },
};

void cpuid(unsigned int i, unsigned int n)
{
	while (n--) {
		uint32_t eax = asked[i][0], ebx, ecx = asked[i][1], edx;

		__asm__ volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	}
}

int leaves(void)
{
	exits_open();
	for (unsigned int i = 0; i < LEAVES; i++) {
		uint64_t taken[BATCHES], before = exits_now();

		for (unsigned int batch = 0; batch < BATCHES; batch++) {
			uint64_t begin;

			MARK_HERE(MARK_BEGIN);
			begin = tsc();
			cpuid(i, BATCH);
			taken[batch] = tsc() - begin;
			MARK_HERE(MARK_END);
		}
		printf("%x.%x per batch %u exits %lu cycles", asked[i][0], asked[i][1], BATCH,
		       exits_now() - before);
		for (unsigned int batch = 0; batch < BATCHES; batch++)
			printf(" %lu", taken[batch]);
		putchar('\n');
	}
	return 0;
}
