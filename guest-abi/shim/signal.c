/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: dispositions, masks, delivery, faults. See signal.h. */
#include <string.h>

#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "carrier.h"
#include "channel.h"
#include "emulate.h"
#include "host.h"
#include "sigframe.h"
#include "signal.h"
#include "timer.h"
#include "vm.h"

#define SIG_DFL		0UL
#define SIG_IGN		1UL
#define SIGILL		4
#define SIGTRAP		5
#define SIGBUS		7
#define SIGFPE		8
#define SIGKILL		9
#define SIGSEGV		11
#define SIGSTOP		19
#define SA_NOCLDSTOP	0x1UL
#define SA_NOCLDWAIT	0x2UL
#define SA_SIGINFO	0x4UL
#define SA_RESTORER	0x04000000UL
#define SA_ONSTACK	0x08000000UL
#define SA_RESTART	0x10000000UL
#define SA_NODEFER	0x40000000UL
#define SA_RESETHAND	0x80000000UL
#define SA_CHILD	(SA_NOCLDSTOP | SA_NOCLDWAIT)
#define SIG_BLOCK	0
#define SIG_UNBLOCK	1
#define SIG_SETMASK	2
#define MASK_SIZE	8
#define SS_ONSTACK	1U
#define SS_DISABLE	2U
#define SS_AUTODISARM	(1U << 31)
#define MINSIGSTKSZ	2048
#define RED_ZONE	128
#define RFLAGS_HANDLER	~0x10500UL		/* RF, DF and TF are clear in a handler */
#define UC_FP_XSTATE	1
#define UC_SS		6			/* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define BIT_OF(signal)	(1UL << ((signal) - 1))
#define UNBLOCKABLE	(BIT_OF(SIGKILL) | BIT_OF(SIGSTOP))
#define SYNCHRONOUS	(BIT_OF(SIGILL) | BIT_OF(SIGTRAP) | BIT_OF(SIGBUS) | BIT_OF(SIGFPE) | \
			 BIT_OF(SIGSEGV))
#define VECTOR_BP	3
#define VECTOR_GP	13
#define VECTOR_PF	14
#define SI_CODE		8			/* offsets in siginfo */
#define SI_ADDRESS	16
#define SI_KERNEL	0x80

static bool is_handler(const struct action *action)
{
	return action->handler > SIG_IGN;
}

static void set_host_mask(struct thread *t, uint64_t how, uint64_t mask)
{
	channel_put(SLOT_DATA(t), &mask, sizeof(mask));
	host_call_own(t, SYS_rt_sigprocmask, how, (uint64_t)SLOT_DATA(t), 0, MASK_SIZE);
}

void signal_setup(struct thread *t)
{
	if (host_call_own(t, SYS_rt_sigprocmask, SIG_BLOCK, 0, (uint64_t)SLOT_DATA(t),
			  MASK_SIZE) < 0)
		die(CARREL_DIE_IAGO);
	channel_get(&t->mask, SLOT_DATA(t), sizeof(t->mask));
	t->altstack_flags = SS_DISABLE;
}

/* The host's side of a disposition; `old` takes the one before. */
static int64_t set_host_action(struct thread *t, uint64_t signal, const struct action *action,
			       struct action *old)
{
	struct action host = { .handler = action ? action->handler : 0 };
	uint8_t *in = SLOT_DATA(t), *out = in + sizeof(host);
	int64_t result;

	if (action && is_handler(action)) {
		host.handler = CARREL_GATE_VA + CARREL_GATE_SIGNAL;
		host.restorer = CARREL_GATE_VA + CARREL_GATE_RESTORER;
		host.flags = SA_SIGINFO | SA_RESTORER;
		host.mask = ~0UL;
	}
	if (action)
		host.flags |= action->flags & SA_CHILD;
	channel_put(in, &host, sizeof(host));
	result = host_call_own(t, SYS_rt_sigaction, signal, action ? (uint64_t)in : 0,
			       (uint64_t)out, MASK_SIZE);
	if (result == 0)
		channel_get(old, out, sizeof(*old));
	return result;
}

