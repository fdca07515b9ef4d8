/* SPDX-License-Identifier: BSD-2-Clause */
/* Ticket spinlock. The hypervisor runs with interrupts off, so holding one is bounded. */
#ifndef HV_BASE_LOCK_H
#define HV_BASE_LOCK_H

#include "types.h"

struct lock {
	u32 next;
	u32 serving;
};

static inline void lock_take(struct lock *lock)
{
	u32 mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine)
		__builtin_ia32_pause();
}

static inline void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#endif
