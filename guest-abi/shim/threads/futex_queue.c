/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits for what: see futex.c and futex_inner.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/host.h"
#include "memory/vm.h"
#include "threads/futex_inner.h"

#define BUCKETS		64
#define WAKES_VA	0x7E0060000000UL	/* behind the threads, before the images */

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

bool futex_is_shared(uint64_t address)
{
	struct vm_range range;

	return vm_find(address, &range) && range.start <= address && range.kind & VM_SHARED;
}

/* At which place: an address may be another in each process. */
uint32_t futex_wakes(uint64_t address)
{
	return wakes ? __atomic_load_n(&wakes[(address & PAGE_MASK) / 4], __ATOMIC_SEQ_CST) : 0;
}

/* --- Queues, under the lock ---------------------------------------------------------------- */

struct thread **futex_bucket(uint64_t address)
{
	return &buckets[(address >> 2 ^ address >> 12) % BUCKETS];
}

volatile uint32_t *futex_shadow(uint64_t index)
{
	return (volatile uint32_t *)(CARREL_CHANNEL_VA + index * CARREL_SLOT_STRIDE +
				     CARREL_SLOT_SHADOW);
}

/* First come, first woken. */
void futex_append(struct thread *t, uint64_t address)
{
	struct thread **link = futex_bucket(address);

	while (*link)
		link = &(*link)->futex.next;
	t->futex.address = address;
	t->futex.seen = futex_wakes(address);
	t->futex.next = NULL;
	*link = t;
}

void futex_queue(struct thread *t, uint64_t address, uint32_t bitset, bool owner)
{
	t->futex.bitset = bitset;
	t->futex.owner = owner;
	futex_append(t, address);
	*futex_shadow(t->index) = 0;
}

void futex_unqueue(struct thread *t)
{
	struct thread **link = futex_bucket(t->futex.address);

	while (*link != t)
		link = &(*link)->futex.next;
	*link = t->futex.next;
	t->futex.address = 0;
}

void futex_forget(struct thread *t)
{
	lock_take(&futex_lock);
	if (t->futex.address)
		futex_unqueue(t);
	lock_release(&futex_lock);
}

void futex_take_off(struct thread *t, struct woken *woken)
{
	futex_unqueue(t);
	woken->bits[t->index / 64] |= 1UL << (t->index % 64);
	woken->count++;
}

struct thread *futex_next(struct thread *t, uint64_t address, uint32_t bits, bool owner)
{
	while (t && (t->futex.address != address || t->futex.owner != owner ||
		     !(t->futex.bitset & bits)))
		t = t->futex.next;
	return t;
}

void futex_tell(uint64_t address)
{
	if (!wakes || !futex_is_shared(address))
		return;
	__atomic_fetch_add(&wakes[(address & PAGE_MASK) / 4], 1, __ATOMIC_SEQ_CST);
	for (struct thread *t = *futex_bucket(address); t; t = t->futex.next)
		t->futex.seen += t->futex.address == address;
}

void futex_wake_some(uint64_t address, int32_t count, uint32_t bits, struct woken *woken)
{
	struct thread *t = *futex_bucket(address), *next;
	int32_t done = 0;

	futex_tell(address);
	while ((t = futex_next(t, address, bits, false))) {
		next = t->futex.next;
		futex_take_off(t, woken);
		if (++done >= count)
			return;
		t = next;
	}
}

/* Without the lock: a call of the host's for each, so not while others wait for it. */
void futex_end_sleep(struct thread *t, const struct woken *woken)
{
	for (uint64_t word = 0; woken->count && word < CARREL_SLOTS_MAX / 64; word++) {
		for (uint64_t bits = woken->bits[word]; bits; bits &= bits - 1) {
			volatile uint32_t *shadow = futex_shadow(word * 64 + __builtin_ctzl(bits));

			*shadow = 1;
			host_call_own(t, SYS_futex, (uint64_t)shadow, FUTEX_WAKE | FUTEX_PRIVATE, 1, 0);
		}
	}
}
