/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads beyond the first, and what came with them: carriers, fixups, channel
 * blocks lent late, what is passed on across an exec, chunks that go back.
 */
#include "machine.h"

#include <base/phys.h>
#include <base/x86.h>
#include <core/pass.h>
#include <core/stats.h>

#define OTHER_CR3	0xABC000UL
#define SLOTS		4U

static struct carrier carrier;
static struct test_cpu *const c = &cpus[1];

static s64 enter_as(struct test_cpu *cpu, u64 index, u64 cr3)
{
	return user_call(cpu, CARREL_HC_ENTER, cr3, carrier.id, carrier.ticket[0],
			 carrier.ticket[1], index, 0, 0);
}

static s64 resume_as(struct test_cpu *cpu, u64 index, u64 cr3, u64 value)
{
	return user_call(cpu, CARREL_HC_RESUME, cr3, carrier.id, carrier.ticket[0],
			 carrier.ticket[1], index, value, 0);
}

static s64 make_thread(u64 index)
{
	return exit_call(c, CARREL_HC_THREAD, index, 0, 0, 0, 0, 0);
}

static struct thread *thread(u32 index)
{
	return object(&carrier)->threads[index];
}

/* Inside on CPU 1 as thread 0, with 4 pages of program at 400000h. */
static struct carrel_thread_page *start(void)
{
	make_process(&carrier, SLOTS, 4, 2, true);
	CHECK_EQ(enter(c, &carrier), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x400000, 4, 3, 0, 0, 0), 0);
	return phys(touch(c, CARREL_THREAD_PAGE(0)));
}

static void stop(void)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (inside(&cpus[i]))
			exit_reason(&cpus[i], VT_INTERRUPT);
	check_machine();
	end_process(&carrier);
}

/* What START finds, whatever the thread was before. */
static void check_start(struct test_cpu *cpu, u64 index)
{
	const u64 *regs = (const u64 *)cpu->cpu.vt.regs;
	const struct carrel_thread_page *page;

	CHECK(inside(cpu));
	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(regs[i], i == 7 ? index : 0);
	CHECK_EQ(cpu->process.rip, CARREL_SHIM_START);
	CHECK_EQ(cpu->process.rsp, CARREL_THREAD_STACK(index));
	CHECK_EQ(cpu->process.rflags, 0x202);
	CHECK_EQ(cpu->process.cpl, 3);
	CHECK_EQ(cpu->process.gs_base, CARREL_THREAD_PAGE(index));
	CHECK_EQ(cpu->process.fs_base, 0);
	CHECK_EQ(cpu->process.shadow, 0);
	CHECK_EQ(cpu->vectors, 0);
	page = phys(touch(cpu, CARREL_THREAD_PAGE(index)));
	CHECK_EQ(page->in_shim, 1);
	CHECK_EQ(page->upcall_pending, 0);
	CHECK_EQ(page->fixup, 0);
}

/* Four at once, each with its own stack, page, slot and carrier. */
static void several(void)
{
	start();
	for (u64 i = 1; i < SLOTS; i++) {
		struct test_cpu *cpu = &cpus[(i + 1) % CPUS];
		u64 cr3 = OTHER_CR3 + i * PAGE_SIZE * 2;

		CHECK_EQ(enter_as(cpu, i, cr3), CARREL_ESTATE);
		CHECK_EQ(make_thread(i), 0);
		CHECK_EQ(resume_as(cpu, i, cr3, 0), CARREL_ESTATE);
		CHECK_EQ(enter_as(cpu, i, cr3), 0);
		check_start(cpu, i);
		CHECK_EQ(make_thread(i), CARREL_EBUSY);
		check_machine();
	}
	CHECK_EQ(make_thread(0), CARREL_EBUSY);		/* itself */
	CHECK_EQ(make_thread(SLOTS), CARREL_EARG);
	for (u64 i = 1; i < SLOTS; i++) {
		struct test_cpu *cpu = &cpus[(i + 1) % CPUS];

		exit_exception(cpu, 14, 6, CARREL_THREAD_STACK(i) - 8);
		CHECK(touch(cpu, CARREL_THREAD_STACK(i) - 8) != 0);
		exit_call(cpu, CARREL_HC_OCALL, i, 0, 0, 0, 0, 0);
		CHECK_EQ(cpu->host.rsp, CARREL_CHANNEL_VA + (i + 1) * 0x8000 - 128);
		CHECK_EQ(cpu->cpu.vt.regs->rdi, i);
	}
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_PROCESS, carrier.id & 0xFFFF, 0, 0),
		 0);
	CHECK_EQ(cpus[0].cpu.vt.regs->rdx, SLOTS);
	CHECK_EQ(cpus[0].cpu.vt.regs->r8, SLOTS - 1);
	stop();
}

