/* SPDX-License-Identifier: BSD-2-Clause */
/* What crosses between the views: nothing but what design and ABI name. */
#include "machine.h"

#include <base/phys.h>
#include <base/x86.h>
#include <core/platform.h>

#define VALUE(i)	(0x5EC2E70000000000UL + (u64)(i) * 0x1111)

static struct carrier carrier;
static struct test_cpu *const c = &cpus[1];

static u64 *regs_of(struct test_cpu *cpu)
{
	return (u64 *)cpu->cpu.vt.regs;
}

static void fill(struct test_cpu *cpu)
{
	for (unsigned int i = 0; i < 16; i++)
		if (i != 4)
			regs_of(cpu)[i] = VALUE(i);
	cpu->process.rip = 0x401234;
	cpu->process.rsp = 0x7FFF1230;
	cpu->process.rflags = 0xA93;
	cpu->process.fs_base = 0x5EC3;
	cpu->vectors = 0x5EC5;
}

static void check_filled(struct test_cpu *cpu)
{
	for (unsigned int i = 0; i < 16; i++)
		if (i != 4)
			CHECK_EQ(regs_of(cpu)[i], VALUE(i));
	CHECK_EQ(cpu->process.rip, 0x401234);
	CHECK_EQ(cpu->process.rsp, 0x7FFF1230);
	CHECK_EQ(cpu->process.rflags, 0xA93);
	CHECK_EQ(cpu->process.fs_base, 0x5EC3);
	CHECK_EQ(cpu->process.gs_base, CARREL_THREAD_PAGE(0));
	CHECK_EQ(cpu->vectors, 0x5EC5);
}

/* The host's own context after an asynchronous exit: constants. */
static void check_constant(struct test_cpu *cpu, u64 gate)
{
	CHECK(!inside(cpu));
	CHECK_EQ(cpu->host.rip, CARREL_GATE_VA + gate);
	CHECK_EQ(cpu->host.rsp, CARREL_CHANNEL_VA + 0x8000 - 128);
	CHECK_EQ(cpu->host.rflags, 0x202);
	CHECK_EQ(cpu->host.cpl, 3);
	CHECK_EQ(cpu->vectors, 0);
	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(regs_of(cpu)[i], 0);
}

/* Inside on CPU 1, with 4 pages of program at 400000h, in_shim as asked. */
static struct carrel_thread_page *start(u32 in_shim)
{
	struct carrel_thread_page *page;

	make_process(&carrier, 2, 3, 2, true);
	CHECK_EQ(enter(c, &carrier), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x400000, 4, 3, 0, 0, 0), 0);
	page = phys(touch(c, CARREL_THREAD_PAGE(0)));
	page->in_shim = in_shim;
	return page;
}

static void stop(void)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (inside(&cpus[i]))
			exit_reason(&cpus[i], VT_INTERRUPT);
	check_machine();
	end_process(&carrier);
}

static void first_entry(void)
{
	struct carrel_thread_page *page;

	make_process(&carrier, 2, 3, 1, true);
	memset(regs_of(c), 0xCC, sizeof(struct vt_regs));
	c->vectors = 0xCCCC;
	CHECK_EQ(enter(c, &carrier), 0);
	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(regs_of(c)[i], 0);	/* RDI: index 0 */
	CHECK_EQ(c->process.rip, CARREL_SHIM_START);
	CHECK_EQ(c->process.rsp, CARREL_THREAD_STACK(0));
	CHECK_EQ(c->process.rflags, 0x202);
	CHECK_EQ(c->process.gs_base, CARREL_THREAD_PAGE(0));
	CHECK_EQ(c->process.fs_base, 0);
	CHECK_EQ(c->vectors, 0);
	CHECK(c->ours);
	page = phys(touch(c, CARREL_THREAD_PAGE(0)));
	CHECK_EQ(page->in_shim, 1);
	CHECK_EQ(page->upcall_pending, 0);
	/* the stack is there at its first touch, down to the thread page */
	CHECK_EQ(touch(c, CARREL_THREAD_STACK(0) - 8), 0);
	exit_exception(c, 14, 6, CARREL_THREAD_STACK(0) - 8);
	CHECK(inside(c) && touch(c, CARREL_THREAD_STACK(0) - 8));
	exit_exception(c, 14, 6, CARREL_THREAD_PAGE(0) + PAGE_SIZE);
	CHECK(inside(c) && touch(c, CARREL_THREAD_PAGE(0) + PAGE_SIZE));
	stop();
}

