/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of hv/base/x86.h for the test of xstate.c: a CPUID that can hide what the CPU has, and
 * an XCR0 that is only a word. */
#ifndef TEST_XSTATE_X86_H
#define TEST_XSTATE_X86_H

#include <base/types.h>

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

struct cpuid cpuid(u32 leaf, u32 subleaf);
u64 xgetbv(void);
void xsetbv(u64 value);

#endif
