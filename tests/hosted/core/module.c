/* SPDX-License-Identifier: BSD-2-Clause */
/* What a kernel does by carrel.ko, and exits of its CPUs. */
#include "parts.h"

#include <base/log.h>
#include <base/x86.h>
#include <core/hypercall.h>

u32 create_flags;

s64 exit_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f)
{
	const struct state *s = current_state(&c->cpu.vt);
	struct vt_exit exit = {
		.reason = VT_HYPERCALL, .process = inside(c), .length = 3,
		.cr3 = s->cr3, .mode = (u8)(s->cpl | (s->cs_l && s->efer & EFER_LMA ? VT_64BIT : 0)),
	};
	struct vt_regs *regs = c->cpu.vt.regs;

	regs->rax = number;
	regs->rdi = a;
	regs->rsi = b;
	regs->rdx = c3;
	regs->r10 = d;
	regs->r8 = e;
	regs->r9 = f;
	hypercall(&c->cpu, &exit);
	return (s64)c->cpu.vt.regs->rax;
}

s64 kernel_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d)
{
	if (inside(c))
		panic("kernel_call on a CPU in a process view");
	c->host.cpl = 0;
	return exit_call(c, number, a, b, c3, d, 0, 0);
}

s64 user_call(struct test_cpu *c, u64 number, u64 cr3, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f)
{
	if (inside(c))
		panic("user_call on a CPU in a process view");
	c->host.cpl = 3;
	c->host.cr3 = cr3;
	return exit_call(c, number, a, b, c3, d, e, f);
}

void exit_other(struct test_cpu *c, const struct vt_exit *exit)
{
	struct vt_exit copy = *exit;

	copy.process = true;
	thread_exit(&c->cpu, &copy);
}

void exit_reason(struct test_cpu *c, enum vt_reason reason)
{
	exit_other(c, &(struct vt_exit){ .reason = reason, .length = 2 });
}

void exit_exception(struct test_cpu *c, u8 vector, u64 error, u64 address)
{
	exit_other(c, &(struct vt_exit){ .reason = VT_EXCEPTION, .vector = vector, .error = error,
					 .address = address });
}

void flush_all_cpus(void)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		if (inside(&cpus[i]))
			exit_reason(&cpus[i], VT_INTERRUPT);
		CHECK_EQ(kernel_call(&cpus[i], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	}
}

s64 finish(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d)
{
	for (unsigned int i = 0; i < 5000; i++) {
		s64 result = kernel_call(c, number, a, b, c3, d);

		if (result == CARREL_PENDING)
			flush_all_cpus();
		else if (result != CARREL_MORE)
			return result;
	}
	CHECK(!"the call finishes");
	return -1000;
}

s64 donate(struct test_cpu *c, u64 chunk, u64 process)
{
	return finish(c, CARREL_HC_DONATE, chunk, process, 0, 0);
}

u64 host_chunk(void)
{
	for (u64 i = FIRST_CHUNK; i < RAM_CHUNKS; i++)
		if (chunks[i].state == CHUNK_HOST && !chunks[i].lent && i != LEND_CHUNK)
			return i;
	return 0;
}

u64 lend_block(unsigned int n)
{
	return (LEND_CHUNK << (CHUNK_SHIFT - CARREL_BLOCK_SHIFT)) + n % 32;
}

struct process *object(const struct carrier *carrier)
{
	struct process *process = process_get(carrier->id);

	if (process)
		process_put(process);
	return process;
}

static void lend_all(struct carrier *carrier)
{
	unsigned int next = 0;

	for (u32 i = 0; i < carrier->blocks; i++) {
		s64 result;

		do {
			carrier->block[i] = lend_block(next++);
			result = kernel_call(&cpus[0], CARREL_HC_LEND, carrier->id,
					     carrier->block[i], i, 0);
		} while (result == CARREL_EOWNER && next < 32);
		CHECK_EQ(result, 0);
	}
}

void make_empty(struct carrier *carrier, u32 slots, u32 blocks, u32 limit)
{
	struct test_cpu *c = &cpus[0];
	u64 source = host_chunk();

	*carrier = (struct carrier){ .slots = slots, .blocks = blocks, .chunks = 1 };
	carrier->chunk[0] = source;
	CHECK_EQ(donate(c, source, 0), 0);
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, source, CARREL_ABI_VERSION,
			     slots | (u64)blocks << 16 | (u64)create_flags << 32, limit), 0);
	carrier->id = c->cpu.vt.regs->rdi;
	carrier->ticket[0] = c->cpu.vt.regs->rsi;
	carrier->ticket[1] = c->cpu.vt.regs->rdx;
	carrier->cr3 = CARRIER_CR3 + (carrier->id << 20);
}

void make_process(struct carrier *carrier, u32 slots, u32 blocks, u32 limit, bool ready)
{
	struct test_cpu *c = &cpus[0];

	make_empty(carrier, slots, blocks, limit);
	lend_all(carrier);
	if (!ready)
		return;
	CHECK_EQ(kernel_call(c, CARREL_HC_ADD, carrier->id, host_chunk() * CHUNK_PAGES,
			     CARREL_SHIM_VA, CARREL_R | CARREL_X), 0);
	CHECK_EQ(kernel_call(c, CARREL_HC_INIT, carrier->id, 0, 0, 0), 0);
}

void end_process(struct carrier *carrier)
{
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, carrier->id, 0, 0, 0), 0);
	for (unsigned int i = 0; i < carrier->chunks; i++)
		CHECK_EQ(finish(&cpus[0], CARREL_HC_RETURN, carrier->chunk[i], 0, 0, 0), 0);
	carrier->id = 0;
}

s64 enter(struct test_cpu *c, const struct carrier *carrier)
{
	return user_call(c, CARREL_HC_ENTER, carrier->cr3, carrier->id, carrier->ticket[0],
			 carrier->ticket[1], 0, 0, 0);
}

s64 resume(struct test_cpu *c, const struct carrier *carrier, u64 value, u64 flags)
{
	return user_call(c, CARREL_HC_RESUME, carrier->cr3, carrier->id, carrier->ticket[0],
			 carrier->ticket[1], 0, value, flags);
}
