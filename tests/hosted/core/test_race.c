/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four CPUs at the same time, each a thread of this program: all work on the
 * same few processes and chunks, with no order but what the hypervisor's own
 * locks and atomics make.
 */
#include "machine.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <core/destroy.h>
#include <core/stats.h>

#define SHARED	6U		/* the first three are created, the others are children of forks */
#define MADE	3U
#define ROUNDS	18000U

static struct shared {
	pthread_mutex_t mutex;	/* of the carrier's words, not of the hypercalls */
	struct carrier carrier;
} shared[SHARED];

/* How often something was reached. */
static unsigned int created, entered, resumed, destroyed, forked, adopted, threads_made, claimed;

static void reached(unsigned int *what)
{
	__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static struct carrier look(struct shared *s)
{
	struct carrier copy;

	pthread_mutex_lock(&s->mutex);
	copy = s->carrier;
	pthread_mutex_unlock(&s->mutex);
	return copy;
}

static u64 replace(struct shared *s, const struct carrier *new)
{
	u64 old;

	pthread_mutex_lock(&s->mutex);
	old = s->carrier.id;
	s->carrier = *new;
	pthread_mutex_unlock(&s->mutex);
	return old;
}

/* Make a process in place of what `s` holds; any step may lose against another CPU. */
static void make(struct test_cpu *c, struct shared *s, u64 chunk)
{
	struct carrier new = { 0 };
	u64 old;

	for (unsigned int i = 0; i < 40; i++) {
		if (kernel_call(c, CARREL_HC_DONATE, chunk, 0, 0, 0) != CARREL_PENDING)
			break;
		kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0);
		sched_yield();
	}
	if (kernel_call(c, CARREL_HC_CREATE, chunk, CARREL_ABI_VERSION, 2 | 2 << 16, 3))
		return;
	reached(&created);
	new.id = c->cpu.vt.regs->rdi;
	new.ticket[0] = c->cpu.vt.regs->rsi;
	new.ticket[1] = c->cpu.vt.regs->rdx;
	old = replace(s, &new);
	for (u64 i = 0; i < 2; i++)
		for (unsigned int n = 0; n < 8; n++)
			if (kernel_call(c, CARREL_HC_LEND, new.id,
					lend_block((unsigned int)random_below(32)), i, 0) != CARREL_EOWNER)
				break;
	kernel_call(c, CARREL_HC_INIT, new.id, 0, 0, 0);
	if (old)
		kernel_call(c, CARREL_HC_DESTROY, old, 0, 0, 0);
}

/* As a kernel that does not care what the other CPUs do. */
static void kernel_step(struct test_cpu *c, struct shared *s)
{
	struct carrier now = look(s);
	u64 chunk = 1 + random_below(7);

	switch (random_below(9)) {
	case 8:
		if (kernel_call(c, CARREL_HC_ADOPT, now.id, now.ticket[0], now.ticket[1], 0) == 0)
			reached(&adopted);
		break;
	case 0:
		kernel_call(c, CARREL_HC_DONATE, chunk, random_below(2) ? now.id : 0, 0, 0);
		break;
	case 1:
		kernel_call(c, CARREL_HC_RETURN, chunk, 0, 0, 0);
		break;
	case 2: case 3:
		if (s < &shared[MADE])
			make(c, s, chunk);
		break;
	case 4:
		if (random_below(4) == 0)
			kernel_call(c, CARREL_HC_DESTROY, now.id, 0, 0, 0);
		break;
	case 5:
		kernel_call(c, CARREL_HC_ADD, now.id, 9 * CHUNK_PAGES + 1,
			    CARREL_SHIM_VA + random_below(8) * PAGE_SIZE, 5);
		break;
	case 6:
		kernel_call(c, CARREL_HC_INIT, now.id, 0, 0, 0);
		break;
	default:
		CHECK_EQ(kernel_call(c, CARREL_HC_INFO, CARREL_INFO_PROCESS, random_below(4), 0, 0), 0);
		break;
	}
}

/* Whoever held the child's place before is left to end with its parent, or by chance. */
static void fork_step(struct test_cpu *c)
{
	u64 what = random_below(8) ? CARREL_FORK_GO : CARREL_FORK_ABORT;
	u64 whom = random_below(2) ? look(&shared[MADE + random_below(SHARED - MADE)]).id : 0;
	s64 result = exit_call(c, CARREL_HC_FORK, what, whom, 0, 0, 0, 0);
	const struct vt_regs *regs = c->cpu.vt.regs;
	struct carrier new = { .id = regs->rdi, .ticket = { regs->rsi, regs->rdx } };

	if (result || what != CARREL_FORK_GO)
		return;
	replace(&shared[MADE + random_below(SHARED - MADE)], &new);
	reached(&forked);
}

