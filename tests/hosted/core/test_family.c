/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A family on four CPUs in random order, against a model that knows what each process wrote to
 * each of its pages. CPUs use translations that they cached as long as they did not flush, so a
 * read that finds another value than the model's is a write that reached the wrong side of a
 * fork, or one that another thread of the same process does not see.
 */
#include "machine.h"

#include <base/phys.h>
#include <core/stats.h>
#include <mm/space.h>

#define RW	(CARREL_R | CARREL_W)
#define PROCS	5U
#define THREADS	2U
#define OWN	40U		/* private pages: half of them on demand */
#define ALL	(OWN + 4U)	/* and shared ones */
#define STEPS	8000U
#define CHUNKS	10U
#define TLB	64U

static struct proc {
	struct carrier carrier;
	bool used, adopted, dying;
	unsigned int parent;
	u64 value[ALL], begun[ALL];	/* now; when its fork began */
	u8 rights[ALL];
} procs[PROCS];

static struct tlb {
	unsigned int flushes, count;
	struct { u64 cr3, va, pa; bool write; } entry[TLB];
} tlbs[CPUS];

static u64 counter;
static unsigned int forks, waits, breaks, undone, gone;

static u64 address(unsigned int page)
{
	return (page < OWN ? 0x1000000UL : 0x5000000UL) + page * PAGE_SIZE;
}

static struct proc *on(const struct test_cpu *c)
{
	for (unsigned int i = 0; i < PROCS; i++)
		if (procs[i].used && inside(c) && c->cpu.thread->process->id == procs[i].carrier.id)
			return &procs[i];
	return NULL;
}

/* --- Translations ----------------------------------------------------------------------- */

static u64 *cached(struct test_cpu *c, u64 va, bool write)
{
	struct tlb *tlb = &tlbs[c->cpu.id];

	if (tlb->flushes != c->flushes)
		*tlb = (struct tlb){ .flushes = c->flushes };
	for (unsigned int i = 0; i < tlb->count; i++) {
		if (tlb->entry[i].cr3 != c->process.cr3 || tlb->entry[i].va != va)
			continue;
		if ((!write || tlb->entry[i].write) && random_below(8))
			return phys(tlb->entry[i].pa);
		tlb->entry[i--] = tlb->entry[--tlb->count];	/* a fault drops it */
	}
	return NULL;
}

static u64 *walked(struct test_cpu *c, u64 va, bool write)
{
	struct tlb *tlb = &tlbs[c->cpu.id];
	unsigned int at = tlb->count < TLB ? tlb->count++ : (unsigned int)random_below(TLB);
	u64 pa = touch_for(c, va, true);
	bool writable = pa != 0;

	if (!pa && !write)
		pa = touch(c, va);
	if (!pa) {
		tlb->count -= at == tlb->count - 1;
		return NULL;
	}
	tlb->entry[at].cr3 = c->process.cr3;
	tlb->entry[at].va = va;
	tlb->entry[at].pa = pa;
	tlb->entry[at].write = writable;
	return phys(pa);
}

/* NULL: the thread had to leave. */
static u64 *access(struct test_cpu *c, u64 va, bool write)
{
	for (unsigned int i = 0; i < 4; i++) {
		u64 *word = cached(c, va, write);

		word = word ? word : walked(c, va, write);
		if (word)
			return word;
		exit_exception(c, 14, write ? 6 : 4, va);
		if (!inside(c)) {
			waits += c->host.rip == CARREL_GATE_VA + CARREL_GATE_KICK;
			return NULL;
		}
		breaks += write;
	}
	CHECK(!"a fault that does not end");
	return NULL;
}

/* --- Steps of a thread -------------------------------------------------------------------- */

static void set_value(struct proc *p, unsigned int page, u64 value)
{
	p->value[page] = value;
	for (unsigned int i = 0; page >= OWN && i < PROCS; i++)
		procs[i].value[page] = value;
}

static void use(struct test_cpu *c, struct proc *p)
{
	unsigned int page = (unsigned int)random_below(ALL);
	bool write = random_below(2) && p->rights[page] & CARREL_W;
	u64 *word = access(c, address(page), write);

	if (!word)
		return;
	if (!CHECK_EQ(*word, p->value[page]))
		printf("     page %u\n", page);
	if (!write)
		return;
	*word = ++counter;
	set_value(p, page, counter);
}

static struct proc *unused(void)
{
	for (unsigned int i = 0; i < PROCS; i++)
		if (!procs[i].used)
			return &procs[i];
	return NULL;
}

/* A page of the child has what its parent's had at some time between begin and end. */
static void learn(struct proc *p, struct proc *new)
{
	struct process *child = object(&new->carrier);

	for (unsigned int page = 0; page < ALL; page++) {
		u64 pa = space_find(&child->space, address(page));

		new->value[page] = pa ? *(u64 *)phys(pa) : 0;
		CHECK(new->value[page] >= p->begun[page] && new->value[page] <= p->value[page]);
		new->rights[page] = p->rights[page];
	}
}

