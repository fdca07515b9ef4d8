/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes: see futex.h. One lock for all of them. Whoever queues compares the word under
 * it, and whoever wakes takes waiters off their queue under it, so no wake comes between the
 * two. To be off the queue is to be woken; the slot's shadow word and the kernel only end
 * the sleep:
 *
 *	waiter				waker
 *	(lock) word as expected?	changes the word
 *	queue; shadow = 0		(lock) off the queue
 *	sleep while shadow is 0		shadow = 1; wake whoever sleeps on it
 *	(lock) still queued? again
 *
 * A waker that is late with its shadow finds the waiter awake, or asleep on something
 * else: then that one wakes, finds itself queued, and sleeps again.
 *
 * A word in memory that is shared with other processes of the family may be woken by one whose
 * shim does not know of this waiter. So that one sleeps 10 ms at most and looks: a word that has
 * changed counts as a wake, and so does a change of the number of wakes at that place of any page,
 * which processes that share memory count together. Words at the same place of two pages, and a
 * wake of fewer than there are, wake too many: every waiter must expect that.
 */
#include <carrel/hypercall.h>
#include "base/host.h"
#include "emulate.h"
#include "memory/user.h"
#include "threads/futex_inner.h"

/* The kernel's numbers. */
#define FUTEX_REQUEUE		3
#define FUTEX_CMP_REQUEUE	4
#define FUTEX_WAKE_OP		5
#define FUTEX_LOCK_PI		6
#define FUTEX_UNLOCK_PI		7
#define FUTEX_TRYLOCK_PI	8
#define FUTEX_WAKE_BITSET	10
#define FUTEX_LOCK_PI2		13
#define FUTEX_COMMAND		(~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME))

/* --- Waking -------------------------------------------------------------------------------- */

static int64_t wake_bits(struct thread *t, uint64_t address, int32_t count, uint32_t bits)
{
	struct woken woken = { { 0 }, 0 };

	if (!bits)
		return -LINUX_EINVAL;
	lock_take(&futex_lock);
	futex_wake_some(address, count, bits, &woken);
	lock_release(&futex_lock);
	futex_end_sleep(t, &woken);
	return woken.count;
}

int64_t futex_wake(struct thread *t, uint64_t address, uint64_t count)
{
	return wake_bits(t, address, count, ALL_BITS);
}

/* Move at most `count` waiters to another word. Returns how many there were. */
static int64_t move_some(uint64_t from, uint64_t to, int32_t count)
{
	struct thread *t = *futex_bucket(from), *next;
	int64_t done = 0;

	if (count > 0)
		futex_tell(from);
	/* What was appended to the same bucket is behind, and does not wait on `from`. */
	while (done < count && (t = futex_next(t, from, ALL_BITS, false))) {
		next = t->futex.next;
		done++;
		if (from != to) {
			futex_unqueue(t);
			futex_append(t, to);
		}
		t = next;
	}
	return done;
}

static int64_t futex_requeue(struct thread *t, const uint64_t arg[6], bool compare)
{
	int32_t wake = arg[2], move = arg[3];
	struct woken woken = { { 0 }, 0 };
	int64_t result = 0;
	uint32_t word;

	if (wake < 0 || move < 0 || arg[4] & 3)
		return -LINUX_EINVAL;
	lock_take(&futex_lock);
	if (compare && !user_load(&word, arg[0]))
		result = -LINUX_EFAULT;
	else if (compare && word != (uint32_t)arg[5])
		result = -LINUX_EAGAIN;
	if (!result) {
		if (wake)
			futex_wake_some(arg[0], wake, ALL_BITS, &woken);
		result = woken.count + move_some(arg[0], arg[4], move);
	}
	lock_release(&futex_lock);
	futex_end_sleep(t, &woken);
	return result;
}

/* FUTEX_WAKE_OP's operation, coded in 32 bits: what becomes of the word, and what it was. */
struct word_op {
	uint8_t op, compare;
	int32_t operand, against;
};

static struct word_op decode(uint32_t code)
{
	struct word_op op = {
		.op = code >> 28 & 7, .compare = code >> 24 & 15,
		.operand = (int32_t)(code << 8) >> 20, .against = (int32_t)(code << 20) >> 20,
	};

	if (code >> 31)
		op.operand = 1U << (op.operand & 31);
	return op;
}

static uint32_t apply(const struct word_op *op, uint32_t word)
{
	switch (op->op) {
	case 0:
		return op->operand;
	case 1:
		return word + op->operand;
	case 2:
		return word | op->operand;
	case 3:
		return word & ~op->operand;
	default:
		return word ^ op->operand;
	}
}

static bool compares(const struct word_op *op, int32_t word)
{
	switch (op->compare) {
	case 0:
		return word == op->against;
	case 1:
		return word != op->against;
	case 2:
		return word < op->against;
	case 3:
		return word <= op->against;
	case 4:
		return word > op->against;
	default:
		return word >= op->against;
	}
}

static int64_t futex_wake_op(struct thread *t, const uint64_t arg[6])
{
	struct word_op op = decode(arg[5]);
	struct woken woken = { { 0 }, 0 };
	bool good, done = false;
	uint32_t word;

	if (op.op > 4 || op.compare > 5)
		return -LINUX_ENOSYS;
	if (arg[4] & 3)
		return -LINUX_EINVAL;
	lock_take(&futex_lock);
	good = user_load(&word, arg[4]);
	while (good && !done)
		good = user_exchange(arg[4], &word, apply(&op, word), &done);
	if (good) {
		futex_wake_some(arg[0], arg[2], ALL_BITS, &woken);
		if (compares(&op, word))
			futex_wake_some(arg[4], arg[3], ALL_BITS, &woken);
	}
	lock_release(&futex_lock);
	futex_end_sleep(t, &woken);
	return good ? woken.count : -LINUX_EFAULT;
}

/* --- The call -------------------------------------------------------------------------------- */

/* Commands that may sleep. */
static int64_t sleeping(struct thread *t, const uint64_t arg[6], uint32_t command, bool realtime)
{
	struct limit limit;
	int64_t error;

	error = futex_limit(t, &limit, arg[3], command == FUTEX_WAIT,
			   realtime || command == FUTEX_LOCK_PI);
	if (error)
		return error;
	if (command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2)
		return futex_own(t, arg[0], &limit);
	return futex_wait(t, arg[0], arg[2], command == FUTEX_WAIT ? ALL_BITS : arg[5], &limit);
}

EMULATED(call_futex)
{
	uint32_t command = arg[1] & FUTEX_COMMAND;
	bool realtime = arg[1] & FUTEX_CLOCK_REALTIME;

	if (realtime && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2)
		return -LINUX_ENOSYS;
	if (arg[0] & 3)
		return -LINUX_EINVAL;
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return sleeping(t, arg, command, realtime);
	case FUTEX_WAKE:
		return wake_bits(t, arg[0], arg[2], ALL_BITS);
	case FUTEX_WAKE_BITSET:
		return wake_bits(t, arg[0], arg[2], arg[5]);
	case FUTEX_REQUEUE:
		return futex_requeue(t, arg, false);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(t, arg, true);
	case FUTEX_WAKE_OP:
		return futex_wake_op(t, arg);
	case FUTEX_UNLOCK_PI:
		return futex_disown(t, arg[0]);
	case FUTEX_TRYLOCK_PI:
		return futex_try_own(t, arg[0]);
	default:
		note(CARREL_NOTE_ENOSYS, SYS_futex);
		return -LINUX_ENOSYS;
	}
}
