/* SPDX-License-Identifier: BSD-2-Clause */
/* Families: fork step by step, who sees whose writes, and who ends when. */
#include "machine.h"

#include <base/phys.h>
#include <core/stats.h>
#include <mm/flush.h>

#define RW	(CARREL_R | CARREL_W)
#define DATA	0x1000000UL	/* eager, 20 pages */
#define ZERO	0x2000000UL	/* on demand, 40 pages */
#define TEXT	0x3000000UL	/* read-only, 3 pages */
#define KEPT	0x4000000UL	/* without rights, 2 pages */
#define BOTH	0x5000000UL	/* shared, 4 pages */

static struct test_cpu *const one = &cpus[1], *const two = &cpus[2];
static struct carrier parent, child;

static void put(struct test_cpu *c, u64 va, u64 value)
{
	u64 *word = reach(c, va, true);

	if (CHECK(word != NULL))
		*word = value;
}

static u64 get(struct test_cpu *c, u64 va)
{
	const u64 *word = reach(c, va, false);

	return CHECK(word != NULL) ? *word : ~0UL;
}

static void map(struct test_cpu *c, u64 va, u64 pages, u64 how)
{
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, va, pages, how, 0, 0, 0), 0);
}

static void fill(struct test_cpu *c)
{
	map(c, DATA, 20, RW);
	map(c, ZERO, 40, RW | CARREL_MAP_DEMAND);
	map(c, TEXT, 3, RW);
	map(c, KEPT, 2, RW);
	map(c, BOTH, 4, RW | CARREL_MAP_SHARED);
	for (u64 i = 0; i < 20; i++)
		put(c, DATA + i * PAGE_SIZE, 100 + i);
	put(c, ZERO + 3 * PAGE_SIZE, 7);
	put(c, TEXT, 8);
	put(c, KEPT + PAGE_SIZE, 9);
	put(c, BOTH, 10);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, TEXT, 3, CARREL_R | CARREL_X, 0, 0, 0), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, KEPT, 2, 0, 0, 0, 0), 0);
}

/* A process whose thread 0 is inside on CPU 1. */
static void start(u32 limit)
{
	make_process(&parent, 4, 4, limit, true);
	CHECK_EQ(enter(one, &parent), 0);
	fill(one);
}

/* Back in; RESUME gives the RAX that the thread had. */
static void back(struct test_cpu *c, const struct carrier *who, u64 index)
{
	user_call(c, CARREL_HC_RESUME, who->cr3, who->id, who->ticket[0], who->ticket[1], index, 0, 0);
	CHECK(inside(c));
}

static s64 fork_step(struct test_cpu *c)
{
	return exit_call(c, CARREL_HC_FORK, CARREL_FORK_GO, 0, 0, 0, 0, 0);
}

/* That child, or (0) the one in the making. */
static s64 fork_abort(struct test_cpu *c, u64 id)
{
	return exit_call(c, CARREL_HC_FORK, CARREL_FORK_ABORT, id, 0, 0, 0, 0);
}

static void take_child(struct test_cpu *c, struct carrier *of)
{
	const struct vt_regs *regs = c->cpu.vt.regs;

	*of = (struct carrier){ .id = regs->rdi, .ticket = { regs->rsi, regs->rdx }, .slots = 4,
				.blocks = 4, .cr3 = CARRIER_CR3 + (regs->rdi << 20) };
}

/* FORK until it is done; with one thread nobody's flush is waited for. */
static void fork_to(struct test_cpu *c, struct carrier *of)
{
	s64 result;

	do {
		result = fork_step(c);
		check_machine();
	} while (result == CARREL_MORE);
	if (CHECK_EQ(result, 0))
		take_child(c, of);
}

static s64 adopt(const struct carrier *who)
{
	return kernel_call(&cpus[0], CARREL_HC_ADOPT, who->id, who->ticket[0], who->ticket[1], 0);
}

static s64 destroy(struct carrier *who)
{
	s64 result = finish(&cpus[0], CARREL_HC_DESTROY, who->id, 0, 0, 0);

	who->id = 0;
	return result;
}

