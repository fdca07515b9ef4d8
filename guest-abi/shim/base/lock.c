/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/host.h"
#include "base/lock.h"

#define SPINS	200

void lock_take(struct lock *lock)
{
	unsigned int spins = 0;

	while (__atomic_exchange_n(&lock->word, 1, __ATOMIC_ACQUIRE)) {
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
