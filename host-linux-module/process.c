// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* One secure process, as this kernel sees it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "hypercall.h"
#include "pool.h"
#include "process.h"

enum state {
	OPENED,		/* no mapping yet */
	BOUND,		/* mapped; nothing at the hypervisor */
	CREATED,	/* pages may be added */
	STARTED,	/* measured; threads may enter */
	ENDED,		/* the mapping is gone, or CREATE failed for good */
};

struct process {
	struct kref references;		/* one for the file, one for the mapping */
	struct list_head all;		/* in all_processes */
	struct mutex lock;		/* of all that follows but `channel` and `owner` */
	enum state state;
	struct mm_struct *mm;		/* compared, never followed; NULL once ENDED */
	const struct cred *owner;	/* whose user is charged */
	u64 id;
	u32 limit, chunk_count;		/* chunks of 2 MiB */
	struct list_head chunks;
	unsigned int block_count;
	struct page **blocks;		/* of the channel; NULL before and after they exist */
	bool lost;			/* DESTROY was refused: the blocks may still be mapped */
	struct retry retry;		/* once ENDED and not yet destroyed */
	/*
	 * The blocks, once all of them are lent. Set with release semantics, since
	 * faults read it without the lock; they exist until the mapping is gone.
	 */
	struct page **channel;
};

/* Taken before any process's own lock. */
static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all_processes);
/* This kernel is about to end: nothing more is given to the hypervisor. */
static bool closing;

struct process *process_new(void)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process)
		return NULL;
	kref_init(&process->references);
	mutex_init(&process->lock);
	INIT_LIST_HEAD(&process->chunks);
	process->owner = get_current_cred();
	mutex_lock(&all_lock);
	list_add(&process->all, &all_processes);
	mutex_unlock(&all_lock);
	return process;
}

void process_get(struct process *process)
{
	kref_get(&process->references);
}

static void process_free(struct kref *kref)
{
	struct process *process = container_of(kref, struct process, references);

	mutex_lock(&all_lock);
	list_del(&process->all);
	mutex_unlock(&all_lock);
	mutex_destroy(&process->lock);
	put_cred(process->owner);
	kfree(process);
}

void process_put(struct process *process)
{
	kref_put(&process->references, process_free);
}

int process_bind(struct process *process, unsigned int blocks)
{
	int error = -EBUSY;

	mutex_lock(&process->lock);
	if (process->state == OPENED) {
		process->state = BOUND;
		process->mm = current->mm;
		process->block_count = blocks;
		error = 0;
	}
	mutex_unlock(&process->lock);
	return error;
}

/* Locks it if the current task may act on it in this state. */
static int lock_for(struct process *process, enum state state)
{
	mutex_lock(&process->lock);
	if (process->mm == current->mm && process->state == state)
		return 0;
	mutex_unlock(&process->lock);
	return -EINVAL;
}

/* One more chunk, within the limit. `id` is 0 before CREATE. */
static int grow(struct process *process)
{
	struct chunk *chunk;

	if (process->chunk_count >= process->limit || READ_ONCE(closing))
		return -ENOMEM;
	if (fatal_signal_pending(current))
		return -EINTR;
	if (pool_charge(process->owner->user, CHUNK_PAGES))
		return -ENOMEM;
	chunk = pool_donate(process->id);
	if (IS_ERR(chunk)) {
		pool_uncharge(process->owner->user, CHUNK_PAGES);
		return PTR_ERR(chunk);
	}
	list_add_tail(&chunk->list, &process->chunks);
	process->chunk_count++;
	return 0;
}

static u64 first_chunk_number(struct process *process)
{
	struct chunk *chunk = list_first_entry(&process->chunks, struct chunk, list);

	return page_to_pfn(chunk->page) >> CHUNK_ORDER;
}

static int allocate_blocks(struct process *process)
{
	struct page **blocks;
	unsigned int i;

	if (pool_charge(process->owner->user, process->block_count * BLOCK_PAGES))
		return -ENOMEM;
	blocks = kcalloc(process->block_count, sizeof(*blocks), GFP_KERNEL_ACCOUNT);
	if (!blocks)
		goto uncharge;
	for (i = 0; i < process->block_count; i++) {
		blocks[i] = pool_block();
		if (!blocks[i])
			goto free;
	}
	process->blocks = blocks;
	return 0;
free:
	while (i > 0)
		pool_free_block(blocks[--i]);
	kfree(blocks);
uncharge:
	pool_uncharge(process->owner->user, process->block_count * BLOCK_PAGES);
	return -ENOMEM;
}

