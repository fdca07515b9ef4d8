/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls and exits in random order on four CPUs, against a model of thread and
 * process states, with every invariant looked at after each step.
 */
#include "machine.h"

#include <base/phys.h>
#include <core/stats.h>

#define CARRIERS	4U
#define STEPS		12000U

enum at { NEW, IN, CALLED, THROWN, ENDED };	/* the model's own words for a thread */

static struct model {
	struct carrier carrier;
	bool made, ready, dying;
	enum at at;
	unsigned int cpu;	/* IN */
	u64 rax;		/* what the thread must see after RESUME */
	u64 mark;		/* in R12 while it runs */
} models[CARRIERS];

static struct model *on(const struct test_cpu *c)
{
	for (unsigned int i = 0; i < CARRIERS; i++)
		if (models[i].made && models[i].at == IN && &cpus[models[i].cpu] == c)
			return &models[i];
	return NULL;
}

static void has_entered(struct model *m, struct test_cpu *c, u64 rax)
{
	CHECK(inside(c));
	CHECK_EQ(c->cpu.vt.regs->rax, rax);
	CHECK_EQ(c->cpu.vt.regs->r12, m->mark);
	m->at = IN;
	m->cpu = c->cpu.id;
	m->mark = c->cpu.vt.regs->r12 = random_u64();
}

static s64 want_enter(const struct model *m)
{
	if (m->dying)
		return CARREL_EDEAD;
	if (!m->ready)
		return CARREL_ESTATE;
	if (m->at == IN)
		return CARREL_EBUSY;
	return m->at == NEW ? 0 : m->at == ENDED ? CARREL_EDEAD : CARREL_ESTATE;
}

static void try_enter(struct test_cpu *c, struct model *m)
{
	s64 want = want_enter(m), got = enter(c, &m->carrier);

	CHECK_EQ(got, want);
	if (want == 0)
		has_entered(m, c, 0);
}

static void try_resume(struct test_cpu *c, struct model *m)
{
	u64 value = random_below(3) ? 0 : random_u64() >> 1, flags = random_below(4);
	s64 want = want_enter(m), got;

	if (want == 0)
		want = CARREL_ESTATE;
	else if (want == CARREL_ESTATE && m->ready)
		want = m->at == THROWN && (value || flags > 1) ? CARREL_EARG : 0;
	if (want == 0 && m->at == THROWN)
		flags = 0;
	got = resume(c, &m->carrier, value, flags);
	if (want) {
		CHECK_EQ(got, want);
		return;
	}
	has_entered(m, c, m->at == CALLED ? value : m->rax);
}

static void check_out(struct test_cpu *c, struct model *m, enum at at, u64 gate)
{
	m->at = m->dying ? ENDED : at;
	CHECK(!inside(c));
	CHECK_EQ(c->host.rip, CARREL_GATE_VA + (m->dying ? CARREL_GATE_DEAD : gate));
	CHECK_EQ(c->cpu.vt.regs->r12, 0);
}

/* The thread's memory: map, touch, change, unmap. It may run out. */
static void use_memory(struct test_cpu *c)
{
	u64 va = 0x1000000 + random_below(64) * 0x10000, pages = 1 + random_below(40);
	static const u64 calls[] = { CARREL_HC_MAP, CARREL_HC_MAP, CARREL_HC_UNMAP, CARREL_HC_PROTECT };
	u64 call = calls[random_below(4)], rights = random_below(2) ? 3 : 1;
	s64 result;

	if (call == CARREL_HC_MAP && random_below(2))
		rights |= CARREL_MAP_DEMAND;
	result = exit_call(c, call, va, pages, rights, 0, 0, 0);
	CHECK(inside(c));
	CHECK(result == 0 || result == CARREL_EARG || result == CARREL_MORE ||
	      result == CARREL_ENOMEM || result == CARREL_ELIMIT);
	for (u64 i = 0; i < pages; i++) {
		u64 pa = touch(c, va + i * PAGE_SIZE);

		if (pa && random_below(4) == 0)
			memset(phys(pa), 0x5C, 64);
	}
}

static void fault(struct test_cpu *c, struct model *m)
{
	u64 va = 0x1000000 + random_below(64 * 16) * PAGE_SIZE;
	struct carrel_thread_page *page = phys(touch(c, CARREL_THREAD_PAGE(0)));
	unsigned int lines = log_lines;
	u64 rax = c->cpu.vt.regs->rax;

	page->in_shim = 0;
	exit_exception(c, 14, 6, va);
	if (inside(c)) {
		page->in_shim = 1;
		if (c->process.rip == CARREL_SHIM_UPCALL)
			c->cpu.vt.regs->r12 = m->mark;
		return;
	}
	m->rax = rax;
	if (c->host.rip == CARREL_GATE_VA + CARREL_GATE_DEAD && !m->dying) {
		CHECK_EQ(log_lines, lines + 1);
		CHECK_EQ(object(&m->carrier)->family->chunks, object(&m->carrier)->limit);
		m->dying = true;
	}
	check_out(c, m, THROWN, CARREL_GATE_MEMORY);
}