/* Who entered a thread resumes it; that says nothing about the others. */
static void carriers(void)
{
	start();
	CHECK_EQ(make_thread(1), 0);
	CHECK_EQ(enter_as(&cpus[2], 1, OTHER_CR3 | 0x1005), 0);
	CHECK_EQ(resume_as(&cpus[0], 1, OTHER_CR3, 0), CARREL_EBUSY);
	CHECK_EQ(resume_as(&cpus[0], 1, carrier.cr3, 0), CARREL_ETICKET);
	CHECK_EQ(enter_as(&cpus[0], 1, carrier.cr3), CARREL_ETICKET);
	exit_call(&cpus[2], CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(resume_as(&cpus[0], 1, carrier.cr3, 7), CARREL_ETICKET);
	CHECK_EQ(thread(1)->state, THREAD_OCALL);
	CHECK_EQ(resume_as(&cpus[0], 0, OTHER_CR3, 0), CARREL_ETICKET);
	CHECK_EQ(thread(0)->state, THREAD_PREEMPTED);
	check_machine();
	CHECK_EQ(resume_as(&cpus[0], 1, OTHER_CR3, 7), 7);
	CHECK(inside(&cpus[0]));
	CHECK_EQ(resume_as(c, 0, carrier.cr3, 0), 0);
	CHECK(inside(c));
	/* made anew, it is the next one's */
	exit_call(&cpus[0], CARREL_HC_OCALL, 60, 0, 0, 0, 0, 0);
	CHECK_EQ(make_thread(1), 0);
	CHECK_EQ(resume_as(&cpus[0], 1, OTHER_CR3, 7), CARREL_ESTATE);
	CHECK_EQ(enter_as(&cpus[0], 1, OTHER_CR3 + 0x7000), 0);
	check_start(&cpus[0], 1);
	exit_call(&cpus[0], CARREL_HC_OCALL, 1, 0, 0, 0, 0, 0);
	CHECK_EQ(resume_as(&cpus[0], 1, OTHER_CR3, 7), CARREL_ETICKET);
	stop();
}

/* Thread 1 in `state`, full of its first life. */
static void live(enum thread_state state)
{
	struct test_cpu *cpu = &cpus[2];
	struct carrel_thread_page *page;

	CHECK_EQ(enter_as(cpu, 1, OTHER_CR3), 0);
	page = phys(touch(cpu, CARREL_THREAD_PAGE(1)));
	page->in_shim = 0;
	page->fixup = 0x1234;
	page->upcall_pending = 1;
	memset(page->shim, 0x77, sizeof(page->shim));
	for (unsigned int i = 0; i < 16; i++)
		if (i != 4)
			((u64 *)cpu->cpu.vt.regs)[i] = 0x5EC2E7;
	cpu->vectors = 0x5EC5;
	cpu->process.fs_base = 0x5EC3;
	cpu->process.rflags = 0xA93;
	cpu->process.shadow = 1;
	cpu->process.cpl = state == THREAD_PREEMPTED ? 0 : 3;
	if (state == THREAD_OCALL)
		exit_call(cpu, CARREL_HC_OCALL, 60, 0, 0, 0, 0, 0);
	else
		exit_reason(cpu, VT_INTERRUPT);
	if (state == THREAD_DEAD)
		CHECK(thread_stop(thread(1)));
}

static void anew(void)
{
	static const enum thread_state states[] = { THREAD_NEW, THREAD_OCALL, THREAD_PREEMPTED,
						    THREAD_DEAD };
	u32 free;

	start();
	CHECK_EQ(make_thread(1), 0);
	free = object(&carrier)->family->free;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		u64 page = space_find(&object(&carrier)->space, CARREL_THREAD_PAGE(1));

		if (states[i] != THREAD_NEW)
			live(states[i]);
		CHECK_EQ(thread(1)->state, states[i]);
		CHECK_EQ(make_thread(1), 0);
		CHECK_EQ(thread(1)->state, THREAD_NEW);
		CHECK_EQ(enter_as(&cpus[3], 1, OTHER_CR3 + 0x2000 * i), 0);
		check_start(&cpus[3], 1);
		CHECK_EQ(touch(&cpus[3], CARREL_THREAD_PAGE(1)), page);
		if (states[i] != THREAD_NEW)	/* the shim's own part stays */
			CHECK_EQ(((const struct carrel_thread_page *)phys(page))->shim[5], 0x77);
		exit_call(&cpus[3], CARREL_HC_OCALL, 60, 0, 0, 0, 0, 0);
		CHECK_EQ(make_thread(1), 0);
	}
	CHECK_EQ(object(&carrier)->family->free, free);
	stop();
}