/* Once the hypervisor does not map them; else they must not be used again. */
static void free_blocks(struct process *process)
{
	unsigned int i;

	for (i = 0; i < process->block_count; i++) {
		if (process->lost)
			pool_leak_block(process->blocks[i]);
		else
			pool_free_block(process->blocks[i]);
	}
	kfree(process->blocks);
	process->blocks = NULL;
	pool_uncharge(process->owner->user, process->block_count * BLOCK_PAGES);
}

/* A hypercall for which the process may need more memory, within its limit. */
static int call_growing(struct process *process, unsigned int nr, struct hc_regs *regs)
{
	const struct hc_regs arguments = *regs;
	long result;
	int error;

	for (;;) {
		*regs = arguments;
		result = hc_finish(nr, regs);
		if (result != CARREL_ENOMEM)
			return result ? hc_errno(nr, result) : 0;
		error = grow(process);
		if (error)
			return error;
	}
}

static int lend_blocks(struct process *process)
{
	struct hc_regs regs;
	unsigned int i;
	int error = 0;

	for (i = 0; i < process->block_count && !error; i++) {
		regs = (struct hc_regs){
			.rdi = process->id,
			.rsi = page_to_pfn(process->blocks[i]) >> BLOCK_ORDER,
			.rdx = i,
		};
		error = call_growing(process, CARREL_HC_LEND, &regs);
	}
	return error;
}

/* True if all of them are the kernel's, or lost for good. */
static bool take_chunks_back(struct process *process)
{
	struct chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &process->chunks, list) {
		list_del(&chunk->list);
		if (!pool_take_back(chunk)) {
			list_add(&chunk->list, &process->chunks);
			return false;
		}
		pool_uncharge(process->owner->user, CHUNK_PAGES);
		process->chunk_count--;
		cond_resched();
	}
	return true;
}

/* Undoes CREATE and LEND as far as they came. False: a CPU still owes a flush. */
static bool undo_create(struct process *process)
{
	struct hc_regs regs = { .rdi = process->id };
	long result;

	if (!process->id)
		return true;
	result = hc_finish(CARREL_HC_DESTROY, &regs);
	if (result == CARREL_PENDING || result == CARREL_EBUSY)
		return false;
	if (result)
		hc_errno(CARREL_HC_DESTROY, result);
	process->lost = result != 0;
	process->id = 0;
	return true;
}

/*
 * Undoes everything and takes all memory back. True: done. False: a CPU still
 * owes a flush; what was undone stays so.
 */
static bool destroy(struct process *process)
{
	if (!undo_create(process))
		return false;
	if (process->blocks)
		free_blocks(process);
	return take_chunks_back(process);
}

/* The blocks stay, in their carriers' mappings: the hypervisor has no part in them any more. */
void process_end_all(void)
{
	struct process *process;

	WRITE_ONCE(closing, true);
	mutex_lock(&all_lock);
	list_for_each_entry(process, &all_processes, all) {
		mutex_lock(&process->lock);
		if (!undo_create(process) || !take_chunks_back(process) || process->lost)
			pr_warn("the hypervisor keeps memory of a process: the next kernel must not use it\n");
		mutex_unlock(&process->lock);
	}
	mutex_unlock(&all_lock);
}

static bool destroy_again(struct retry *retry)
{
	struct process *process = container_of(retry, struct process, retry);
	bool done;

	mutex_lock(&process->lock);
	done = destroy(process);
	mutex_unlock(&process->lock);
	if (done)
		process_put(process);
	return done;
}

/* Nobody acts on it any more but the retries, until all is undone. */
static void abandon(struct process *process)
{
	process->state = ENDED;
	process->mm = NULL;
	process_get(process);
	retry_later(&process->retry, destroy_again);
}

static int check_create(struct process *process, const struct carrel_ioc_create *create)
{
	if (create->abi != CARREL_ABI_VERSION)
		return -EPROTO;
	if (create->limit == 0 || create->limit > totalram_pages() >> CHUNK_ORDER)
		return -EINVAL;
	if (create->slots == 0 || create->slots > CARREL_SLOTS_MAX)
		return -EINVAL;
	if (create->blocks != process->block_count)
		return -EINVAL;
	if (create->slots * CARREL_SLOT_STRIDE > create->blocks * CARREL_BLOCK_SIZE)
		return -EINVAL;
	if (create->flags & ~CARREL_CREATE_FLAGS || create->reserved)
		return -EINVAL;
	return 0;
}