/* Of all of them: the last that one CPU left is mostly claimed by another. */
static u64 tickets[2];

static void pass_step(struct test_cpu *c)
{
	const struct vt_regs *r = c->cpu.vt.regs;

	if (random_below(2)) {
		if (exit_call(c, CARREL_HC_PASS, 1, 2, 3, 4, 0, 0) == 0) {
			__atomic_store_n(&tickets[0], r->rdi, __ATOMIC_RELAXED);
			__atomic_store_n(&tickets[1], r->rsi, __ATOMIC_RELAXED);
		}
	} else if (exit_call(c, CARREL_HC_CLAIM, __atomic_load_n(&tickets[0], __ATOMIC_RELAXED),
			     __atomic_load_n(&tickets[1], __ATOMIC_RELAXED), 0, 0, 0, 0) == 0) {
		CHECK(r->rdi == 1 && r->rsi == 2 && r->rdx == 3 && r->r10 == 4);
		reached(&claimed);
	}
}

static void process_step(struct test_cpu *c)
{
	switch (random_below(10)) {
	case 8:
		fork_step(c);
		break;
	case 0:
		exit_call(c, CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
		break;
	case 1:
		exit_reason(c, VT_INTERRUPT);
		break;
	case 2:
		exit_exception(c, 14, 6, 0x1000000 + random_below(64) * PAGE_SIZE);
		break;
	case 3:
		exit_call(c, CARREL_HC_UNMAP, 0x1000000, random_below(64) + 1, 0, 0, 0, 0);
		break;
	case 4:
		touch(c, 0x1000000 + random_below(64) * PAGE_SIZE);
		break;
	case 5:
		if (exit_call(c, CARREL_HC_THREAD, random_below(3), 0, 0, 0, 0, 0) == 0)
			reached(&threads_made);
		break;
	case 6:
		pass_step(c);
		break;
	default:
		exit_call(c, CARREL_HC_MAP, 0x1000000 + random_below(64) * PAGE_SIZE,
			  random_below(8) + 1, 3 | (random_below(2) ? CARREL_MAP_DEMAND : 0), 0, 0, 0);
		break;
	}
}

/* As the module of a carrier that died: until it is gone, or this CPU loses patience. */
static void destroy(struct test_cpu *c, u64 id)
{
	for (unsigned int i = 0; i < 40; i++) {
		s64 result = kernel_call(c, CARREL_HC_DESTROY, id, 0, 0, 0);

		if (result == 0)
			reached(&destroyed);
		if (result <= 0)
			return;
		kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0);
		sched_yield();
	}
}

static void user_step(struct test_cpu *c, struct shared *s)
{
	struct carrier now = look(s);
	bool first = random_below(2);
	u64 index = random_below(4) == 0;
	/* each thread's own carrier, or sometimes the other's */
	u64 cr3 = 0x124000 + (index ^ (random_below(8) == 0)) * 0x4000;
	s64 result;

	result = user_call(c, first ? CARREL_HC_ENTER : CARREL_HC_RESUME, cr3, now.id, now.ticket[0],
			   now.ticket[1], index, 0, 0);
	if (inside(c)) {
		CHECK_EQ(c->cpu.thread->carrier, cr3 | 1);
		reached(first ? &entered : &resumed);
	} else if (first && result == CARREL_EDEAD) {
		destroy(c, now.id);
	}
}

static void *one_cpu(void *argument)
{
	struct test_cpu *c = argument;

	random_seed(c->cpu.id + 100);
	for (unsigned int i = 0; i < ROUNDS && !test_failed; i++) {
		struct shared *s = &shared[random_below(random_below(2) ? SHARED : MADE)];

		if (inside(c))
			process_step(c);
		else if (random_below(3) == 0)
			kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0);
		else if (random_below(2))
			kernel_step(c, s);
		else
			user_step(c, s);
	}
	while (inside(c))
		exit_reason(c, VT_INTERRUPT);
	return NULL;
}