static void asynchronous(void)
{
	static const enum vt_reason reasons[] = { VT_INTERRUPT, VT_NMI, VT_INIT };

	start(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct test_cpu *next = &cpus[i % CPUS];
		struct test_cpu *now = i ? &cpus[(i - 1) % CPUS] : c;

		fill(now);
		exit_reason(now, reasons[i]);
		check_constant(now, CARREL_GATE_RESUME);
		CHECK_EQ(now->host.nmi, reasons[i] == VT_NMI);
		now->host.nmi = false;
		/* what the host writes into its own registers goes nowhere */
		memset(regs_of(next), 0xCC, sizeof(struct vt_regs));
		next->vectors = 0xCCCC;
		resume(next, &carrier, 0, 0);
		CHECK(inside(next));
		check_filled(next);
		CHECK_EQ(next->host.nmi, 0);
	}
	stop();
}

/* What the host counts, it counts in its own view only. */
static void counters(void)
{
	start(1);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(c->counter_switches, 0);
	c->cpu.perf_on = 1;
	resume(c, &carrier, 0, 0);
	CHECK(c->counters_stopped);
	exit_call(c, CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
	CHECK(!c->counters_stopped);
	CHECK_EQ(c->counter_switches, 2);
	stop();
}

static void ocall(void)
{
	start(1);
	fill(c);
	c->process.rip = 0x7E0040000100;
	c->cpu.vt.regs->rbx = 39;
	exit_call(c, CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
	CHECK_EQ(c->host.rip, CARREL_GATE_VA + CARREL_GATE_OCALL);
	CHECK_EQ(c->host.rsp, CARREL_CHANNEL_VA + 0x8000 - 128);
	CHECK_EQ(c->host.rflags, 0x202);
	CHECK_EQ(c->vectors, 0);
	const struct vt_regs want = { .rax = 39, .rdi = 1, .rsi = 2, .rdx = 3, .r10 = 4, .r8 = 5, .r9 = 6 };
	CHECK(memcmp(c->cpu.vt.regs, &want, sizeof(want)) == 0);
	resume(&cpus[0], &carrier, (u64)-4, CARREL_RESUME_SIGNAL | CARREL_RESUME_NOTSTARTED);
	CHECK(inside(&cpus[0]));
	CHECK_EQ(cpus[0].cpu.vt.regs->rax, -4);
	CHECK_EQ(cpus[0].cpu.vt.regs->rbx, 3);
	CHECK_EQ(cpus[0].cpu.vt.regs->rdi, 1);
	CHECK_EQ(cpus[0].cpu.vt.regs->r9, 6);
	CHECK_EQ(cpus[0].cpu.vt.regs->r15, VALUE(15));
	CHECK_EQ(cpus[0].process.rip, 0x7E0040000103);
	CHECK_EQ(cpus[0].vectors, 0x5EC5);
	stop();
}

/* A preempted thread takes no value; an OCALL no third flag; neither by the wrong carrier. */
static void wrong_resumes(void)
{
	const u64 cr3 = CARRIER_CR3 + 0x55000;

	start(0);
	CHECK_EQ(resume(&cpus[0], &carrier, 0, 0), CARREL_EBUSY);
	CHECK_EQ(enter(&cpus[0], &carrier), CARREL_EBUSY);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(resume(&cpus[0], &carrier, 1, 0), CARREL_EARG);
	CHECK_EQ(resume(&cpus[0], &carrier, 0, CARREL_RESUME_NOTSTARTED), CARREL_EARG);
	CHECK_EQ(enter(&cpus[0], &carrier), CARREL_ESTATE);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_RESUME, cr3, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], 0, 0, 0), CARREL_ETICKET);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_RESUME, 0, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], 0, 0, 0), CARREL_ETICKET);
	check_machine();
	stop();
}

