/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of futexes share: futex_queue.c has who waits for what, futex_wait.c sleeps,
 * futex_owner.c has words that name their owner, futex.c wakes and has the call.
 */
#ifndef SHIM_FUTEX_INNER_H
#define SHIM_FUTEX_INNER_H

#include <carrel/channel.h>
#include "threads/futex.h"

/* The kernel's numbers. */
#define FUTEX_WAIT		0
#define FUTEX_WAKE		1
#define FUTEX_WAIT_BITSET	9
#define FUTEX_PRIVATE		128
#define FUTEX_CLOCK_REALTIME	256
#define ALL_BITS		UINT32_MAX

struct timespec {
	int64_t seconds, nanoseconds;
};

/* Until when a thread sleeps. */
struct limit {
	bool timed, realtime;
	struct timespec time;
};

/* Threads to be woken when the lock is free again. */
struct woken {
	uint64_t bits[CARREL_SLOTS_MAX / 64];
	int64_t count;
};

/* --- futex_queue.c; all but the last two under the lock ------------------------------------- */

/* The first of those whose words share a queue; others follow in futex.next. */
struct thread **futex_bucket(uint64_t address);
/* t waits, behind all others: a word of its slot is 0 until it is woken. */
void futex_queue(struct thread *t, uint64_t address, uint32_t bitset, bool owner);
void futex_append(struct thread *t, uint64_t address);
void futex_unqueue(struct thread *t);
/* It is woken, once futex_end_sleep() is called without the lock. */
void futex_take_off(struct thread *t, struct woken *woken);
/* The next waiter on `address` from `t` on, of those that wait for one of `bits`, or to own. */
struct thread *futex_next(struct thread *t, uint64_t address, uint32_t bits, bool owner);
/* Other processes hear of it when they look; who waits in this one is woken, or not. */
void futex_tell(uint64_t address);
/* `count` waiters; like the kernel, one at least. */
void futex_wake_some(uint64_t address, int32_t count, uint32_t bits, struct woken *woken);
bool futex_is_shared(uint64_t address);
/* How often waiters on that place of a page were woken in all the family. */
uint32_t futex_wakes(uint64_t address);
/* A call of the host's for each. */
void futex_end_sleep(struct thread *t, const struct woken *woken);
/* The word that the host sleeps on for the thread with that index. */
volatile uint32_t *futex_shadow(uint64_t index);

/* --- futex_wait.c ---------------------------------------------------------------------------- */

int64_t futex_wait(struct thread *t, uint64_t address, uint32_t expected, uint32_t bits,
		   const struct limit *limit);
/* A queued thread sleeps until it is woken. `expected` is the word, unless it waits to own it. */
int64_t futex_sleep(struct thread *t, const struct limit *limit, uint32_t expected);
/* The program's timespec, at `address` or none, as a point in time. */
int64_t futex_limit(struct thread *t, struct limit *limit, uint64_t address, bool relative,
		    bool realtime);

/* --- futex_owner.c --------------------------------------------------------------------------- */

int64_t futex_own(struct thread *t, uint64_t address, const struct limit *limit);
int64_t futex_try_own(struct thread *t, uint64_t address);
int64_t futex_disown(struct thread *t, uint64_t address);

#endif