/* Whatever is left when the CPUs have stopped can be put away in order. */
static void put_away(void)
{
	for (u64 slot = 0; slot < PROCESS_MAX; slot++) {
		kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_PROCESS, slot, 0, 0);
		if (cpus[0].cpu.vt.regs->rdi)
			CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, cpus[0].cpu.vt.regs->rdi, 0, 0, 0), 0);
	}
	for (u64 chunk = FIRST_CHUNK; chunk < LEND_CHUNK; chunk++) {
		if (owner(chunk) == CHUNK_LEAVING)
			CHECK_EQ(donate(&cpus[0], chunk, 0), 0);
		if (owner(chunk) == CHUNK_NOBODY)
			CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, chunk, 0, 0, 0), 0);
		CHECK_EQ(owner(chunk), CHUNK_HOST);
	}
	CHECK_EQ(stats.chunks_donated, 0);
	CHECK_EQ(stats.blocks_lent, 0);
}

static void race(void)
{
	pthread_t threads[CPUS];

	concurrent = true;
	for (unsigned int i = 0; i < SHARED; i++)
		shared[i] = (struct shared){ .mutex = PTHREAD_MUTEX_INITIALIZER };
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, one_cpu, &cpus[i]);
	for (unsigned int i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	concurrent = false;
	check_machine();
	put_away();
	check_machine();
	printf("     %u processes created, %u destroyed meanwhile, %u entries, %u resumptions\n",
	       created, destroyed, entered, resumed);
	printf("     %u forks, %u adopted, %u threads made, %u claims\n", forked, adopted, threads_made,
	       claimed);
	CHECK(created > 5 && destroyed > 3 && entered > 5 && resumed > 5 && forked > 3 && adopted);
	CHECK(threads_made && claimed);
}

/* --- Two processes of a family want its last chunk ----------------------------------------- */

static struct carrier parent, child;

static void *donate_to_child(void *argument)
{
	u64 *chunk = argument;

	kernel_call(&cpus[3], CARREL_HC_DONATE, *chunk, child.id, 0, 0);
	return NULL;
}

static void *donate_to_parent(void *argument)
{
	u64 *chunk = argument;

	kernel_call(&cpus[2], CARREL_HC_DONATE, *chunk, parent.id, 0, 0);
	return NULL;
}

static void make_family(u32 limit)
{
	const struct vt_regs *regs;
	s64 result;

	make_process(&parent, 2, 3, limit, true);
	CHECK_EQ(enter(&cpus[1], &parent), 0);
	do
		result = exit_call(&cpus[1], CARREL_HC_FORK, CARREL_FORK_GO, 0, 0, 0, 0, 0);
	while (result == CARREL_MORE);
	regs = cpus[1].cpu.vt.regs;
	child = (struct carrier){ .id = regs->rdi, .ticket = { regs->rsi, regs->rdx } };
	exit_reason(&cpus[1], VT_INTERRUPT);
	CHECK_EQ(kernel_call(&cpus[1], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
}

static void *destroy_parent(void *result)
{
	do {
		*(s64 *)result = kernel_call(&cpus[2], CARREL_HC_DESTROY, parent.id, 0, 0, 0);
		kernel_call(&cpus[1], CARREL_HC_FLUSH, 0, 0, 0, 0);
	} while (*(s64 *)result > 0);
	return NULL;
}

/* The end of a parent waits for its child's lock, whose holder adopts the child: it stays. */
static void adopted_meanwhile(void)
{
	struct process *process;
	pthread_t thread;
	s64 result;

	make_family(2);
	process = process_slots[child.id % PROCESS_MAX].process;
	lock_take(&process->lock);
	pthread_create(&thread, NULL, destroy_parent, &result);
	usleep(100000);
	__atomic_store_n(&process->parent, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&process->state, PROCESS_READY, __ATOMIC_SEQ_CST);
	lock_release(&process->lock);
	pthread_join(thread, NULL);
	CHECK_EQ(result, 0);
	if (CHECK(process_slots[child.id % PROCESS_MAX].id == child.id))
		CHECK_EQ(process_state(process), PROCESS_READY);
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, child.id, 0, 0, 0), 0);
	for (unsigned int i = 0; i < parent.chunks; i++)
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, parent.chunk[i], 0, 0, 0), 0);
}

static void *abort_child(void *result)
{
	*(s64 *)result = exit_call(&cpus[1], CARREL_HC_FORK, CARREL_FORK_ABORT, child.id, 0, 0, 0, 0);
	return NULL;
}