/* Everything back to the host; the parent's carrier knows the family's chunks. */
static void give_back(void)
{
	for (unsigned int i = 0; i < parent.chunks; i++)
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, parent.chunk[i], 0, 0, 0), 0);
	CHECK_EQ(stats.chunks_donated, 0);
	CHECK_EQ(stats.blocks_lent, 0);
}

static void check_child(struct test_cpu *c)
{
	for (u64 i = 0; i < 20; i++)
		CHECK_EQ(get(c, DATA + i * PAGE_SIZE), 100 + i);
	CHECK_EQ(get(c, ZERO + 3 * PAGE_SIZE), 7);
	CHECK_EQ(get(c, ZERO + 39 * PAGE_SIZE), 0);
	CHECK_EQ(get(c, TEXT), 8);
	CHECK_EQ(get(c, BOTH), 10);
	CHECK_EQ(touch(c, KEPT), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, KEPT, 2, RW, 0, 0, 0), 0);
	CHECK_EQ(get(c, KEPT + PAGE_SIZE), 9);
}

static struct carrel_thread_page *page_of(struct test_cpu *c)
{
	return phys(touch(c, CARREL_THREAD_PAGE(0)));
}

/* What a child is, what it sees, and that each goes its own way from there. */
static void both_ways(void)
{
	struct carrier wrong;

	create_flags = CARREL_CREATE_DMA;
	start(3);
	create_flags = 0;
	put(one, CARREL_THREAD_PAGE(0) + 0x200, 77);
	put(one, CARREL_THREAD_STACK(0) - 64, 78);
	page_of(one)->upcall_pending = 1;	/* a signal for the parent */
	fork_to(one, &child);
	CHECK(child.id != parent.id && memcmp(child.ticket, parent.ticket, 16));
	/* it is there, but does not run before it is adopted, by its own ticket, once */
	CHECK_EQ(enter(two, &child), CARREL_ESTATE);
	CHECK_EQ(kernel_call(two, CARREL_HC_ADD, child.id, 13 * CHUNK_PAGES, 0x900000, 1),
		 CARREL_ESTATE);
	wrong = child;
	wrong.ticket[1] ^= 1;
	CHECK_EQ(adopt(&wrong), CARREL_ETICKET);
	memcpy(wrong.ticket, parent.ticket, sizeof(wrong.ticket));
	CHECK_EQ(adopt(&wrong), CARREL_ETICKET);
	CHECK_EQ(adopt(&parent), CARREL_ESTATE);
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(adopt(&child), CARREL_ESTATE);
	CHECK_EQ(adopt(&wrong), CARREL_ETICKET);	/* whatever state it is in */
	wrong = parent;
	wrong.ticket[0] ^= 1UL << 63;
	CHECK_EQ(adopt(&wrong), CARREL_ETICKET);
	CHECK_EQ(fork_abort(one, child.id), CARREL_ESTATE);	/* too late, and nothing is undone */
	CHECK_EQ(fork_abort(one, 0), 0);
	CHECK(memcmp(object(&child)->identity, object(&parent)->identity, 32) == 0);
	CHECK(object(&child)->slots == 4 && object(&child)->blocks == 4);
	CHECK(object(&child)->limit == 3 && object(&child)->flags == CARREL_CREATE_DMA);
	CHECK_EQ(enter(two, &child), 0);
	CHECK_EQ(two->process.rip, CARREL_SHIM_START);
	CHECK_EQ(two->cpu.vt.regs->rdi, 0);
	CHECK_EQ(two->process.rsp, CARREL_THREAD_STACK(0));
	CHECK(two->process.cr3 != one->process.cr3);
	CHECK(!page_of(two)->upcall_pending && page_of(one)->upcall_pending);
	check_machine();
	CHECK_EQ(get(two, CARREL_THREAD_PAGE(0) + 0x200), 77);
	CHECK_EQ(get(two, CARREL_THREAD_STACK(0) - 64), 78);
	check_child(two);
	check_machine();
	/* writes of the one are not the other's */
	for (u64 i = 0; i < 20; i += 3) {
		put(two, DATA + i * PAGE_SIZE, 200 + i);
		put(one, DATA + (i + 1) * PAGE_SIZE, 300 + i);
		check_machine();
	}
	put(two, CARREL_THREAD_STACK(0) - 64, 79);
	put(one, ZERO + 30 * PAGE_SIZE, 31);
	for (u64 i = 0; i < 20; i++) {
		CHECK_EQ(get(one, DATA + i * PAGE_SIZE), i % 3 == 1 ? 300 + i - 1 : 100 + i);
		CHECK_EQ(get(two, DATA + i * PAGE_SIZE), i % 3 == 0 ? 200 + i : 100 + i);
	}
	CHECK_EQ(get(one, CARREL_THREAD_STACK(0) - 64), 78);
	CHECK_EQ(get(two, ZERO + 30 * PAGE_SIZE), 0);
	/* shared memory is */
	put(two, BOTH + PAGE_SIZE, 11);
	CHECK_EQ(get(one, BOTH + PAGE_SIZE), 11);
	put(one, BOTH + PAGE_SIZE, 12);
	CHECK_EQ(get(two, BOTH + PAGE_SIZE), 12);
	CHECK_EQ(touch(one, BOTH), touch(two, BOTH));
	/* no right that the program did not have came with the copies */
	*(u32 *)reach(two, CARREL_THREAD_PAGE(0) + CARREL_TP_IN_SHIM, true) = 0;
	CHECK(!reach(two, TEXT, true) && two->process.rip == CARREL_SHIM_UPCALL);
	check_machine();
	CHECK_EQ(destroy(&parent), 0);
	CHECK_EQ(destroy(&child), 0);
	give_back();
}


