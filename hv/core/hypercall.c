/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls, in this order: the number; who may call; the arguments' ranges; the
 * process and its state; only then is anything changed. The three switches over
 * enum call have no default, so a new call cannot be forgotten in any of them.
 */
#include "hypercall.h"

#include <string.h>

#include <base/log.h>
#include <base/x86.h>
#include <carrel/hypercall.h>

#include "info.h"
#include "owner.h"
#include "process.h"
#include "random.h"
#include "stats.h"
#include "thread.h"

#pragma GCC diagnostic error "-Wswitch-enum"

enum call {
	DONATE = CARREL_HC_DONATE, RETURN = CARREL_HC_RETURN, CREATE = CARREL_HC_CREATE,
	ADD = CARREL_HC_ADD, LEND = CARREL_HC_LEND, INIT = CARREL_HC_INIT,
	DESTROY = CARREL_HC_DESTROY, FLUSH = CARREL_HC_FLUSH, INFO = CARREL_HC_INFO,
	LOG = CARREL_HC_LOG, ENTER = CARREL_HC_ENTER, RESUME = CARREL_HC_RESUME,
	OCALL = CARREL_HC_OCALL, MAP = CARREL_HC_MAP, UNMAP = CARREL_HC_UNMAP,
	PROTECT = CARREL_HC_PROTECT, RANDOM = CARREL_HC_RANDOM, NOTE = CARREL_HC_NOTE,
	IDENTITY = CARREL_HC_IDENTITY, DIE = CARREL_HC_DIE,
};
static_assert(CARREL_HC_MAX == CARREL_HC_DIE, "enum call names every hypercall");

/* Always in 64-bit mode. */
enum caller {
	KERNEL,		/* host view, CPL 0 */
	CARRIER,	/* host view, CPL 3, with the ticket of the process in the first argument */
	PROCESS,	/* process view, CPL 3: the subject is the thread on this CPU */
};

enum subject {
	NOTHING,	/* no process is concerned */
	NAMED,		/* by the first argument */
	NAMED_LOCKED,	/* ... and its lock is held, also while its state is checked */
	OPTIONAL,	/* by the second argument, unless that is 0; locked */
	OWN,		/* the caller's */
	OWN_LOCKED,
};

struct rule {
	enum caller caller;
	enum subject subject;
	u32 process;	/* states in which the subject takes it, a bit each */
	u32 thread;	/* the same for the thread that the call names or comes from */
};

#define P_BUILDING	BIT(PROCESS_BUILDING)
#define P_READY		BIT(PROCESS_READY)
#define P_ALIVE		(P_BUILDING | P_READY)
/* A thread inside learns of its process's death at the next exit, not by a result. */
#define P_INSIDE	(P_READY | BIT(PROCESS_DYING))
#define P_ANY		(P_ALIVE | BIT(PROCESS_DYING))
#define T_NEW		BIT(THREAD_NEW)
#define T_RUNNING	BIT(THREAD_RUNNING)
#define T_OUT		(BIT(THREAD_OCALL) | BIT(THREAD_PREEMPTED))

/* Who may call, on what, in which state: docs/abi.md, "Legality". */
static const struct rule *rule_of(enum call call)
{
	static const struct rule
		alone = { KERNEL, NOTHING, 0, 0 },
		donate = { KERNEL, OPTIONAL, P_ALIVE, 0 },
		building = { KERNEL, NAMED_LOCKED, P_BUILDING, 0 },
		destroy = { KERNEL, NAMED, P_ANY, 0 },
		enter = { CARRIER, NAMED, P_READY, T_NEW },
		resume = { CARRIER, NAMED, P_READY, T_OUT },
		inside = { PROCESS, OWN, P_INSIDE, T_RUNNING },
		space = { PROCESS, OWN_LOCKED, P_INSIDE, T_RUNNING };

	switch (call) {
	case RETURN: case CREATE: case FLUSH: case INFO: case LOG:
		return &alone;
	case DONATE:
		return &donate;
	case ADD: case LEND: case INIT:
		return &building;
	case DESTROY:
		return &destroy;
	case ENTER:
		return &enter;
	case RESUME:
		return &resume;
	case OCALL: case RANDOM: case NOTE: case IDENTITY: case DIE:
		return &inside;
	case MAP: case UNMAP: case PROTECT:
		return &space;
	}
	return NULL;
}

