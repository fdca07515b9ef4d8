/* SPDX-License-Identifier: BSD-2-Clause */
/* The list: each entry is one attack with its control, and reports both itself. */
#ifndef TESTS_H
#define TESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
	const char *name;	/* of the attack; "control-..." reports go with it */
	void (*run)(void);
};

extern const struct test memory_tests[], owner_tests[], trace_tests[], context_tests[], call_tests[], platform_tests[],
	many_tests[], lie_tests[], change_tests[];
/* These run only when they are named: they end the machine, or want devices. */
extern const struct test ending_tests[], dma_tests[], device_tests[];

/* Where each instruction takes its time, loops whose length is a matter of chance are shorter. */
extern bool brief;

/* Pairs of words of the secret with this key. */
size_t secret_pairs(uint64_t key, const void *bytes, size_t size);

#endif
