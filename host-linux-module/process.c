// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* One secure process, as this kernel sees it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "family.h"
#include "hypercall.h"
#include "pool.h"
#include "process.h"

enum state {
	OPENED,		/* no mapping yet */
	BOUND,		/* mapped; nothing at the hypervisor */
	CREATED,	/* pages may be added */
	STARTED,	/* measured; threads may enter */
	ENDED,		/* no mapping is left, or CREATE failed for good */
};

struct process {
	struct kref references;		/* one for the file, one for each mapping */
	atomic_t mappings;
	struct list_head all;		/* in all_processes */
	struct family *family;
	struct mutex lock;		/* of all that follows */
	enum state state;
	u64 id;				/* 0: the hypervisor does not know it */
	bool member;			/* of the family */
	bool lost;			/* DESTROY was refused: the blocks may still be mapped */
	struct retry retry;		/* once ENDED and not yet destroyed */
	unsigned int block_count;
	/*
	 * The blocks of the channel that are lent. Each is set with release semantics, since
	 * faults read it without the lock; all exist until no mapping is left.
	 */
	struct page **blocks;
};

/* Taken before any process's own lock. */
static DEFINE_MUTEX(all_lock);
static LIST_HEAD(all_processes);
/* This kernel is about to end: nothing more is given to the hypervisor. */
static bool closing;

/* Takes over the reference to `family`, whatever comes of it. */
static struct process *new_in(struct family *family)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process) {
		family_put(family);
		return NULL;
	}
	kref_init(&process->references);
	mutex_init(&process->lock);
	process->family = family;
	mutex_lock(&all_lock);
	list_add(&process->all, &all_processes);
	mutex_unlock(&all_lock);
	return process;
}

struct process *process_new(void)
{
	struct family *family = family_new();

	return family ? new_in(family) : NULL;
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
	family_put(process->family);
	kfree(process->blocks);
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
		process->blocks = kcalloc(blocks, sizeof(*process->blocks), GFP_KERNEL_ACCOUNT);
		error = process->blocks ? 0 : -ENOMEM;
	}
	if (!error) {
		process->state = BOUND;
		process->block_count = blocks;
		atomic_set(&process->mappings, 1);
		process_get(process);
	}
	mutex_unlock(&process->lock);
	return error;
}

/* Locks it if it is in this state. */
static int lock_for(struct process *process, enum state state)
{
	mutex_lock(&process->lock);
	if (process->state == state)
		return 0;
	mutex_unlock(&process->lock);
	return -EINVAL;
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
		error = family_grow(process->family, process->id, 0);
		if (error)
			return error;
	}
}

/* --- The channel ---------------------------------------------------------------------------- */

struct page *process_channel_page(struct process *process, unsigned long index)
{
	struct page *block;

	if (index >= process->block_count * BLOCK_PAGES)
		return NULL;
	block = smp_load_acquire(&process->blocks[index >> BLOCK_ORDER]);
	return block ? block + (index & (BLOCK_PAGES - 1)) : NULL;
}

/* A block that LEND refused was not lent. */
static int lend_new(struct process *process, unsigned int index)
{
	struct page *block = pool_block();
	struct hc_regs regs;
	int error;

	if (!block)
		return -ENOMEM;
	regs = (struct hc_regs){
		.rdi = process->id,
		.rsi = page_to_pfn(block) >> BLOCK_ORDER,
		.rdx = index,
	};
	error = call_growing(process, CARREL_HC_LEND, &regs);
	if (error)
		pool_free_block(block);
	else
		smp_store_release(&process->blocks[index], block);
	return error;
}

static int lend(struct process *process, unsigned int index)
{
	int error;

	if (process->state != CREATED && process->state != STARTED)
		return -EINVAL;
	if (process->blocks[index])
		return 0;
	if (!process->id)
		return -EINVAL;
	if (family_charge(process->family, BLOCK_PAGES))
		return -ENOMEM;
	error = lend_new(process, index);
	if (error)
		family_uncharge(process->family, BLOCK_PAGES);
	return error;
}

int process_lend_page(struct process *process, unsigned long index)
{
	int error;

	if (index >= process->block_count * BLOCK_PAGES)
		return -EINVAL;
	if (process_channel_page(process, index))
		return 0;
	if (mutex_lock_killable(&process->lock))
		return -EINTR;
	error = lend(process, index >> BLOCK_ORDER);
	mutex_unlock(&process->lock);
	return error;
}

/* Once the hypervisor does not map them; else they must not be used again. */
static void free_blocks(struct process *process)
{
	unsigned int i;

	for (i = 0; i < process->block_count; i++) {
		if (!process->blocks[i])
			continue;
		if (process->lost)
			pool_leak_block(process->blocks[i]);
		else
			pool_free_block(process->blocks[i]);
		process->blocks[i] = NULL;
		family_uncharge(process->family, BLOCK_PAGES);
	}
}

/* --- The end -------------------------------------------------------------------------------- */

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
 * Undoes everything and gives its memory back. True: done. False: a CPU still
 * owes a flush; what was undone stays so. No mapping may be left.
 */
static bool destroy(struct process *process)
{
	if (!undo_create(process))
		return false;
	free_blocks(process);
	return family_leave(process->family, &process->member, process->lost);
}

