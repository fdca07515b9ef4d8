/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. The kernel says what time it is; between its answers, the program's vDSO
 * counts the TSC. Monotonic clocks never go back, whatever the kernel says; that
 * they go forward at the right speed, and wall time, are its claims.
 */
#ifndef SHIM_TIME_H
#define SHIM_TIME_H

#include "emulate.h"
#include "base/lock.h"

/* Taken inside, and behind all others; fork takes it too. */
extern struct lock time_lock;

/* Map the vDSO into the program's memory, at two pages from `address`. */
void time_setup(struct thread *t, uint64_t address);
#define TIME_SIZE	(2 * PAGE_SIZE)

/* AT_SYSINFO_EHDR. */
uint64_t time_vdso(void);

EMULATED(call_clock_gettime);
EMULATED(call_gettimeofday);
EMULATED(call_time);

#endif
