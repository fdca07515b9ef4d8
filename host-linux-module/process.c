// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* One secure process, as this kernel sees it. */
#include <linux/cred.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
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
	struct mutex lock;		/* of all that follows but `channel` and `user` */
	enum state state;
	struct mm_struct *mm;		/* compared, never followed; NULL once ENDED */
	struct user_struct *user;	/* who is charged */
	u64 id;
	u32 limit, chunk_count;		/* chunks of 2 MiB */
	struct list_head chunks;
	unsigned int block_count;
	/*
	 * Blocks of the channel. Set once, after all of them are lent, with release
	 * semantics; faults read it without the lock. Freed when the mapping is gone.
	 */
	struct page **channel;
};

struct process *process_new(void)
{
	struct process *process = kzalloc(sizeof(*process), GFP_KERNEL_ACCOUNT);

	if (!process)
		return NULL;
	kref_init(&process->references);
	mutex_init(&process->lock);
	INIT_LIST_HEAD(&process->chunks);
	process->user = get_current_user();
	return process;
}

void process_get(struct process *process)
{
	kref_get(&process->references);
}

static void process_free(struct kref *kref)
{
	struct process *process = container_of(kref, struct process, references);

	mutex_destroy(&process->lock);
	free_uid(process->user);
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

	if (process->chunk_count >= process->limit)
		return -ENOMEM;
	if (fatal_signal_pending(current))
		return -EINTR;
	chunk = pool_donate(process->user, process->id);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);
	list_add_tail(&chunk->list, &process->chunks);
	process->chunk_count++;
	return 0;
}

static u64 first_chunk_number(struct process *process)
{
	struct chunk *chunk = list_first_entry(&process->chunks, struct chunk, list);

	return page_to_pfn(chunk->page) >> CHUNK_ORDER;
}

static void take_chunks_back(struct process *process)
{
	struct chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &process->chunks, list) {
		list_del(&chunk->list);
		pool_take_back(process->user, chunk);
		cond_resched();
	}
	process->chunk_count = 0;
}

static struct page **allocate_blocks(struct process *process)
{
	struct page **blocks;
	unsigned int i;

	if (pool_charge(process->user, process->block_count * BLOCK_PAGES))
		return NULL;
	blocks = kcalloc(process->block_count, sizeof(*blocks), GFP_KERNEL_ACCOUNT);
	if (!blocks)
		goto uncharge;
	for (i = 0; i < process->block_count; i++) {
		blocks[i] = pool_block();
		if (!blocks[i])
			goto free;
	}
	return blocks;
free:
	while (i > 0)
		pool_free_block(blocks[--i]);
	kfree(blocks);
uncharge:
	pool_uncharge(process->user, process->block_count * BLOCK_PAGES);
	return NULL;
}

/* `unlent`: the hypervisor no longer maps them. Else they must not be used again. */
static void free_blocks(struct process *process, struct page **blocks, bool unlent)
{
	unsigned int i;

	for (i = 0; i < process->block_count; i++) {
		if (unlent)
			pool_free_block(blocks[i]);
		else
			pool_leak_block(blocks[i]);
	}
	kfree(blocks);
	pool_uncharge(process->user, process->block_count * BLOCK_PAGES);
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

static int lend_blocks(struct process *process, struct page **blocks)
{
	struct hc_regs regs;
	unsigned int i;
	int error = 0;

	for (i = 0; i < process->block_count && !error; i++) {
		regs = (struct hc_regs){
			.rdi = process->id,
			.rsi = page_to_pfn(blocks[i]) >> BLOCK_ORDER,
			.rdx = i,
		};
		error = call_growing(process, CARREL_HC_LEND, &regs);
	}
	return error;
}

/* True if the hypervisor has destroyed the process, so that nothing of it is lent any more. */
static bool destroy(struct process *process)
{
	struct hc_regs regs = { .rdi = process->id };
	long result = hc_finish(CARREL_HC_DESTROY, &regs);

	if (result)
		hc_errno(CARREL_HC_DESTROY, result);
	return result == 0;
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
	return 0;
}

/* CREATE itself, out of the first chunk. */
static int create_process(struct process *process, struct carrel_ioc_create *create)
{
	struct hc_regs regs = {
		.rdi = first_chunk_number(process),
		.rsi = create->abi,
		.rdx = create->slots | create->blocks << 16,
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

static int create_locked(struct process *process, struct carrel_ioc_create *create)
{
	struct page **blocks;
	int error;

	process->limit = create->limit;
	blocks = allocate_blocks(process);
	if (!blocks)
		return -ENOMEM;
	error = grow(process);
	if (error)
		goto free;
	error = create_process(process, create);
	if (error)
		goto take_back;
	error = lend_blocks(process, blocks);
	if (error)
		goto destroy;
	smp_store_release(&process->channel, blocks);
	process->state = CREATED;
	return 0;
destroy:
	free_blocks(process, blocks, destroy(process));
	process->id = 0;
	take_chunks_back(process);
	return error;
take_back:
	take_chunks_back(process);
free:
	free_blocks(process, blocks, true);
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

int process_request(struct process *process, u64 request)
{
	int error;

	error = lock_for(process, STARTED);
	if (error)
		return error;
	switch (request) {
	case CARREL_REQ_MEMORY:
		error = grow(process);
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
	struct page **blocks;

	mutex_lock(&process->lock);
	if (process->state == CREATED || process->state == STARTED) {
		blocks = process->channel;
		process->channel = NULL;
		free_blocks(process, blocks, destroy(process));
		take_chunks_back(process);
	}
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
