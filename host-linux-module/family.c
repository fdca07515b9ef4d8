// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Memory of one secure process and of all that fork made from it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include "family.h"
#include "hypercall.h"
#include "pool.h"

struct family {
	struct kref references;		/* one for each process */
	struct list_head all;		/* in all_families */
	const struct cred *owner;	/* whose user is charged */
	bool unlimited;			/* by RLIMIT_MEMLOCK; set before the first charge */
	struct mutex lock;		/* of all that follows */
	unsigned int members;		/* that the hypervisor knows */
	bool lost;			/* ... and one that it keeps for ever */
	u32 limit, count;		/* chunks of 2 MiB */
	struct list_head chunks;
};

static DEFINE_MUTEX(all_lock);	/* of the list; nothing is allocated under it */
static LIST_HEAD(all_families);
/* Chunks of all families, for the shrinker. */
static atomic_long_t donated = ATOMIC_LONG_INIT(0);
/* This kernel is about to end: nothing more is given to the hypervisor. */
static bool closing;

struct family *family_new(void)
{
	struct family *family = kzalloc(sizeof(*family), GFP_KERNEL_ACCOUNT);

	if (!family)
		return NULL;
	kref_init(&family->references);
	mutex_init(&family->lock);
	INIT_LIST_HEAD(&family->chunks);
	family->owner = get_current_cred();
	mutex_lock(&all_lock);
	list_add(&family->all, &all_families);
	mutex_unlock(&all_lock);
	return family;
}

void family_get(struct family *family)
{
	kref_get(&family->references);
}

static void family_free(struct kref *kref)
{
	struct family *family = container_of(kref, struct family, references);

	mutex_lock(&all_lock);
	list_del(&family->all);
	mutex_unlock(&all_lock);
	mutex_destroy(&family->lock);
	put_cred(family->owner);
	kfree(family);
}

void family_put(struct family *family)
{
	kref_put(&family->references, family_free);
}

int family_charge(struct family *family, unsigned long pages)
{
	return pool_charge(family->owner->user, family->unlimited, pages);
}

void family_uncharge(struct family *family, unsigned long pages)
{
	pool_uncharge(family->owner->user, pages);
}

bool family_is_full(const struct family *family)
{
	return READ_ONCE(family->count) >= READ_ONCE(family->limit);
}

/* One more chunk, within the limit. `process` is 0 before CREATE. */
static int grow_by_one(struct family *family, u64 process)
{
	struct chunk *chunk;

	if (family_is_full(family) || READ_ONCE(closing))
		return -ENOMEM;
	if (fatal_signal_pending(current))
		return -EINTR;
	if (family_charge(family, CHUNK_PAGES))
		return -ENOMEM;
	chunk = pool_donate(process);
	if (IS_ERR(chunk)) {
		family_uncharge(family, CHUNK_PAGES);
		return PTR_ERR(chunk);
	}
	list_add_tail(&chunk->list, &family->chunks);
	WRITE_ONCE(family->count, family->count + 1);
	atomic_long_inc(&donated);
	return 0;
}

/* `chunk` is not of the family any more. */
static void lost_one(struct family *family)
{
	family_uncharge(family, CHUNK_PAGES);
	WRITE_ONCE(family->count, family->count - 1);
	atomic_long_dec(&donated);
}

int family_grow(struct family *family, u64 process, unsigned int more)
{
	unsigned int n;
	int error = 0;

	for (n = 0; n <= more && !error; n++) {
		mutex_lock(&family->lock);
		error = grow_by_one(family, process);
		mutex_unlock(&family->lock);
		cond_resched();
	}
	return n > 1 ? 0 : error;
}

