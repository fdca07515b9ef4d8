/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: their table, clone, and their end. See thread.h. */
#include <string.h>

#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "emulate.h"
#include "threads/futex.h"
#include "base/host.h"
#include "load/manifest.h"
#include "memory/memory.h"
#include "signals/signal.h"
#include "threads/thread.h"
#include "memory/user.h"
#include "memory/vm.h"
#include "threads/xstate.h"

/* What every thread shares with the others, and what may be asked for besides. */
#define FLAGS_SHARED	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define FLAGS_KNOWN	(FLAGS_SHARED | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | \
			 CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED | CLONE_IO | \
			 CLONE_PTRACE | CLONE_UNTRACED)
/* The kernel's own view of it. */
#define FLAGS_HOST	(FLAGS_SHARED | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define LEAVING_MAX	10000		/* looks at slots whose carriers are about to be gone */
#define SS_DISABLE	2U
#define ROBUST_LIST_SIZE 24UL

enum state { FREE, LIVE, LEFT };

struct lock thread_lock;
static uint8_t states[CARREL_SLOTS_MAX];
static uint64_t leader;			/* never clears its word: the kernel has no address for it */

static uint8_t *slot_at(uint64_t index)
{
	return (uint8_t *)CARREL_CHANNEL_VA + index * CARREL_SLOT_STRIDE;
}

static bool carried(uint64_t index)
{
	return *(volatile uint32_t *)(slot_at(index) + CARREL_SLOT_ALIVE) != 0;
}

static enum state state_of(uint64_t index)
{
	return __atomic_load_n(&states[index], __ATOMIC_ACQUIRE);
}

static void set_state(uint64_t index, enum state state)
{
	__atomic_store_n(&states[index], state, __ATOMIC_RELEASE);
}

void thread_setup(struct thread *t)
{
	t->start = START_DONE;
	t->tid = host_tid(t);
	leader = t->index;
	set_state(leader, LIVE);
}

void thread_forked(struct thread *t)
{
	memset(states, FREE, sizeof(states));
	thread_lock.word = 0;
	thread_setup(t);
}

struct thread *thread_find(uint32_t tid)
{
	for (uint64_t i = 0; i < CARREL_SLOTS_MAX; i++)
		if (state_of(i) == LIVE && thread_at(i)->tid == tid)
			return thread_at(i);
	return NULL;
}

/* Those that were used before have their memory already. */
static int64_t find_index(bool *leaving)
{
	int64_t fresh = -1;

	*leaving = false;
	for (uint64_t i = 0; i < manifest()->slots; i++) {
		if (state_of(i) == FREE && fresh < 0)
			fresh = i;
		if (state_of(i) != LEFT || i == leader)
			continue;
		if (!carried(i))
			return i;
		*leaving = true;
	}
	return fresh;
}

/* A thread that has been joined may still be on its way out in the kernel. */
static int64_t choose_index(struct thread *t)
{
	bool leaving;
	int64_t index;

	for (unsigned int i = 0; i < LEAVING_MAX; i++) {
		index = find_index(&leaving);
		if (index >= 0 || !leaving)
			return index;
		host_call_own(t, SYS_sched_yield, 0, 0, 0, 0);
	}
	return -1;
}

/* The hypervisor's side. False if there is no memory for it. */
static bool create(struct thread *t, uint64_t index)
{
	bool pending = false;
	int64_t result;

	do {
		result = hypercall(CARREL_HC_THREAD, index, 0, 0).result;
		if (result == CARREL_EBUSY)
			host_call_own(t, SYS_sched_yield, 0, 0, 0, 0);
	} while (result && hypercall_help(t, result, &pending));
	return !result;
}

/* What the new stub needs; the process is known to it as to ours. */
static void fill_slot(struct thread *t, uint64_t index)
{
	struct carrel_slot slot;

	channel_get(&slot, t->slot, sizeof(slot));
	slot.pending = slot.shadow = 0;
	slot.thread = index;
	slot.alive = UINT32_MAX;
	channel_put(slot_at(index), &slot, sizeof(slot));
}

