/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: dispositions, masks, delivery, faults. See signal.h. */
#include <string.h>

#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "emulate.h"
#include "base/host.h"
#include "signals/sigframe.h"
#include "signals/signal.h"
#include "signals/wait.h"
#include "time/timer.h"
#include "memory/user.h"
#include "memory/vm.h"

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
#define SYSCALL_SIZE	2			/* of the instruction */

static bool is_handler(const struct action *action)
{
	return action->handler > SIG_IGN;
}

static void set_host_mask(struct thread *t, uint64_t mask)
{
	channel_put(SLOT_DATA(t), &mask, sizeof(mask));
	if (host_call_own(t, SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)SLOT_DATA(t), 0, MASK_SIZE))
		die(CARREL_DIE_IAGO);
}

void signal_block(struct thread *t)
{
	set_host_mask(t, ~0UL);
}

/*
 * A signal that comes before the host makes this call leaves all blocked, and has to stay
 * the only one until it is delivered, which ends here again: there is room for one.
 */
void signal_unblock(struct thread *t)
{
	const uint64_t args[6] = { SIG_SETMASK, (uint64_t)SLOT_DATA(t), 0, MASK_SIZE };
	int64_t result = 0;

	do {
		if (t->noted)
			return;
		channel_put(SLOT_DATA(t), &t->mask, sizeof(t->mask));
		result = host_call(t, SYS_rt_sigprocmask, args);
	} while (result == HOST_NOT_STARTED);
	if (result)
		die(CARREL_DIE_IAGO);
}

void signal_mask_temporary(struct thread *t, uint64_t mask)
{
	t->saved_mask = t->mask;
	t->mask = mask & ~UNBLOCKABLE;
	t->temporary = true;
}

