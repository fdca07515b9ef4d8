/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls, in this order: the number; who may call; the arguments' ranges; the
 * process and its state; only then is anything changed. A call without a row in
 * the table of rules is refused; the two switches over enum call have no default,
 * so that a new call cannot be forgotten there.
 */
#include "hypercall.h"

#include <string.h>
#include <strings.h>

#include <base/log.h>
#include <base/x86.h>
#include <carrel/hypercall.h>
#include <mm/dma.h>

#include "apic.h"
#include "fork.h"
#include "info.h"
#include "owner.h"
#include "pass.h"
#include "platform.h"
#include "process.h"
#include "random.h"
#include "stats.h"
#include "thread.h"

#pragma GCC diagnostic error "-Wswitch-enum"

enum call {
	DONATE = CARREL_HC_DONATE, RETURN = CARREL_HC_RETURN, CREATE = CARREL_HC_CREATE,
	ADD = CARREL_HC_ADD, LEND = CARREL_HC_LEND, INIT = CARREL_HC_INIT,
	DESTROY = CARREL_HC_DESTROY, FLUSH = CARREL_HC_FLUSH, INFO = CARREL_HC_INFO,
	LOG = CARREL_HC_LOG, PARK = CARREL_HC_PARK, ADMIT = CARREL_HC_ADMIT,
	ENTER = CARREL_HC_ENTER, RESUME = CARREL_HC_RESUME,
	OCALL = CARREL_HC_OCALL, MAP = CARREL_HC_MAP, UNMAP = CARREL_HC_UNMAP,
	PROTECT = CARREL_HC_PROTECT, RANDOM = CARREL_HC_RANDOM, NOTE = CARREL_HC_NOTE,
	IDENTITY = CARREL_HC_IDENTITY, DIE = CARREL_HC_DIE, ADOPT = CARREL_HC_ADOPT,
	THREAD = CARREL_HC_THREAD, FORK = CARREL_HC_FORK, PASS = CARREL_HC_PASS,
	CLAIM = CARREL_HC_CLAIM, PUBLIC = CARREL_HC_PUBLIC, RESEAL = CARREL_HC_RESEAL,
	SEAL_KEY = CARREL_HC_SEAL_KEY,
};
static_assert(CARREL_HC_MAX == CARREL_HC_SEAL_KEY, "enum call names every hypercall");

/* Mode and view. */
#define IN_PROCESS	8
enum caller {
	KERNEL = VT_64BIT | 0,
	CARRIER = VT_64BIT | 3,	/* with the ticket of the process in its arguments */
	PROCESS = VT_64BIT | 3 | IN_PROCESS,	/* the subject is the thread on this CPU */
};

enum subject {
	NOTHING,	/* no process is concerned */
	NAMED,		/* by the first argument */
	OPTIONAL,	/* by the second argument, unless that is 0 */
	OWN,		/* the caller's */
};

struct rule {
	u8 caller;	/* enum caller; 0: there is no such call */
	u8 subject;	/* enum subject */
	bool locked;	/* the subject's lock is held, also while its state is checked */
	u8 process;	/* states in which the subject takes it, a bit each */
	u8 thread;	/* the same for the thread that the call names or comes from */
};

#define P_BUILDING	BIT(PROCESS_BUILDING)
#define P_READY		BIT(PROCESS_READY)
#define P_ALIVE		(P_BUILDING | P_READY)
/* A thread inside learns of its process's death at the next exit, not by a result. */
#define P_INSIDE	(P_READY | BIT(PROCESS_DYING))
#define P_FORKED	BIT(PROCESS_FORKED)
#define P_ANY		(P_ALIVE | P_FORKED | BIT(PROCESS_DYING))
#define T_NEW		BIT(THREAD_NEW)
#define T_RUNNING	BIT(THREAD_RUNNING)
#define T_OUT		(BIT(THREAD_OCALL) | BIT(THREAD_PREEMPTED))