static void inherit(struct thread *t, struct thread *child, uint64_t index,
		    const struct clone_request *r)
{
	memset(child, 0, sizeof(*child));
	child->page = (struct carrel_thread_page *)CARREL_THREAD_PAGE(index);
	child->slot = slot_at(index);
	child->index = index;
	child->mask = t->mask;
	child->altstack_flags = SS_DISABLE;
	child->start = START_THREAD;
	child->carrier = t->carrier;
	child->clear_tid = r->flags & CLONE_CHILD_CLEARTID ? r->child_tid : 0;
	child->set_tid = r->flags & CLONE_CHILD_SETTID ? r->child_tid : 0;
	child->fs_base = r->tls;
	if (!(r->flags & CLONE_SETTLS))
		asm volatile("rdfsbase %0" : "=r"(child->fs_base));
	vectors_keep(child->page);
	child->regs = t->regs;
	child->regs.rax = 0;
	if (r->stack)
		child->regs.rsp = r->stack;
}

struct thread *thread_make(struct thread *t, const struct clone_request *r)
{
	int64_t index = choose_index(t);

	if (index < 0 || !channel_lend_slot(t, index) || !create(t, index))
		return NULL;
	fill_slot(t, index);
	inherit(t, thread_at(index), index, r);
	return thread_at(index);
}

/* Should the host enter it all the same, it finds nothing to start. */
void thread_unmake(struct thread *child)
{
	child->start = START_DONE;
	*(volatile uint32_t *)(child->slot + CARREL_SLOT_ALIVE) = 0;
	set_state(child->index, LEFT);
}

void thread_live(struct thread *child)
{
	set_state(child->index, LIVE);
}

/*
 * What has not begun finds nothing to start; what is out is made anew by the hypervisor, and so
 * cannot come back; what runs is waited for.
 */
static void stop(struct thread *t, uint64_t index)
{
	thread_at(index)->start = START_DONE;
	if (!create(t, index))
		die(CARREL_DIE_SHIM);
}

/* Who has left holds no lock, and its index may be another's meanwhile. */
void thread_stop(struct thread *t, const struct carrier *c)
{
	for (uint64_t i = 0; i < CARREL_SLOTS_MAX; i++)
		if (state_of(i) == LIVE && thread_at(i)->carrier == c)
			stop(t, i);
}

/* Again for each: those that ran could make others as long as there was no lock. */
void thread_revoke(struct thread *t, const struct carrier *c)
{
	for (uint64_t i = 0; i < CARREL_SLOTS_MAX; i++) {
		struct thread *of = thread_at(i);

		if (state_of(i) == FREE || of->carrier != c)
			continue;
		stop(t, i);
		futex_forget(of);
		if (of->arena_part)
			arena_give(of->arena_part, of->arena_size);
		of->carrier = NULL;
		thread_unmake(of);
	}
}

/*
 * The parent has the lock until it has written the number down, here and where the program
 * wants it. A host that enters without having been asked finds no number, or no START_THREAD:
 * the hypervisor lets each thread be entered once.
 */
void thread_started(struct thread *t)
{
	lock_take(&thread_lock);
	if (t->start != START_THREAD || !t->tid)
		die(CARREL_DIE_SHIM);
	t->start = START_DONE;
	lock_release(&thread_lock);
	if (t->set_tid)
		user_store(t->set_tid, t->tid);
	asm volatile("wrfsbase %0" : : "r"(t->fs_base));
	vectors_take(t->page);
	signal_unblock(t);
	if (t->noted)
		signal_deliver(t, 0);
}