static void step_inside(struct test_cpu *c, struct model *m)
{
	u64 before = c->cpu.vt.regs->rax;

	switch (random_below(8)) {
	case 0:
		exit_call(c, CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
		check_out(c, m, CALLED, CARREL_GATE_OCALL);
		break;
	case 1: case 2:
		m->rax = before;
		exit_reason(c, random_below(2) ? VT_INTERRUPT : VT_NMI);
		check_out(c, m, THROWN, CARREL_GATE_RESUME);
		break;
	case 3:
		if (random_below(8))
			break;
		exit_call(c, CARREL_HC_DIE, 19, 0, 0, 0, 0, 0);
		m->dying = true;
		check_out(c, m, ENDED, CARREL_GATE_DEAD);
		break;
	case 4:
		if (m->dying) {	/* any exit but a hypercall ends it */
			exit_exception(c, 13, 0, 0);
			check_out(c, m, ENDED, CARREL_GATE_DEAD);
		} else {
			fault(c, m);
		}
		break;
	default:
		use_memory(c);
		break;
	}
}

static void make(struct model *m)
{
	u64 source = host_chunk();

	if (!source)
		return;
	flush_all_cpus();
	for (unsigned int i = 0; i < CARRIERS; i++) {
		struct model *other = &models[i];

		if (other->made && other->at == IN) {
			other->rax = object(&other->carrier)->threads[0]->context.regs.rax;
			other->at = other->dying ? ENDED : THROWN;
		}
	}
	memset(m, 0, sizeof(*m));
	m->ready = random_below(8) != 0;
	make_process(&m->carrier, 1, 2, 3, m->ready);
	m->made = true;
}

static void try_destroy(struct test_cpu *c, struct model *m)
{
	s64 result = kernel_call(c, CARREL_HC_DESTROY, m->carrier.id, 0, 0, 0);

	m->dying = true;
	if (m->at != IN)
		m->at = ENDED;
	else
		CHECK_EQ(result, CARREL_PENDING);
	if (result == 0) {
		for (unsigned int i = 0; i < m->carrier.chunks; i++)
			CHECK_EQ(kernel_call(c, CARREL_HC_RETURN, m->carrier.chunk[i], 0, 0, 0), 0);
		m->made = false;
	} else {
		CHECK(result == CARREL_PENDING || result == CARREL_MORE);
	}
}

static void try_donate(struct test_cpu *c, struct model *m)
{
	u64 chunk = m->carrier.chunks < 3 ? host_chunk() : 0;

	for (u64 i = FIRST_CHUNK; i < RAM_CHUNKS; i++)
		if (owner(i) == CHUNK_LEAVING)
			chunk = i;
	if (!chunk)
		return;
	if (kernel_call(c, CARREL_HC_DONATE, chunk, m->carrier.id, 0, 0) == 0)
		m->carrier.chunk[m->carrier.chunks++] = chunk;
}

static void step_outside(struct test_cpu *c)
{
	struct model *m = &models[random_below(CARRIERS)];
	u64 chunk = random_below(RAM_CHUNKS);

	touch_host(c, chunk);
	device_touch(chunk);
	drains_late = random_below(4) ? 0 : random_below(3);
	if (!m->made) {
		if (random_below(4) == 0)
			make(m);
		return;
	}
	switch (random_below(16)) {
	case 0:
		kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0);
		break;
	case 1:
		if (m->dying || random_below(10) == 0)
			try_destroy(c, m);
		break;
	case 2:
		try_donate(c, m);
		break;
	case 3:	/* never the right thing to do */
		chunk = m->carrier.chunk[0];
		CHECK_EQ(kernel_call(c, CARREL_HC_RETURN, chunk, 0, 0, 0), CARREL_ESTATE);
		break;
	case 4: case 5: case 6:
		try_enter(c, m);
		break;
	default:
		try_resume(c, m);
		break;
	}
}

static void run(u64 seed)
{
	random_seed(seed);
	memset(models, 0, sizeof(models));
	for (unsigned int i = 0; i < STEPS && !test_failed; i++) {
		struct test_cpu *c = &cpus[random_below(CPUS)];
		struct model *m = on(c);

		CHECK_EQ(inside(c), m != NULL);
		if (m)
			step_inside(c, m);
		else
			step_outside(c);
		if (i % 8 == 0)
			check_machine();
		if (test_failed)
			printf("     seed %lu, step %u\n", seed, i);
	}
	drains_late = 0;
	flush_all_cpus();	/* nobody is inside now */
	for (unsigned int i = 0; i < CARRIERS; i++)
		if (models[i].made)
			end_process(&models[i].carrier);
	for (u64 i = FIRST_CHUNK; i < RAM_CHUNKS; i++)
		if (owner(i) == CHUNK_LEAVING && donate(&cpus[0], i, 0) == 0)
			kernel_call(&cpus[0], CARREL_HC_RETURN, i, 0, 0, 0);
	CHECK_EQ(stats.chunks_donated, 0);
	CHECK_EQ(stats.blocks_lent, 0);
	check_machine();
}

static void orders(void)
{
	for (u64 seed = 1; seed <= 3; seed++)
		run(seed);
}

const struct test order_tests[] = {
	{ "random orders on four CPUs against a model", orders },
	{ 0 },
};
