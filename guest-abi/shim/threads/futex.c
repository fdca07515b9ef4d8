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
#include <string.h>

#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "threads/futex.h"
#include "base/host.h"
#include "threads/thread.h"
#include "memory/user.h"
#include "memory/vm.h"

/* The kernel's numbers. */
#define FUTEX_WAIT		0
#define FUTEX_WAKE		1
#define FUTEX_REQUEUE		3
#define FUTEX_CMP_REQUEUE	4
#define FUTEX_WAKE_OP		5
#define FUTEX_LOCK_PI		6
#define FUTEX_UNLOCK_PI		7
#define FUTEX_TRYLOCK_PI	8
#define FUTEX_WAIT_BITSET	9
#define FUTEX_WAKE_BITSET	10
#define FUTEX_LOCK_PI2		13
#define FUTEX_PRIVATE		128
#define FUTEX_CLOCK_REALTIME	256
#define FUTEX_COMMAND		(~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME))
#define ALL_BITS		UINT32_MAX
#define WORD_WAITERS		0x80000000U
#define WORD_OWNER_DIED		0x40000000U
#define WORD_TID		0x3fffffffU
#define CLOCK_REALTIME		0
#define CLOCK_MONOTONIC		1
#define NANOSECONDS		1000000000L
#define SECONDS_MAX		(1L << 33)	/* centuries are for ever */
#define BUCKETS			64
#define LOOK_EVERY		10000000L	/* ns */
#define WAKES_VA		0x7E0060000000UL	/* behind the threads, before the images */
#define ROBUST_MAX		2048		/* as many as the kernel follows */

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

struct lock futex_lock;
static struct thread *buckets[BUCKETS];
static uint32_t *wakes;		/* one number for each word of a page; NULL: nothing is shared yet */

void futex_forked(void)
{
	memset(buckets, 0, sizeof(buckets));
	futex_lock.word = 0;
}

/* --- Memory of several processes ----------------------------------------------------------- */

/* There before whatever two processes share, so it is the same page for both. */
int64_t futex_share(struct thread *t)
{
	struct vm_range part;
	bool any = false;
	int64_t error;

	for (uint64_t at = 0; !any && vm_next(at, VM_HIGH, &part); at = part.end)
		any = part.kind & VM_SHARED;
	if (wakes || !any)
		return 0;
	error = memory_hypercall(t, CARREL_HC_MAP, WAKES_VA, PAGE_SIZE,
				 CARREL_R | CARREL_W | CARREL_MAP_SHARED);
	if (!error)
		wakes = (uint32_t *)WAKES_VA;
	return error;
}

static bool is_shared(uint64_t address)
{
	struct vm_range range;

	return vm_find(address, &range) && range.start <= address && range.kind & VM_SHARED;
}

/* At which place: an address may be another in each process. */
static uint32_t wakes_of(uint64_t address)
{
	return wakes ? __atomic_load_n(&wakes[(address & PAGE_MASK) / 4], __ATOMIC_SEQ_CST) : 0;
}

/* --- Queues, under the lock ---------------------------------------------------------------- */

static struct thread **bucket_of(uint64_t address)
{
	return &buckets[(address >> 2 ^ address >> 12) % BUCKETS];
}

static volatile uint32_t *shadow_of(uint64_t index)
{
	return (volatile uint32_t *)(CARREL_CHANNEL_VA + index * CARREL_SLOT_STRIDE +
				     CARREL_SLOT_SHADOW);
}

/* First come, first woken. */
static void append(struct thread *t, uint64_t address)
{
	struct thread **link = bucket_of(address);

	while (*link)
		link = &(*link)->futex.next;
	t->futex.address = address;
	t->futex.seen = wakes_of(address);
	t->futex.next = NULL;
	*link = t;
}

static void queue(struct thread *t, uint64_t address, uint32_t bitset, bool owner)
{
	t->futex.bitset = bitset;
	t->futex.owner = owner;
	append(t, address);
	*shadow_of(t->index) = 0;
}

static void unqueue(struct thread *t)
{
	struct thread **link = bucket_of(t->futex.address);

	while (*link != t)
		link = &(*link)->futex.next;
	*link = t->futex.next;
	t->futex.address = 0;
}

void futex_forget(struct thread *t)
{
	lock_take(&futex_lock);
	if (t->futex.address)
		unqueue(t);
	lock_release(&futex_lock);
}

static void take_off(struct thread *t, struct woken *woken)
{
	unqueue(t);
	woken->bits[t->index / 64] |= 1UL << (t->index % 64);
	woken->count++;
}

/* The next waiter on `address` from `t` on, of those that wait for one of `bits`, or to own. */
static struct thread *next_waiter(struct thread *t, uint64_t address, uint32_t bits, bool owner)
{
	while (t && (t->futex.address != address || t->futex.owner != owner ||
		     !(t->futex.bitset & bits)))
		t = t->futex.next;
	return t;
}