EMULATED(call_rt_sigaction)
{
	uint64_t signal = (uint32_t)arg[0];
	struct action new, old, before;
	int64_t result;

	if (arg[3] != MASK_SIZE || signal < 1 || signal > SIGNALS)
		return -LINUX_EINVAL;
	if (arg[1] && vm_prefix(arg[1], sizeof(new), CARREL_R) != sizeof(new))
		return -LINUX_EFAULT;
	if (arg[2] && vm_prefix(arg[2], sizeof(old), CARREL_W) != sizeof(old))
		return -LINUX_EFAULT;
	if (arg[1]) {
		memcpy(&new, (const void *)arg[1], sizeof(new));
		if (BIT_OF(signal) & UNBLOCKABLE)
			return -LINUX_EINVAL;
		if (is_handler(&new) && !(new.flags & SA_RESTORER))
			return -LINUX_EINVAL;
	}
	result = set_host_action(t, signal, arg[1] ? &new : NULL, &before);
	if (result < 0)
		return result;
	/* What was inherited only the host knows: default or ignored. */
	old = carrier()->actions[signal];
	if (!is_handler(&old))
		old.handler = before.handler == SIG_IGN ? SIG_IGN : SIG_DFL;
	if (arg[1]) {
		carrier()->actions[signal] = new;
		carrier()->actions[signal].mask &= ~UNBLOCKABLE;
	}
	if (arg[2])
		memcpy((void *)arg[2], &old, sizeof(old));
	return 0;
}

EMULATED(call_rt_sigprocmask)
{
	const uint64_t host[6] = { SIG_SETMASK, (uint64_t)SLOT_DATA(t), 0, MASK_SIZE };
	uint64_t set, old = t->mask, mask = t->mask;
	int64_t result;

	if (arg[3] != MASK_SIZE)
		return -LINUX_EINVAL;
	if (arg[2] && vm_prefix(arg[2], sizeof(old), CARREL_W) != sizeof(old))
		return -LINUX_EFAULT;
	if (arg[1]) {
		if (vm_prefix(arg[1], sizeof(set), CARREL_R) != sizeof(set))
			return -LINUX_EFAULT;
		memcpy(&set, (const void *)arg[1], sizeof(set));
		switch ((uint32_t)arg[0]) {
		case SIG_BLOCK:
			mask |= set;
			break;
		case SIG_UNBLOCK:
			mask &= ~set;
			break;
		case SIG_SETMASK:
			mask = set;
			break;
		default:
			return -LINUX_EINVAL;
		}
		mask &= ~UNBLOCKABLE;
		channel_put(SLOT_DATA(t), &mask, sizeof(mask));
		result = host_call(t, SYS_rt_sigprocmask, host);
		if (result == HOST_NOT_STARTED) {
			t->rewind = true;
			return 0;
		}
		if (result != 0)
			die(CARREL_DIE_IAGO);
		t->mask = mask;
	}
	if (arg[2])
		memcpy((void *)arg[2], &old, sizeof(old));
	return 0;
}

static bool on_altstack(const struct thread *t, uint64_t rsp)
{
	return !(t->altstack_flags & (SS_DISABLE | SS_AUTODISARM)) && rsp > t->altstack &&
	       rsp - t->altstack <= t->altstack_size;
}

/* The kernel's stack_t. */
struct stack {
	uint64_t base;
	uint32_t flags, pad;
	uint64_t size;
};

static struct stack altstack_now(const struct thread *t)
{
	return (struct stack){
		t->altstack, t->altstack_flags | (on_altstack(t, t->regs.rsp) ? SS_ONSTACK : 0), 0,
		t->altstack_size,
	};
}

EMULATED(call_sigaltstack)
{
	struct stack new, old = altstack_now(t);

	if (arg[0] && vm_prefix(arg[0], sizeof(new), CARREL_R) != sizeof(new))
		return -LINUX_EFAULT;
	if (arg[1] && vm_prefix(arg[1], sizeof(old), CARREL_W) != sizeof(old))
		return -LINUX_EFAULT;
	if (arg[0]) {
		memcpy(&new, (const void *)arg[0], sizeof(new));
		if (old.flags & SS_ONSTACK)
			return -LINUX_EPERM;
		if ((new.flags & ~(SS_AUTODISARM | SS_ONSTACK)) & ~SS_DISABLE)
			return -LINUX_EINVAL;
		if (new.flags & SS_DISABLE)
			new = (struct stack){ .flags = SS_DISABLE };
		else if (new.size < MINSIGSTKSZ)
			return -LINUX_ENOMEM;
		t->altstack = new.base;
		t->altstack_size = new.size;
		t->altstack_flags = new.flags & ~SS_ONSTACK;
	}
	if (arg[1])
		memcpy((void *)arg[1], &old, sizeof(old));
	return 0;
}

/*
 * Die as the program would have died by itself: with the signal's default
 * action, so that whoever waits sees the same status.
 */
static _Noreturn void die_by(struct thread *t, uint64_t signal)
{
	const struct action standard = { .handler = SIG_DFL };
	struct action old;
	int64_t pid, tid;

	set_host_action(t, signal, &standard, &old);
	pid = host_call_own(t, SYS_getpid, 0, 0, 0, 0);
	tid = host_call_own(t, SYS_gettid, 0, 0, 0, 0);
	set_host_mask(t, SIG_SETMASK, ~BIT_OF(signal));
	host_call_own(t, SYS_tgkill, pid, tid, signal, 0);
	/* The signal cannot be refused; a host that does not deliver it is told so. */
	host_call_own(t, SYS_exit_group, 128 + signal, 0, 0, 0);
	die(CARREL_DIE_IAGO);
}