/* The blocks stay, in their carriers' mappings: the hypervisor has no part in them any more. */
void process_end_all(void)
{
	struct process *process;

	WRITE_ONCE(closing, true);
	family_close_all();
	mutex_lock(&all_lock);
	list_for_each_entry(process, &all_processes, all) {
		mutex_lock(&process->lock);
		if (!undo_create(process) || process->lost ||
		    !family_leave(process->family, &process->member, false))
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
	process_get(process);
	retry_later(&process->retry, destroy_again);
}

void process_open(struct process *process)
{
	atomic_inc(&process->mappings);
	process_get(process);
}

/* Its threads can be inside: FLUSH throws them out, and none can come back. */
void process_close(struct process *process)
{
	if (atomic_dec_and_test(&process->mappings)) {
		mutex_lock(&process->lock);
		if (process->state != ENDED && !destroy(process))
			abandon(process);
		process->state = ENDED;
		mutex_unlock(&process->lock);
	}
	process_put(process);
}

/* --- The beginning -------------------------------------------------------------------------- */

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

/* After an error the process is as before, or abandoned. */
static int create_locked(struct process *process, struct carrel_ioc_create *create)
{
	struct hc_regs regs = {
		.rsi = create->abi,
		.rdx = create->slots | create->blocks << 16 | (u64)create->flags << 32,
		.r10 = create->limit,
	};
	int error = family_create(process->family, create->limit, &regs);

	if (error) {
		if (!destroy(process))
			abandon(process);
		return error;
	}
	process->id = regs.rdi;
	process->member = true;
	process->state = CREATED;
	create->process = regs.rdi;
	create->ticket[0] = regs.rsi;
	create->ticket[1] = regs.rdx;
	return 0;
}

int process_create(struct process *process, struct carrel_ioc_create *create)
{
	int error;

	mutex_lock(&process->lock);
	if (process->state == ENDED)
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

/* In the parent's family, and bound as it is. */
static struct process *new_like(struct process *parent)
{
	struct process *process;

	family_get(parent->family);
	process = new_in(parent->family);
	if (process && process_bind(process, parent->block_count)) {
		process_put(process);
		return NULL;
	}
	return process;
}

/*
 * The parent's lock keeps it from being destroyed by another task, and the new one's from
 * process_end_all, which is told of it by the id.
 */
static int adopt_locked(struct process *parent, struct process *process, struct hc_regs *regs)
{
	u64 id = regs->rdi;
	long result;

	if (parent->state != STARTED || !parent->id || READ_ONCE(closing))
		return -EINVAL;
	result = hc_finish(CARREL_HC_ADOPT, regs);
	if (result == CARREL_ETICKET || result == CARREL_ESTATE || result == CARREL_EDEAD)
		return -EINVAL;
	if (result)
		return hc_errno(CARREL_HC_ADOPT, result);
	family_join(parent->family);
	process->member = true;
	process->id = id;
	process->state = STARTED;
	return 0;
}

struct process *process_adopt(struct process *parent, struct hc_regs *regs)
{
	struct process *process = new_like(parent);
	int error;

	if (!process)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&parent->lock);
	mutex_lock_nested(&process->lock, SINGLE_DEPTH_NESTING);
	error = adopt_locked(parent, process, regs);
	mutex_unlock(&process->lock);
	mutex_unlock(&parent->lock);
	/* The mapping's reference is the caller's; there is no file. */
	if (error)
		process_close(process);
	process_put(process);
	return error ? ERR_PTR(error) : process;
}

/* --- Requests ------------------------------------------------------------------------------- */

/* Most programs die of it, and nothing else would tell why. */
static void tell_no_memory(const struct process *process, int error)
{
	const char *why = "memory.max of its cgroup, ulimit -l, or no 2 MiB in one piece are free";

	if (error == -EPERM)
		why = "an IOMMU failed, and nothing becomes private any more";
	else if (family_is_full(process->family))
		why = "it has all of its --memory";
	pr_warn_ratelimited("process %llx (%s, pid %d) gets no more memory: %s\n", process->id,
			    current->comm, task_pid_nr(current), why);
}

/* Is it one that may ask? What comes of an id whose process has ended is the hypervisor's to say. */
static u64 id_if_started(struct process *process)
{
	u64 id;

	if (lock_for(process, STARTED))
		return 0;
	id = process->id;
	mutex_unlock(&process->lock);
	return id;
}

static int request_memory(struct process *process, u64 id, unsigned int more)
{
	int error = family_grow(process->family, id, more);

	if (error == -ENOMEM || error == -EPERM)
		tell_no_memory(process, error);
	return error;
}

int process_request(struct process *process, u64 request, u64 argument)
{
	u64 id = id_if_started(process);

	if (!id || (argument && request != CARREL_REQ_MEMORY && request != CARREL_REQ_LEND))
		return -EINVAL;
	switch (request) {
	case CARREL_REQ_MEMORY:
		return request_memory(process, id, argument);
	case CARREL_REQ_FLUSH:
		hc_flush_all();
		return 0;
	case CARREL_REQ_KICK:
		hc_kick();
		return 0;
	case CARREL_REQ_LEND:
		return process_lend_page(process, argument << BLOCK_ORDER);
	case CARREL_REQ_TRIM:
		family_trim(process->family);
		return 0;
	}
	return -EINVAL;
}