/* MAP one page after another until no frame is left, then give back `left` of them. */
static void exhaust(u64 left)
{
	static u64 va = 0x30000000;	/* never the same twice */

	va += MIB * 16;
	while (exit_call(c, CARREL_HC_MAP, va, 1, 3, 0, 0, 0) == 0)
		va += PAGE_SIZE;
	for (; left; left--)
		CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, va -= PAGE_SIZE, 1, 0, 0, 0, 0), 0);
	process_reclaim(object(&carrier));
}

/* With however few frames: all or nothing of a thread, and it can be asked for again. */
static void starved(void)
{
	bool made = false;

	for (u64 left = 0; !made && left < 8; left++) {
		u32 free;

		start();
		exhaust(left);
		free = object(&carrier)->family->free;
		CHECK_EQ(free, left);
		made = make_thread(2) == 0;
		CHECK_EQ(left > 1, made);
		CHECK_EQ(thread(2) != NULL, made);
		CHECK_EQ(object(&carrier)->thread_count, 1 + made);
		check_machine();
		if (!made) {
			CHECK_EQ(space_find(&object(&carrier)->space, CARREL_THREAD_PAGE(2)), 0);
			CHECK_EQ(c->cpu.vt.regs->rax, CARREL_ENOMEM);
			exit_reason(c, VT_INTERRUPT);
			CHECK_EQ(donate(&cpus[0], 11, carrier.id), 0);
			carrier.chunk[carrier.chunks++] = 11;
			resume(c, &carrier, 0, 0);
			CHECK_EQ(make_thread(2), 0);
			exhaust(0);
			CHECK_EQ(make_thread(3), CARREL_ELIMIT);
		}
		CHECK_EQ(enter_as(&cpus[0], 2, OTHER_CR3), 0);
		check_start(&cpus[0], 2);
		stop();
	}
	CHECK(made);
}

/* What is taken away waits for threads that are inside, and for no others. */
static void pending(void)
{
	struct test_cpu *other = &cpus[2];

	start();
	CHECK_EQ(make_thread(1), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, 0x400000, 1, 1, 0, 0, 0), 0);	/* NEW */
	CHECK_EQ(enter_as(other, 1, carrier.cr3), 0);
	touch(other, 0x401000);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, 0x401000, 1, 1, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x402000, 1, 0, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x402000, 1, 0, 0, 0, 0), CARREL_PENDING);
	exit_reason(other, VT_INTERRUPT);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x402000, 1, 0, 0, 0, 0), 0);	/* it flushes later */
	CHECK_EQ(resume_as(other, 1, carrier.cr3, 0), 0);
	CHECK_EQ(touch(other, 0x402000), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x402000, 1, 0, 0, 0, 0), 0);
	exit_call(other, CARREL_HC_OCALL, 60, 0, 0, 0, 0, 0);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x403000, 1, 0, 0, 0, 0), 0);
	check_machine();
	stop();
}

