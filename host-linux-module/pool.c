// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Memory that leaves the kernel: chunks to donate, blocks to lend, and what they are charged to. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page-flags.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "hypercall.h"
#include "pool.h"

/*
 * Charged to the cgroup, whose limit may fail it; tries hard, but never by the
 * OOM killer, and a failure is the caller's to report.
 */
#define POOL_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Chunks that the firmware's map does not let the hypervisor take, before giving up. */
#define REFUSALS_MAX	8

static atomic_long_t leaked = ATOMIC_LONG_INIT(0);

static int leaked_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%ld\n", atomic_long_read(&leaked));
}

static const struct kernel_param_ops leaked_ops = { .get = leaked_get };
module_param_cb(leaked_pages, &leaked_ops, NULL, 0444);
MODULE_PARM_DESC(leaked_pages, "pages the hypervisor did not give back (read-only)");

static void leak(unsigned long pages)
{
	if (atomic_long_fetch_add(pages, &leaked) == 0)
		pr_warn("the hypervisor did not give back %lu pages: they stay out of use\n",
			pages);
}

int pool_charge(struct user_struct *user, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long old = atomic_long_read(&user->locked_vm);

	do {
		if (old + pages > limit && !capable(CAP_IPC_LOCK))
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &old, old + pages));
	return 0;
}

void pool_uncharge(struct user_struct *user, unsigned long pages)
{
	atomic_long_sub(pages, &user->locked_vm);
}

/* Readers of raw memory (/proc/kcore, dumps) skip pages so marked. */
static void mark(struct page *page)
{
	unsigned long i;

	page_offline_begin();
	for (i = 0; i < CHUNK_PAGES; i++)
		__SetPageOffline(page + i);
	page_offline_end();
}

static void unmark(struct page *page)
{
	unsigned long i;

	for (i = 0; i < CHUNK_PAGES; i++)
		__ClearPageOffline(page + i);
}

static u64 chunk_number(struct page *page)
{
	return page_to_pfn(page) >> CHUNK_ORDER;
}

static void free_chunk_pages(struct page *page)
{
	unmark(page);
	__free_pages(page, CHUNK_ORDER);
}

/* After a donation that stopped halfway: true if the chunk is the kernel's again. */
static bool undo_donation(u64 chunk)
{
	struct hc_regs regs = { .rdi = chunk };

	/* Only what has wholly left can come back. Refused if it has: no matter. */
	hc_finish(CARREL_HC_DONATE, &regs);
	regs = (struct hc_regs){ .rdi = chunk };
	return hc_finish(CARREL_HC_RETURN, &regs) == 0;
}

/*
 * One try. 0: the hypervisor has the chunk. Otherwise a result of DONATE; the
 * pages are then the kernel's, or given up (*lost) if they could not be had back.
 */
static long donate_pages(struct page *page, u64 process, bool *lost)
{
	struct hc_regs regs = { .rdi = chunk_number(page), .rsi = process };
	long result;
	bool begun;

	*lost = false;
	mark(page);
	result = hc_once(CARREL_HC_DONATE, &regs);
	begun = result > 0 || result == CARREL_EBUSY;
	if (begun) {
		regs = (struct hc_regs){ .rdi = chunk_number(page), .rsi = process };
		result = hc_finish(CARREL_HC_DONATE, &regs);
	}
	if (result == 0)
		return 0;
	if (begun && !undo_donation(chunk_number(page))) {
		leak(CHUNK_PAGES);
		*lost = true;
	} else {
		unmark(page);
	}
	return result;
}

/*
 * Pages that the hypervisor takes. Those it refuses as not donatable are held
 * until the end, else the allocator would offer them again.
 */
static struct page *find_and_donate(u64 process)
{
	struct page *refused[REFUSALS_MAX];
	struct page *page = NULL;
	unsigned int n = 0;
	bool lost = false;
	long result = 0;

	while (n < REFUSALS_MAX) {
		page = alloc_pages(POOL_GFP, CHUNK_ORDER);
		if (!page)
			break;
		result = donate_pages(page, process, &lost);
		if (result == 0 || lost)
			break;
		refused[n++] = page;
		page = NULL;
		if (result != CARREL_EOWNER && result != CARREL_EARG)
			break;
	}
	while (n > 0)
		__free_pages(refused[--n], CHUNK_ORDER);
	if (page && !lost)
		return page;
	if (result == 0)
		return ERR_PTR(-ENOMEM);
	/* A frame that cannot be donated is a want of memory, not the user's mistake. */
	if (result == CARREL_EARG || result == CARREL_EOWNER)
		result = CARREL_ENOMEM;
	return ERR_PTR(hc_errno(CARREL_HC_DONATE, result));
}

struct chunk *pool_donate(struct user_struct *user, u64 process)
{
	struct chunk *chunk;
	struct page *page;
	int error;

	error = pool_charge(user, CHUNK_PAGES);
	if (error)
		return ERR_PTR(error);
	chunk = kmalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk) {
		error = -ENOMEM;
		goto uncharge;
	}
	page = find_and_donate(process);
	if (IS_ERR(page)) {
		error = PTR_ERR(page);
		goto free;
	}
	chunk->page = page;
	INIT_LIST_HEAD(&chunk->list);
	return chunk;
free:
	kfree(chunk);
uncharge:
	pool_uncharge(user, CHUNK_PAGES);
	return ERR_PTR(error);
}

void pool_take_back(struct user_struct *user, struct chunk *chunk)
{
	struct hc_regs regs = { .rdi = chunk_number(chunk->page) };
	long result = hc_finish(CARREL_HC_RETURN, &regs);

	if (result == 0) {
		free_chunk_pages(chunk->page);
	} else {
		hc_errno(CARREL_HC_RETURN, result);
		leak(CHUNK_PAGES);
	}
	pool_uncharge(user, CHUNK_PAGES);
	kfree(chunk);
}

/* Split, because the host's page tables and pins count its pages one by one. */
struct page *pool_block(void)
{
	struct page *page = alloc_pages(POOL_GFP | __GFP_ZERO, BLOCK_ORDER);

	if (page)
		split_page(page, BLOCK_ORDER);
	return page;
}

void pool_free_block(struct page *block)
{
	unsigned long i;

	for (i = 0; i < BLOCK_PAGES; i++)
		put_page(block + i);
}

void pool_leak_block(struct page *block)
{
	leak(BLOCK_PAGES);
}