/* Who may call, on what, in which state: docs/abi.md, "Legality". */
static const struct rule rules[CARREL_HC_MAX + 1] = {
	[DONATE] = { KERNEL, OPTIONAL, true, P_ALIVE, 0 },
	[RETURN] = { KERNEL, NOTHING, false, 0, 0 },
	[CREATE] = { KERNEL, NOTHING, false, 0, 0 },
	[ADD] = { KERNEL, NAMED, true, P_BUILDING, 0 },
	[LEND] = { KERNEL, NAMED, true, P_ALIVE, 0 },
	[INIT] = { KERNEL, NAMED, true, P_BUILDING, 0 },
	[DESTROY] = { KERNEL, NAMED, false, P_ANY, 0 },
	[FLUSH] = { KERNEL, NOTHING, false, 0, 0 },
	[INFO] = { KERNEL, NOTHING, false, 0, 0 },
	[LOG] = { KERNEL, NOTHING, false, 0, 0 },
	[PARK] = { KERNEL, NOTHING, false, 0, 0 },
	[ADMIT] = { KERNEL, NOTHING, false, 0, 0 },
	[ADOPT] = { KERNEL, NAMED, true, P_FORKED, 0 },
	[PUBLIC ... RESEAL] = { KERNEL, NOTHING, false, 0, 0 },
	[ENTER] = { CARRIER, NAMED, false, P_READY, T_NEW },
	[RESUME] = { CARRIER, NAMED, false, P_READY, T_OUT },
	[OCALL] = { PROCESS, OWN, false, P_INSIDE, T_RUNNING },
	[MAP ... PROTECT] = { PROCESS, OWN, true, P_INSIDE, T_RUNNING },
	[RANDOM ... DIE] = { PROCESS, OWN, false, P_INSIDE, T_RUNNING },
	[THREAD ... FORK] = { PROCESS, OWN, true, P_INSIDE, T_RUNNING },
	[PASS ... SEAL_KEY] = { PROCESS, OWN, false, P_INSIDE, T_RUNNING },
};

#define CODE_MAX	0xFFFF		/* of NOTE and DIE */
#define LIMIT_MAX	0xFFFFFF	/* chunks of one process */

/* Flags; slots, and at least one block of arena behind them. */
static bool sizes_ok(u64 packed)
{
	u64 slots = packed & 0xFFFF, blocks = packed >> 16 & 0xFFFF;
	u64 slot_blocks = (slots * CARREL_SLOT_STRIDE + CARREL_BLOCK_SIZE - 1) / CARREL_BLOCK_SIZE;

	return !(packed >> 32 & ~(u64)CARREL_CREATE_FLAGS) && slots && slots <= CARREL_SLOTS_MAX &&
		blocks <= CARREL_BLOCKS_MAX && blocks > slot_blocks;
}

static bool rights_ok(u64 rights)
{
	return rights == 0 || rights & CARREL_R;
}

/* Thread pages and stacks are the hypervisor's to make: it keeps where they lie. */
static bool range_ok(u64 address, u64 pages)
{
	const u64 end = CARREL_THREAD_PAGE(CARREL_SLOTS_MAX);

	if (!space_range_ok(address, pages))
		return false;
	return address >= end || address + pages * PAGE_SIZE <= CARREL_THREADS_VA;
}

static bool add_ok(const struct vt_regs *args)
{
	u64 rights = args->r10 & CARREL_RIGHTS;

	return args->rsi < frame_chunk_count() * CHUNK_PAGES && range_ok(args->rdx, 1) &&
		args->r10 == (rights | CARREL_ADD_PAGE) && rights & CARREL_R &&
		(rights & (CARREL_W | CARREL_X)) != (CARREL_W | CARREL_X);
}