/* CREATE itself, out of the first chunk. */
static int create_process(struct process *process, struct carrel_ioc_create *create)
{
	struct hc_regs regs = {
		.rdi = first_chunk_number(process),
		.rsi = create->abi,
		.rdx = create->slots | create->blocks << 16 | (u64)create->flags << 32,
		.r10 = create->limit,
	};
	long result = hc_finish(CARREL_HC_CREATE, &regs);

	if (result)
		return hc_errno(CARREL_HC_CREATE, result);
	process->id = regs.rdi;
	create->process = regs.rdi;
	create->ticket[0] = regs.rsi;
	create->ticket[1] = regs.rdx;
	return 0;
}

/* After an error the process is as before, or abandoned. */
static int create_locked(struct process *process, struct carrel_ioc_create *create)
{
	int error;

	process->limit = create->limit;
	error = allocate_blocks(process);
	if (!error)
		error = grow(process);
	if (!error)
		error = create_process(process, create);
	if (!error)
		error = lend_blocks(process);
	if (!error) {
		smp_store_release(&process->channel, process->blocks);
		process->state = CREATED;
	} else if (!destroy(process)) {
		abandon(process);
	}
	return error;
}

int process_create(struct process *process, struct carrel_ioc_create *create)
{
	int error;

	mutex_lock(&process->lock);
	if (process->mm != current->mm)
		error = -EINVAL;
	else if (process->state != BOUND)
		error = -EBUSY;
	else
		error = check_create(process, create);
	if (!error)
		error = create_locked(process, create);
	mutex_unlock(&process->lock);
	return error;
}

int process_add(struct process *process, struct page *page, u64 address, u32 type)
{
	struct hc_regs regs;
	int error;

	error = lock_for(process, CREATED);
	if (error)
		return error;
	regs = (struct hc_regs){
		.rdi = process->id,
		.rsi = page_to_pfn(page),
		.rdx = address,
		.r10 = type,
	};
	error = call_growing(process, CARREL_HC_ADD, &regs);
	mutex_unlock(&process->lock);
	return error;
}

int process_init(struct process *process, struct carrel_ioc_init *init)
{
	struct hc_regs regs;
	long result;
	int error;

	error = lock_for(process, CREATED);
	if (error)
		return error;
	regs = (struct hc_regs){ .rdi = process->id };
	result = hc_finish(CARREL_HC_INIT, &regs);
	if (!result)
		process->state = STARTED;
	mutex_unlock(&process->lock);
	if (result)
		return hc_errno(CARREL_HC_INIT, result);
	/* In RDI RSI RDX R10, as struct hc_regs has them. */
	memcpy(init->identity, &regs, sizeof(init->identity));
	return 0;
}

/* Most programs die of it, and nothing else would tell why. */
static void tell_no_memory(const struct process *process, int error)
{
	const char *why = "memory.max of its cgroup, ulimit -l, or no 2 MiB in one piece are free";

	if (error == -EPERM)
		why = "an IOMMU failed, and nothing becomes private any more";
	else if (process->chunk_count >= process->limit)
		why = "it has all of its --memory";
	pr_warn_ratelimited("process %llx (%s, pid %d) gets no more memory: %s\n", process->id,
			    current->comm, task_pid_nr(current), why);
}

int process_request(struct process *process, u64 request)
{
	int error;

	error = lock_for(process, STARTED);
	if (error)
		return error;
	switch (request) {
	case CARREL_REQ_MEMORY:
		error = grow(process);
		if (error == -ENOMEM || error == -EPERM)
			tell_no_memory(process, error);
		break;
	case CARREL_REQ_FLUSH:
		hc_flush_all();
		break;
	default:
		error = -EINVAL;
	}
	mutex_unlock(&process->lock);
	return error;
}

/* Its threads can be inside: FLUSH throws them out, and none can come back. */
void process_end(struct process *process)
{
	mutex_lock(&process->lock);
	process->channel = NULL;
	if (process->state != ENDED && !destroy(process))
		abandon(process);
	process->state = ENDED;
	process->mm = NULL;
	mutex_unlock(&process->lock);
}

struct page *process_channel_page(struct process *process, unsigned long index)
{
	struct page **channel = smp_load_acquire(&process->channel);

	if (!channel || index >= process->block_count * BLOCK_PAGES)
		return NULL;
	return channel[index >> BLOCK_ORDER] + (index & (BLOCK_PAGES - 1));
}