/* The same mm, whatever PCID, KPTI half and LAM bits it runs with. */
static void same_carrier(void)
{
	static const u64 varies[] = { 0, 0x1000, 0xFFF, 0x1801, BIT(61) | 5, BIT(62), BIT(63) };

	start(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(varies); i++) {
		exit_reason(c, VT_INTERRUPT);
		user_call(c, CARREL_HC_RESUME, carrier.cr3 ^ varies[i], carrier.id, carrier.ticket[0],
			  carrier.ticket[1], 0, 0, 0);
		CHECK(inside(c));
	}
	stop();
}

static void check_frame(const struct carrel_thread_page *page, u64 vector, u64 error, u64 address)
{
	const struct carrel_upcall *f = &page->upcall;
	const u64 saved[] = { f->rax, f->rcx, f->rdx, f->rbx, 0, f->rbp, f->rsi, f->rdi, f->r8, f->r9,
			      f->r10, f->r11, f->r12, f->r13, f->r14, f->r15 };

	CHECK_EQ(f->vector, vector);
	CHECK_EQ(f->error, error);
	CHECK_EQ(f->address, address);
	for (unsigned int i = 0; i < 16; i++)
		if (i != 4)
			CHECK_EQ(saved[i], VALUE(i));
	CHECK_EQ(f->rip, 0x401234);
	CHECK_EQ(f->rsp, 0x7FFF1230);
	CHECK_EQ(f->rflags, 0xA93);
	CHECK_EQ(page->in_shim, 1);
	CHECK_EQ(page->upcall_pending, 0);
}

static void check_upcall(const struct carrel_thread_page *page, struct test_cpu *cpu, u64 vector,
			 u64 error, u64 address)
{
	CHECK(inside(cpu));
	check_frame(page, vector, error, address);
	CHECK_EQ(cpu->process.rip, CARREL_SHIM_UPCALL);
	CHECK_EQ(cpu->process.rsp, CARREL_THREAD_STACK(0));
	CHECK_EQ(cpu->process.rflags, 0x202);
	CHECK_EQ(cpu->process.fs_base, 0x5EC3);
	CHECK_EQ(cpu->vectors, 0x5EC5);
	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(regs_of(cpu)[i], i == 7 ? vector : 0);
}

/* Every exception of the program is an upcall, in place, and the host hears nothing of it. */
static void exceptions(void)
{
	static const u64 with_error = BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) |
		BIT(17) | BIT(21) | BIT(29) | BIT(30);
	struct carrel_thread_page *page = start(0);
	const struct state host = c->host;

	for (unsigned int vector = 0; vector < 32; vector++) {
		if (vector == 18)
			continue;
		memset(&page->upcall, 0xDD, sizeof(page->upcall));
		page->in_shim = 0;
		fill(c);
		exit_exception(c, (u8)vector, 0x17, 0xDEAD000);
		check_upcall(page, c, vector, with_error >> vector & 1 ? 0x17 : 0,
			     vector == 14 ? 0xDEAD000 : 0);
		CHECK(memcmp(&host, &c->host, sizeof(host)) == 0);
	}
	stop();
}

static void forbidden(void)
{
	static const enum vt_reason reasons[] = { VT_MSR_READ, VT_MSR_WRITE, VT_IO, VT_CR_WRITE,
						  VT_XSETBV, VT_INVD, VT_OTHER_INSN, VT_VIRT_INSN };
	struct carrel_thread_page *page = start(0);

	for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++) {
		page->in_shim = 0;
		fill(c);
		exit_reason(c, reasons[i]);
		check_upcall(page, c, reasons[i] == VT_VIRT_INSN ? 6 : 13, 0, 0);
	}
	stop();
}

/* INT3's RIP is that of the next instruction where its length is known. */
static void breakpoint(void)
{
	struct carrel_thread_page *page = start(0);

	fill(c);
	exit_other(c, &(struct vt_exit){ .reason = VT_EXCEPTION, .vector = 3, .length = 1 });
	CHECK_EQ(page->upcall.rip, 0x401235);
	stop();
}