static uint64_t stack_for(const struct thread *t, const struct action *action)
{
	uint64_t rsp = t->regs.rsp;

	if (action->flags & SA_ONSTACK && !(t->altstack_flags & SS_DISABLE) && !on_altstack(t, rsp))
		return t->altstack + t->altstack_size;
	return rsp - RED_ZONE;
}

/* Enter the handler of `signal`. `fault` is NULL for a signal from outside. */
static void run_handler(struct thread *t, uint64_t signal, const uint8_t *siginfo,
			const struct carrel_upcall *fault)
{
	struct action action = carrier()->actions[signal];
	struct regs *r = &t->regs;
	struct stack stack = altstack_now(t);
	/* where the call had a mask of its own, the handler goes back to the one before */
	uint64_t back = t->temporary ? t->saved_mask : t->mask;
	struct sigframe frame = {
		.restorer = action.restorer, .flags = UC_FP_XSTATE | UC_SS,
		.stack = { stack.base, stack.flags & ~SS_ONSTACK, 0, stack.size },
		.context = {
			r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
			r->rdi, r->rsi, r->rbp, r->rbx, r->rdx, r->rax, r->rcx, r->rsp,
			r->rip, r->rflags,
			.cs = CARREL_USER_CS, .ss = CARREL_USER_SS, .oldmask = back,
			.error = fault ? fault->error : 0, .vector = fault ? fault->vector : 0,
			.cr2 = fault ? fault->address : 0,
		},
		.mask = back,
	};
	uint64_t at;

	memcpy(frame.siginfo, siginfo, SIGINFO_SIZE);
	/* IRETQ with an address that is not canonical would fault in the shim. */
	at = action.handler < VM_HIGH ? sigframe_push(t, stack_for(t, &action), &frame) : 0;
	if (!at)
		die_by(t, SIGSEGV);
	if (t->altstack_flags & SS_AUTODISARM)
		t->altstack_flags = SS_DISABLE;
	if (action.flags & SA_RESETHAND) {
		struct action old;

		carrier()->actions[signal] = (struct action){ .handler = SIG_DFL };
		set_host_action(t, signal, &carrier()->actions[signal], &old);
	}
	t->temporary = false;
	t->mask |= action.mask | (action.flags & SA_NODEFER ? 0 : BIT_OF(signal));
	r->rdi = signal;
	r->rsi = at + offsetof(struct sigframe, siginfo);
	r->rdx = at + offsetof(struct sigframe, flags);
	r->rax = 0;
	r->rsp = at;
	r->rip = action.handler;
	r->rflags &= RFLAGS_HANDLER;
	set_host_mask(t, SIG_SETMASK, t->mask);
}

/* A fault's siginfo from the host, which sees no faults of the process. */
static bool forged(uint64_t signal, const uint8_t *siginfo)
{
	int32_t code;

	memcpy(&code, siginfo + SI_CODE, sizeof(code));
	return SYNCHRONOUS & BIT_OF(signal) && code > 0;
}

/* The program went back to the default action after the host had noted the signal. */
static void raise_again(struct thread *t, uint64_t signal)
{
	uint64_t pid = host_call_own(t, SYS_getpid, 0, 0, 0, 0);

	host_call_own(t, SYS_kill, pid, signal, 0, 0);
}

void signal_deliver(struct thread *t, uint64_t number)
{
	bool again = t->rewind || t->interrupted;

	while (t->noted) {
		uint8_t siginfo[SIGINFO_SIZE];
		uint32_t signal;

		memcpy(siginfo, t->siginfo, sizeof(siginfo));
		memcpy(&signal, siginfo, sizeof(signal));
		t->noted = false;
		if (forged(signal, siginfo))
			die(CARREL_DIE_IAGO);
		timer_restore(siginfo);
		if (t->mask & BIT_OF(signal) || !is_handler(&carrier()->actions[signal])) {
			set_host_mask(t, SIG_SETMASK, t->mask);
			if (!(t->mask & BIT_OF(signal)) && carrier()->actions[signal].handler == SIG_DFL)
				raise_again(t, signal);
			continue;
		}
		if (t->rewind || (t->interrupted && carrier()->actions[signal].flags & SA_RESTART)) {
			t->regs.rip -= 2;
			t->regs.rax = number;
		}
		again = t->rewind = t->interrupted = false;
		run_handler(t, signal, siginfo, NULL);
	}
	/* No handler ran under the call's own mask. */
	if (t->temporary) {
		t->temporary = false;
		t->mask = t->saved_mask;
		set_host_mask(t, SIG_SETMASK, t->mask);
	}
	/* No handler ran: the program need not notice anything. */
	if (again) {
		t->regs.rip -= 2;
		t->regs.rax = number;
	}
	t->rewind = t->interrupted = false;
}