/* --- fixups ------------------------------------------------------------------------------- */

static void set_fixup(struct carrel_thread_page *page, u32 in_shim, u64 fixup)
{
	page->in_shim = in_shim;
	page->fixup = fixup;
	c->process.rip = CARREL_SHIM_VA + 0x600;
	c->process.rsp = CARREL_THREAD_STACK(0) - 0x40;
	c->process.rflags = 0xA93;
	c->cpu.vt.regs->rax = 0x5EC2E7;
	c->cpu.vt.regs->rdi = 0x99;
}

static void check_fixed_up(const struct carrel_thread_page *page, u64 rip)
{
	CHECK(inside(c));
	CHECK_EQ(c->process.rip, rip);
	CHECK_EQ(c->process.rsp, CARREL_THREAD_STACK(0) - 0x40);
	CHECK_EQ(c->process.rflags, 0xA93);
	CHECK_EQ(c->process.cpl, 3);
	CHECK_EQ(c->cpu.vt.regs->rax, 0x5EC2E7);
	CHECK_EQ(c->cpu.vt.regs->rdi, 0x99);
	CHECK_EQ(page->fixup, 0);
	CHECK_EQ(page->in_shim, 1);
}

static void fixups(void)
{
	const u64 rip = CARREL_SHIM_VA + 0x700;
	struct carrel_thread_page *page = start();

	/* a hole; a page without the right; one of the kernel's half */
	set_fixup(page, 1, rip);
	exit_exception(c, 14, 4, 0x9990000);
	check_fixed_up(page, rip);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, 0x400000, 1, 1, 0, 0, 0), 0);
	set_fixup(page, 2, rip);
	page->in_shim = 1;
	exit_exception(c, 14, 7, 0x400010);
	check_fixed_up(page, rip);
	set_fixup(page, 1, 0x7FFFFFFFFFFF);
	exit_exception(c, 14, 5, 0xFFFF888000000000);
	check_fixed_up(page, 0x7FFFFFFFFFFF);

	/* what can be filled is, and the instruction is retried */
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x10000000, 64, 3 | CARREL_MAP_DEMAND, 0, 0, 0), 0);
	set_fixup(page, 1, rip);
	exit_exception(c, 14, 6, 0x10005008);
	CHECK_EQ(c->process.rip, CARREL_SHIM_VA + 0x600);
	CHECK_EQ(page->fixup, rip);
	CHECK(touch(c, 0x10005000) != 0);

	/* the program's own fault is the program's, whatever it wrote there */
	set_fixup(page, 0, 0x400000);
	exit_exception(c, 14, 4, 0x9990000);
	CHECK(inside(c));
	CHECK_EQ(c->process.rip, CARREL_SHIM_UPCALL);
	CHECK_EQ(page->fixup, 0x400000);
	CHECK_EQ(page->upcall.rip, CARREL_SHIM_VA + 0x600);
	stop();
}

/* Memory is asked for first: the fixup waits. */
static void fixup_starved(void)
{
	const u64 rip = CARREL_SHIM_VA + 0x700;
	struct carrel_thread_page *page = start();

	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x20000000, 64, 3 | CARREL_MAP_DEMAND, 0, 0, 0), 0);
	exhaust(0);
	set_fixup(page, 1, rip);
	exit_exception(c, 14, 6, 0x20000000);
	CHECK_EQ(c->host.rip, CARREL_GATE_VA + CARREL_GATE_MEMORY);
	CHECK_EQ(page->fixup, rip);
	stop();
}