static void check_killed(const char *why)
{
	check_constant(c, CARREL_GATE_DEAD);
	if (!CHECK(strstr(log_last, why) != NULL))
		printf("     log: %s\n", log_last);
	CHECK(strstr(log_last, "killed") != NULL);
	CHECK_EQ(process_state(object(&carrier)), PROCESS_DYING);
	CHECK_EQ(object(&carrier)->threads[0]->state, THREAD_DEAD);
	CHECK_EQ(resume(c, &carrier, 0, 0), CARREL_EDEAD);
	CHECK_EQ(enter(c, &carrier), CARREL_EDEAD);
	/* nothing private in the log */
	CHECK(!strstr(log_last, "5ec") && !strstr(log_last, "401234"));
	stop();
}

static void kills(void)
{
	static const struct {
		struct vt_exit exit;
		const char *why;
		u32 in_shim, bounce;
	} rows[] = {
		{ { .reason = VT_EXCEPTION, .vector = 13 }, "in the shim", 1, 0 },
		{ { .reason = VT_EXCEPTION, .vector = 14, .address = 0x9999000 }, "in the shim", 1, 0 },
		{ { .reason = VT_OTHER_INSN }, "in the shim", 1, 0 },
		{ { .reason = VT_EXCEPTION, .vector = 14, .address = 0x9999000 }, "bounce", 0, 1 },
		{ { .reason = VT_EXCEPTION, .vector = 13 }, "bounce", 0, 1 },
		{ { .reason = VT_NESTED_FAULT, .address = 0x123000 }, "outside its view", 0, 0 },
		{ { .reason = VT_SHUTDOWN }, "triple fault", 0, 0 },
		{ { .reason = VT_ENTRY_FAILED, .raw = 0x80000021 }, "refused its state", 0, 0 },
		{ { .reason = VT_EXCEPTION, .vector = 18 }, "machine check", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start(rows[i].in_shim);
		fill(c);
		c->process.cpl = rows[i].bounce ? 0 : 3;
		c->host.injected = 0;
		exit_other(c, &rows[i].exit);
		CHECK_EQ(c->host.injected, rows[i].exit.vector == 18 ? 19 : 0);
		check_killed(rows[i].why);
	}
	start(1);
	exit_call(c, CARREL_HC_DIE, CARREL_DIE_IAGO, 0, 0, 0, 0, 0);
	check_killed("by its shim");
}

/* A signal for a preempted thread: now, or on the shim's way out. */
static void signals(void)
{
	struct carrel_thread_page *page = start(0);

	fill(c);
	c->process.shadow = 1;
	exit_reason(c, VT_INTERRUPT);
	resume(c, &carrier, 0, CARREL_RESUME_SIGNAL);
	check_upcall(page, c, CARREL_UPCALL_SIGNAL, 0, 0);
	CHECK_EQ(c->process.shadow, 0);

	/* in the shim now: it is told to look */
	fill(c);
	exit_reason(c, VT_INTERRUPT);
	resume(c, &carrier, 0, CARREL_RESUME_SIGNAL);
	check_filled(c);
	CHECK_EQ(page->upcall_pending, 1);
	CHECK_EQ(page->in_shim, 1);

	/* between SYSCALL and SYSRET likewise, though the flag is clear */
	page->upcall_pending = 0;
	page->in_shim = 0;
	fill(c);
	c->process.cpl = 0;
	exit_reason(c, VT_INTERRUPT);
	resume(c, &carrier, 0, CARREL_RESUME_SIGNAL);
	check_filled(c);
	CHECK_EQ(c->process.cpl, 0);
	CHECK_EQ(page->upcall_pending, 1);
	CHECK_EQ(page->in_shim, 0);
	c->process.cpl = 3;

	/* no signal, no diversion */
	page->upcall_pending = 0;
	fill(c);
	exit_reason(c, VT_INTERRUPT);
	resume(c, &carrier, 0, 0);
	check_filled(c);
	CHECK_EQ(page->upcall_pending, 0);
	stop();
}

static void demand(void)
{
	struct carrel_thread_page *page = start(0);

	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x10000000, 0x4000, 3 | CARREL_MAP_DEMAND, 0, 0, 0), 0);
	CHECK_EQ(c->cpu.vt.regs->rdi, 0x4000);
	page->in_shim = 0;
	fill(c);
	CHECK_EQ(touch(c, 0x10005000), 0);
	exit_exception(c, 14, 6, 0x10005008);
	check_filled(c);
	CHECK(touch(c, 0x10005000) != 0);
	/* not for a fetch: no X */
	exit_exception(c, 14, 0x14, 0x10100000);
	check_upcall(page, c, 14, 0x14, 0x10100000);
	stop();
}