/* Everything that can be judged by the numbers alone. Arguments are in RDI RSI RDX R10 R8 R9. */
static bool args_ok(enum call call, const struct vt_regs *args)
{
	if (call == RESUME)	/* each call and each interruption ends in one */
		return args->r10 < CARREL_SLOTS_MAX &&
			!(args->r9 & ~(u64)(CARREL_RESUME_SIGNAL | CARREL_RESUME_NOTSTARTED));
	switch (call) {
	case DONATE: case RETURN:
		return args->rdi < frame_chunk_count();
	case CREATE:
		return args->rdi < frame_chunk_count() && args->rsi == CARREL_ABI_VERSION &&
			sizes_ok(args->rdx) && args->r10 && args->r10 <= LIMIT_MAX;
	case ADD:
		return add_ok(args);
	case LEND:
		return args->rsi < frame_chunk_count() << (CHUNK_SHIFT - CARREL_BLOCK_SHIFT) &&
			args->rdx < CARREL_BLOCKS_MAX;
	case ENTER:
		return args->r10 < CARREL_SLOTS_MAX;
	case MAP:
		return range_ok(args->rdi, args->rsi) && rights_ok(args->rdx & CARREL_RIGHTS) &&
			!(args->rdx & ~(u64)(CARREL_RIGHTS | CARREL_MAP_DEMAND | CARREL_MAP_SHARED));
	case UNMAP:
		return range_ok(args->rdi, args->rsi);
	case PROTECT:
		return range_ok(args->rdi, args->rsi) && !(args->rdx & ~(u64)CARREL_RIGHTS) &&
			rights_ok(args->rdx);
	case NOTE: case DIE:
		return args->rdi <= CODE_MAX;
	case THREAD:
		return args->rdi < CARREL_SLOTS_MAX;
	case FORK:
		return args->rdi <= CARREL_FORK_ABORT;
	case SEAL_KEY:
		return args->rdi < CARREL_SEAL_KINDS;
	case RESEAL:
		return args->rdi < frame_chunk_count() * CHUNK_PAGES;
	case PARK:
		return args->rdi <= 0xFFFFFFFF;
	case ADMIT:
		return args->rdi <= 0xFFFF;
	case INIT: case DESTROY: case FLUSH: case INFO: case LOG: case OCALL: case RANDOM:
	case IDENTITY: case ADOPT: case PASS: case CLAIM: case RESUME:
	case PUBLIC:
		return true;
	}
	return false;
}

static void give4(struct vt_regs *regs, const void *bytes)
{
	u64 word[4];

	memcpy(word, bytes, sizeof(word));
	regs->rdi = word[0];
	regs->rsi = word[1];
	regs->rdx = word[2];
	regs->r10 = word[3];
}

static s64 create(struct vt_regs *regs)
{
	u64 id, ticket[2];
	int error = process_create(regs->rdi, regs->rdx & 0xFFFF, regs->rdx >> 16 & 0xFFFF,
				   (u32)regs->r10, (u32)(regs->rdx >> 32), &id, ticket);

	if (error)
		return error;
	regs->rdi = id;
	regs->rsi = ticket[0];
	regs->rdx = ticket[1];
	return 0;
}

static s64 init(struct process *process, struct vt_regs *regs)
{
	int error = process_init(process);

	if (!error)
		give4(regs, process->identity);
	return error;
}

static s64 info(struct vt_regs *regs)
{
	u64 value[INFO_VALUES];
	int error = info_get(regs->rdi, regs->rsi, regs->rdx, value);

	if (error)
		return error;
	give4(regs, value);
	regs->r8 = value[4];
	regs->r9 = value[5];
	return 0;
}

static s64 read_log(struct vt_regs *regs)
{
	u64 text[5] = { 0 }, position = regs->rdi;
	size_t bytes = log_read(&position, (char *)text, sizeof(text));

	give4(regs, text);
	regs->r8 = text[4];
	regs->r9 = position;
	return (s64)bytes;
}

static s64 random(struct vt_regs *regs)
{
	u8 bytes[RANDOM_SIZE];
	int error = random_get(bytes);

	if (!error)
		give4(regs, bytes);
	return error;
}

static s64 change_space(enum call call, struct space *space, const struct vt_regs *args)
{
	unsigned int rights = args->rdx & CARREL_RIGHTS;

	if (call == MAP)
		return space_map(space, args->rdi, args->rsi,
				 rights | (args->rdx & CARREL_MAP_SHARED ? TABLE_SHARED : 0),
				 args->rdx & CARREL_MAP_DEMAND, PROCESS_BUDGET);
	if (call == UNMAP)
		return space_unmap(space, args->rdi, args->rsi, PROCESS_BUDGET);
	return space_protect(space, args->rdi, args->rsi, rights, PROCESS_BUDGET);
}

/*
 * MAP, UNMAP, PROTECT: pages done to RDI; MORE if they are not all; PENDING if
 * other threads, inside the view now, may still use what was taken away. What this CPU
 * owes is paid before it goes back into the view.
 */
