/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for hv/base/x86.h where a driver is tested on Linux: ports lead to a model. */
#ifndef FAKE_BASE_X86_H
#define FAKE_BASE_X86_H

#include <base/types.h>

u8 inb(u16 port);
void outb(u16 port, u8 value);
u32 inl(u16 port);
void outl(u16 port, u32 value);
static inline void pause(void) { }

struct cpuid {
	u32 eax, ebx, ecx, edx;
};
struct cpuid cpuid(u32 leaf, u32 subleaf);
void wbinvd(void);

#endif