static int64_t host_clone(struct thread *t, const struct thread *child)
{
	uint64_t alive = (uint64_t)child->slot + CARREL_SLOT_ALIVE;
	int64_t tid = host_call_own(t, SYS_clone, FLAGS_HOST, CARREL_CHILD_RSP((uint64_t)child->slot),
				    alive, alive);

	/* Programs own locks by this number. */
	if (tid == 0 || tid > INT32_MAX || (tid > 0 && thread_find(tid)))
		die(CARREL_DIE_IAGO);
	return tid;
}

/* With the lock, all signals blocked. */
static int64_t make_and_carry(struct thread *t, const struct clone_request *r)
{
	struct thread *child = thread_make(t, r);
	int64_t tid;

	if (!child)
		return -LINUX_EAGAIN;
	tid = host_clone(t, child);
	if (tid < 0) {
		thread_unmake(child);
		return tid;
	}
	child->tid = tid;
	set_state(child->index, LIVE);
	if (r->flags & CLONE_PARENT_SETTID)
		user_store(r->parent_tid, child->tid);
	return tid;
}

int64_t thread_clone(struct thread *t, const struct clone_request *r)
{
	int64_t value;

	if (~r->flags & (CLONE_VM | CLONE_SIGHAND))
		return -LINUX_EINVAL;
	if (~r->flags & FLAGS_SHARED || r->flags & ~FLAGS_KNOWN) {
		note(CARREL_NOTE_ENOSYS, SYS_clone);
		return -LINUX_EINVAL;
	}
	if ((r->flags & CLONE_SETTLS && r->tls >= VM_HIGH) || r->stack >= VM_HIGH)
		return -LINUX_EPERM;
	signal_block(t);
	lock_take(&thread_lock);
	value = make_and_carry(t, r);
	lock_release(&thread_lock);
	signal_unblock(t);
	return value;
}

EMULATED(call_gettid)
{
	(void)arg;
	return t->tid;
}

EMULATED(call_set_tid_address)
{
	t->clear_tid = arg[0];
	return t->tid;
}

EMULATED(call_set_robust_list)
{
	if (arg[1] != ROBUST_LIST_SIZE)
		return -LINUX_EINVAL;
	t->robust_list = arg[0];
	return 0;
}

EMULATED(call_get_robust_list)
{
	const uint64_t size = ROBUST_LIST_SIZE;
	const struct thread *of = (uint32_t)arg[0] ? thread_find(arg[0]) : t;

	if (!of)
		return -LINUX_ESRCH;
	return user_put(arg[1], &of->robust_list, sizeof(of->robust_list)) &&
	       user_put(arg[2], &size, sizeof(size)) ? 0 : -LINUX_EFAULT;
}

/* The end of the last thread is the end of all. */
static bool alone(const struct thread *t)
{
	unsigned int live = 0;

	for (uint64_t i = 0; i < CARREL_SLOTS_MAX; i++)
		live += state_of(i) == LIVE && thread_at(i)->carrier == t->carrier;
	return live == 1;
}

/*
 * Signals are blocked first: the kernel gives those of the process to another thread. Then
 * what other threads wait for, on this thread's own stack; the kernel is told no address. Once
 * the index is given up, whoever takes it has still to wait for the kernel.
 */
EMULATED(call_exit)
{
	signal_block(t);
	if (t->noted) {			/* one that was ours already */
		t->rewind = true;
		return 0;
	}
	if (alone(t))
		shared_write_all(t);
	futex_robust(t);
	if (t->clear_tid && user_store(t->clear_tid, 0))
		futex_wake(t, t->clear_tid, 1);
	set_state(t->index, LEFT);
	host_call_own(t, SYS_exit, (uint32_t)arg[0], 0, 0, 0);
	die(CARREL_DIE_IAGO);
}

EMULATED(call_exit_group)
{
	shared_write_all(t);
	futex_robust(t);
	host_call_own(t, SYS_exit_group, (uint32_t)arg[0], 0, 0, 0);
	die(CARREL_DIE_IAGO);
}