static s64 change(enum call call, struct cpu *cpu, struct process *process)
{
	struct vt_regs *regs = cpu->vt.regs;
	struct view *view = &process->view;
	s64 done = change_space(call, &process->space, regs);

	if (done == CARREL_ENOMEM && process_reclaim(process))
		done = change_space(call, &process->space, regs);
	if (view->changed > flush_seen(cpu->id)) {
		owner_flush(cpu);
		process_reclaim(process);
	}
	if (done == CARREL_ENOMEM && process->family->chunks >= process->limit)
		return CARREL_ELIMIT;
	if (done < 0)
		return done;
	regs->rdi = (u64)done;
	if ((u64)done < regs->rsi)
		return CARREL_MORE;
	return flush_paid_inside(&view->entered, view->changed) ? 0 : CARREL_PENDING;
}

static s64 make_thread(struct process *process, u32 index)
{
	s64 result = thread_make(process, index);

	if (result == CARREL_ENOMEM && process_reclaim(process))
		result = thread_make(process, index);
	if (result == CARREL_ENOMEM && process->family->chunks >= process->limit)
		return CARREL_ELIMIT;
	return result;
}

static s64 pass(const struct process *process, struct vt_regs *regs)
{
	const u64 bytes[4] = { regs->rdi, regs->rsi, regs->rdx, regs->r10 };
	u64 ticket[2];
	int error = pass_leave(process->identity, bytes, ticket);

	if (error)
		return error;
	regs->rdi = ticket[0];
	regs->rsi = ticket[1];
	return 0;
}

static s64 claim(const struct process *process, struct vt_regs *regs)
{
	const u64 ticket[2] = { regs->rdi, regs->rsi };
	u64 bytes[4];
	int error = pass_claim(process->identity, ticket, bytes);

	if (!error)
		give4(regs, bytes);
	return error;
}

