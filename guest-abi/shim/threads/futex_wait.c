/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping until a futex wakes: see futex.c and futex_inner.h. */
#include <carrel/hypercall.h>
#include "base/channel.h"
#include "base/host.h"
#include "memory/user.h"
#include "threads/futex_inner.h"

#define CLOCK_REALTIME	0
#define CLOCK_MONOTONIC	1
#define NANOSECONDS	1000000000L
#define SECONDS_MAX	(1L << 33)	/* centuries are for ever */
#define LOOK_EVERY	10000000L	/* ns */

static struct timespec host_time(struct thread *t, uint64_t clock)
{
	struct timespec time;

	if (host_call_own(t, SYS_clock_gettime, clock, (uint64_t)SLOT_DATA(t), 0, 0))
		die(CARREL_DIE_IAGO);
	channel_get(&time, SLOT_DATA(t), sizeof(time));
	if (time.seconds < 0 || time.seconds > SECONDS_MAX || time.nanoseconds < 0 ||
	    time.nanoseconds >= NANOSECONDS)
		die(CARREL_DIE_IAGO);
	return time;
}

static void advance(struct timespec *time, const struct timespec *by)
{
	time->seconds += by->seconds;
	time->nanoseconds += by->nanoseconds;
	if (time->nanoseconds >= NANOSECONDS) {
		time->nanoseconds -= NANOSECONDS;
		time->seconds++;
	}
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->seconds != b->seconds ? a->seconds < b->seconds
					: a->nanoseconds < b->nanoseconds;
}

static int64_t sleep_on_shadow(struct thread *t, const struct limit *limit)
{
	const uint64_t args[6] = {
		(uint64_t)futex_shadow(t->index),
		FUTEX_WAIT_BITSET | FUTEX_PRIVATE | (limit->realtime ? FUTEX_CLOCK_REALTIME : 0), 0,
		limit->timed ? (uint64_t)SLOT_DATA(t) : 0, 0, ALL_BITS,
	};
	int64_t value;

	if (limit->timed)
		channel_put(SLOT_DATA(t), &limit->time, sizeof(limit->time));
	value = host_call(t, SYS_futex, args);
	if (value != HOST_NOT_STARTED && value != 0 && value != -LINUX_EAGAIN &&
	    value != -LINUX_EINTR && value != -LINUX_ETIMEDOUT)
		die(CARREL_DIE_IAGO);
	return value;
}

/*
 * Whether a sleep that ended has also ended the wait, and with what. To have been woken comes
 * first: what another thread gave must not be lost because a signal or the time came too.
 */
static bool wait_ended(struct thread *t, int64_t slept, const struct limit *limit, int64_t *result)
{
	bool ended = true;

	lock_take(&futex_lock);
	if (!t->futex.address) {
		*result = 0;
	} else if (slept == -LINUX_ETIMEDOUT && limit->timed) {
		*result = -LINUX_ETIMEDOUT;
		futex_unqueue(t);
	} else if (t->noted) {
		*result = -LINUX_EINTR;
		futex_unqueue(t);
	} else {
		*futex_shadow(t->index) = 0;
		ended = false;
	}
	lock_release(&futex_lock);
	return ended;
}

/* Under the lock: a queued thread sees that another process changed its word or woke who waits. */
static bool is_told(const struct thread *t, uint32_t expected)
{
	uint32_t word;

	return !user_load(&word, t->futex.address) || word != expected ||
	       futex_wakes(t->futex.address) != t->futex.seen;
}

/*
 * One sleep of a waiter on shared memory: as sleep_on_shadow(), but it ends in time to look.
 */
static int64_t sleep_and_look(struct thread *t, const struct limit *limit, uint32_t expected)
{
	const struct timespec step = { 0, LOOK_EVERY };
	struct limit look = { .timed = true, .realtime = limit->realtime };
	bool last = false;
	int64_t value;

	look.time = host_time(t, limit->realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC);
	advance(&look.time, &step);
	if (limit->timed && !before(&look.time, &limit->time)) {
		look.time = limit->time;
		last = true;
	}
	value = sleep_on_shadow(t, &look);
	lock_take(&futex_lock);
	if (t->futex.address && is_told(t, expected))
		futex_unqueue(t);
	lock_release(&futex_lock);
	return value == -LINUX_ETIMEDOUT && !last ? 0 : value;
}

int64_t futex_sleep(struct thread *t, const struct limit *limit, uint32_t expected)
{
	bool slept = false, shared = !t->futex.owner && futex_is_shared(t->futex.address);
	int64_t value, result;

	for (;;) {
		value = shared ? sleep_and_look(t, limit, expected) : sleep_on_shadow(t, limit);
		if (value != HOST_NOT_STARTED)
			slept = true;
		if (wait_ended(t, value, limit, &result))
			break;
	}
	if (result != -LINUX_EINTR)
		return result;
	/* To own: again after any handler. Timed: never. Else as the handler says. */
	t->rewind = !slept || t->futex.owner;
	if (!t->futex.owner)
		t->interrupted = limit->timed ? INTERRUPTED_ENDS : INTERRUPTED_RESTARTS;
	return result;
}

int64_t futex_wait(struct thread *t, uint64_t address, uint32_t expected, uint32_t bits,
			  const struct limit *limit)
{
	uint32_t word;
	int64_t error = 0;

	if (!bits)
		return -LINUX_EINVAL;
	lock_take(&futex_lock);
	if (!user_load(&word, address))
		error = -LINUX_EFAULT;
	else if (word != expected)
		error = -LINUX_EAGAIN;
	else
		futex_queue(t, address, bits, false);
	lock_release(&futex_lock);
	return error ? error : futex_sleep(t, limit, expected);
}

int64_t futex_limit(struct thread *t, struct limit *limit, uint64_t address, bool relative,
			  bool realtime)
{
	struct timespec now, *time = &limit->time;

	*limit = (struct limit){ .realtime = realtime, .timed = address != 0 };
	if (!address)
		return 0;
	if (!user_get(time, address, sizeof(*time)))
		return -LINUX_EFAULT;
	if (time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= NANOSECONDS)
		return -LINUX_EINVAL;
	if (time->seconds > SECONDS_MAX)
		time->seconds = SECONDS_MAX;
	if (!relative)
		return 0;
	now = host_time(t, CLOCK_MONOTONIC);
	advance(time, &now);
	return 0;
}