static void *adopt_child(void *result)
{
	*(s64 *)result = kernel_call(&cpus[2], CARREL_HC_ADOPT, child.id, child.ticket[0],
				     child.ticket[1], 0);
	return NULL;
}

/* Until so many wait for the lock, which is handed on in order. */
static void wait_for_waiters(struct process *process, u32 waiters)
{
	const u32 *next = &process->lock.next, *serving = &process->lock.serving;

	while (__atomic_load_n(next, __ATOMIC_SEQ_CST) - __atomic_load_n(serving, __ATOMIC_SEQ_CST) !=
	       waiters + 1)
		usleep(1000);
}

/* A child whose lock is held here; its parent, inside, waits for that to undo it. */
static struct process *undoing(pthread_t *thread, s64 *result)
{
	struct process *process;

	make_family(2);
	process = process_slots[child.id % PROCESS_MAX].process;
	CHECK_EQ(resume(&cpus[1], &parent, 0, 0), 0);
	lock_take(&process->lock);
	pthread_create(thread, NULL, abort_child, result);
	wait_for_waiters(process, 1);
	return process;
}

static void end_both(void)
{
	end_process(&parent);
	CHECK_EQ(stats.chunks_donated, 0);
}

/* ABORT waits for the child's lock, whose holder has just ended it: nothing is left to undo. */
static void gone_meanwhile(void)
{
	pthread_t thread;
	s64 result;
	struct process *process = undoing(&thread, &result);

	CHECK(process_get(child.id) == process);	/* as DESTROY has it */
	process->state = PROCESS_DYING;
	process_retire(process);
	process_put(process);
	pthread_join(thread, NULL);
	CHECK_EQ(result, CARREL_ESTATE);
	CHECK_EQ(process_state(process), PROCESS_GONE);
	/* it comes back, so that its end can be a whole one */
	process->state = PROCESS_DYING;
	process_slots[child.id % PROCESS_MAX].process = process;
	process_slots[child.id % PROCESS_MAX].id = child.id;
	exit_reason(&cpus[1], VT_INTERRUPT);
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, child.id, 0, 0, 0), 0);
	end_both();
}

/* ADOPT comes between the first two steps of ABORT: from the first on the child is nobody's. */
static void adopted_too_late(void)
{
	pthread_t threads[2];
	s64 undone, adopted;
	struct process *process = undoing(&threads[0], &undone);

	pthread_create(&threads[1], NULL, adopt_child, &adopted);
	wait_for_waiters(process, 2);
	lock_release(&process->lock);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(adopted, CARREL_EDEAD);
	while (undone == CARREL_MORE)
		abort_child(&undone);
	CHECK_EQ(undone, 0);
	exit_reason(&cpus[1], VT_INTERRUPT);
	end_both();
}

/* Each holds its own process's lock; both are where they wait for frame_lock. */
static void last_chunk(void)
{
	u64 chunk[2] = { 10, 11 };
	pthread_t threads[2];

	make_family(2);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADOPT, child.id, child.ticket[0], child.ticket[1], 0), 0);
	CHECK_EQ(donate(&cpus[0], chunk[0], 0), 0);
	CHECK_EQ(donate(&cpus[0], chunk[1], 0), 0);
	lock_take(&frame_lock);
	pthread_create(&threads[0], NULL, donate_to_parent, &chunk[0]);
	pthread_create(&threads[1], NULL, donate_to_child, &chunk[1]);
	usleep(100000);
	lock_release(&frame_lock);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	CHECK_EQ(object(&parent)->family->chunks, 2);
	CHECK((owner(chunk[0]) == CHUNK_NOBODY) != (owner(chunk[1]) == CHUNK_NOBODY));
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, child.id, 0, 0, 0), 0);
	end_process(&parent);
	for (unsigned int i = 0; i < 2; i++)
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, chunk[i], 0, 0, 0), 0);
	CHECK_EQ(stats.chunks_donated, 0);
}

const struct test race_tests[] = {
	{ "a child adopted at once with its parent's end", adopted_meanwhile },
	{ "a child ended at once with its parent's ABORT", gone_meanwhile },
	{ "a child adopted at once with its parent's ABORT", adopted_too_late },
	{ "two processes at once want the last chunk of their family", last_chunk },
	{ "four CPUs at once on the same processes and chunks", race },
	{ 0 },
};
