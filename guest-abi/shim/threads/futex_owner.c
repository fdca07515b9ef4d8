/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that name their owner: handed over, without the loan of a priority; and what becomes of
 * them when the owner ends. See futex.c and futex_inner.h.
 */
#include "base/host.h"
#include "memory/user.h"
#include "threads/futex_inner.h"
#include "threads/thread.h"

#define WORD_WAITERS	0x80000000U
#define WORD_OWNER_DIED	0x40000000U
#define WORD_TID	0x3fffffffU
#define ROBUST_MAX	2048		/* as many as the kernel follows */

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

int64_t futex_own(struct thread *t, uint64_t address, const struct limit *limit)
{
	int64_t result;

	lock_take(&futex_lock);
	result = try_own(t, address, true);
	if (result > 0)
		futex_queue(t, address, ALL_BITS, true);
	lock_release(&futex_lock);
	return result > 0 ? futex_sleep(t, limit, 0) : result;
}

int64_t futex_try_own(struct thread *t, uint64_t address)
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
	struct thread *next = futex_next(*futex_bucket(address), address, ALL_BITS, true);
	uint32_t word, new = flags;
	bool done = false;

	if (next) {
		new |= next->tid;
		if (futex_next(next->futex.next, address, ALL_BITS, true))
			new |= WORD_WAITERS;
	}
	if (!user_load(&word, address))
		return false;
	while (!done)
		if (!user_exchange(address, &word, new, &done))
			return false;
	if (next)
		futex_take_off(next, woken);
	return true;
}

int64_t futex_disown(struct thread *t, uint64_t address)
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
	futex_end_sleep(t, &woken);
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
		futex_wake_some(address, 1, ALL_BITS, &woken);
	while (good && !done && (word & WORD_TID) == t->tid) {
		if (owned && word & WORD_WAITERS) {
			good = done = hand_over(address, WORD_OWNER_DIED, &woken);
			break;
		}
		good = user_exchange(address, &word, (word & WORD_WAITERS) | WORD_OWNER_DIED, &done);
		if (good && done && word & WORD_WAITERS)
			futex_wake_some(address, 1, ALL_BITS, &woken);
	}
	lock_release(&futex_lock);
	futex_end_sleep(t, &woken);
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
