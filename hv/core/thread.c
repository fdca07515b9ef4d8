/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: in and out of process views, and what happens to a thread inside. */
#include "thread.h"

#include <string.h>

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>

#include "leaves.h"
#include "owner.h"
#include "policy.h"

#pragma GCC diagnostic error "-Wswitch-enum"

#define RFLAGS_START	(RFLAGS_FIXED | RFLAGS_IF)
#define LIMBO_WAIT	(SPACE_WAIT + 1)	/* a fault's frame is one that CPUs owe a flush for */
#define FORK_WAIT	(SPACE_WAIT + 2)	/* another thread forks */
#define VECTOR_BP	3
#define VECTOR_OF	4
#define VECTOR_MC	18
#define LOWER_HALF	BIT(47)		/* canonical addresses below it are the program's half */
/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX push an error code. */
#define HAS_ERROR	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | \
			 BIT(21) | BIT(29) | BIT(30))
/* What Linux changes in the CR3 of one and the same mm: PCID, KPTI's half, LAM. */
#define CR3_VARIES	(0xFFFUL | BIT(12) | BIT(61) | BIT(62) | BIT(63))

/* The stub finds its slot by masking RSP, and keeps the red zone above it. */
#define STUB_RED_ZONE	128

/* Written by the CPU that the thread is on alone, read by any. */
static void count(u64 *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void start_context(struct thread *thread)
{
	thread->context = (struct vt_context){
		.regs.rdi = thread->index,
		.rip = CARREL_SHIM_START,
		.rsp = CARREL_THREAD_STACK(thread->index),
		.rflags = RFLAGS_START,
		.gs_base = CARREL_THREAD_PAGE(thread->index),
	};
}

/* Writable, not executable, and the stack costs nothing before its first touch: all its entries
 * are in the page's table, which is there by then. */
static int map_thread(struct process *process, u32 index)
{
	const u64 stack_pages = CARREL_THREAD_STRIDE / PAGE_SIZE - 1;
	u64 va = CARREL_THREAD_PAGE(index);
	s64 mapped;

	if (space_map(&process->space, va, 1, TABLE_R | TABLE_W, false, 1) != 1)
		return CARREL_ENOMEM;
	mapped = space_map(&process->space, va + PAGE_SIZE, stack_pages, TABLE_R | TABLE_W, true,
			   (unsigned int)stack_pages);
	ASSERT(mapped == (s64)stack_pages);
	return 0;
}

/* As it was never entered. Nobody else can reach it: it is in no table yet, or DEAD. */
static void make_new(struct thread *thread)
{
	__atomic_store_n(&thread->carrier, 0, __ATOMIC_RELAXED);
	thread->cpu = MAX_CPUS;
	__atomic_store_n(&thread->page->in_shim, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&thread->page->upcall_pending, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&thread->page->fixup, 0, __ATOMIC_RELAXED);
	xstate_fresh(thread->vectors);
	start_context(thread);
	__atomic_store_n(&thread->state, THREAD_NEW, __ATOMIC_RELEASE);
}

int thread_create(struct process *process, u32 index)
{
	u64 pa = frame_alloc(process->family, FRAME_OBJECT, false);
	struct thread *thread;

	if (!pa)
		return CARREL_ENOMEM;
	/* the child of a fork has its copies already */
	if (!space_find(&process->space, CARREL_THREAD_PAGE(index)) && map_thread(process, index)) {
		frame_free(process->family, pa);
		return CARREL_ENOMEM;
	}
	thread = phys(pa);
	thread->index = index;
	thread->process = process;
	thread->page = phys(space_pin(&process->space, CARREL_THREAD_PAGE(index)));
	thread->host_rsp = CARREL_CHANNEL_VA + (index + 1) * CARREL_SLOT_STRIDE - STUB_RED_ZONE;
	make_new(thread);
	process->thread_count++;
	/* ENTER looks without the lock, and must find all of the above */
	__atomic_store_n(&process->threads[index], thread, __ATOMIC_RELEASE);
	return 0;
}

/*
 * A thread that has left by an OCALL for good stays in that state, for nobody tells us. Its shim
 * knows, and gives the index to another; if it is wrong, it loses a thread of its own.
 */
int thread_make(struct process *process, u32 index)
{
	struct thread *thread;

	if (index >= process->slots)
		return CARREL_EARG;
	thread = process->threads[index];
	if (!thread)
		return thread_create(process, index);
	if (!thread_stop(thread))
		return CARREL_EBUSY;
	make_new(thread);
	return 0;
}

bool thread_stop(struct thread *thread)
{
	u32 state = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);

	while (state != THREAD_RUNNING && state != THREAD_DEAD) {
		if (__atomic_compare_exchange_n(&thread->state, &state, THREAD_DEAD, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	}
	return state == THREAD_DEAD;
}

/*
 * Only the carrier: who entered the thread, by the address space that it ran in. A stranger is
 * turned away before he can make a RUNNING thread of it even for a moment; he is looked at again
 * when it is RUNNING, because THREAD may have made it anew in between.
 */
static bool is_carrier(const struct thread *thread, u64 caller)
{
	u64 bound = __atomic_load_n(&thread->carrier, __ATOMIC_RELAXED);

	return bound == caller || !bound;
}

static int refusal(enum thread_state state)
{
	switch (state) {
	case THREAD_RUNNING:
		return CARREL_EBUSY;
	case THREAD_DEAD:
		return CARREL_EDEAD;
	case THREAD_NEW: case THREAD_OCALL: case THREAD_PREEMPTED:
		break;
	}
	return CARREL_ESTATE;
}

static_assert(offsetof(struct carrel_upcall, r15) - offsetof(struct carrel_upcall, rax) ==
	      offsetof(struct vt_regs, r15), "both as the CPU numbers them");

static void fill_upcall(struct carrel_thread_page *page, const struct vt_regs *regs,
			u64 vector, u64 error, u64 address)
{
	struct carrel_upcall *frame = &page->upcall;

	frame->vector = vector;
	frame->error = error;
	frame->address = address;
	memcpy(&frame->rax, regs, sizeof(*regs));
	__atomic_store_n(&page->in_shim, 1, __ATOMIC_RELAXED);
}

static bool in_shim(const struct thread *thread)
{
	return __atomic_load_n(&thread->page->in_shim, __ATOMIC_RELAXED) != 0;
}

/*
 * A signal waits in the slot of a preempted thread. The shim takes it now, or on
 * its way out; between SYSCALL and SYSRET the program's RCX and R11 are in no
 * place that an upcall could restore, so that counts as inside the shim.
 */
static void divert(struct thread *thread)
{
	struct vt_context *context = &thread->context;

	if (in_shim(thread) || context->bounce) {
		__atomic_store_n(&thread->page->upcall_pending, 1, __ATOMIC_RELAXED);
		return;
	}
	fill_upcall(thread->page, &context->regs, CARREL_UPCALL_SIGNAL, 0, 0);
	thread->page->upcall.rsp = context->rsp;
	thread->page->upcall.rip = context->rip;
	thread->page->upcall.rflags = context->rflags;
	context->regs = (struct vt_regs){ .rdi = CARREL_UPCALL_SIGNAL };
	context->rip = CARREL_SHIM_UPCALL;
	context->rsp = CARREL_THREAD_STACK(thread->index);
	context->rflags = RFLAGS_START;
	context->shadow = 0;
}

/* What RESUME brings to a thread that has been out. */
static void bring(struct thread *thread, u32 was, const struct vt_regs *call)
{
	if (was == THREAD_OCALL) {
		thread->context.regs.rax = call->r8;
		thread->context.regs.rbx = call->r9;
	} else if (was == THREAD_PREEMPTED && call->r9) {
		divert(thread);
	}
}

/*
 * A CPU that was in this view before may hold what has changed since (mm/flush.h).
 * Where the thread was on this CPU last and nothing has changed, nothing is owed.
 */
static void pay_debts(struct cpu *cpu, struct thread *thread, struct process *process)
{
	struct view *view = &process->view;
	u64 changed;

	flush_enter(cpu->id, &view->entered, &process->family->entered);
	changed = __atomic_load_n(&view->changed, __ATOMIC_SEQ_CST);
	if (thread->cpu == cpu->id && thread->paid == changed)
		return;
	if (!cpu_mask_test(&view->entered, cpu->id)) {
		cpu_mask_set(&process->family->entered, cpu->id);
		cpu_mask_set(&view->entered, cpu->id);
	}
	if (changed > flush_seen(cpu->id))
		owner_flush(cpu);
	thread->cpu = cpu->id;
	thread->paid = changed;
}

/* Where the host guest goes on is said when the thread leaves. */
static int cross_in(struct cpu *cpu, struct thread *thread)
{
	struct process *process = thread->process;

	pay_debts(cpu, thread, process);
	if (__builtin_expect(cpu->perf_on, 0))
		policy_perf(cpu, false);
	xstate_load(cpu, thread->vectors);
	machine.vt->process_load(&cpu->vt, &thread->context, &process->vt);
	cpu->thread = thread;
	return THREAD_CROSSED;
}

int thread_enter(struct cpu *cpu, struct process *process, u32 allowed, u64 cr3)
{
	const struct vt_regs *call = cpu->vt.regs;
	u64 caller = (cr3 & ~CR3_VARIES) | 1;
	struct thread *thread;
	u32 was;

	if (call->r10 >= process->slots)
		return CARREL_EARG;
	thread = __atomic_load_n(&process->threads[call->r10], __ATOMIC_ACQUIRE);
	if (!thread)
		return CARREL_ESTATE;
	if (!is_carrier(thread, caller))
		return CARREL_ETICKET;
	was = __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE);
	if (!(allowed & BIT(was)))
		return refusal((enum thread_state)was);
	if (was == THREAD_PREEMPTED && (call->r8 || call->r9 & ~(u64)CARREL_RESUME_SIGNAL))
		return CARREL_EARG;
	/* from here on the thread is this CPU's, or another was faster */
	if (!__atomic_compare_exchange_n(&thread->state, &was, THREAD_RUNNING, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return CARREL_EBUSY;
	if (!is_carrier(thread, caller)) {
		__atomic_store_n(&thread->state, was, __ATOMIC_RELEASE);
		return CARREL_ETICKET;
	}
	__atomic_store_n(&thread->carrier, caller, __ATOMIC_RELAXED);
	bring(thread, was, call);
	return cross_in(cpu, thread);
}

/* RAX and six arguments, placed there by the shim, are all that an OCALL discloses. */
static void show_call(struct vt_regs *regs, const struct vt_regs *call)
{
	regs->rax = call->rbx;
	regs->rdi = call->rdi;
	regs->rsi = call->rsi;
	regs->rdx = call->rdx;
	regs->r10 = call->r10;
	regs->r8 = call->r8;
	regs->r9 = call->r9;
	regs->rbx = regs->rcx = regs->rbp = regs->reserved_rsp = 0;
	regs->r11 = regs->r12 = regs->r13 = regs->r14 = regs->r15 = 0;
}

static void show_nothing(struct vt_regs *regs)
{
	regs->rax = regs->rbx = regs->rcx = regs->rdx = regs->rsi = regs->rdi = regs->rbp = 0;
	regs->reserved_rsp = regs->r8 = regs->r9 = regs->r10 = regs->r11 = 0;
	regs->r12 = regs->r13 = regs->r14 = regs->r15 = 0;
}

/*
 * Out of the view. The host sees constants: the stub's entry, its stack, IF set,
 * every register but those of an OCALL zero. If the process is dying, its
 * carrier goes to the entry that ends it. Storing the state lets go of thread and
 * process. `length`: of the instruction that the thread has done with, or 0.
 */
static void cross_out(struct cpu *cpu, enum thread_state state, u64 gate, u8 length)
{
	struct thread *thread = cpu->thread;

	if (process_state(thread->process) == PROCESS_DYING) {
		state = THREAD_DEAD;
		gate = CARREL_GATE_DEAD;
	}
	machine.vt->process_save(&cpu->vt, &thread->context, length, CARREL_GATE_VA + gate,
				 thread->host_rsp);
	if (__builtin_expect(cpu->perf_on, 0))
		policy_perf(cpu, true);
	xstate_save(cpu, thread->vectors);
	if (state == THREAD_OCALL)
		show_call(cpu->vt.regs, &thread->context.regs);
	else
		show_nothing(cpu->vt.regs);
	cpu->thread = NULL;
	flush_leave(cpu->id);
	__atomic_store_n(&thread->state, state, __ATOMIC_RELEASE);
}

void thread_ocall(struct cpu *cpu, const struct vt_exit *exit)
{
	count(&cpu->thread->ocalls);
	cross_out(cpu, THREAD_OCALL, CARREL_GATE_OCALL, exit->length);
}

void thread_die(struct cpu *cpu)
{
	ASSERT(process_state(cpu->thread->process) == PROCESS_DYING);
	cross_out(cpu, THREAD_DEAD, CARREL_GATE_DEAD, 0);
}

void thread_lost(struct cpu *cpu)
{
	struct thread *thread = cpu->thread;

	if (!thread)
		return;
	xstate_drop(cpu);
	process_kill(thread->process, "its CPU was reset", cpu->id, 0);
	cpu->thread = NULL;
	flush_leave(cpu->id);
	__atomic_store_n(&thread->state, THREAD_DEAD, __ATOMIC_RELEASE);
}

static void kill(struct cpu *cpu, const char *what, u64 number, u64 detail)
{
	process_kill(cpu->thread->process, what, number, detail);
	thread_die(cpu);
}

/* The program's own exception: the shim hears of it, in place. */
static void upcall(struct cpu *cpu, u64 vector, u64 error, u64 address, u64 skipped)
{
	struct thread *thread = cpu->thread;
	const struct vt_ops *vt = machine.vt;

	if (in_shim(thread)) {
		kill(cpu, "exception in the shim", vector, error);
		return;
	}
	if (vt->get(&cpu->vt, VT_CPL) == 0) {
		kill(cpu, "exception in the bounce page", vector, error);
		return;
	}
	fill_upcall(thread->page, cpu->vt.regs, vector, error, address);
	thread->page->upcall.rsp = vt->get(&cpu->vt, VT_RSP);
	thread->page->upcall.rip = vt->get(&cpu->vt, VT_RIP) + skipped;
	thread->page->upcall.rflags = vt->get(&cpu->vt, VT_RFLAGS);
	*cpu->vt.regs = (struct vt_regs){ .rdi = vector };
	vt->set(&cpu->vt, VT_RIP, CARREL_SHIM_UPCALL);
	vt->set(&cpu->vt, VT_RSP, CARREL_THREAD_STACK(thread->index));
	vt->set(&cpu->vt, VT_RFLAGS, RFLAGS_START);
}

/*
 * The shim touched what is not there, or not with that right, and had said where it goes on then
 * (carrel/thread.h). Other threads of its process can write there too: it is read once. A fault at
 * CPL 0 is of the bounce page, which must not lead to a place that the program chose.
 */
static bool fix_up(struct cpu *cpu)
{
	struct carrel_thread_page *page = cpu->thread->page;
	u64 rip = __atomic_load_n(&page->fixup, __ATOMIC_RELAXED);

	if (!in_shim(cpu->thread) || !rip || rip >= LOWER_HALF ||
	    machine.vt->get(&cpu->vt, VT_CPL) == 0)
		return false;
	__atomic_store_n(&page->fixup, 0, __ATOMIC_RELAXED);
	machine.vt->set(&cpu->vt, VT_RIP, rip);
	return true;
}

/* What this CPU owes is paid at once: perhaps nobody else was inside, and a copy may be written. */
static int fill_pages(struct cpu *cpu, struct process *process, const struct vt_exit *exit)
{
	struct space *space = &process->space;
	int result = space_fault(space, exit->address, exit->error);

	while (process->view.changed > flush_seen(cpu->id)) {
		owner_flush(cpu);
		if (result == SPACE_WAIT)
			result = space_fault(space, exit->address, exit->error);
	}
	return result;
}

/*
 * A child is to have what each thread of its parent wrote until some moment and nothing after it, as
 * Linux has it (there a fork holds the lock that faults take): threads change lists without locks
 * that the child shares. A page that the fork has come by is written to by an older translation, so
 * that the child has that too, or not before the fork is whole.
 */
static bool is_forking(const struct process *process, const struct thread *thread)
{
	return process->making && process->making_thread != thread->index;
}

static int fill_fault(struct cpu *cpu, struct process *process, const struct vt_exit *exit)
{
	int result;

	lock_take(&process->lock);
	result = is_forking(process, cpu->thread) ? FORK_WAIT : fill_pages(cpu, process, exit);
	if (result == CARREL_ENOMEM && process_reclaim(process))
		result = fill_pages(cpu, process, exit);
	/* what waits for flushes may be enough */
	if (result == CARREL_ENOMEM && process->family->chunks >= process->limit)
		result = process->family->limbo ? LIMBO_WAIT : CARREL_ELIMIT;
	lock_release(&process->lock);
	return result;
}

/*
 * A walk may have read a private entry just before another thread's UNMAP or copy took the page
 * away, and look for the frame just after: no access of its own is wrong. Whoever changes a view
 * holds the lock until the stamp is drawn. Nothing changed since this CPU's last flush: false.
 */
static bool walk_again(struct cpu *cpu)
{
	struct process *process = cpu->thread->process;
	bool changed;

	lock_take(&process->lock);
	changed = process->view.changed > flush_seen(cpu->id);
	if (changed)
		owner_flush(cpu);
	lock_release(&process->lock);
	return changed;
}

static void page_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	struct process *process = cpu->thread->process;

	switch (fill_fault(cpu, process, exit)) {
	case 1:
		return;
	case CARREL_ENOMEM:
		/* the carrier asks for memory, the instruction is retried */
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_MEMORY, 0);
		return;
	case SPACE_WAIT:
		/* the carrier interrupts the process's CPUs, the instruction is retried */
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_KICK, 0);
		return;
	case FORK_WAIT:
		/* the carrier sleeps a moment, the instruction is retried */
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_WAIT, 0);
		return;
	case LIMBO_WAIT:
		/* the carrier has all CPUs flush, the instruction is retried */
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_FLUSH, 0);
		return;
	case CARREL_ELIMIT:
		kill(cpu, "memory limit reached at a first touch", process->limit, 0);
		return;
	default:
		if (!fix_up(cpu))
			upcall(cpu, VECTOR_PF, exit->error, exit->address, 0);
	}
}