/* Other processes hear of it when they look; who waits in this one is woken, or not. */
static void tell_family(uint64_t address)
{
	if (!wakes || !is_shared(address))
		return;
	__atomic_fetch_add(&wakes[(address & PAGE_MASK) / 4], 1, __ATOMIC_SEQ_CST);
	for (struct thread *t = *bucket_of(address); t; t = t->futex.next)
		t->futex.seen += t->futex.address == address;
}

/* Like the kernel, one at least. */
static void wake_some(uint64_t address, int32_t count, uint32_t bits, struct woken *woken)
{
	struct thread *t = *bucket_of(address), *next;
	int32_t done = 0;

	tell_family(address);
	while ((t = next_waiter(t, address, bits, false))) {
		next = t->futex.next;
		take_off(t, woken);
		if (++done >= count)
			return;
		t = next;
	}
}

/* Without the lock: a call of the host's for each, so not while others wait for it. */
static void end_sleep(struct thread *t, const struct woken *woken)
{
	for (uint64_t word = 0; woken->count && word < CARREL_SLOTS_MAX / 64; word++) {
		for (uint64_t bits = woken->bits[word]; bits; bits &= bits - 1) {
			volatile uint32_t *shadow = shadow_of(word * 64 + __builtin_ctzl(bits));

			*shadow = 1;
			host_call_own(t, SYS_futex, (uint64_t)shadow, FUTEX_WAKE | FUTEX_PRIVATE, 1, 0);
		}
	}
}

/* --- Waiting ------------------------------------------------------------------------------- */

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
		(uint64_t)shadow_of(t->index),
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
		unqueue(t);
	} else if (t->noted) {
		*result = -LINUX_EINTR;
		unqueue(t);
	} else {
		*shadow_of(t->index) = 0;
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
	       wakes_of(t->futex.address) != t->futex.seen;
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
		unqueue(t);
	lock_release(&futex_lock);
	return value == -LINUX_ETIMEDOUT && !last ? 0 : value;
}