EMULATED(call_rt_sigreturn)
{
	struct sigframe frame;

	(void)arg;
	/* The handler's return took the frame's first word off the stack. */
	if (!sigframe_pop(t, t->regs.rsp - sizeof(uint64_t), &frame))
		die_by(t, SIGSEGV);
	if (!(frame.stack.flags & ~(SS_DISABLE | SS_AUTODISARM))) {
		t->altstack = frame.stack.base;
		t->altstack_size = frame.stack.size;
		t->altstack_flags = frame.stack.flags;
	}
	t->mask = frame.mask & ~UNBLOCKABLE;
	set_host_mask(t, SIG_SETMASK, t->mask);
	return t->regs.rax;
}

/* Signal and si_code of each vector, as Linux sends them. */
static const struct {
	uint8_t signal, code;
} fault_signals[] = {
	[0] = { SIGFPE, 1 },		/* #DE: FPE_INTDIV */
	[1] = { SIGTRAP, 2 },		/* #DB: TRAP_TRACE */
	[3] = { SIGTRAP, SI_KERNEL },	/* #BP */
	[4] = { SIGSEGV, SI_KERNEL },	/* #OF */
	[5] = { SIGSEGV, SI_KERNEL },	/* #BR */
	[6] = { SIGILL, 2 },		/* #UD: ILL_ILLOPN */
	[7] = { SIGSEGV, SI_KERNEL },	/* #NM */
	[10] = { SIGSEGV, SI_KERNEL },	/* #TS */
	[11] = { SIGBUS, SI_KERNEL },	/* #NP */
	[12] = { SIGBUS, SI_KERNEL },	/* #SS */
	[13] = { SIGSEGV, SI_KERNEL },	/* #GP */
	[14] = { SIGSEGV, 1 },		/* #PF: SEGV_MAPERR, or SEGV_ACCERR where memory is */
	[16] = { SIGFPE, 7 },		/* #MF: FPE_FLTINV */
	[17] = { SIGBUS, 1 },		/* #AC: BUS_ADRALN */
	[19] = { SIGFPE, 7 },		/* #XM */
};

/*
 * INT3 where the CPU does not intercept it goes through the interrupt table, which
 * has no entries here: #GP, and nothing else at that instruction can cause one
 * (the error code is no help, an emulator loses it). Linux has a gate there.
 */
static bool is_breakpoint(struct thread *t, const struct carrel_upcall *fault)
{
	static const uint8_t int3[] = { 0xcc }, int_3[] = { 0xcd, 3 };
	uint64_t rip = t->regs.rip, size = 0;

	if (fault->vector != VECTOR_GP)
		return false;
	if (vm_prefix(rip, sizeof(int3), CARREL_X) && !memcmp((void *)rip, int3, sizeof(int3)))
		size = sizeof(int3);
	else if (vm_prefix(rip, sizeof(int_3), CARREL_X) == sizeof(int_3) &&
		 !memcmp((void *)rip, int_3, sizeof(int_3)))
		size = sizeof(int_3);
	t->regs.rip += size;
	return size != 0;
}

void signal_fault(struct thread *t, const struct carrel_upcall *fault)
{
	uint64_t vector = is_breakpoint(t, fault) ? VECTOR_BP : fault->vector;
	uint8_t siginfo[SIGINFO_SIZE] = { 0 };
	uint32_t signal = SIGSEGV, code = SI_KERNEL;
	uint64_t address = 0;

	if (vector < sizeof(fault_signals) / sizeof(fault_signals[0]) &&
	    fault_signals[vector].signal) {
		signal = fault_signals[vector].signal;
		code = fault_signals[vector].code;
	}
	if (vector == VECTOR_PF) {
		address = fault->address;
		code += vm_covered(address & ~(uint64_t)PAGE_MASK, (address | PAGE_MASK) + 1);
	} else if (code != SI_KERNEL) {
		address = t->regs.rip;
	}
	if (!is_handler(&carrier()->actions[signal]) || t->mask & BIT_OF(signal))
		die_by(t, signal);
	memcpy(siginfo, &signal, sizeof(signal));
	memcpy(siginfo + SI_CODE, &code, sizeof(code));
	memcpy(siginfo + SI_ADDRESS, &address, sizeof(address));
	run_handler(t, signal, siginfo, fault);
}