void signal_mask_restore(struct thread *t)
{
	if (t->temporary)
		t->mask = t->saved_mask;
	t->temporary = false;
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

/*
 * The host's side and ours change together: a thread that finds a signal noted waits for
 * the lock and then sees the handler for which the host sent it.
 */
static int64_t exchange_action(struct thread *t, uint64_t signal, const struct action *new,
			       struct action *old)
{
	struct action *action = &t->carrier->actions[signal], host;
	int64_t result;

	lock_take(&t->carrier->lock);
	result = set_host_action(t, signal, new, &host);
	if (result > 0)
		die(CARREL_DIE_IAGO);
	if (result == 0) {
		*old = *action;
		/* What was inherited only the host knows: default or ignored. */
		if (!is_handler(old))
			old->handler = host.handler == SIG_IGN ? SIG_IGN : SIG_DFL;
		if (new)
			*action = *new;
	}
	lock_release(&t->carrier->lock);
	return result;
}

EMULATED(call_rt_sigaction)
{
	uint64_t signal = (uint32_t)arg[0];
	struct action new, old;
	int64_t result;

	if (arg[3] != MASK_SIZE || signal < 1 || signal > SIGNALS)
		return -LINUX_EINVAL;
	if (arg[1] && !user_get(&new, arg[1], sizeof(new)))
		return -LINUX_EFAULT;
	if (arg[2] && vm_prefix(arg[2], sizeof(old), CARREL_W) != sizeof(old))
		return -LINUX_EFAULT;
	if (arg[1]) {
		if (BIT_OF(signal) & UNBLOCKABLE)
			return -LINUX_EINVAL;
		if (is_handler(&new) && !(new.flags & SA_RESTORER))
			return -LINUX_EINVAL;
		new.mask &= ~UNBLOCKABLE;
	}
	result = exchange_action(t, signal, arg[1] ? &new : NULL, &old);
	if (result < 0)
		return result;
	return !arg[2] || user_put(arg[2], &old, sizeof(old)) ? 0 : -LINUX_EFAULT;
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
		if (!user_get(&set, arg[1], sizeof(set)))
			return -LINUX_EFAULT;
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
	return !arg[2] || user_put(arg[2], &old, sizeof(old)) ? 0 : -LINUX_EFAULT;
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

	if (arg[0] && !user_get(&new, arg[0], sizeof(new)))
		return -LINUX_EFAULT;
	if (arg[1] && vm_prefix(arg[1], sizeof(old), CARREL_W) != sizeof(old))
		return -LINUX_EFAULT;
	if (arg[0]) {
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
	return !arg[1] || user_put(arg[1], &old, sizeof(old)) ? 0 : -LINUX_EFAULT;
}

/*
 * Die as the program would have died by itself: with the signal's default
 * action, so that whoever waits sees the same status.
 */
static _Noreturn void die_by(struct thread *t, uint64_t signal)
{
	const struct action standard = { .handler = SIG_DFL };
	struct action old;
	int64_t pid;

	set_host_action(t, signal, &standard, &old);
	pid = host_call_own(t, SYS_getpid, 0, 0, 0, 0);
	set_host_mask(t, ~BIT_OF(signal));
	host_call_own(t, SYS_tgkill, pid, t->tid, signal, 0);
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

/*
 * Once for each time it was set: of two threads that found the signal noted, one runs the
 * handler, and the other finds the default.
 */
static struct action take_action(struct thread *t, uint64_t signal)
{
	const struct action standard = { .handler = SIG_DFL };
	struct action *action = &t->carrier->actions[signal], was, host;

	lock_take(&t->carrier->lock);
	was = *action;
	if (is_handler(&was) && was.flags & SA_RESETHAND) {
		set_host_action(t, signal, &standard, &host);
		*action = standard;
	}
	lock_release(&t->carrier->lock);
	return was;
}

/* Enter the handler of `signal`. `fault` is NULL for a signal from outside. */
static void run_handler(struct thread *t, uint64_t signal, const struct action *action,
			const uint8_t *siginfo, const struct carrel_upcall *fault)
{
	struct regs *r = &t->regs;
	struct stack stack = altstack_now(t);
	uint64_t mask = t->temporary ? t->saved_mask : t->mask;
	struct sigframe frame = {
		.restorer = action->restorer, .flags = UC_FP_XSTATE | UC_SS,
		.stack = { stack.base, stack.flags & ~SS_ONSTACK, 0, stack.size },
		.context = {
			r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
			r->rdi, r->rsi, r->rbp, r->rbx, r->rdx, r->rax, r->rcx, r->rsp,
			r->rip, r->rflags,
			.cs = CARREL_USER_CS, .ss = CARREL_USER_SS, .oldmask = mask,
			.error = fault ? fault->error : 0, .vector = fault ? fault->vector : 0,
			.cr2 = fault ? fault->address : 0,
		},
		.mask = mask,
	};
	uint64_t at;

	memcpy(frame.siginfo, siginfo, SIGINFO_SIZE);
	/* IRETQ with an address that is not canonical would fault in the shim. */
	at = action->handler < VM_HIGH ? sigframe_push(t, stack_for(t, action), &frame) : 0;
	if (!at)
		die_by(t, SIGSEGV);
	if (t->altstack_flags & SS_AUTODISARM)
		t->altstack_flags = SS_DISABLE;
	/* As on Linux, what a call blocked for its time stays blocked in the handler. */
	t->mask |= action->mask | (action->flags & SA_NODEFER ? 0 : BIT_OF(signal));
	t->temporary = false;
	r->rdi = signal;
	r->rsi = at + offsetof(struct sigframe, siginfo);
	r->rdx = at + offsetof(struct sigframe, flags);
	r->rax = 0;
	r->rsp = at;
	r->rip = action->handler;
	r->rflags &= RFLAGS_HANDLER;
	signal_unblock(t);
}

/* A fault's siginfo from the host, which sees no faults of the process. */
static bool forged(uint64_t signal, const uint8_t *siginfo)
{
	int32_t code;

	memcpy(&code, siginfo + SI_CODE, sizeof(code));
	return SYNCHRONOUS & BIT_OF(signal) && code > 0;
}

/*
 * Noted, but not for a handler to take now: the program has gone back to the default action
 * or has blocked it since. To the host's queue again, for this thread, as it was.
 */
static void give_back(struct thread *t, uint64_t signal, const uint8_t *siginfo)
{
	uint64_t pid = host_call_own(t, SYS_getpid, 0, 0, 0, 0);

	channel_put(SLOT_DATA(t), siginfo, SIGINFO_SIZE);
	host_call_own(t, SYS_rt_tgsigqueueinfo, pid, t->tid, signal, (uint64_t)SLOT_DATA(t));
}

static void call_over(struct thread *t)
{
	t->rewind = false;
	t->interrupted = INTERRUPTED_NO;
}

/* Make the call again that a signal kept from starting, or ended early. */
static void call_again(struct thread *t, uint64_t number)
{
	t->regs.rip -= SYSCALL_SIZE;
	t->regs.rax = number;
}

/* Is it to be made again although a handler runs? */
static bool is_again(const struct thread *t, uint64_t number, uint64_t flags)
{
	if (t->interrupted == INTERRUPTED_RESTARTS)
		return flags & SA_RESTART;
	return t->rewind && !(t->interrupted == INTERRUPTED_ENDS && wait_sleeps(t, number));
}

/* The handler of the noted signal. False if it has none to run now. */
static bool deliver_one(struct thread *t, uint64_t number)
{
	uint8_t siginfo[SIGINFO_SIZE];
	struct action action;
	uint32_t signal;

	memcpy(siginfo, t->siginfo, sizeof(siginfo));
	memcpy(&signal, siginfo, sizeof(signal));
	if (forged(signal, siginfo))
		die(CARREL_DIE_IAGO);
	/* It came before the call with the temporary mask, or after. */
	if (t->temporary && t->mask & ~t->saved_mask & BIT_OF(signal))
		signal_mask_restore(t);
	action = t->mask & BIT_OF(signal) ? (struct action){ .handler = SIG_DFL }
					  : take_action(t, signal);
	/* Until here it was noted, and kept every other one away. */
	t->noted = false;
	if (!is_handler(&action)) {
		if (action.handler != SIG_IGN)
			give_back(t, signal, siginfo);
		return false;
	}
	timer_restore(siginfo);
	if (is_again(t, number, action.flags))
		call_again(t, number);
	else if (t->interrupted)
		t->regs.rax = -LINUX_EINTR;
	call_over(t);
	run_handler(t, signal, &action, siginfo, NULL);
	return true;
}

void signal_deliver(struct thread *t, uint64_t number)
{
	if (t->rewind)			/* the mask of a call that was not made */
		signal_mask_restore(t);
	while (t->noted) {
		if (deliver_one(t, number))
			continue;
		signal_mask_restore(t);
		signal_unblock(t);
	}
	signal_mask_restore(t);
	/* No handler ran: the program need not notice anything. */
	if (t->rewind || t->interrupted)
		call_again(t, number);
	call_over(t);
}

/*
 * The mask first, while the frame still stands and the call can be made again: a signal that
 * comes before is of the handler's mask, one that comes later of the frame's.
 */
EMULATED(call_rt_sigreturn)
{
	/* The handler's return took the frame's first word off the stack. */
	uint64_t at = t->regs.rsp - sizeof(uint64_t), mask;
	const uint64_t host[6] = { SIG_SETMASK, (uint64_t)SLOT_DATA(t), 0, MASK_SIZE };
	struct sigframe frame;
	int64_t result;

	(void)arg;
	if (!user_get(&mask, at + offsetof(struct sigframe, mask), sizeof(mask)))
		die_by(t, SIGSEGV);
	mask &= ~UNBLOCKABLE;
	channel_put(SLOT_DATA(t), &mask, sizeof(mask));
	result = host_call(t, SYS_rt_sigprocmask, host);
	if (result == HOST_NOT_STARTED) {
		t->rewind = true;
		return 0;
	}
	if (result)
		die(CARREL_DIE_IAGO);
	t->mask = mask;
	if (!sigframe_pop(t, at, &frame))
		die_by(t, SIGSEGV);
	if (!(frame.stack.flags & ~(SS_DISABLE | SS_AUTODISARM))) {
		t->altstack = frame.stack.base;
		t->altstack_size = frame.stack.size;
		t->altstack_flags = frame.stack.flags;
	}
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
	uint8_t code[sizeof(int_3)] = { 0 };
	uint64_t rip = t->regs.rip, size = 0;

	if (fault->vector != VECTOR_GP)
		return false;
	if (!user_get(code, rip, sizeof(code)) && !user_get(code, rip, sizeof(int3)))
		return false;
	if (!memcmp(code, int3, sizeof(int3)))
		size = sizeof(int3);
	else if (!memcmp(code, int_3, sizeof(int_3)))
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
	struct action action;

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
	action = take_action(t, signal);
	if (!is_handler(&action) || t->mask & BIT_OF(signal))
		die_by(t, signal);
	memcpy(siginfo, &signal, sizeof(signal));
	memcpy(siginfo + SI_CODE, &code, sizeof(code));
	memcpy(siginfo + SI_ADDRESS, &address, sizeof(address));
	run_handler(t, signal, &action, siginfo, fault);
}