/* A queued thread sleeps until it is woken. `expected` is the word, unless it waits to own it. */
static int64_t wait_queued(struct thread *t, const struct limit *limit, uint32_t expected)
{
	bool slept = false, shared = !t->futex.owner && is_shared(t->futex.address);
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

static int64_t futex_wait(struct thread *t, uint64_t address, uint32_t expected, uint32_t bits,
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
		queue(t, address, bits, false);
	lock_release(&futex_lock);
	return error ? error : wait_queued(t, limit, expected);
}

/* The program's timespec as a point in time. */
static int64_t take_limit(struct thread *t, struct limit *limit, uint64_t address, bool relative,
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

/* --- Waking -------------------------------------------------------------------------------- */

static int64_t wake_bits(struct thread *t, uint64_t address, int32_t count, uint32_t bits)
{
	struct woken woken = { { 0 }, 0 };

	if (!bits)
		return -LINUX_EINVAL;
	lock_take(&futex_lock);
	wake_some(address, count, bits, &woken);
	lock_release(&futex_lock);
	end_sleep(t, &woken);
	return woken.count;
}

int64_t futex_wake(struct thread *t, uint64_t address, uint64_t count)
{
	return wake_bits(t, address, count, ALL_BITS);
}

/* Move at most `count` waiters to another word. Returns how many there were. */
static int64_t move_some(uint64_t from, uint64_t to, int32_t count)
{
	struct thread *t = *bucket_of(from), *next;
	int64_t done = 0;

	if (count > 0)
		tell_family(from);
	/* What was appended to the same bucket is behind, and does not wait on `from`. */
	while (done < count && (t = next_waiter(t, from, ALL_BITS, false))) {
		next = t->futex.next;
		done++;
		if (from != to) {
			unqueue(t);
			append(t, to);
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
			wake_some(arg[0], wake, ALL_BITS, &woken);
		result = woken.count + move_some(arg[0], arg[4], move);
	}
	lock_release(&futex_lock);
	end_sleep(t, &woken);
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
		wake_some(arg[0], arg[2], ALL_BITS, &woken);
		if (compares(&op, word))
			wake_some(arg[4], arg[3], ALL_BITS, &woken);
	}
	lock_release(&futex_lock);
	end_sleep(t, &woken);
	return good ? woken.count : -LINUX_EFAULT;
}

/* --- Words that name their owner: handed over, without the loan of a priority ---------------- */

/*
 * Under the lock: t owns the word, or others know that it waits. 1 if it has to wait; the
 * owner, who has no reason to ask us as long as nobody waits, may let go at any time.
 */
static int64_t try_own(struct thread *t, uint64_t address, bool wait)
{
	uint32_t word;
	bool done;

	if (!user_load(&word, address))
		return -LINUX_EFAULT;
	for (;;) {
		uint32_t owner = word & WORD_TID, new = word | WORD_WAITERS;

		if (owner == t->tid)
			return -LINUX_EDEADLK;
		if (!owner)
			new = t->tid | (word & ~WORD_TID);
		else if (!wait)
			return -LINUX_EAGAIN;
		else if (!thread_find(owner))
			return -LINUX_ESRCH;
		if (!user_exchange(address, &word, new, &done))
			return -LINUX_EFAULT;
		if (done)
			return owner != 0;
	}
}

static int64_t futex_own(struct thread *t, uint64_t address, const struct limit *limit)
{
	int64_t result;

	lock_take(&futex_lock);
	result = try_own(t, address, true);
	if (result > 0)
		queue(t, address, ALL_BITS, true);
	lock_release(&futex_lock);
	return result > 0 ? wait_queued(t, limit, 0) : result;
}

static int64_t futex_try_own(struct thread *t, uint64_t address)
{
	int64_t result;

	lock_take(&futex_lock);
	result = try_own(t, address, false);
	lock_release(&futex_lock);
	return result;
}

/* Under the lock: the word is the next waiter's, or nobody's. */
static bool hand_over(uint64_t address, uint32_t flags, struct woken *woken)
{
	struct thread *next = next_waiter(*bucket_of(address), address, ALL_BITS, true);
	uint32_t word, new = flags;
	bool done = false;

	if (next) {
		new |= next->tid;
		if (next_waiter(next->futex.next, address, ALL_BITS, true))
			new |= WORD_WAITERS;
	}
	if (!user_load(&word, address))
		return false;
	while (!done)
		if (!user_exchange(address, &word, new, &done))
			return false;
	if (next)
		take_off(next, woken);
	return true;
}

static int64_t futex_disown(struct thread *t, uint64_t address)
{
	struct woken woken = { { 0 }, 0 };
	int64_t result = -LINUX_EFAULT;
	uint32_t word;

	lock_take(&futex_lock);
	if (user_load(&word, address)) {
		if ((word & WORD_TID) != t->tid)
			result = -LINUX_EPERM;
		else if (hand_over(address, 0, &woken))
			result = 0;
	}
	lock_release(&futex_lock);
	end_sleep(t, &woken);
	return result;
}

/* --- The end of an owner -------------------------------------------------------------------- */

/* The kernel's struct robust_list_head; the lowest bit of an address tells words with owners. */
struct robust_list {
	uint64_t next;
	int64_t offset;
	uint64_t pending;
};

static bool owner_died(struct thread *t, uint64_t address, bool owned, bool pending)
{
	struct woken woken = { { 0 }, 0 };
	bool good, done = false;
	uint32_t word;

	lock_take(&futex_lock);
	good = user_load(&word, address);
	/* It had let go, and not come to wake: one that waits may have to look again. */
	if (good && pending && !owned && !word)
		wake_some(address, 1, ALL_BITS, &woken);
	while (good && !done && (word & WORD_TID) == t->tid) {
		if (owned && word & WORD_WAITERS) {
			good = done = hand_over(address, WORD_OWNER_DIED, &woken);
			break;
		}
		good = user_exchange(address, &word, (word & WORD_WAITERS) | WORD_OWNER_DIED, &done);
		if (good && done && word & WORD_WAITERS)
			wake_some(address, 1, ALL_BITS, &woken);
	}
	lock_release(&futex_lock);
	end_sleep(t, &woken);
	return good;
}

void futex_robust(struct thread *t)
{
	struct robust_list list;
	uint64_t entry, next;

	if (!t->robust_list || !user_get(&list, t->robust_list, sizeof(list)))
		return;
	entry = list.next;
	for (int i = 0; i < ROBUST_MAX && (entry & ~1UL) != t->robust_list; i++) {
		/* The next first: once free, the entry is another thread's. */
		bool more = user_get(&next, entry & ~1UL, sizeof(next));

		if ((entry ^ list.pending) & ~1UL &&
		    !owner_died(t, (entry & ~1UL) + list.offset, entry & 1, false))
			return;
		if (!more)
			return;
		entry = next;
	}
	if (list.pending)
		owner_died(t, (list.pending & ~1UL) + list.offset, list.pending & 1, true);
}

/* --- The call -------------------------------------------------------------------------------- */

/* Commands that may sleep. */
static int64_t sleeping(struct thread *t, const uint64_t arg[6], uint32_t command, bool realtime)
{
	struct limit limit;
	int64_t error;

	error = take_limit(t, &limit, arg[3], command == FUTEX_WAIT,
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