/* A budget's worth in one call, and the rest when asked again. */
static void bounded(void)
{
	u64 va = 0x10000000, left = 900;
	unsigned int calls = 0;
	s64 result;

	start(1);
	CHECK_EQ(donate(&cpus[0], 11, carrier.id), 0);
	carrier.chunk[carrier.chunks++] = 11;
	resume(c, &carrier, 0, 0);
	do {
		result = exit_call(c, CARREL_HC_MAP, va, left, 3, 0, 0, 0);
		CHECK(result == 0 || result == CARREL_MORE);
		CHECK(c->cpu.vt.regs->rdi > 0 && c->cpu.vt.regs->rdi <= 512);
		va += c->cpu.vt.regs->rdi * PAGE_SIZE;
		left -= c->cpu.vt.regs->rdi;
		calls++;
	} while (result == CARREL_MORE && inside(c));
	CHECK_EQ(left, 0);
	CHECK(calls >= 2);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x10000000, 900, 0, 0, 0, 0), CARREL_MORE);
	left = c->cpu.vt.regs->rdi;
	CHECK(left > 0 && left <= 512);
	stop();
}

/* MAP one page after another until the call says why not. */
static s64 exhaust(void)
{
	s64 result;

	do
		result = exit_call(c, CARREL_HC_MAP, 0x30000000 + random_below(100000) * PAGE_SIZE, 8,
				   3, 0, 0, 0);
	while (result == 0 || result == CARREL_MORE || result == CARREL_EARG);
	CHECK(inside(c));
	return result;
}

/* The pool is empty: MAP says so, a first touch sends the carrier to donate and is tried again;
 * at the limit MAP says that, and a first touch kills. */
static void starved(void)
{
	start(1);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x20000000, 64, 3 | CARREL_MAP_DEMAND, 0, 0, 0), 0);
	CHECK_EQ(exhaust(), CARREL_ENOMEM);
	fill(c);
	exit_exception(c, 14, 6, 0x20000000);
	check_constant(c, CARREL_GATE_MEMORY);
	CHECK_EQ(donate(&cpus[0], 11, carrier.id), 0);
	carrier.chunk[carrier.chunks++] = 11;
	resume(c, &carrier, 0, 0);
	check_filled(c);
	exit_exception(c, 14, 6, 0x20000000);
	check_filled(c);
	CHECK(touch(c, 0x20000000) != 0);
	CHECK_EQ(exhaust(), CARREL_ELIMIT);
	exit_exception(c, 14, 6, 0x20020000);
	check_killed("memory limit");
}

