/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/host.h"
#include "base/lock.h"

#define SPINS	200

void lock_take(struct lock *lock)
{
	uint32_t free, me = (uint32_t)self()->index + 1;
	unsigned int spins = 0;

	while (free = 0, !__atomic_compare_exchange_n(&lock->word, &free, me, false, __ATOMIC_ACQUIRE,
						      __ATOMIC_RELAXED)) {
		while (__atomic_load_n(&lock->word, __ATOMIC_RELAXED)) {
			if (++spins % SPINS)
				__builtin_ia32_pause();
			else
				host_call_own(self(), SYS_sched_yield, 0, 0, 0, 0);
		}
	}
}

void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
}