static void fixup_kills(void)
{
	static const struct {
		u64 fixup, vector, cpl;
		const char *why;
	} rows[] = {
		{ 0, 14, 3, "in the shim" },
		{ 0x800000000000, 14, 3, "in the shim" },
		{ 0xFFFF800000000000, 14, 3, "in the shim" },
		{ ~0UL, 14, 3, "in the shim" },
		{ 0x400000, 14, 0, "in the shim" },
		{ 0x400000, 13, 3, "in the shim" },
		{ 0x400000, 17, 3, "in the shim" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct carrel_thread_page *page = start();

		set_fixup(page, 1, rows[i].fixup);
		c->process.cpl = rows[i].cpl;
		exit_exception(c, (u8)rows[i].vector, 4, 0x9990000);
		CHECK(!inside(c));
		CHECK_EQ(c->host.rip, CARREL_GATE_VA + CARREL_GATE_DEAD);
		CHECK(strstr(log_last, rows[i].why) != NULL);
		stop();
	}
	/* once, not for ever */
	set_fixup(start(), 1, CARREL_SHIM_VA + 0x700);
	exit_exception(c, 14, 4, 0x9990000);
	CHECK(inside(c));
	exit_exception(c, 14, 4, 0x9990000);
	CHECK(!inside(c));
	stop();
}

/* --- blocks lent late --------------------------------------------------------------------- */

static bool all_of_block(const struct carrier *of, u64 index, u64 block)
{
	struct process *process = object(of);
	unsigned int there = 0;

	for (u64 i = 0; i < 16; i++) {
		u64 va = CARREL_CHANNEL_VA + index * CARREL_BLOCK_SIZE + i * PAGE_SIZE;
		u64 pa = (block << CARREL_BLOCK_SHIFT) + i * PAGE_SIZE;
		struct table_walk walk = table_walk(&process->space.table, va);

		CHECK_EQ(view_rights(&process->view, pa) != 0, walk.present);
		if (walk.present)
			CHECK_EQ(walk.pa, pa);
		there += walk.present;
	}
	CHECK(there == 0 || there == 16);
	return there == 16;
}

/* INIT needs no block: they come while threads run, or never. */
static void lend_late(void)
{
	make_empty(&carrier, SLOTS, 4, 2);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(1), 1, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, carrier.id, 0, 0, 0), 0);
	CHECK_EQ(enter(c, &carrier), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(0), 0, 0), 0);
	CHECK_EQ(touch(c, CARREL_CHANNEL_VA + 3 * CARREL_BLOCK_SIZE), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(1), 3, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(2), 1, 0), CARREL_ESTATE);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(3), 3, 0), 0);
	CHECK(all_of_block(&carrier, 3, lend_block(3)) && !all_of_block(&carrier, 2, lend_block(2)));
	CHECK_EQ(touch(c, CARREL_CHANNEL_VA + 3 * CARREL_BLOCK_SIZE), lend_block(3) << 16);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, LEND_CHUNK, 0, 0, 0), CARREL_ESTATE);
	check_machine();
	stop();
	CHECK_EQ(stats.blocks_lent, 0);
}

/* With however few frames for tables: all of it or nothing, and nothing that a thread could have
 * touched and the host had back at once. The channel's other end has a table of its own. */
static void lend_starved(void)
{
	const u64 index = 200;
	bool lent = false;

	for (u64 left = 0; !lent && left < 8; left++) {
		s64 result;

		make_empty(&carrier, SLOTS, 256, 1);
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(0), 0, 0), 0);
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, carrier.id, 0, 0, 0), 0);
		CHECK_EQ(enter(c, &carrier), 0);
		exhaust(left);
		result = kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(9), index, 0);
		lent = result == 0;
		CHECK(lent || result == CARREL_ENOMEM);
		CHECK_EQ(all_of_block(&carrier, index, lend_block(9)), lent);
		CHECK_EQ(stats.blocks_lent, 1 + lent);
		check_machine();
		stop();
	}
	CHECK(lent);
}

/* --- PASS and CLAIM ----------------------------------------------------------------------- */

static s64 pass_by(struct test_cpu *cpu, u64 word, u64 ticket[2])
{
	const struct vt_regs *r = cpu->cpu.vt.regs;
	s64 result = exit_call(cpu, CARREL_HC_PASS, word, word + 1, word + 2, word + 3, 5, 6);

	ticket[0] = r->rdi;
	ticket[1] = r->rsi;
	if (!result)
		CHECK(r->rdx == word + 2 && r->r10 == word + 3);
	return result;
}