static void exception(struct cpu *cpu, const struct vt_exit *exit)
{
	u64 error = exit->vector < 32 && HAS_ERROR & BIT(exit->vector) ? exit->error : 0;

	if (exit->vector == VECTOR_PF) {
		page_fault(cpu, exit);
	} else if (exit->vector == VECTOR_MC) {
		/* the broken memory may be this process's; the kernel handles the machine */
		kill(cpu, "machine check", 0, 0);
		machine.vt->inject(&cpu->vt, VECTOR_MC, -1);
	} else {
		/* of traps by an instruction, RIP is that of the next, as on a bare machine */
		bool trap = exit->vector == VECTOR_BP || exit->vector == VECTOR_OF;

		upcall(cpu, exit->vector, error, 0, trap ? exit->length : 0);
	}
}

static void leaf(struct cpu *cpu, const struct vt_exit *exit)
{
	struct vt_regs *regs = cpu->vt.regs;
	struct cpuid r = leaves_process((u32)regs->rax, (u32)regs->rcx);

	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
	machine.vt->skip(&cpu->vt, exit);
}

/* What the thread did itself: answered in its view, unless its process was killed meanwhile. */
static void inside(struct cpu *cpu, const struct vt_exit *exit)
{
	switch (exit->reason) {
	case VT_CPUID:
		leaf(cpu, exit);
		return;
	case VT_EXCEPTION:
		exception(cpu, exit);
		return;
	case VT_VIRT_INSN:
		upcall(cpu, VECTOR_UD, 0, 0, 0);
		return;
	case VT_MSR_READ: case VT_MSR_WRITE: case VT_IO: case VT_CR_WRITE: case VT_XSETBV:
	case VT_INVD: case VT_OTHER_INSN:
		upcall(cpu, VECTOR_GP, 0, 0, 0);
		return;
	case VT_NESTED_FAULT:
		if (!walk_again(cpu))
			kill(cpu, "access outside its view", exit->write, exit->fetch);
		return;
	case VT_SHUTDOWN:
		kill(cpu, "triple fault", exit->raw, 0);
		return;
	case VT_ENTRY_FAILED:
		kill(cpu, "the CPU refused its state", exit->raw, 0);
		return;
	case VT_HYPERCALL: case VT_INTERRUPT: case VT_NMI: case VT_INIT: case VT_SIPI:
	case VT_REASONS:
		break;
	}
	panic("exit %u is not a process's", exit->reason);
}

static void __attribute__((noinline)) other_exit(struct cpu *cpu, const struct vt_exit *exit)
{
	if (exit->reason == VT_NMI || exit->reason == VT_INIT || exit->reason == VT_SIPI) {
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_RESUME, 0);
		if (exit->reason == VT_NMI)
			machine.vt->inject_nmi(&cpu->vt);
	} else if (process_state(cpu->thread->process) == PROCESS_DYING &&
		   !(exit->reason == VT_EXCEPTION && exit->vector == VECTOR_MC)) {
		thread_die(cpu);
	} else {
		inside(cpu, exit);
	}
}

void thread_exit(struct cpu *cpu, const struct vt_exit *exit)
{
	ASSERT(cpu->thread);
	count(&cpu->thread->exits);
	if (exit->reason == VT_INTERRUPT)
		cross_out(cpu, THREAD_PREEMPTED, CARREL_GATE_RESUME, 0);
	else
		other_exit(cpu, exit);
}
