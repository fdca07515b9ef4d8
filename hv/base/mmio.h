/* SPDX-License-Identifier: BSD-2-Clause */
/* Device registers in physical memory, through the direct map, which the MTRRs of the firmware
 * make uncached there. Hosted tests provide a model of the device instead. */
#ifndef HV_BASE_MMIO_H
#define HV_BASE_MMIO_H

#include "phys.h"

#ifdef CARREL_HOSTED
u8 mmio_read8(u64 pa);
u32 mmio_read32(u64 pa);
u64 mmio_read64(u64 pa);
void mmio_write32(u64 pa, u32 value);
void mmio_write64(u64 pa, u64 value);
void mmio_store(u64 pa, u8 size, u32 value);
#else
/* By EAX, as AMD wants it of PCI configuration (BKDG "MMIO Configuration Coding Requirements"). */
static inline u32 mmio_read32(u64 pa)
{
	u32 value;

	asm volatile("movl %1, %0" : "=a"(value) : "m"(*(volatile u32 *)phys(pa)));
	return value;
}

static inline u8 mmio_read8(u64 pa) { return *(volatile u8 *)phys(pa); }
static inline u64 mmio_read64(u64 pa) { return *(volatile u64 *)phys(pa); }
static inline void mmio_write32(u64 pa, u32 value) { *(volatile u32 *)phys(pa) = value; }
static inline void mmio_write64(u64 pa, u64 value) { *(volatile u64 *)phys(pa) = value; }

/* 1, 2 or 4 bytes, by EAX too. */
static inline void mmio_store(u64 pa, u8 size, u32 value)
{
	if (size == 1)
		asm volatile("movb %b1, %0" : "=m"(*(volatile u8 *)phys(pa)) : "a"(value));
	else if (size == 2)
		asm volatile("movw %w1, %0" : "=m"(*(volatile u16 *)phys(pa)) : "a"(value));
	else
		asm volatile("movl %1, %0" : "=m"(*(volatile u32 *)phys(pa)) : "a"(value));
}
#endif

#endif