static s64 pass(u64 word, u64 ticket[2])
{
	return pass_by(c, word, ticket);
}

static s64 claim(struct test_cpu *cpu, const u64 ticket[2], u64 word)
{
	const struct vt_regs *r = cpu->cpu.vt.regs;
	s64 result = exit_call(cpu, CARREL_HC_CLAIM, ticket[0], ticket[1], 3, 4, 5, 6);

	if (result)
		CHECK(r->rdi == ticket[0] && r->rsi == ticket[1] && r->rdx == 3 && r->r10 == 4);
	else
		CHECK(r->rdi == word && r->rsi == word + 1 && r->rdx == word + 2 && r->r10 == word + 3);
	CHECK(inside(cpu));
	return result;
}

static void passed_on(void)
{
	u64 ticket[2], other[2], lost[65][2];
	struct carrier stranger;

	start();
	pass_wipe();
	CHECK_EQ(pass(100, ticket), 0);
	CHECK_EQ(pass(200, other), 0);
	CHECK(ticket[0] != other[0] && ticket[1] != other[1]);
	/* another identity, though it has the ticket */
	make_process(&stranger, 1, 2, 1, true);
	CHECK_EQ(enter(&cpus[2], &stranger), 0);
	CHECK_EQ(claim(&cpus[2], ticket, 100), CARREL_ETICKET);
	CHECK_EQ(resume(c, &carrier, 0, 0), 0);
	ticket[1] ^= 1;
	CHECK_EQ(claim(c, ticket, 100), CARREL_ETICKET);
	ticket[1] ^= 1;
	/* a process of the same identity, after the passer's end */
	exit_reason(c, VT_INTERRUPT);
	end_process(&carrier);
	make_process(&carrier, SLOTS, 4, 2, true);
	CHECK_EQ(enter(c, &carrier), 0);
	CHECK_EQ(claim(c, ticket, 100), 0);
	CHECK_EQ(claim(c, ticket, 100), CARREL_ETICKET);
	CHECK_EQ(claim(c, (u64[]){ 0, 0 }, 0), CARREL_ETICKET);
	/* the oldest goes when the 65th comes: that is the other one */
	for (u64 i = 0; i < 63; i++)
		CHECK_EQ(pass(1000 + 10 * i, lost[i]), 0);
	CHECK_EQ(claim(c, other, 200), 0);
	CHECK_EQ(pass(5000, other), 0);
	CHECK_EQ(pass(1630, lost[63]), 0);
	CHECK_EQ(claim(c, lost[0], 1000), CARREL_ETICKET);
	CHECK_EQ(claim(c, lost[1], 1010), 0);
	CHECK_EQ(claim(c, lost[62], 1620), 0);
	CHECK_EQ(claim(c, other, 5000), 0);
	generator_stuck = true;
	pass(1, ticket);
	CHECK_EQ(pass(1, ticket), CARREL_ERANDOM);
	CHECK_EQ(claim(c, lost[63], 1630), 0);
	pass_wipe();
	CHECK_EQ(claim(c, lost[5], 1050), CARREL_ETICKET);
	end_process(&stranger);
	stop();
	machine_reset();
}

/* Who leaves too many pushes out its own: another identity's are there until it claims them. */
static void passed_too_much(void)
{
	struct test_cpu *other = &cpus[2];
	u64 theirs[24][2], ours[80][2];
	struct carrier stranger;

	start();
	make_process(&stranger, 1, 2, 1, true);
	CHECK_EQ(enter(other, &stranger), 0);
	CHECK_EQ(resume(c, &carrier, 0, 0), 0);
	CHECK_EQ(pass_by(other, 7000, theirs[0]), 0);
	for (u64 i = 0; i < 80; i++)
		CHECK_EQ(pass(1000 + 10 * i, ours[i]), 0);
	CHECK_EQ(claim(c, ours[16], 1160), CARREL_ETICKET);
	CHECK_EQ(claim(other, theirs[0], 7000), 0);
	/* 63 of ours; what others leave takes their places, the oldest first, until all have as many */
	for (u64 i = 0; i < 24; i++)
		CHECK_EQ(pass_by(other, 7000 + 10 * i, theirs[i]), 0);
	CHECK_EQ(claim(c, ours[16 + 23], 1390), CARREL_ETICKET);
	CHECK_EQ(claim(c, ours[16 + 24], 1400), 0);
	for (u64 i = 0; i < 24; i++)
		CHECK_EQ(claim(other, theirs[i], 7000 + 10 * i), 0);
	for (u64 i = 41; i < 80; i++)
		CHECK_EQ(claim(c, ours[i], 1000 + 10 * i), 0);
	exit_reason(other, VT_INTERRUPT);
	end_process(&stranger);
	stop();
	machine_reset();
}

