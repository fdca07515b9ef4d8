// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Memory that leaves the kernel: chunks to donate, blocks to lend, and what they are charged to. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

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
/* Races that a donation may lose before it begins. */
#define BUSY_TRIES	1000

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

int pool_charge(struct user_struct *user, bool unlimited, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long old = atomic_long_read(&user->locked_vm);

	do {
		if (!unlimited && old + pages > limit)
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

/* A call with the chunk and one more argument. */
static long call(unsigned int nr, struct chunk *chunk, u64 process)
{
	struct hc_regs regs = { .rdi = chunk_number(chunk->page), .rsi = process };

	return hc_finish(nr, &regs);
}

static bool unfinished(long result)
{
	return result == CARREL_PENDING || result == CARREL_EBUSY;
}

/*
 * What is still on its way to the hypervisor must arrive before it can come
 * back; a DONATE of any other chunk is refused, which is no matter here.
 */
static long ask_back(struct chunk *chunk)
{
	long result = call(CARREL_HC_RETURN, chunk, 0);

	if (result != CARREL_ESTATE)
		return result;
	result = call(CARREL_HC_DONATE, chunk, 0);
	return unfinished(result) ? result : call(CARREL_HC_RETURN, chunk, 0);
}

static void free_chunk(struct chunk *chunk)
{
	unmark(chunk->page);
	__free_pages(chunk->page, CHUNK_ORDER);
	kfree(chunk);
}

/*
 * ESTATE is no end: a carrier may have adopted a child of another family, whose processes can
 * have something in the chunk until they end. It is one if a process cannot be destroyed.
 */
bool pool_take_back(struct chunk *chunk, bool lost)
{
	long result = ask_back(chunk);

	if (unfinished(result) || (result == CARREL_ESTATE && !lost))
		return false;
	if (result == 0) {
		free_chunk(chunk);
		return true;
	}
	hc_errno(CARREL_HC_RETURN, result);
	leak(CHUNK_PAGES);
	kfree(chunk);
	return true;
}

long pool_take_back_unused(struct chunk *chunk)
{
	long result = call(CARREL_HC_RETURN, chunk, 0);

	if (result == 0)
		free_chunk(chunk);
	return unfinished(result) ? 1 : result;
}

static bool take_back_again(struct retry *retry)
{
	return pool_take_back(container_of(retry, struct chunk, retry), false);
}

/*
 * One try to donate the pages of `chunk`. 0: the hypervisor has them. Otherwise a
 * result of DONATE: refused, and the pages are the kernel's as before; or stopped
 * halfway (*begun), so that they must be asked back.
 */
static long try_donate(struct chunk *chunk, u64 process, bool *begun)
{
	unsigned int tries = 0;
	struct hc_regs regs;
	long result;

	mark(chunk->page);
	do {
		regs = (struct hc_regs){ .rdi = chunk_number(chunk->page), .rsi = process };
		result = hc_once(CARREL_HC_DONATE, &regs);
	} while (result == CARREL_EBUSY && ++tries < BUSY_TRIES);
	*begun = result >= 0;
	if (result > 0)
		result = call(CARREL_HC_DONATE, chunk, process);
	if (!*begun)
		unmark(chunk->page);
	return result;
}

/*
 * Finds pages that the hypervisor takes; 0 or an errno. Those it refuses as not
 * donatable are held until the end, else the allocator would offer them again.
 * *begun: chunk->page is at the hypervisor, wholly (0) or halfway.
 */
static int find_and_donate(struct chunk *chunk, u64 process, bool *begun)
{
	struct page *refused[REFUSALS_MAX];
	long result = CARREL_ENOMEM;
	unsigned int n = 0;

	*begun = false;
	while (n < REFUSALS_MAX && !*begun) {
		chunk->page = alloc_pages(POOL_GFP, CHUNK_ORDER);
		if (!chunk->page)
			break;
		result = try_donate(chunk, process, begun);
		if (*begun)
			break;
		refused[n++] = chunk->page;
		if (result != CARREL_EOWNER && result != CARREL_EARG)
			break;
	}
	while (n > 0)
		__free_pages(refused[--n], CHUNK_ORDER);
	if (result == 0)
		return 0;
	/* A frame that cannot be donated is a want of memory, not the user's mistake. */
	if (result == CARREL_EARG || result == CARREL_EOWNER)
		result = CARREL_ENOMEM;
	return hc_errno(CARREL_HC_DONATE, result);
}

struct chunk *pool_donate(u64 process)
{
	struct chunk *chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	bool begun;
	int error;

	if (!chunk)
		return ERR_PTR(-ENOMEM);
	error = find_and_donate(chunk, process, &begun);
	if (!error)
		return chunk;
	if (!begun)
		kfree(chunk);
	else if (error == -ETIMEDOUT || !pool_take_back(chunk, false))
		retry_later(&chunk->retry, take_back_again);
	return ERR_PTR(error);
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