/* Pages unmapped on one CPU come back to the family only when the other has flushed, or has left. */
static void limbo(void)
{
	struct process *process;
	u32 free;

	start(1);
	process = object(&carrier);
	CHECK_EQ(thread_create(process, 1), 0);
	CHECK_EQ(user_call(&cpus[2], CARREL_HC_ENTER, carrier.cr3, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], 1, 0, 0), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x10000000, 100, 3, 0, 0, 0), 0);
	for (u64 i = 0; i < 100; i++)
		touch(c, 0x10000000 + i * PAGE_SIZE);
	for (u64 i = 0; i < 50; i++)
		touch(&cpus[2], 0x10000000 + i * PAGE_SIZE);
	free = process->family->free;
	CHECK_EQ(exit_call(&cpus[2], CARREL_HC_UNMAP, 0x10000000, 100, 0, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(process->family->free, free);	/* CPU 1 owes */
	check_machine();
	for (u64 i = 0; i < 100; i++)
		CHECK_EQ(exit_call(&cpus[2], CARREL_HC_UNMAP, 0x10000000, 100, 0, 0, 0, 0),
			 CARREL_PENDING);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(exit_call(&cpus[2], CARREL_HC_UNMAP, 0x10000000, 100, 0, 0, 0, 0), 0);
	check_machine();
	resume(c, &carrier, 0, 0);
	CHECK_EQ(exit_call(c, CARREL_HC_MAP, 0x20000000, 1, 3, 0, 0, 0), 0);
	CHECK_EQ(exit_call(c, CARREL_HC_UNMAP, 0x20000000, 1, 0, 0, 0, 0), CARREL_PENDING);
	exit_reason(&cpus[2], VT_INTERRUPT);
	CHECK_EQ(exit_call(c, CARREL_HC_PROTECT, 0x400000, 4, 1, 0, 0, 0), 0);
	CHECK(process->family->free >= free + 100);
	CHECK_EQ(process->family->limbo, 0);
	stop();
}

/* A CPU that comes back into a view that changed meanwhile flushes first. */
static void stale_cpu(void)
{
	unsigned int flushes;

	start(1);
	touch(c, 0x400000);
	exit_reason(c, VT_INTERRUPT);
	flushes = c->flushes;
	resume(c, &carrier, 0, 0);
	CHECK_EQ(c->flushes, flushes);		/* nothing changed */
	exit_reason(c, VT_INTERRUPT);
	resume(&cpus[0], &carrier, 0, 0);
	CHECK_EQ(exit_call(&cpus[0], CARREL_HC_UNMAP, 0x400000, 4, 0, 0, 0, 0), 0);
	exit_reason(&cpus[0], VT_INTERRUPT);
	resume(c, &carrier, 0, 0);
	CHECK_EQ(c->flushes, flushes + 1);
	CHECK_EQ(touch(c, 0x400000), 0);
	stop();
}

static struct cpuid leaf(u32 number, u32 subleaf)
{
	const struct vt_regs *r = c->cpu.vt.regs;

	fill(c);
	c->cpu.vt.regs->rax = number;
	c->cpu.vt.regs->rcx = subleaf;
	exit_reason(c, VT_CPUID);
	CHECK(inside(c));
	CHECK_EQ(c->process.rip, 0x401236);
	CHECK_EQ(r->rsi, VALUE(6));
	CHECK_EQ((r->rax | r->rbx | r->rcx | r->rdx) >> 32, 0);
	return (struct cpuid){ (u32)r->rax, (u32)r->rbx, (u32)r->rcx, (u32)r->rdx };
}

/* Answered in place; no word of the machine that a process view has not. */
static void cpuid_inside(void)
{
	static const u32 zero[] = { 3, 5, 6, 9, 0xA, 0xB, 0xF, 0x10, 0x12, 0x14, 0x17, 0x18, 0x19, 0x1A,
				    0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x20, 0x40000002, 0x8000000A,
				    0x8000001B, 0x8000001E, 0x8000001F, 0xC0000000, ~0U };
	struct cpuid r;

	start(0);
	CHECK_EQ(leaf(CARREL_CPUID_BASE, 0).ebx, CARREL_SIG_EBX);
	CHECK_EQ(leaf(CARREL_CPUID_ABI, 0).eax, CARREL_ABI_VERSION);
	r = leaf(1, 0);
	CHECK_EQ(r.ebx >> 24, 0);
	CHECK_EQ(r.ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(17) | BIT(21)), 0);
	CHECK_EQ(r.ecx >> 27 & 1, r.ecx >> 26 & 1);
	CHECK_EQ(leaf(7, 0).ecx & (BIT(3) | BIT(4) | BIT(16)), 0);
	CHECK_EQ(leaf(7, 2).eax, 0);
	CHECK_EQ(leaf(0xD, 0).eax & ~0xE7U, 0);
	CHECK_EQ(leaf(0xD, 9).eax, 0);
	CHECK_EQ(leaf(0x80000001, 0).ecx & (BIT(2) | BIT(12)), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(zero); i++) {
		r = leaf(zero[i], 0);
		CHECK_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
	}
	stop();
}