/* --- chunks that go back ------------------------------------------------------------------ */

static s64 give_back(u64 chunk)
{
	return kernel_call(&cpus[0], CARREL_HC_RETURN, chunk, 0, 0, 0);
}

/* A chunk with nothing in it, or nothing any more that a CPU could reach, is the host's again while
 * the process runs; what was in it is zero. */
static void shrink(void)
{
	const u64 more = 11;
	const u64 *bytes = phys(more << CHUNK_SHIFT);
	struct process *process;
	u64 used = 0;

	start();
	process = object(&carrier);
	CHECK_EQ(thread_create(process, 1), 0);
	CHECK_EQ(give_back(carrier.chunk[0]), CARREL_ESTATE);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(donate(&cpus[0], more, carrier.id), 0);
	CHECK_EQ(give_back(more), 0);
	CHECK_EQ(owner(more), CHUNK_HOST);
	CHECK_EQ(process->family->chunks, 1);
	CHECK_EQ(donate(&cpus[0], more, carrier.id), 0);
	resume(c, &carrier, 0, 0);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x10000000, 500, 3, 0, 0, 0), 0);
	for (u64 i = 0; i < 500; i++) {
		u64 pa = touch(c, 0x10000000 + i * PAGE_SIZE);

		memset(phys(pa), 0x5C, PAGE_SIZE);
		used += pa >> CHUNK_SHIFT == more;
	}
	CHECK(used > 0);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(give_back(more), CARREL_ESTATE);
	CHECK_EQ(enter_as(&cpus[2], 1, carrier.cr3), 0);
	CHECK_EQ(resume(c, &carrier, 0, 0), 0);
	touch(c, 0x10000000);
	CHECK_EQ(exit_call(&cpus[2], CARREL_HC_UNMAP, 0x10000000, 500, 0, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(give_back(more), CARREL_ESTATE);	/* CPU 1 owes */
	check_machine();
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(give_back(more), 0);
	check_machine();
	for (u64 i = 0; i < CHUNK_SIZE / 8; i += 512)
		CHECK(bytes[i] == 0 || bytes[i] == 0xA5A5A5A5A5A5A5A5);
	CHECK_EQ(give_back(more), CARREL_EOWNER);
	CHECK_EQ(give_back(carrier.chunk[0]), CARREL_ESTATE);
	CHECK_EQ(exit_call(&cpus[2], CARREL_HC_MAP, 0x10000000, 4, 3, 0, 0, 0), 0);
	stop();
	CHECK_EQ(stats.chunks_donated, 0);
}

const struct test thread_tests[] = {
	{ "four threads at once", several },
	{ "a carrier for each thread", carriers },
	{ "a thread is made anew in every state", anew },
	{ "no frame for a thread", starved },
	{ "what is taken away waits for threads inside", pending },
	{ "a fault of the shim's with a fixup", fixups },
	{ "a fixup where memory is missing", fixup_starved },
	{ "fixups that do not save", fixup_kills },
	{ "channel blocks lent while threads run", lend_late },
	{ "no frame for a channel block", lend_starved },
	{ "PASS and CLAIM", passed_on },
	{ "PASS: who leaves too many pushes out its own", passed_too_much },
	{ "RETURN of what a process does not use", shrink },
	{ 0 },
};