/* Under one lock, so that the shrinker cannot take the chunk back in between. */
int family_create(struct family *family, u32 limit, struct hc_regs *regs)
{
	struct chunk *chunk;
	long result;
	int error = 0;

	mutex_lock(&family->lock);
	WRITE_ONCE(family->limit, limit);
	family->unlimited = capable(CAP_IPC_LOCK);
	if (list_empty(&family->chunks))
		error = grow_by_one(family, 0);
	if (!error) {
		chunk = list_first_entry(&family->chunks, struct chunk, list);
		regs->rdi = page_to_pfn(chunk->page) >> CHUNK_ORDER;
		result = hc_finish(CARREL_HC_CREATE, regs);
		error = result ? hc_errno(CARREL_HC_CREATE, result) : 0;
	}
	if (!error)
		family->members++;
	mutex_unlock(&family->lock);
	return error;
}

void family_join(struct family *family)
{
	mutex_lock(&family->lock);
	family->members++;
	mutex_unlock(&family->lock);
}

/* True if all of them are the kernel's, or lost for good. */
static bool take_all_back(struct family *family)
{
	struct chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &family->chunks, list) {
		list_del(&chunk->list);
		if (!pool_take_back(chunk, family->lost)) {
			list_add(&chunk->list, &family->chunks);
			return false;
		}
		lost_one(family);
		cond_resched();
	}
	return true;
}

bool family_leave(struct family *family, bool *member, bool lost)
{
	bool done;

	mutex_lock(&family->lock);
	family->members -= *member;
	*member = false;
	family->lost |= lost;
	done = family->members || take_all_back(family);
	mutex_unlock(&family->lock);
	return done;
}

/*
 * Asks for at most `tries` chunks, the one that was asked for longest ago first. How many
 * came back. Stops at a CPU that does not flush: nobody can wait here.
 */
static unsigned int trim(struct family *family, unsigned int tries)
{
	struct chunk *chunk;
	unsigned int freed = 0;
	long result;

	tries = min(tries, family->count);
	while (tries-- > 0 && !READ_ONCE(closing) && !fatal_signal_pending(current)) {
		chunk = list_first_entry(&family->chunks, struct chunk, list);
		list_del(&chunk->list);
		result = pool_take_back_unused(chunk);
		if (result == 0) {
			lost_one(family);
			freed++;
		} else {
			list_add_tail(&chunk->list, &family->chunks);
		}
		if (result > 0)
			break;
		cond_resched();
	}
	return freed;
}

void family_trim(struct family *family)
{
	mutex_lock(&family->lock);
	trim(family, UINT_MAX);
	mutex_unlock(&family->lock);
}

void family_close_all(void)
{
	WRITE_ONCE(closing, true);
}

/* --- Under memory pressure ------------------------------------------------------------------ */

static unsigned long shrink_count(struct shrinker *unused, struct shrink_control *control)
{
	return atomic_long_read(&donated);
}

/*
 * Whoever is short of memory comes here, even a family that wants a chunk and holds its lock.
 * Families take turns, and so do a family's chunks. `nr_to_scan` counts chunks that are asked for.
 */
static unsigned long shrink_scan(struct shrinker *unused, struct shrink_control *control)
{
	unsigned int freed = 0, tries, turns = 0;
	struct family *family;
	long left = control->nr_to_scan;

	if (!mutex_trylock(&all_lock))
		return SHRINK_STOP;
	list_for_each_entry(family, &all_families, all)
		turns++;
	while (turns-- > 0 && left > 0) {
		family = list_first_entry(&all_families, struct family, all);
		list_move_tail(&family->all, &all_families);
		if (!mutex_trylock(&family->lock))
			continue;
		tries = min_t(long, left, family->count);
		freed += trim(family, tries);
		left -= tries;
		mutex_unlock(&family->lock);
	}
	mutex_unlock(&all_lock);
	return freed;
}

static struct shrinker shrinker = {
	.count_objects = shrink_count,
	.scan_objects = shrink_scan,
	.seeks = DEFAULT_SEEKS,
	.batch = 16,
};

int family_init(void)
{
	return register_shrinker(&shrinker, "carrel");
}

void family_exit(void)
{
	unregister_shrinker(&shrinker);
}
