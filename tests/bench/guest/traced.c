/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same operations once more, few of each, between the instructions at which Bochs begins and
 * ends to write a trace (the rig's --trace).
 */
#include <string.h>
#include <sys/syscall.h>
#include "work.h"

#define CALLS		3
#define FILL		4096
#define FILLS		200		/* 800,000 ticks: some have an interruption in them */

static char page[FILL] __attribute__((aligned(FILL)));

void trace(void)
{
	__asm__ volatile("xchg %%bx, %%bx" : : : "memory");
}

static void call(void)
{
	long result = SYS_getppid;

	MARK_HERE(MARK_BEGIN);
	__asm__ volatile("syscall" : "+a" (result) : : "rcx", "r11", "memory");
	MARK_HERE(MARK_END);
}

/* A line of the trace each tick, but no call and no fault. */
static void fill(void)
{
	void *to = page;
	unsigned long count = FILL;

	__asm__ volatile("rep stosb" : "+D" (to), "+c" (count) : "a" (0) : "memory");
}

void traced_leaves(void)
{
	trace();
	for (unsigned int i = 0; i < LEAVES; i++) {
		MARK_HERE(MARK_BEGIN);
		cpuid(i, 1);
		MARK_HERE(MARK_END);
	}
	trace();
}

void traced_calls(void)
{
	trace();
	for (unsigned int i = 0; i < CALLS; i++)
		call();
	trace();
}

void traced_spin(void)
{
	memset(page, 1, FILL);
	trace();
	for (unsigned int i = 0; i < FILLS; i++) {
		MARK_HERE(MARK_BEGIN);
		fill();
		MARK_HERE(MARK_END);
	}
	trace();
}