/* --- The end, in every order ---------------------------------------------------------- */

static void leave(struct test_cpu *c)
{
	if (inside(c))
		exit_reason(c, VT_INTERRUPT);
}

/* Parent, child and grandchild; each that is left still has its memory. */
static void every_order(void)
{
	static const u8 orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
					 { 2, 0, 1 }, { 2, 1, 0 } };
	struct carrier grandchild, *const all[3] = { &parent, &child, &grandchild };

	for (unsigned int n = 0; n < 6; n++) {
		start(3);
		fork_to(one, &child);
		CHECK_EQ(adopt(&child), 0);
		CHECK_EQ(enter(two, &child), 0);
		put(two, DATA + PAGE_SIZE, 1001);
		fork_to(two, &grandchild);
		CHECK_EQ(adopt(&grandchild), 0);
		CHECK_EQ(enter(&cpus[3], &grandchild), 0);
		put(&cpus[3], DATA + 2 * PAGE_SIZE, 1002);
		put(one, DATA + 3 * PAGE_SIZE, 1003);
		for (unsigned int i = 0; i < 3; i++) {
			CHECK_EQ(destroy(all[orders[n][i]]), 0);
			check_machine();
			for (unsigned int k = i + 1; k < 3; k++) {
				unsigned int who = orders[n][k];
				struct test_cpu *c = &cpus[1 + who];

				if (!inside(c))
					back(c, all[who], 0);
				CHECK_EQ(get(c, DATA), 100);
				CHECK_EQ(get(c, DATA + PAGE_SIZE), who ? 1001 : 101);
				CHECK_EQ(get(c, DATA + 2 * PAGE_SIZE), who == 2 ? 1002 : 102);
				CHECK_EQ(get(c, DATA + 3 * PAGE_SIZE), who ? 103 : 1003);
				put(c, DATA + 9 * PAGE_SIZE, 5000 + n);
				CHECK_EQ(get(c, BOTH), 10);
			}
		}
		give_back();
	}
}

/* --- Half-made children --------------------------------------------------------------- */

#define MANY	0x8000000UL
#define MANY_PAGES 1500UL

