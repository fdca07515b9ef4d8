/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own frames: one range, handed out zeroed, pages at a time. */
#ifndef HV_MM_POOL_H
#define HV_MM_POOL_H

#include "table.h"

/* Give the pool its range, once; page-aligned, reachable through phys(). */
void pool_init(u64 base, u64 size);

/* `bytes` rounded up to pages, contiguous, zeroed; panics when the pool is used up:
 * its size is computed for the machine at boot (boot/main.c). Boot CPU only, before
 * Linux starts; single pages at any time through pool_tables. */
void *pool_take(u64 bytes);
u64 pool_left(void);

/* Single frames for the tables of the host view and of the hypervisor. */
extern struct table_memory pool_tables;

#endif
