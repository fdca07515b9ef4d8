/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Memory that leaves the kernel: chunks to donate, blocks to lend, and what they are charged to. */
#ifndef CARREL_MODULE_POOL_H
#define CARREL_MODULE_POOL_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/sched/user.h>
#include <carrel/channel.h>
#include "retry.h"

#define CHUNK_ORDER	(CARREL_CHUNK_SHIFT - PAGE_SHIFT)
#define CHUNK_PAGES	(1UL << CHUNK_ORDER)
#define BLOCK_ORDER	(CARREL_BLOCK_SHIFT - PAGE_SHIFT)
#define BLOCK_PAGES	(1UL << BLOCK_ORDER)

/* A chunk of 2 MiB that the hypervisor has. */
struct chunk {
	struct list_head list;		/* the owner's */
	struct page *page;
	struct retry retry;		/* while nobody owns it */
};

/*
 * Charges pages that no LRU can reclaim to `user`. -ENOMEM above RLIMIT_MEMLOCK of the
 * current task, unless `unlimited`.
 */
int pool_charge(struct user_struct *user, bool unlimited, unsigned long pages);
void pool_uncharge(struct user_struct *user, unsigned long pages);

/*
 * Takes a chunk from the kernel, charged to the current cgroup, and donates it:
 * to `process`, or to nobody in particular if that is 0. Sleeps. -ENOMEM: none to
 * be had; -ETIMEDOUT: a CPU does not flush; -EIO, -ENOSPC: the hypervisor refused.
 */
struct chunk *pool_donate(u64 process);

/*
 * Asks the chunk back. Sleeps. True: it is done, `chunk` is freed. What the
 * hypervisor refuses to give is never freed: it stays marked, out of use, and is
 * counted. False: a CPU still owes a flush, or (unless `lost`) something is in it; ask again later.
 */
bool pool_take_back(struct chunk *chunk, bool lost);

/*
 * Asks for a chunk back that a process may be using. Sleeps. 0: it is done, `chunk` is freed.
 * Otherwise it stays as it is: negative if something is in it, 1 if a CPU still owes a flush.
 */
long pool_take_back_unused(struct chunk *chunk);

/* A zeroed block of the channel, every page with a count of its own; NULL if there is none. */
struct page *pool_block(void);
void pool_free_block(struct page *block);

/* Counts a block that cannot be freed because it may still be lent. */
void pool_leak_block(struct page *block);

#endif