static void small_calls(void)
{
	u64 words[4];

	start(1);
	CHECK_EQ(exit_call(c, CARREL_HC_RANDOM, 0, 0, 0, 0, 0, 0), 0);
	words[0] = c->cpu.vt.regs->rdi, words[1] = c->cpu.vt.regs->r10;
	CHECK_EQ(exit_call(c, CARREL_HC_RANDOM, 0, 0, 0, 0, 0, 0), 0);
	CHECK(c->cpu.vt.regs->rdi != words[0] && c->cpu.vt.regs->r10 != words[1]);
	CHECK_EQ(exit_call(c, CARREL_HC_NOTE, CARREL_NOTE_ENOSYS, 123, 0, 0, 0, 0), 0);
	CHECK(strstr(log_last, "123") != NULL);
	generator_stuck = true;
	exit_call(c, CARREL_HC_RANDOM, 0, 0, 0, 0, 0, 0);
	words[0] = c->cpu.vt.regs->rdi = 77;
	CHECK_EQ(exit_call(c, CARREL_HC_RANDOM, 77, 0, 0, 0, 0, 0), CARREL_ERANDOM);
	CHECK_EQ(c->cpu.vt.regs->rdi, 77);
	stop();
	CHECK_EQ(kernel_call(c, CARREL_HC_LOG, 30, 0, 0, 0), 40);
	CHECK(memcmp(&c->cpu.vt.regs->rdi, "01234567", 8) == 0);
	CHECK_EQ(c->cpu.vt.regs->r9, 70);
	CHECK_EQ(kernel_call(c, CARREL_HC_LOG, 100, 0, 0, 0), 0);
}

static void info(void)
{
	const struct vt_regs *r = cpus[0].cpu.vt.regs;
	struct test_cpu *k = &cpus[0];

	start(1);
	k->cpu.exits[VT_CPUID] = 5;
	k->cpu.exits[VT_NESTED_FAULT] = 7;
	cpus[3].cpu.state = CPU_PARKED;
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_VERSION, 0, 0, 0), 0);
	CHECK_EQ(r->rdi, CARREL_ABI_VERSION);
	CHECK(memcmp(&r->rdx, "FAKE\0\0\0", 8) == 0);
	CHECK_EQ(r->r10, 3 | 4UL << 32);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_MEMORY, 0, 0, 0), 0);
	CHECK_EQ(r->rdi, HV_BASE);
	CHECK_EQ(r->rsi, HV_SIZE);
	CHECK_EQ(r->rdx, 1);
	CHECK_EQ(r->r10, RAM_CHUNKS - 1);
	CHECK_EQ(r->r8, 3);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_EXITS, 0, 0, 0), 0);
	CHECK_EQ(r->rdi, 5);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_EXITS, 0, VT_NESTED_FAULT, 0), 0);
	CHECK_EQ(r->rdi, 7);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_EXITS, 0, VT_REASONS - 1, 0), 0);
	CHECK_EQ(r->rsi | r->r9, 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_REASON, VT_CPUID, 0, 0), 0);
	CHECK(memcmp(&r->rdi, "cpuid\0\0", 8) == 0 && r->rdx == 0);
	exit_call(c, CARREL_HC_OCALL, 0, 0, 0, 0, 0, 0);
	resume(c, &carrier, 0, 0);
	exit_reason(c, VT_INTERRUPT);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_PROCESS, carrier.id & 0xFFFF, 0, 0), 0);
	CHECK_EQ(r->rdi, carrier.id);
	CHECK_EQ(r->rsi, PROCESS_READY);
	CHECK_EQ(r->rdx, 1);
	CHECK_EQ(r->r10, 1);
	CHECK_EQ(r->r8, 1);
	CHECK_EQ(r->r9, 1);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_PROCESS, PROCESS_MAX - 1, 0, 0), 0);
	CHECK_EQ(r->rdi, 0);
	kernel_call(k, 99, 0, 0, 0, 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_REFUSED, 0, 0, 0), 0);
	CHECK_EQ(r->r8, 1);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_PLATFORM, 0, 0, 0), 0);
	CHECK_EQ(r->rdi, 1);
	CHECK_EQ(r->rsi, CARREL_DMA_PROTECTED);
	stop();
}

