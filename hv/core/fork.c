/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fork. The child is made by its parent, in bounded steps: an object of its own, tables that lead
 * to the parent's pages (mm/share.c), and copies of the one calling thread's page and stack. It is
 * in the table of processes when no CPU can write to a shared page any more, and in the state
 * FORKED, in which it can be adopted and nothing else. Until then it ends with its parent.
 *
 * Lock order: a parent's lock, then its child's. Children never take their parent's.
 */
#include "fork.h"

#include <string.h>

#include <base/phys.h>
#include <carrel/hypercall.h>

#include "destroy.h"
#include "family.h"
#include "owner.h"
#include "random.h"
#include "thread.h"

#define STRIDE_PAGES	(CARREL_THREAD_STRIDE / PAGE_SIZE)
#define WAITING_MAX	32U	/* children of one parent that nobody has adopted yet */

static void inherit(struct process *child, const struct process *parent, u64 id, const u8 *random)
{
	child->state = PROCESS_FORKED;
	child->id = id;
	child->parent = parent->id;
	memcpy(child->ticket, random, sizeof(child->ticket));
	memcpy(child->identity, parent->identity, sizeof(child->identity));
	child->slots = parent->slots;
	child->blocks = parent->blocks;
	child->limit = parent->limit;
	child->flags = parent->flags;
	child->family = parent->family;
}

/* The next child in the table, from slot *at on, that nobody has adopted; with a reference. */
static struct process *next_child(const struct process *parent, unsigned int *at)
{
	while (*at < PROCESS_MAX) {
		u64 id = __atomic_load_n(&process_slots[(*at)++].id, __ATOMIC_RELAXED);
		struct process *child = id && id != parent->id ? process_get(id) : NULL;

		if (child && __atomic_load_n(&child->parent, __ATOMIC_RELAXED) == parent->id)
			return child;
		if (child)
			process_put(child);
	}
	return NULL;
}

/* Places in the table are everybody's, and no kernel counts these. */
static bool may_begin(const struct process *parent)
{
	unsigned int at = 0, waiting = 0;
	struct process *child;

	while ((child = next_child(parent, &at))) {
		waiting++;
		process_put(child);
	}
	return waiting < WAITING_MAX;
}

static int begin(struct process *parent, u32 index)
{
	u8 random[RANDOM_SIZE];
	struct process *child;
	u64 id, pa;
	int error;

	if (!may_begin(parent))
		return CARREL_ELIMIT;
	if (random_get(random))
		return CARREL_ERANDOM;
	id = process_claim_slot();
	if (!id)
		return CARREL_ELIMIT;
	pa = frame_alloc(parent->family, FRAME_OBJECT, false);
	if (!pa) {
		process_release_slot(id);
		return CARREL_ENOMEM;
	}
	child = phys(pa);
	inherit(child, parent, id, random);
	family_join(child->family);
	error = process_build(child);
	if (error) {
		destroy_unborn(child);
		return error;
	}
	parent->making = child;
	parent->making_at = 0;
	parent->making_thread = index;
	return 0;
}

/* The pages, then the one thread, which starts anew at the same index. */
static int copy(struct process *parent, struct process *child)
{
	u32 index = parent->making_thread;
	int error = space_fork(&parent->space, &child->space, &parent->making_at, PROCESS_BUDGET);

	if (!error)
		error = space_copy(&parent->space, &child->space, CARREL_THREAD_PAGE(index),
				   STRIDE_PAGES);
	if (!error && !child->threads[index])
		error = thread_create(child, index);
	return error;
}

/* As far as it gets. */
static int go(struct cpu *cpu, struct process *parent)
{
	u32 index = cpu->thread->index;
	int error = 0;

	if (!parent->making)
		error = begin(parent, index);
	else if (parent->making_thread != index)
		error = CARREL_EBUSY;
	else if (process_state(parent->making) != PROCESS_FORKED)
		error = CARREL_ESTATE;		/* ABORT answered MORE */
	if (!error)
		error = copy(parent, parent->making);
	/* this CPU may write by what it has cached, and others that are inside */
	if (parent->view.changed > flush_seen(cpu->id))
		owner_flush(cpu);
	if (!error && !space_settled(&parent->space))
		error = CARREL_PENDING;
	return error;
}

static void finish(struct process *parent, struct vt_regs *regs)
{
	struct process *child = parent->making;

	regs->rdi = child->id;
	regs->rsi = child->ticket[0];
	regs->rdx = child->ticket[1];
	parent->making = NULL;
	process_publish(child);
}

/* The lock of a process that is not the parent's child must not be waited for; that of one that is
 * being adopted may. */
static bool claim(struct process *parent, struct process *child)
{
	bool ours = __atomic_load_n(&child->parent, __ATOMIC_RELAXED) == parent->id;

	if (!ours)
		return false;
	lock_take(&child->lock);
	ours = child->parent == parent->id && process_state(child) != PROCESS_GONE;
	if (ours)
		__atomic_store_n(&child->state, PROCESS_DYING, __ATOMIC_SEQ_CST);
	lock_release(&child->lock);
	return ours;
}

/* End a process in the table, by the caller's reference, if it is a child that was not adopted. It
 * is FORKED, or DYING since an earlier step of this. CARREL_ESTATE: it was adopted. */
static int end_child(struct process *parent, struct process *child)
{
	int result = claim(parent, child) ? process_destroy(child) : CARREL_ESTATE;

	if (result)
		process_put(child);
	return result == CARREL_EDEAD ? 0 : result;
}

/* The one in the making is in no table, and its slot's reference is ours. */
static int end_making(struct process *parent)
{
	int result = parent->making ? process_destroy(parent->making) : 0;

	if (!result)
		parent->making = NULL;
	return result;
}

static int abort_child(struct process *parent, u64 id)
{
	struct process *child = process_get(id);

	return child ? end_child(parent, child) : CARREL_ESTATE;
}

s64 fork_call(struct cpu *cpu, struct process *parent)
{
	struct vt_regs *regs = cpu->vt.regs;
	int result;

	if (regs->rdi == CARREL_FORK_ABORT)
		return regs->rsi ? abort_child(parent, regs->rsi) : end_making(parent);
	result = go(cpu, parent);
	/* what was begun in vain may have brought frames out of limbo itself */
	if (result == CARREL_ENOMEM && (process_reclaim(parent) || parent->family->free))
		result = go(cpu, parent);
	/* what waits for flushes may be enough */
	if (result == CARREL_ENOMEM && parent->family->chunks >= parent->limit)
		return parent->family->limbo ? CARREL_PENDING : CARREL_ELIMIT;
	if (!result)
		finish(parent, regs);
	return result;
}

int fork_adopt(struct process *child)
{
	__atomic_store_n(&child->parent, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&child->state, PROCESS_READY, __ATOMIC_SEQ_CST);
	return 0;
}

int fork_end(struct process *parent)
{
	int result = end_making(parent);
	unsigned int at = 0;
	struct process *child = result ? NULL : next_child(parent, &at);

	if (!child)
		return result;
	result = end_child(parent, child);
	return result > 0 ? result : CARREL_MORE;	/* a call's work for each */
}