static void start_big(u32 limit)
{
	start(limit);
	for (u64 i = 0; i < 3; i++) {
		exit_reason(one, VT_INTERRUPT);
		parent.chunk[parent.chunks++] = host_chunk();
		CHECK_EQ(donate(&cpus[0], parent.chunk[parent.chunks - 1], parent.id), 0);
		back(one, &parent, 0);
	}
	for (u64 i = 0; i < MANY_PAGES; i += 500)
		map(one, MANY + i * PAGE_SIZE, 500, RW);
	put(one, MANY, 1);
	put(one, MANY + (MANY_PAGES - 1) * PAGE_SIZE, 2);
}

/* Nothing of a child is left, and every page is its parent's own again. */
static void check_undone(void)
{
	check_machine();
	CHECK_EQ(object(&parent)->family->members, 1);
	put(one, MANY, 3);
	put(one, MANY + (MANY_PAGES - 1) * PAGE_SIZE, 4);
	CHECK(frame_record(object(&parent)->family, touch(one, MANY))->count == 1);
	check_machine();
}

static void abort_all(u64 id)
{
	s64 result;

	do {
		result = fork_abort(one, id);
		check_machine();
		if (result == CARREL_MORE && object(&parent)->making)
			CHECK_EQ(fork_step(one), CARREL_ESTATE);	/* no way back */
	} while (result == CARREL_MORE);
	CHECK_EQ(result, 0);
}

/* ABORT, and the end of the parent, after every number of steps, the last included. */
static void half_made(void)
{
	unsigned int steps = 0;
	s64 result;

	for (bool whole = false; !whole; steps++) {
		start_big(4);
		for (unsigned int i = 0; i < steps; i++) {
			result = fork_step(one);
			whole = result == 0;
			CHECK(whole || result == CARREL_MORE);
			check_machine();
			if (whole)
				take_child(one, &child);
		}
		abort_all(whole ? child.id : 0);
		if (whole)
			CHECK_EQ(adopt(&child), CARREL_EARG);
		abort_all(0);				/* nothing more to undo */
		if (whole)
			CHECK_EQ(fork_abort(one, child.id), CARREL_ESTATE);
		check_undone();
		for (unsigned int i = 0; i < steps; i++)
			CHECK(fork_step(one) >= 0);
		check_machine();
		CHECK_EQ(destroy(&parent), 0);
		check_machine();
		if (whole)
			CHECK_EQ(adopt(&child), CARREL_EARG);
		give_back();
	}
	CHECK(steps > 3);
}

/* The parent's memory changes between the steps: behind, at, and before where they are. */
static void changed_meanwhile(void)
{
	static const u64 at[] = { 0, 300, 499, 500, 511, 512, 700, 1000, 1400 };

	for (unsigned int n = 0; n < ARRAY_SIZE(at) * 4; n++) {
		u64 va = MANY + at[n % ARRAY_SIZE(at)] * PAGE_SIZE;
		unsigned int what = n / ARRAY_SIZE(at);
		s64 result = CARREL_MORE;

		start_big(4);
		for (unsigned int i = 0; i < 2; i++)
			CHECK_EQ(fork_step(one), CARREL_MORE);
		if (what == 0)
			put(one, va, 55);
		if (what >= 1)
			CHECK_EQ(exit_call(one, CARREL_HC_UNMAP, va, 40, 0, 0, 0, 0), 0);
		if (what >= 2)
			map(one, va, 40, RW | (what == 2 ? CARREL_MAP_DEMAND : 0));
		check_machine();
		while (result == CARREL_MORE) {
			result = fork_step(one);
			check_machine();
		}
		CHECK_EQ(result, 0);
		CHECK_EQ(destroy(&parent), 0);
		give_back();
	}
}

static unsigned int places_taken(void)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < PROCESS_MAX; i++)
		taken += process_slots[i].taken;
	return taken;
}

/* No frame, no chunk allowed, no place in the table, no randomness: then all is as it was, and
 * memory that comes later is enough. */