/* Of the fake unit, and of a reason in two parts. */
static void info_dma(void)
{
	static const struct dma_fault read = { 0x1234000, 0x10, 5, false };
	static const struct dma_fault written = { 0x5678000, 0x10, 6, true };
	const struct vt_regs *r = cpus[0].cpu.vt.regs;
	struct test_cpu *k = &cpus[0];
	char text[2 * 48 + 1] = "";
	u64 faults;

	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA, 0, 0, 0), 0);
	CHECK_EQ(r->rdi, CARREL_DMA_PROTECTED);
	CHECK(memcmp(&r->rsi, "fake\0\0\0", 8) == 0 && r->rdx == 1);
	faults = r->r10;
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, 0, 0, 0), CARREL_EARG);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_UNIT, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_UNIT, 1, 0, 0), CARREL_EARG);
	dma_fault(&read);
	dma_fault(&written);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA, 0, 0, 0), 0);
	CHECK_EQ(r->r10, faults + 2);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_FAULTS, 0, 0, 0), 0);
	CHECK(r->rdi == 0x10 && r->rsi >= 2 && r->rdx == 0x5678000);
	CHECK_EQ(r->r10, 6 | BIT(8));
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_FAULTS, DMA_REQUESTERS_MAX, 0, 0), 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_FAULTS, DMA_REQUESTERS_MAX + 1, 0, 0),
		 CARREL_EARG);
	device_failure = "a failure that takes more than forty-eight bytes to tell";
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_PLATFORM, 0, 0, 0), 0);
	CHECK_EQ(r->rsi, CARREL_DMA_LOST);
	for (u64 part = 0; part < 2; part++) {
		CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, part, 0, 0), 0);
		memcpy(text + part * 48, &(u64[]){ r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 }, 48);
	}
	CHECK_EQ(strcmp(text, device_failure), 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, 2, 0, 0), CARREL_EARG);
	machine_reset();
}

static void info_launch(void)
{
	struct platform launched = {
		.pcrs = CARREL_STATIC_PCRS, .pcr_digest = { 1 }, .policy = { 2 }, .fingerprint = { 3 },
		.reason = "a made-up reason that is longer than forty-eight bytes",
	};
	const struct vt_regs *r = cpus[0].cpu.vt.regs;
	struct test_cpu *k = &cpus[0];
	char text[2 * 48 + 1] = "";

	platform_boot(&launched, NULL, NULL, NULL);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_LAUNCH, 0, 0, 0), 0);
	CHECK(r->rdi == CARREL_LAUNCH_UNMEASURED && r->rsi == CARREL_STATIC_PCRS && r->rdx == 1);
	for (u64 i = 0; i < 3; i++) {
		CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_LAUNCH_HASH, i, 0, 0), 0);
		CHECK(r->rdi == i + 1 && !r->rsi && !r->rdx && !r->r10);
	}
	for (u64 part = 0; part < 2; part++) {
		CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_LAUNCH_TEXT, part, 0, 0), 0);
		memcpy(text + part * 48, &(u64[]){ r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 }, 48);
	}
	CHECK_EQ(strcmp(text, launched.reason), 0);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_LAUNCH_TEXT, 2, 0, 0), CARREL_EARG);
	launched.policy[0] = 0;
	platform_boot(&launched, NULL, NULL, NULL);
	CHECK_EQ(kernel_call(k, CARREL_HC_INFO, CARREL_INFO_LAUNCH, 0, 0, 0), 0);
	CHECK_EQ(r->rdx, 0);
	platform_boot(&(struct platform){ 0 }, NULL, NULL, NULL);
	machine_reset();
}

const struct test crossing_tests[] = {
	{ "the first entry finds constants", first_entry },
	{ "an asynchronous exit shows constants and restores everything", asynchronous },
	{ "an OCALL shows seven registers, RESUME writes two", ocall },
	{ "performance counters stand still inside", counters },
	{ "RESUME with what it may not carry, or by another", wrong_resumes },
	{ "RESUME by the same carrier in another guise", same_carrier },
	{ "exceptions of the program", exceptions },
	{ "forbidden instructions of the program", forbidden },
	{ "breakpoints", breakpoint },
	{ "what kills a process", kills },
	{ "signals for a preempted thread", signals },
	{ "zero on demand", demand },
	{ "bounded work of MAP and UNMAP", bounded },
	{ "no frame left", starved },
	{ "frames in limbo", limbo },
	{ "a CPU that missed a change", stale_cpu },
	{ "CPUID inside", cpuid_inside },
	{ "RANDOM, NOTE, LOG", small_calls },
	{ "INFO", info },
	{ "INFO about DMA", info_dma },
	{ "INFO about the launch", info_launch },
	{ 0 },
};
