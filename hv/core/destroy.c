/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a secure process, in steps: no thread runs; every CPU that was in
 * its view has flushed; pages and tables are unmapped; blocks are the host's
 * again. Others of its family keep what they share with it. The last one sees
 * that everything is scrubbed and free, and chunks are nobody's. Progress is kept
 * in the object, which lies in the last chunk to go.
 */
#include "destroy.h"

#include <string.h>

#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>

#include "family.h"
#include "fork.h"
#include "owner.h"
#include "stats.h"
#include "thread.h"

#define UNBIND_COST	8	/* frames' worth of work in unbinding a chunk: it scrubs the records */

static u64 phys_of(const void *object)
{
	return (u64)((const u8 *)object - (const u8 *)phys(0));
}

/*
 * ENTER and RESUME work on threads without the lock. One that took its reference
 * and then found the process READY is waited for; one that comes later finds it
 * DYING: reference and state are written and read in one total order.
 */
static int end_threads(struct process *process)
{
	if (process_shared(process))
		return CARREL_MORE;
	for (u32 i = 0; i < CARREL_SLOTS_MAX; i++) {
		if (process->threads[i] && !thread_stop(process->threads[i]))
			return CARREL_PENDING;
	}
	process->end_stamp = flush_stamp();
	process->view.changed = process->end_stamp;
	return 0;
}

/* From here on no CPU is inside or can enter: what one has cached of the view is of no use to it. */
static int end_debts(struct process *process)
{
	if (!flush_paid_inside(&process->view.entered, process->end_stamp))
		return CARREL_PENDING;
	view_idle(&process->view);
	return 0;
}

static int end_blocks(struct process *process)
{
	for (u32 i = 0; i < CARREL_BLOCKS_MAX; i++) {
		if (!process->block[i])
			continue;
		frame_unlend(process->block[i] - 1);
		process->block[i] = 0;
		stats_add(&stats.blocks_lent, -1);
	}
	return 0;
}

/* What the others of the family do not owe either is free at once. */
static int end_limbo(struct family *family, unsigned int *budget)
{
	u64 stamp;

	if (!frame_waits(family, &stamp) || !flush_paid_inside(&family->entered, stamp))
		return 0;
	if (!frame_reclaim(family, stamp, *budget))
		return CARREL_MORE;
	*budget = 0;
	return 0;
}

/* Each member that left had its debts paid first, and so had this one: nobody owes any more. */
static int end_rest(struct family *family, unsigned int *budget)
{
	u64 stamp;

	if (!frame_waits(family, &stamp))
		return 0;
	if (!frame_reclaim(family, stamp, *budget))
		return CARREL_MORE;
	*budget = 0;
	return 0;
}

static int end_objects(struct process *process)
{
	for (u32 i = 0; i < CARREL_SLOTS_MAX; i++) {
		if (process->threads[i])
			frame_free(process->family, phys_of(process->threads[i]));
		process->threads[i] = NULL;
	}
	return 0;
}

/* Every chunk but the one that the object lies in, which is never idle. A member that has left
 * may have its object still to free: that is a matter of instructions. */
static int end_chunks(struct family *family, unsigned int *budget)
{
	int result = 0, error;
	u64 chunk;

	if (__atomic_load_n(&family->used, __ATOMIC_ACQUIRE) != 1)
		return CARREL_MORE;
	lock_take(&frame_lock);
	while (family->chunks > 1) {
		if (*budget < UNBIND_COST) {
			result = CARREL_MORE;
			break;
		}
		*budget -= UNBIND_COST;
		chunk = frame_idle_chunk(family);
		ASSERT(chunk);
		error = frame_unbind(family, chunk);
		ASSERT(!error);
	}
	lock_release(&frame_lock);
	return result;
}

static int end_step(struct process *process, unsigned int *budget)
{
	switch ((enum process_end)process->end) {
	case END_THREADS:
		return end_threads(process);
	case END_CHILDREN:
		return fork_end(process);
	case END_DEBTS:
		return end_debts(process);
	case END_SPACE:
		return space_destroy(&process->space, budget) ? 0 : CARREL_MORE;
	case END_VIEW:
		return view_destroy(&process->view, budget) ? 0 : CARREL_MORE;
	case END_BLOCKS:
		return end_blocks(process);
	case END_OBJECTS:
		return end_objects(process);
	case END_FAMILY:
		process->left = family_leave(process->family);
		return 0;
	case END_LIMBO:
		return end_limbo(process->family, budget);
	case END_REST:
		return process->left ? 0 : end_rest(process->family, budget);
	case END_CHUNKS:
		return process->left ? 0 : end_chunks(process->family, budget);
	case END_ALL:
		break;
	}
	return 0;
}

static int end_steps(struct process *process, unsigned int *budget)
{
	int result;

	while (process->end < END_ALL) {
		result = end_step(process, budget);
		if (result)
			return result;
		process->end++;
	}
	return 0;
}

/*
 * The object itself; the last of a family goes with the chunk that it lies in, in one step, for
 * an idle chunk may be RETURNed.
 */
static void end_object(struct process *process)
{
	struct family *family = process->family;
	u64 pa = phys_of(process), id = process->id;
	bool left = process->left;
	int error = 0;

	lock_take(&frame_lock);
	frame_free(family, pa);
	if (!left)
		error = frame_unbind(family, pa >> CHUNK_SHIFT);
	ASSERT(!error);
	lock_release(&frame_lock);
	if (!left)
		family_end(family);
	process_release_slot(id);
}

int process_destroy(struct process *process)
{
	unsigned int budget = PROCESS_BUDGET;
	int result;

	lock_take(&process->lock);
	if (process_state(process) == PROCESS_GONE) {
		lock_release(&process->lock);
		return CARREL_EDEAD;
	}
	__atomic_store_n(&process->state, PROCESS_DYING, __ATOMIC_SEQ_CST);
	result = end_steps(process, &budget);
	if (result) {
		lock_release(&process->lock);
		return result;
	}
	process_retire(process);
	end_object(process);
	return 0;
}

void destroy_unborn(struct process *process)
{
	unsigned int budget;
	int result;

	lock_take(&process->lock);
	process->state = PROCESS_DYING;
	do {	/* nobody ever entered: no step waits */
		budget = PROCESS_BUDGET;
		result = end_steps(process, &budget);
		ASSERT(result == 0 || result == CARREL_MORE);
	} while (result);
	process_retire(process);
	end_object(process);
}
