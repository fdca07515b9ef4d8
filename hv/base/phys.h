/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory as the hypervisor reaches it: a direct map, writable and
 * never executable, that leaves out the hypervisor's own text and read-only
 * data. Hosted tests provide their own `phys_base`.
 */
#ifndef HV_BASE_PHYS_H
#define HV_BASE_PHYS_H

#include "types.h"

#ifdef CARREL_HOSTED
extern unsigned char *phys_base;
static inline void *phys(u64 pa) { return phys_base + pa; }
static inline u64 phys_address(const void *p) { return (u64)((const unsigned char *)p - phys_base); }
#else
#define PHYS_BASE 0xFFFF800000000000UL
static inline void *phys(u64 pa) { return (void *)(PHYS_BASE + pa); }
/* The way back, for what was reached so. */
static inline u64 phys_address(const void *p) { return (u64)p - PHYS_BASE; }
#endif

#endif
