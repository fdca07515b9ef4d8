/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks between the threads of a process. All zeros is free. Who holds one may be
 * preempted by the host for as long as it likes, so waiters give up the CPU; no
 * lock is held while a call for the program may sleep. Order, as taken:
 *
 *	thread table -> memory -> carrier -> arena -> futex -> token -> time -> map
 *
 * (The map's is the last, since vm.c takes it for a moment under any of the others.)
 * fork takes them all, so that the child finds each free and its data whole.
 */
#ifndef SHIM_LOCK_H
#define SHIM_LOCK_H

#include "shim.h"

struct lock {
	uint32_t word;			/* index of the thread that holds it + 1; 0: free */
};

void lock_take(struct lock *lock);
void lock_release(struct lock *lock);

#endif