static void fork_one(struct test_cpu *c, struct proc *p)
{
	struct proc *new = unused();
	const struct vt_regs *regs = c->cpu.vt.regs;
	s64 result;

	if (!new)
		return;
	if (!c->cpu.thread->process->making)
		memcpy(p->begun, p->value, sizeof(p->begun));
	result = exit_call(c, CARREL_HC_FORK, CARREL_FORK_GO, 0, 0, 0, 0, 0);
	CHECK(result == 0 || result == CARREL_MORE || result == CARREL_PENDING ||
	      result == CARREL_EBUSY ||
	      (result == CARREL_ESTATE && c->cpu.thread->process->making->state == PROCESS_DYING));
	if (result)
		return;
	*new = (struct proc){ .used = true, .parent = (unsigned int)(p - procs) };
	new->carrier = (struct carrier){ .id = regs->rdi, .ticket = { regs->rsi, regs->rdx },
					 .cr3 = CARRIER_CR3 + (regs->rdi << 20) };
	learn(p, new);
	forks++;
}

/* Whichever is named, or the one in the making. */
static void undo(struct test_cpu *c, struct proc *p)
{
	struct proc *named = &procs[random_below(PROCS)];
	u64 id;
	s64 result;

	for (unsigned int i = 0; i < PROCS; i++)
		if (procs[i].used && !procs[i].adopted && &procs[procs[i].parent] == p && random_below(8))
			named = &procs[i];
	id = named->used && random_below(8) ? named->carrier.id : 0;
	result = exit_call(c, CARREL_HC_FORK, CARREL_FORK_ABORT, id, 0, 0, 0, 0);

	if (id && (named->adopted || &procs[named->parent] != p)) {
		CHECK_EQ(result, CARREL_ESTATE);
		return;
	}
	CHECK(result == 0 || result == CARREL_MORE);
	if (!id)
		return;
	named->dying = true;
	named->used = result != 0;
	undone++;
}

/* UNMAP, MAP or PROTECT of a few private pages; while it is PENDING, all CPUs flush. */
static void change(struct test_cpu *c, struct proc *p)
{
	unsigned int first = (unsigned int)random_below(OWN - 6), pages = 1 + (unsigned int)random_below(6);
	bool protect = random_below(2);
	u64 rights = random_below(3) ? RW : CARREL_R;
	s64 result;

	if (c->cpu.thread->process->making)
		return;		/* the model would have to know how far it is */
	result = exit_call(c, protect ? CARREL_HC_PROTECT : CARREL_HC_UNMAP, address(first), pages, rights,
			   0, 0, 0);
	CHECK(result == 0 || result == CARREL_PENDING);
	for (unsigned int i = first; i < first + pages; i++) {
		p->rights[i] = (u8)rights;
		if (!protect)
			p->value[i] = 0;
	}
	if (!protect)
		result = exit_call(c, CARREL_HC_MAP, address(first), pages,
				   rights | (random_below(2) ? CARREL_MAP_DEMAND : 0), 0, 0, 0);
	CHECK(result == 0 || result == CARREL_PENDING);
	if (result == CARREL_PENDING)
		flush_all_cpus();
}

