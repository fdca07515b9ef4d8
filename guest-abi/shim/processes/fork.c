/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New processes.
 *
 * fork: the hypervisor copies this thread and shares all pages until one side writes;
 * the host copies the process that carries it. Every lock is held meanwhile, so the
 * child finds the shim's data whole; it starts at START with this thread's registers
 * where they always lie, and nothing else of its stack.
 *
 * vfork, and clone with CLONE_VM | CLONE_VFORK: the child is one more thread of the same
 * memory, with another host process for a carrier and what Linux keeps for that. This
 * thread sleeps in the host until the child execs or ends. A kernel that lets it go on
 * early would have both on one stack, so first the child's thread is made anew: from
 * then on what it was cannot run.
 *
 * Signals are blocked in the host from before the copy until each side has restored
 * its mask. What was noted by then is the parent's.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "emulate.h"
#include "files/epoll.h"
#include "processes/fork.h"
#include "threads/futex.h"
#include "base/host.h"
#include "memory/memory.h"
#include "signals/signal.h"
#include "threads/thread.h"
#include "time/time.h"
#include "base/token.h"
#include "memory/user.h"
#include "threads/xstate.h"

/* What the host may do as it is told; the rest is the shim's, or means nothing here. */
#define HOST_FLAGS	(CLONE_VFORK | CLONE_FS | CLONE_PARENT | CLONE_IO)
#define FLAGS_KNOWN	(HOST_FLAGS | CLONE_VM | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CLONE_SYSVSEM | \
			 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | \
			 CLONE_CHILD_SETTID)
#define SIGCHLD		17

/* In the order of lock.h. What a child shares with its parent must be there before it is shared. */
static int64_t take_all(struct thread *t)
{
	int64_t error;

	lock_take(&thread_lock);
	lock_take(&memory_lock);
	error = memory_settle_shared(t);
	error = error ?: futex_share(t);
	for (unsigned int i = 0; i < CARRIERS_MAX; i++)
		lock_take(&carriers[i].lock);
	lock_take(&arena_lock);
	lock_take(&futex_lock);
	lock_take(&token_lock);
	lock_take(&time_lock);
	lock_take(&vm_lock);
	return error;
}

static void release_all(void)
{
	lock_release(&vm_lock);
	lock_release(&time_lock);
	lock_release(&token_lock);
	lock_release(&futex_lock);
	lock_release(&arena_lock);
	for (unsigned int i = 0; i < CARRIERS_MAX; i++)
		lock_release(&carriers[i].lock);
	lock_release(&memory_lock);
	lock_release(&thread_lock);
}

/* Make the child; words become its handle and ticket. 0 or an error. */
static int64_t make(struct thread *t, uint64_t words[4])
{
	bool pending = false;
	int64_t result;

	do {
		words[0] = CARREL_FORK_GO;
		result = hypercall_words(CARREL_HC_FORK, words);
	} while (result && hypercall_help(t, result, &pending));
	return result ? -LINUX_ENOMEM : 0;
}

/* No host process will come for that child (a kernel lied that had it adopted); 0: the one in the
 * making. */
static void undo(struct thread *t, uint64_t child)
{
	bool pending = false;
	int64_t result;

	do {
		uint64_t words[4] = { CARREL_FORK_ABORT, child };

		result = hypercall_words(CARREL_HC_FORK, words);
		if (result == CARREL_ESTATE)
			die(CARREL_DIE_IAGO);
	} while (result && hypercall_help(t, result, &pending));
	if (result)	/* it takes no memory */
		die(CARREL_DIE_SHIM);
}

/* The fields that the child finds in its copy, with its registers. */
struct birth {
	uint64_t rsp, clear_tid, set_tid;
};

static struct birth exchange(struct thread *t, struct birth new)
{
	struct birth old = { t->regs.rsp, t->clear_tid, t->set_tid };

	t->regs.rsp = new.rsp;
	t->clear_tid = new.clear_tid;
	t->set_tid = new.set_tid;
	return old;
}

static struct birth birth_of(const struct thread *t, const struct clone_request *r)
{
	return (struct birth){
		.rsp = r->stack ? r->stack : t->regs.rsp,
		.clear_tid = r->flags & CLONE_CHILD_CLEARTID ? r->child_tid : 0,
		.set_tid = r->flags & CLONE_CHILD_SETTID ? r->child_tid : 0,
	};
}

/* With all locks: the child as the hypervisor knows it. */
static int64_t copy(struct thread *t, const struct clone_request *r, uint64_t words[4])
{
	struct birth mine = exchange(t, birth_of(t, r));
	int64_t error;

	t->start = START_FORKED;
	t->forked = true;
	if (r->flags & CLONE_SETTLS)
		t->fs_base = r->tls;
	else
		asm volatile("rdfsbase %0" : "=r"(t->fs_base));
	vectors_keep(t->page);
	error = make(t, words);
	t->start = START_DONE;
	t->forked = false;
	exchange(t, mine);
	if (error)
		undo(t, 0);
	return error;
}

/* A host process. Its stub finds the slot by the stack, a child of fork its names in registers. */
static int64_t host_clone(struct thread *t, const struct clone_request *r, const uint8_t *slot,
			  const uint64_t names[3])
{
	const uint64_t arg[6] = {
		(r->flags & HOST_FLAGS) | r->exit_signal, CARREL_CHILD_RSP((uint64_t)slot), 0,
		names[0], names[1], names[2],
	};
	int64_t value = host_call_always(t, SYS_clone, arg);

	if (value == 0 || value > INT32_MAX)
		die(CARREL_DIE_IAGO);
	return value;
}