/* Arguments in the order of their registers. */
struct args {
	u64 a, b, c, d, e, f;
};

static struct args fetch(const struct vt_regs *regs)
{
	return (struct args){ regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };
}

#define CODE_MAX	0xFFFF		/* of NOTE and DIE */
#define LIMIT_MAX	0xFFFFFF	/* chunks of one process */

/* Slots, and at least one block of arena behind them. */
static bool sizes_ok(u64 packed)
{
	u64 slots = packed & 0xFFFF, blocks = packed >> 16;
	u64 slot_blocks = (slots * CARREL_SLOT_STRIDE + CARREL_BLOCK_SIZE - 1) / CARREL_BLOCK_SIZE;

	return slots && slots <= CARREL_SLOTS_MAX && blocks <= CARREL_BLOCKS_MAX &&
		blocks > slot_blocks;
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

static bool add_ok(const struct args *args)
{
	u64 rights = args->d & CARREL_RIGHTS;

	return args->b < frame_chunk_count() * CHUNK_PAGES && range_ok(args->c, 1) &&
		args->d == (rights | CARREL_ADD_PAGE) && rights & CARREL_R &&
		(rights & (CARREL_W | CARREL_X)) != (CARREL_W | CARREL_X);
}

/* Everything that can be judged by the numbers alone. */
static bool args_ok(enum call call, const struct args *args)
{
	switch (call) {
	case DONATE: case RETURN:
		return args->a < frame_chunk_count();
	case CREATE:
		return args->a < frame_chunk_count() && args->b == CARREL_ABI_VERSION &&
			sizes_ok(args->c) && args->d && args->d <= LIMIT_MAX;
	case ADD:
		return add_ok(args);
	case LEND:
		return args->b < frame_chunk_count() << (CHUNK_SHIFT - CARREL_BLOCK_SHIFT) &&
			args->c < CARREL_BLOCKS_MAX;
	case ENTER:
		return args->d < CARREL_SLOTS_MAX;
	case RESUME:
		return args->d < CARREL_SLOTS_MAX &&
			!(args->f & ~(u64)(CARREL_RESUME_SIGNAL | CARREL_RESUME_NOTSTARTED));
	case MAP:
		return range_ok(args->a, args->b) && rights_ok(args->c & CARREL_RIGHTS) &&
			!(args->c & ~(u64)(CARREL_RIGHTS | CARREL_MAP_DEMAND));
	case UNMAP:
		return range_ok(args->a, args->b);
	case PROTECT:
		return range_ok(args->a, args->b) && !(args->c & ~(u64)CARREL_RIGHTS) &&
			rights_ok(args->c);
	case NOTE: case DIE:
		return args->a <= CODE_MAX;
	case INIT: case DESTROY: case FLUSH: case INFO: case LOG: case OCALL: case RANDOM:
	case IDENTITY:
		return true;
	}
	return false;
}

/* One call under way. */
struct request {
	struct cpu *cpu;
	const struct vt_exit *exit;
	const struct rule *rule;
	struct process *process;	/* the subject, or NULL */
	struct args args;
};

static void give4(struct vt_regs *regs, const void *bytes)
{
	u64 word[4];

	memcpy(word, bytes, sizeof(word));
	regs->rdi = word[0];
	regs->rsi = word[1];
	regs->rdx = word[2];
	regs->r10 = word[3];
}

static s64 create(struct request *r)
{
	struct vt_regs *regs = &r->cpu->vt.regs;
	u64 id, ticket[2];
	int error = process_create(r->args.a, (u32)r->args.c & 0xFFFF, (u32)(r->args.c >> 16),
				   (u32)r->args.d, &id, ticket);

	if (error)
		return error;
	regs->rdi = id;
	regs->rsi = ticket[0];
	regs->rdx = ticket[1];
	return 0;
}

static s64 init(struct request *r)
{
	int error = process_init(r->process);

	if (!error)
		give4(&r->cpu->vt.regs, r->process->identity);
	return error;
}

static s64 info(struct request *r)
{
	struct vt_regs *regs = &r->cpu->vt.regs;
	u64 value[INFO_VALUES];
	int error = info_get(r->args.a, r->args.b, r->args.c, value);

	if (error)
		return error;
	give4(regs, value);
	regs->r8 = value[4];
	regs->r9 = value[5];
	return 0;
}

static s64 read_log(struct request *r)
{
	struct vt_regs *regs = &r->cpu->vt.regs;
	u64 text[5] = { 0 }, position = r->args.a;
	size_t bytes = log_read(&position, (char *)text, sizeof(text));

	give4(regs, text);
	regs->r8 = text[4];
	regs->r9 = position;
	return (s64)bytes;
}

static s64 random(struct request *r)
{
	u8 bytes[RANDOM_SIZE];
	int error = random_get(bytes);

	if (!error)
		give4(&r->cpu->vt.regs, bytes);
	return error;
}

/* Other threads of the process may still use what the change took away. */
static bool others_owe(struct request *r)
{
	const struct view *view = &r->process->view;

	return r->process->thread_count > 1 && !flush_paid(&view->entered, view->changed);
}

/* Pages done to RDI; MORE if they are not all. What this CPU owes is paid before it goes back
 * into the view. */
static s64 space_result(struct request *r, s64 done)
{
	struct process *process = r->process;
	u64 changed = process->view.changed;

	if (changed > flush_seen(r->cpu->id)) {
		owner_flush(r->cpu);
		process_reclaim(process);
	}
	if (done == CARREL_ENOMEM && process->family.chunks >= process->limit)
		return CARREL_ELIMIT;
	if (done < 0)
		return done;
	r->cpu->vt.regs.rdi = (u64)done;
	if ((u64)done < r->args.b)
		return CARREL_MORE;
	return others_owe(r) ? CARREL_PENDING : 0;
}

static s64 change_space(enum call call, struct request *r)
{
	struct space *space = &r->process->space;
	const struct args *args = &r->args;
	unsigned int rights = args->c & CARREL_RIGHTS;

	if (call == MAP)
		return space_map(space, args->a, args->b, rights, args->c & CARREL_MAP_DEMAND,
				 PROCESS_BUDGET);
	if (call == UNMAP)
		return space_unmap(space, args->a, args->b, PROCESS_BUDGET);
	return space_protect(space, args->a, args->b, rights, PROCESS_BUDGET);
}

static s64 change(enum call call, struct request *r)
{
	s64 done = change_space(call, r);

	if (done == CARREL_ENOMEM && process_reclaim(r->process))
		done = change_space(call, r);
	return space_result(r, done);
}

static s64 die(struct request *r)
{
	process_kill(r->process, "by its shim", r->args.a, 0);
	thread_die(r->cpu);
	return THREAD_CROSSED;
}

static s64 invoke(enum call call, struct request *r)
{
	const struct args *args = &r->args;

	switch (call) {
	case DONATE:
		return owner_donate(args->a, r->process ? &r->process->family : NULL,
				    r->process ? r->process->limit : 0);
	case RETURN:
		return owner_return(args->a);
	case CREATE:
		return create(r);
	case ADD:
		return process_add(r->process, args->b, args->c, args->d);
	case LEND:
		return process_lend(r->process, args->b, args->c);
	case INIT:
		return init(r);
	case DESTROY:
		return process_destroy(r->process);
	case FLUSH:
		owner_flush(r->cpu);
		return 0;
	case INFO:
		return info(r);
	case LOG:
		return read_log(r);
	case ENTER:
		return thread_enter(r->cpu, r->exit, r->process, args->d, r->rule->thread);
	case RESUME:
		return thread_resume(r->cpu, r->exit, r->process, args->d, r->rule->thread, args->e,
				     args->f);
	case OCALL:
		thread_ocall(r->cpu, r->exit);
		return THREAD_CROSSED;
	case MAP: case UNMAP: case PROTECT:
		return change(call, r);
	case RANDOM:
		return random(r);
	case NOTE:
		log_guest("process %lx: note %lu, %lu", r->process->id, args->a, args->b);
		return 0;
	case IDENTITY:
		give4(&r->cpu->vt.regs, r->process->identity);
		return 0;
	case DIE:
		return die(r);
	}
	return CARREL_ECALL;
}

static bool caller_ok(struct cpu *cpu, const struct vt_exit *exit, enum caller caller)
{
	const struct vt_ops *vt = machine.vt;

	if (exit->process != (caller == PROCESS))
		return false;
	if (vt->get(&cpu->vt, VT_CPL) != (caller == KERNEL ? 0 : 3))
		return false;
	return vt->get(&cpu->vt, VT_CS_L) && vt->get(&cpu->vt, VT_EFER) & EFER_LMA;
}

/* The time it takes says nothing about how much of a guess was right. */
static bool ticket_ok(const struct process *process, const struct args *args)
{
	return ((process->ticket[0] ^ args->b) | (process->ticket[1] ^ args->c)) == 0;
}

static int state_ok(const struct process *process, const struct rule *rule)
{
	enum process_state state = process_state(process);

	if (rule->process & BIT(state))
		return 0;
	return state == PROCESS_DYING || state == PROCESS_GONE ? CARREL_EDEAD : CARREL_ESTATE;
}

/* With a process that is kept from going away by a reference or, its own, by running. */
static s64 call_on(enum call call, struct request *r, bool locked)
{
	struct process *process = r->process;
	s64 result;

	if (locked)
		lock_take(&process->lock);
	result = state_ok(process, r->rule);
	if (!result)
		result = invoke(call, r);
	if (locked)
		lock_release(&process->lock);
	return result;
}

static s64 call_named(enum call call, struct request *r, u64 id, bool locked)
{
	bool carrier = r->rule->caller == CARRIER;
	s64 result;

	r->process = process_get(id);
	if (!r->process)
		return carrier ? CARREL_ETICKET : CARREL_EARG;
	if (carrier && !ticket_ok(r->process, &r->args))
		result = CARREL_ETICKET;
	else
		result = call_on(call, r, locked);
	if (call != DESTROY || result != 0)
		process_put(r->process);
	return result;
}

static s64 call_own(enum call call, struct request *r, bool locked)
{
	struct thread *thread = r->cpu->thread;

	ASSERT(thread && r->rule->thread & BIT(thread->state));
	r->process = thread->process;
	return call_on(call, r, locked);
}

static s64 dispatch(enum call call, struct request *r)
{
	switch (r->rule->subject) {
	case NOTHING:
		return invoke(call, r);
	case NAMED:
		return call_named(call, r, r->args.a, false);
	case NAMED_LOCKED:
		return call_named(call, r, r->args.a, true);
	case OPTIONAL:
		return r->args.b ? call_named(call, r, r->args.b, true) : invoke(call, r);
	case OWN:
		return call_own(call, r, false);
	case OWN_LOCKED:
		return call_own(call, r, true);
	}
	return CARREL_ECALL;
}

static s64 carry_out(struct cpu *cpu, const struct vt_exit *exit, u64 number)
{
	struct request r = { .cpu = cpu, .exit = exit };
	enum call call = (enum call)number;

	r.rule = number <= CARREL_HC_MAX ? rule_of(call) : NULL;
	if (!r.rule)
		return CARREL_ECALL;
	if (!caller_ok(cpu, exit, r.rule->caller))
		return CARREL_ECALLER;
	r.args = fetch(&cpu->vt.regs);
	if (!args_ok(call, &r.args))
		return CARREL_EARG;
	return dispatch(call, &r);
}

void hypercall(struct cpu *cpu, const struct vt_exit *exit)
{
	s64 result = carry_out(cpu, exit, cpu->vt.regs.rax);

	if (result == THREAD_CROSSED)
		return;
	if (result == CARREL_ECALL || result == CARREL_ECALLER || result == CARREL_ETICKET)
		stats_add(&stats.refused_calls, 1);
	cpu->vt.regs.rax = (u64)result;
	machine.vt->skip(&cpu->vt, exit);
}