static void refused(void)
{
	struct carrier other;
	s64 result;

	start(2);
	while (object(&parent)->family->free > 5)
		map(one, 0x10000000 + (u64)object(&parent)->family->free * PAGE_SIZE, 1, RW);
	for (u64 page = 0; page < 6; page++) {	/* down to the last frame */
		CHECK_EQ(fork_step(one), CARREL_ENOMEM);
		check_machine();
		CHECK(object(&parent)->family->members == 1 && places_taken() == 1);
		exit_call(one, CARREL_HC_MAP, 0x10000000 + page * PAGE_SIZE, 1, RW, 0, 0, 0);
	}
	CHECK_EQ(object(&parent)->family->free, 0);
	generator_dry = true;
	CHECK_EQ(fork_step(one), CARREL_ERANDOM);
	generator_dry = false;
	exit_reason(one, VT_INTERRUPT);
	parent.chunk[parent.chunks++] = 11;
	CHECK_EQ(donate(&cpus[0], 11, parent.id), 0);
	back(one, &parent, 0);
	do
		result = fork_step(one);
	while (result == CARREL_MORE);
	CHECK_EQ(result, 0);
	take_child(one, &child);
	CHECK_EQ(adopt(&child), 0);
	/* both count for the family's limit */
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 12, child.id, 0, 0), CARREL_ELIMIT);
	CHECK_EQ(enter(two, &child), 0);
	while (object(&parent)->family->free > 5)
		map(two, 0x20000000 + (u64)object(&parent)->family->free * PAGE_SIZE, 1, RW);
	CHECK_EQ(fork_step(two), CARREL_ELIMIT);
	check_machine();
	leave(two);
	make_process(&other, 1, 2, 1, true);	/* another family is no part of it */
	CHECK(object(&other)->family != object(&parent)->family);
	end_process(&other);
	CHECK_EQ(destroy(&child), 0);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

static unsigned int fork_many(void)
{
	unsigned int made = 0;
	s64 result;

	while ((result = fork_step(one)) >= 0) {
		made += result == 0;
		if (!result)
			take_child(one, &child);
	}
	CHECK(result == CARREL_ELIMIT && !object(&parent)->making);
	return made;
}