static int64_t fork_process(struct thread *t, const struct clone_request *r)
{
	uint64_t child[4];
	int64_t value;

	value = take_all(t);
	value = value ?: copy(t, r, child);
	release_all();
	if (value)
		return value;
	value = host_clone(t, r, t->slot, child);
	if (value < 0)
		undo(t, child[0]);
	return value;
}

/* Other threads are not here, nor is what they held. */
static void forget_others(struct thread *t)
{
	release_all();
	for (unsigned int i = 0; i < CARRIERS_MAX; i++)
		carriers[i].used = &carriers[i] == t->carrier;
	channel_forked(t);
	thread_forked(t);
	epoll_forked();
	futex_forked();
}

/* A carrier's state of its own, to begin with that of this thread's. NULL if all are in use. */
static struct carrier *carrier_copy(struct thread *t)
{
	struct carrier *c = NULL;

	for (unsigned int i = 0; i < CARRIERS_MAX && !c; i++)
		if (!carriers[i].used)
			c = &carriers[i];
	if (!c)
		return NULL;
	lock_take(&t->carrier->lock);
	memcpy(c, t->carrier, sizeof(*c));
	lock_release(&t->carrier->lock);
	c->lock.word = 0;
	return c;
}

/* Under the lock of threads, which is that of `used` too. */
static struct thread *vfork_child(struct thread *t, const struct clone_request *r)
{
	struct carrier *c = carrier_copy(t);
	struct thread *child = c ? thread_make(t, r) : NULL;

	if (!child)
		return NULL;
	c->used = true;
	child->carrier = c;
	child->altstack = t->altstack;
	child->altstack_size = t->altstack_size;
	child->altstack_flags = t->altstack_flags;
	child->start = START_FORKED;
	thread_live(child);
	return child;
}

/*
 * What a thread of this carrier holds, which runs no more, nobody gives back; and what it guards may
 * be half changed.
 */
static bool holds_any(const struct carrier *c)
{
	static const struct lock *const locks[] = {
		&thread_lock, &memory_lock, &arena_lock, &futex_lock, &token_lock, &time_lock, &vm_lock,
	};

	for (unsigned int i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		uint32_t holder = __atomic_load_n(&locks[i]->word, __ATOMIC_ACQUIRE);

		if (holder && thread_at(holder - 1)->carrier == c)
			return true;
	}
	return false;
}

/*
 * The child has ended, or execed, says the kernel; if it execed, so have threads that it made
 * ended. Whatever it says, none of them runs any more when they are revoked. Had one of them begun
 * to fork, faults of ours wait for that fork for ever: up to die() nothing here writes to
 * memory that a fork shares.
 */
static void end_carrier(struct thread *t, struct carrier *c)
{
	thread_stop(t, c);
	if (holds_any(c))
		die(CARREL_DIE_HELD);
	lock_take(&thread_lock);
	thread_revoke(t, c);
	c->used = false;
	lock_release(&thread_lock);
}

static int64_t vfork_process(struct thread *t, const struct clone_request *r)
{
	static const uint64_t nameless[3];
	struct thread *child;
	struct carrier *c;
	int64_t value;

	lock_take(&thread_lock);
	child = vfork_child(t, r);
	c = child ? child->carrier : NULL;
	lock_release(&thread_lock);
	if (!child)
		return -LINUX_EAGAIN;
	value = host_clone(t, r, child->slot, nameless);
	end_carrier(t, c);
	return value;
}

/* Of fork in its own memory, of vfork beside its parent, which sleeps. */
void fork_started(struct thread *t)
{
	bool alone = t->forked;

	t->start = START_DONE;
	t->noted = t->rewind = t->forked = false;
	t->interrupted = INTERRUPTED_NO;
	if (alone)
		forget_others(t);
	else
		t->tid = host_tid(t);
	t->robust_list = 0;
	if (t->set_tid)
		user_store(t->set_tid, t->tid);
	vectors_take(t->page);
	asm volatile("wrfsbase %0" : : "r"(t->fs_base));
	t->regs.rax = 0;
	signal_unblock(t);
	if (t->noted)
		signal_deliver(t, 0);
}

/* CLONE_VM alone would be two processes that share memory but no fate: nothing in Debian asks. */
static bool can(const struct clone_request *r)
{
	return !(r->flags & ~FLAGS_KNOWN) && r->exit_signal <= SIGNALS &&
	       (!(r->flags & CLONE_VM) || r->flags & CLONE_VFORK);
}

int64_t fork_clone(struct thread *t, const struct clone_request *r)
{
	int64_t value;

	if (!can(r)) {
		note(CARREL_NOTE_ENOSYS, SYS_clone);
		return -LINUX_EINVAL;
	}
	if ((r->flags & CLONE_SETTLS && r->tls >= VM_HIGH) || r->stack >= VM_HIGH)
		return -LINUX_EPERM;
	signal_block(t);
	value = r->flags & CLONE_VM ? vfork_process(t, r) : fork_process(t, r);
	signal_unblock(t);
	if (value > 0 && r->flags & CLONE_PARENT_SETTID)
		user_store(r->parent_tid, value);
	return value;
}

EMULATED(call_fork)
{
	const struct clone_request request = { .exit_signal = SIGCHLD };

	(void)arg;
	return fork_clone(t, &request);
}

EMULATED(call_vfork)
{
	const struct clone_request request = {
		.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD,
	};

	(void)arg;
	return fork_clone(t, &request);
}