static s64 seal_key(const struct process *process, struct vt_regs *regs)
{
	u8 key[PLATFORM_KEY];
	int error = CARREL_EFLAG;

	if (process->flags & CARREL_CREATE_SEAL)
		error = platform_seal_key((u32)regs->rdi, process->identity, key);
	if (error)
		return error;
	give4(regs, key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

static s64 public_key(struct vt_regs *regs)
{
	const u64 identity[4] = { regs->rdi, regs->rsi, regs->rdx, regs->r10 };
	u8 key[PLATFORM_KEY];
	int error = platform_public(identity, key);

	if (!error)
		give4(regs, key);
	return error;
}

static s64 die(struct cpu *cpu, struct process *process)
{
	process_kill(process, "by its shim", cpu->vt.regs->rdi, 0);
	thread_die(cpu);
	return THREAD_CROSSED;
}

/* Carry out a call on `process`, NULL where none is concerned. Its lock is held if the rule
 * says so. */
static s64 invoke(enum call call, struct cpu *cpu, const struct vt_exit *exit,
		  struct process *process)
{
	struct vt_regs *regs = cpu->vt.regs;

	switch (call) {
	case DONATE:
		return owner_donate(regs->rdi, process ? process->family : NULL,
				    process ? process->limit : 0);
	case RETURN:
		return owner_return(regs->rdi);
	case CREATE:
		return create(regs);
	case ADD:
		return process_add(process, regs->rsi, regs->rdx, regs->r10);
	case LEND:
		return process_lend(process, regs->rsi, regs->rdx);
	case INIT:
		return init(process, regs);
	case DESTROY:
		return process_destroy(process);
	case FLUSH:
		owner_flush(cpu);
		return 0;
	case PARK:
		return apic_park((u32)regs->rdi);
	case ADMIT:
		return dma_admit((u16)regs->rdi);
	case INFO:
		return info(regs);
	case LOG:
		return read_log(regs);
	case OCALL:
		thread_ocall(cpu, exit);
		return THREAD_CROSSED;
	case MAP: case UNMAP: case PROTECT:
		return change(call, cpu, process);
	case RANDOM:
		return random(regs);
	case NOTE:
		log_note("process %lx: note %lu, %lu", process->id, regs->rdi, regs->rsi);
		return 0;
	case IDENTITY:
		give4(regs, process->identity);
		return 0;
	case DIE:
		return die(cpu, process);
	case ADOPT:
		return fork_adopt(process);
	case THREAD:
		return make_thread(process, (u32)regs->rdi);
	case FORK:
		return fork_call(cpu, process);
	case PASS:
		return pass(process, regs);
	case CLAIM:
		return claim(process, regs);
	case SEAL_KEY:
		return seal_key(process, regs);
	case PUBLIC:
		return public_key(regs);
	case RESEAL:
		return platform_reseal(regs->rdi);
	case ENTER: case RESUME:	/* call_carrier() */
		break;
	}
	return CARREL_ECALL;
}

static bool caller_ok(const struct vt_exit *exit, u8 caller)
{
	return (exit->mode | (exit->process ? IN_PROCESS : 0)) == caller;
}

/* The time it takes says nothing about how much of a guess was right. */
static bool ticket_ok(const struct process *process, const struct vt_regs *args)
{
	return ((process->ticket[0] ^ args->rsi) | (process->ticket[1] ^ args->rdx)) == 0;
}

static int state_ok(const struct process *process, const struct rule *rule)
{
	enum process_state state = process_state(process);

	if (rule->process & BIT(state))
		return 0;
	return state == PROCESS_DYING || state == PROCESS_GONE ? CARREL_EDEAD : CARREL_ESTATE;
}

/* ENTER and RESUME: with a reference on the process that the ticket is for, and no lock. */
static s64 call_carrier(struct cpu *cpu, const struct vt_exit *exit, const struct rule *rule)
{
	struct process *process = process_get(cpu->vt.regs->rdi);
	s64 result = CARREL_ETICKET;

	if (!process)
		return result;
	if (ticket_ok(process, cpu->vt.regs)) {
		result = state_ok(process, rule);
		if (!result)
			result = thread_enter(cpu, process, rule->thread, exit->cr3);
	}
	process_put(process);
	return result;
}

/* With the subject there, by a reference or, if it is the caller's own, by running. */
static s64 call_on(enum call call, struct cpu *cpu, const struct vt_exit *exit,
		   struct process *subject, const struct rule *rule)
{
	s64 result;

	if (rule->locked)
		lock_take(&subject->lock);
	result = call == ADOPT && !ticket_ok(subject, cpu->vt.regs) ? CARREL_ETICKET
								    : state_ok(subject, rule);
	if (!result)
		result = invoke(call, cpu, exit, subject);
	if (rule->locked)
		lock_release(&subject->lock);
	return result;
}

/* A process that only a handle names may go away but for the reference that is held meanwhile;
 * DESTROY uses it up when it succeeds. */
static s64 call_named(enum call call, struct cpu *cpu, const struct vt_exit *exit, u64 id,
		      const struct rule *rule)
{
	struct process *subject = process_get(id);
	s64 result;

	if (!subject)
		return CARREL_EARG;
	result = call_on(call, cpu, exit, subject, rule);
	if (call != DESTROY || result != 0)
		process_put(subject);
	return result;
}

static s64 dispatch(enum call call, struct cpu *cpu, const struct vt_exit *exit,
		    const struct rule *rule)
{
	const struct vt_regs *args = cpu->vt.regs;

	if (rule->caller == CARRIER)
		return call_carrier(cpu, exit, rule);
	if (rule->subject == OWN)
		return call_on(call, cpu, exit, cpu->thread->process, rule);
	if (rule->subject == NAMED)
		return call_named(call, cpu, exit, args->rdi, rule);
	if (rule->subject == OPTIONAL && args->rsi)
		return call_named(call, cpu, exit, args->rsi, rule);
	return invoke(call, cpu, exit, NULL);
}

void hypercall(struct cpu *cpu, const struct vt_exit *exit)
{
	u64 number = cpu->vt.regs->rax;
	enum call call = (enum call)number;
	const struct rule *rule = &rules[number <= CARREL_HC_MAX ? number : 0];
	s64 result;

	if (!rule->caller)
		result = CARREL_ECALL;
	else if (!caller_ok(exit, rule->caller))
		result = CARREL_ECALLER;
	else if (!args_ok(call, cpu->vt.regs))
		result = CARREL_EARG;
	else
		result = dispatch(call, cpu, exit, rule);
	if (result == THREAD_CROSSED)
		return;
	if (result == CARREL_ECALL || result == CARREL_ECALLER || result == CARREL_ETICKET)
		stats_add(&stats.refused_calls, 1);
	cpu->vt.regs->rax = (u64)result;
	machine.vt->skip(&cpu->vt, exit);
}