/* Who is undone is the one that is named: another thread's is not, nor one in the making. */
static void undone_by_name(void)
{
	struct carrier first, second;

	start_big(4);
	fork_to(one, &first);
	fork_to(one, &second);
	CHECK_EQ(fork_step(one), CARREL_MORE);
	while (fork_abort(one, first.id) == CARREL_MORE)
		check_machine();
	CHECK_EQ(adopt(&first), CARREL_EARG);
	CHECK(object(&parent)->making);
	CHECK_EQ(fork_abort(one, parent.id), CARREL_ESTATE);
	CHECK_EQ(fork_abort(one, 1), CARREL_ESTATE);
	fork_to(one, &child);
	CHECK_EQ(adopt(&second), 0);
	CHECK_EQ(fork_abort(one, second.id), CARREL_ESTATE);
	CHECK_EQ(enter(two, &second), 0);
	CHECK_EQ(fork_abort(two, child.id), CARREL_ESTATE);	/* not its child */
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(destroy(&second), 0);
	CHECK_EQ(destroy(&child), 0);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

/*
 * Children that nobody adopts: a few alone, for the table of processes is everybody's. They go
 * with their parent, a bounded number a call. The others fill the table.
 */
static void many_children(void)
{
	const struct family *family;
	unsigned int made, before;
	s64 result;

	start(13);
	exit_reason(one, VT_INTERRUPT);
	while (parent.chunks < 13) {
		parent.chunk[parent.chunks++] = host_chunk();
		CHECK_EQ(donate(&cpus[0], parent.chunk[parent.chunks - 1], parent.id), 0);
	}
	back(one, &parent, 0);
	made = fork_many();
	CHECK_EQ(made, 32);
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(fork_many(), 1);
	while (fork_abort(one, child.id))
		;
	CHECK_EQ(fork_many(), 1);
	for (made = 1; made; made = fork_many())
		CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(object(&parent)->family->members, PROCESS_MAX);
	CHECK_EQ(fork_many(), 0);		/* the table is full */
	leave(one);
	family = object(&parent)->family;
	do {
		flush_all_cpus();
		before = family->members;
		result = kernel_call(&cpus[0], CARREL_HC_DESTROY, parent.id, 0, 0, 0);
		CHECK(before - family->members <= 1);
	} while (result > 0);
	CHECK_EQ(result, 0);
	CHECK_EQ(family->members, PROCESS_MAX - 32);
	check_machine();
	for (u64 slot = 0; slot < PROCESS_MAX; slot++) {
		child.id = process_slots[slot].id;
		CHECK(!child.id || destroy(&child) == 0);
	}
	give_back();
}

/* --- Several threads ------------------------------------------------------------------ */

static s64 enter_thread(struct test_cpu *c, const struct carrier *who, u64 index)
{
	return user_call(c, CARREL_HC_ENTER, who->cr3, who->id, who->ticket[0], who->ticket[1], index,
			 0, 0);
}

static void start_two(void)
{
	start(3);
	CHECK_EQ(thread_create(object(&parent), 1), 0);
	CHECK_EQ(enter_thread(two, &parent, 1), 0);
	put(two, DATA, 1000);
	put(two, DATA + PAGE_SIZE, 1001);
}

/* A thread writes while another forks: the child does not exist before that CPU has flushed. */
static void writer(void)
{
	u64 *stale;

	start_two();
	stale = reach(two, DATA, true);
	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(fork_step(one), CARREL_PENDING);
		CHECK(!process_get(object(&parent)->making->id));
		*stale = 2000 + i;
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);	/* not that one */
	}
	/* no page is copied before either: the thread's writes would be lost */
	exit_exception(one, 14, 7, DATA);
	CHECK(!inside(one) && one->host.rip == CARREL_GATE_VA + CARREL_GATE_KICK);
	*stale = 3000;
	back(one, &parent, 0);
	exit_reason(two, VT_INTERRUPT);
	CHECK_EQ(kernel_call(two, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	back(two, &parent, 1);
	CHECK_EQ(fork_step(two), CARREL_EBUSY);		/* it is the other's fork */
	CHECK_EQ(fork_step(one), 0);
	take_child(one, &child);
	check_machine();
	leave(two);
	put(one, DATA, 4000);
	leave(one);
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(enter_thread(two, &child, 1), CARREL_ESTATE);	/* one thread alone came along */
	CHECK_EQ(enter(two, &child), 0);
	CHECK_EQ(touch(two, CARREL_THREAD_PAGE(1)), 0);
	CHECK_EQ(get(two, DATA), 3000);
	check_machine();
	CHECK_EQ(destroy(&child), 0);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

/* What a thread would write while another forks, it writes when the fork is whole, or undone: a child
 * with a later write of a thread's has all earlier ones. */
static void one_moment(void)
{
	static const u64 at[] = { DATA, ZERO + 20 * PAGE_SIZE, MANY + 1400 * PAGE_SIZE };

	start_big(8);
	CHECK_EQ(thread_create(object(&parent), 1), 0);
	for (unsigned int turn = 0; turn < 2; turn++) {
		CHECK_EQ(fork_step(one), CARREL_MORE);
		if (turn)
			back(two, &parent, 1);
		else
			CHECK_EQ(enter_thread(two, &parent, 1), 0);
		for (unsigned int i = 0; i < 3; i++) {
			exit_exception(two, 14, 7, at[i]);
			CHECK(!inside(two) && two->host.rip == CARREL_GATE_VA + CARREL_GATE_WAIT);
			back(two, &parent, 1);
		}
		leave(two);
		put(one, DATA, 50);		/* the one that forks waits for nobody */
		if (turn)
			fork_to(one, &child);
		else
			abort_all(0);
		leave(one);
		back(two, &parent, 1);
		for (unsigned int i = 0; i < 3; i++)
			put(two, at[i], 60 + turn);
		leave(two);
		back(one, &parent, 0);
	}
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(enter(two, &child), 0);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(get(two, at[i]), 60);		/* of the turn before */
	check_machine();
	CHECK_EQ(destroy(&child), 0);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

/* One CPU reads an entry, another's copy takes the frame away, the first looks for it: once more. */
static void overtaken(void)
{
	struct vt_exit fault = { .reason = VT_NESTED_FAULT };
	unsigned int flushes;

	start_two();
	leave(two);
	fork_to(one, &child);
	CHECK_EQ(adopt(&child), 0);
	back(two, &parent, 1);
	fault.address = touch(two, DATA);
	exit_exception(one, 14, 7, DATA);
	flushes = two->flushes;
	exit_other(two, &fault);
	CHECK(inside(two) && two->flushes > flushes);
	CHECK(touch(two, DATA) != fault.address);
	check_machine();
	back(one, &parent, 0);
	exit_other(two, &fault);		/* nothing has changed since */
	CHECK(!inside(two) && strstr(log_last, "outside its view"));
	CHECK_EQ(destroy(&parent), 0);
	CHECK_EQ(destroy(&child), 0);
	give_back();
}

/* A thread that is not inside is not waited for: it flushes before it is again. */
static void others_out(void)
{
	unsigned int flushes;

	start_two();
	leave(two);
	CHECK_EQ(fork_step(one), 0);
	take_child(one, &child);
	flushes = two->flushes;
	back(two, &parent, 1);
	CHECK(two->flushes > flushes);
	check_machine();
	leave(two);
	put(one, DATA, 5);
	CHECK(inside(one));
	flushes = two->flushes;
	back(two, &parent, 1);
	CHECK(two->flushes > flushes);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

/* A thread that reads while another writes for the first time after a fork. */
static void reader(void)
{
	u64 old, copy;

	start_two();
	leave(two);
	fork_to(one, &child);
	CHECK_EQ(adopt(&child), 0);
	back(two, &parent, 1);
	old = touch(two, DATA);
	for (unsigned int i = 0; i < 5; i++) {
		exit_exception(one, 14, 7, DATA);
		CHECK(!inside(one) && one->host.rip == CARREL_GATE_VA + CARREL_GATE_KICK);
		back(one, &parent, 0);
		copy = touch(one, DATA);
		CHECK(copy != old && !memcmp(phys(old), phys(copy), PAGE_SIZE));
		check_machine();
	}
	/* the child is the only one that has the old frame, but that thread still reads it */
	CHECK_EQ(enter(&cpus[3], &child), 0);
	put(&cpus[3], DATA, 66);
	CHECK(touch(&cpus[3], DATA) != old);
	CHECK_EQ(*(u64 *)phys(old), 1000);
	check_machine();
	exit_reason(two, VT_INTERRUPT);
	CHECK_EQ(kernel_call(two, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	back(two, &parent, 1);
	put(one, DATA, 67);
	CHECK_EQ(touch(one, DATA), copy);
	CHECK_EQ(get(two, DATA), 67);
	CHECK_EQ(get(&cpus[3], DATA), 66);
	check_machine();
	CHECK_EQ(destroy(&parent), 0);
	CHECK_EQ(destroy(&child), 0);
	give_back();
}

/* What waits for flushes is waited for where nothing else can come, and used as soon as it may be. */
static void from_limbo(void)
{
	start(1);
	CHECK_EQ(thread_create(object(&parent), 1), 0);
	map(one, MANY, 200, RW);
	CHECK_EQ(enter_thread(two, &parent, 1), 0);
	while (object(&parent)->family->free > 5)
		map(one, 0x10000000 + (u64)object(&parent)->family->free * PAGE_SIZE, 1, RW);
	CHECK_EQ(exit_call(one, CARREL_HC_UNMAP, MANY, 200, 0, 0, 0, 0), CARREL_PENDING);
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(fork_step(one), CARREL_PENDING);
	leave(two);
	fork_to(one, &child);
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

/*
 * PROTECT is no way around the wait: the copy's page has one owner, and of what others gave up
 * everything is paid, but a thread of the same process still reads the frame that was copied.
 */
static void protected_early(void)
{
	struct test_cpu *const three = &cpus[3];
	u64 old;

	start_two();
	leave(two);
	fork_to(one, &child);
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(kernel_call(two, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	back(two, &parent, 1);
	CHECK_EQ(thread_create(object(&child), 1), 0);
	CHECK_EQ(enter(three, &child), 0);
	CHECK_EQ(enter_thread(&cpus[0], &child, 1), 0);
	exit_exception(three, 14, 7, DATA);	/* two CPUs in the child: 1 and 2 owe for the frame */
	leave(&cpus[0]);
	back(three, &child, 0);
	put(three, DATA, 66);
	exit_reason(two, VT_INTERRUPT);
	CHECK_EQ(kernel_call(two, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	back(two, &parent, 1);
	old = touch(two, DATA);
	exit_exception(one, 14, 7, DATA);	/* copies, and CPU 1 flushes: 2 owes for the copy alone */
	CHECK(!inside(one) && one->host.rip == CARREL_GATE_VA + CARREL_GATE_KICK);
	back(one, &parent, 0);
	CHECK(touch(one, DATA) != old);
	CHECK_EQ(exit_call(one, CARREL_HC_PROTECT, DATA, 1, RW, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(touch_for(one, DATA, true), 0);
	exit_exception(one, 14, 7, DATA);
	CHECK(!inside(one) && one->host.rip == CARREL_GATE_VA + CARREL_GATE_KICK);
	exit_reason(two, VT_INTERRUPT);
	CHECK_EQ(kernel_call(two, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	back(two, &parent, 1);
	back(one, &parent, 0);
	CHECK_EQ(exit_call(one, CARREL_HC_PROTECT, DATA, 1, RW, 0, 0, 0), 0);
	CHECK(touch_for(one, DATA, true) != 0);
	check_machine();
	CHECK_EQ(destroy(&parent), 0);
	CHECK_EQ(destroy(&child), 0);
	give_back();
}

/* The last that has a page writes to it in place when all who had it are flushed. */
static void last_one(void)
{
	u64 frame;

	start(3);
	frame = touch(one, DATA);
	fork_to(one, &child);
	CHECK_EQ(adopt(&child), 0);
	CHECK_EQ(enter(two, &child), 0);
	put(two, DATA, 1);
	CHECK(touch(two, DATA) != frame);
	put(one, DATA, 2);
	CHECK_EQ(touch(one, DATA), frame);
	CHECK_EQ(get(two, DATA), 1);
	check_machine();
	CHECK_EQ(destroy(&child), 0);
	back(one, &parent, 0);
	put(one, ZERO + 3 * PAGE_SIZE, 3);
	CHECK_EQ(object(&parent)->family->limbo, 0);	/* the child's frames are free at once */
	check_machine();
	CHECK_EQ(destroy(&parent), 0);
	give_back();
}

const struct test fork_tests[] = {
	{ "fork: what the child has, and who sees whose writes", both_ways },
	{ "fork: three generations end in every order", every_order },
	{ "fork: undone, or its parent ended, after every step", half_made },
	{ "fork: memory that changes between the steps", changed_meanwhile },
	{ "fork: what can run out", refused },
	{ "fork: the child that is named is undone", undone_by_name },
	{ "fork: children that nobody adopts", many_children },
	{ "fork: a thread writes meanwhile, on a CPU that does not flush", writer },
	{ "fork: threads that are out are not waited for", others_out },
	{ "fork: the child is of one moment", one_moment },
	{ "fork: a walk that a copy overtook is made again", overtaken },
	{ "fork: a thread reads what another writes to first", reader },
	{ "fork: frames out of limbo", from_limbo },
	{ "fork: PROTECT does not make a copy writable early", protected_early },
	{ "fork: the last that has a page writes in place", last_one },
	{ 0 },
};