static void step_inside(struct test_cpu *c, struct proc *p)
{
	switch (random_below(24)) {
	case 0:
		exit_reason(c, VT_INTERRUPT);
		break;
	case 1:
		exit_call(c, CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
		break;
	case 2: case 3: case 4:
		if (!p->dying)
			fork_one(c, p);
		break;
	case 5:
		if (random_below(4) == 0 && !p->dying)
			undo(c, p);
		break;
	case 6: case 7:
		if (!p->dying)
			change(c, p);
		break;
	default:
		use(c, p);
	}
}

/* --- Steps of the host ---------------------------------------------------------------------- */

static void go_in(struct test_cpu *c, struct proc *p)
{
	u64 index = random_below(THREADS);
	struct process *process = object(&p->carrier);
	const struct thread *thread = process->threads[index];
	u64 number = CARREL_HC_RESUME;

	if (!thread) {	/* the shim makes one when it likes */
		lock_take(&process->lock);
		CHECK_EQ(thread_create(process, (u32)index), 0);
		lock_release(&process->lock);
		return;
	}
	if (thread->state == THREAD_NEW)
		number = CARREL_HC_ENTER;
	user_call(c, number, p->carrier.cr3, p->carrier.id, p->carrier.ticket[0], p->carrier.ticket[1],
		  index, 0, 0);
}

static void end_one(struct test_cpu *c, struct proc *p)
{
	unsigned int left = 0;
	s64 result;

	for (unsigned int i = 0; i < PROCS; i++)
		left += procs[i].used && procs[i].adopted && !procs[i].dying;
	if (!p->dying && (left < 2 || random_below(8)))
		return;
	result = kernel_call(c, CARREL_HC_DESTROY, p->carrier.id, 0, 0, 0);
	p->dying = true;
	if (result == 0 || result == CARREL_EARG) {
		p->used = false;
		gone++;
		for (unsigned int i = 0; i < PROCS; i++)
			if (procs[i].used && !procs[i].adopted && procs[i].parent == p - procs)
				procs[i].used = false;
	} else {
		CHECK(result == CARREL_PENDING || result == CARREL_MORE);
	}
}

static void step_outside(struct test_cpu *c)
{
	struct proc *p = &procs[random_below(PROCS)];
	s64 result;

	if (random_below(6) == 0)
		CHECK_EQ(kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	if (!p->used)
		return;
	if (!p->adopted && !p->dying) {
		result = kernel_call(c, CARREL_HC_ADOPT, p->carrier.id, p->carrier.ticket[0],
				     p->carrier.ticket[1], 0);
		/* its parent may be going, and the child with it */
		CHECK(result == 0 || procs[p->parent].dying);
		p->adopted = result == 0;
		p->dying = !p->adopted;
	} else if (p->adopted && !p->dying && random_below(8)) {
		go_in(c, p);
	} else if (p->adopted) {
		end_one(c, p);
	} else if (object(&p->carrier)) {
		kernel_call(c, CARREL_HC_DESTROY, p->carrier.id, 0, 0, 0);
	} else {
		p->used = false;
	}
}

static void begin(void)
{
	struct carrier *carrier = &procs[0].carrier;

	memset(procs, 0, sizeof(procs));
	memset(tlbs, 0, sizeof(tlbs));
	make_process(carrier, 4, 4, CHUNKS, true);
	while (carrier->chunks < CHUNKS) {
		carrier->chunk[carrier->chunks] = host_chunk();
		CHECK_EQ(donate(&cpus[0], carrier->chunk[carrier->chunks++], carrier->id), 0);
	}
	procs[0].used = procs[0].adopted = true;
	CHECK_EQ(enter(&cpus[1], carrier), 0);
	CHECK_EQ(exit_call(&cpus[1], CARREL_HC_MAP, address(0), OWN / 2, RW, 0, 0, 0), 0);
	CHECK_EQ(exit_call(&cpus[1], CARREL_HC_MAP, address(OWN / 2), OWN - OWN / 2,
			   RW | CARREL_MAP_DEMAND, 0, 0, 0), 0);
	CHECK_EQ(exit_call(&cpus[1], CARREL_HC_MAP, address(OWN), ALL - OWN, RW | CARREL_MAP_SHARED,
			   0, 0, 0), 0);
	memset(procs[0].rights, RW, sizeof(procs[0].rights));
	exit_reason(&cpus[1], VT_INTERRUPT);
}

static void end_all(const struct carrier *first)
{
	for (u64 slot = 0; slot < PROCESS_MAX; slot++) {
		flush_all_cpus();
		kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_PROCESS, slot, 0, 0);
		if (cpus[0].cpu.vt.regs->rdi)
			CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, cpus[0].cpu.vt.regs->rdi, 0, 0, 0), 0);
	}
	for (unsigned int i = 0; i < first->chunks; i++)
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, first->chunk[i], 0, 0, 0), 0);
	CHECK_EQ(stats.chunks_donated, 0);
	CHECK_EQ(stats.blocks_lent, 0);
	check_machine();
}

static void run(u64 seed)
{
	struct carrier first;

	random_seed(seed);
	begin();
	first = procs[0].carrier;
	for (unsigned int i = 0; i < STEPS && !test_failed; i++) {
		struct test_cpu *c = &cpus[random_below(CPUS)];
		struct proc *p = on(c);

		if (p)
			step_inside(c, p);
		else if (!inside(c))
			step_outside(c);
		else
			CHECK(!"a process that the model does not know");
		if (i % 32 == 0)
			check_machine();
		if (test_failed)
			printf("     seed %lu, step %u\n", seed, i);
	}
	end_all(&first);
}

static void families(void)
{
	forks = waits = breaks = undone = gone = 0;
	for (u64 seed = 1; seed <= 8 && !test_failed; seed++)
		run(seed);
	printf("     %u forks, %u undone, %u ended, %u faults, %u waited for flushes\n", forks, undone,
	       gone, breaks, waits);
	CHECK(forks > 50 && undone > 3 && gone > 30 && breaks > 300 && waits > 50);
}

const struct test family_tests[] = {
	{ "a family in random order against a model", families },
	{ 0 },
};
