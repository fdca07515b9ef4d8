/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that lies to system calls, forges signals, writes where a thread ends, mixes threads up:
 * 20, 21, 23 to 30, 32 and 33 of the catalogue, against tests/guest/trusting.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "frames.h"
#include "module.h"
#include "report.h"
#include "tests.h"
#include "trusting.h"
#include "victim.h"

#define DELAY_SECONDS	20	/* by lies that may delay */
#define FLOOD		200	/* more than are logged of a kind */
#define SLOTS		16	/* more than it has threads */

/*
 * A waker's word that the kernel wrote over is a wake that is lost, and the program waits for ever:
 * lies may delay. All words are set then, and waits that a stop ends are begun anew, by an honest
 * kernel: they look at their words.
 */
static void wake_all(const struct trusting *t)
{
	const uint32_t awake = 1;

	for (uint64_t i = 0; i < SLOTS; i++) {
		struct attack a = { .op = ATTACK_POKE, .buffer = (uintptr_t)&awake, .size = sizeof(awake) };

		a.in[0] = (uint64_t)t->pid;
		a.in[1] = CARREL_CHANNEL_VA + i * CARREL_SLOT_STRIDE + CARREL_SLOT_SHADOW;
		(void)module_try(&a);	/* slots that no thread has had are not there */
	}
	kill(t->pid, SIGSTOP);
	usleep(100000);
	kill(t->pid, SIGCONT);
}

/* --- 24 to 27, 30: results, and what calls write -------------------------------------------- */

enum outcome {
	DIES,		/* the lie is found, and logged */
	UNASKED,	/* the kernel is not asked at all */
	UNHARMED,	/* it may be asked, and is not believed */
};

struct lie {
	const char *name, *what, *call;
	uint64_t flags, result, pointer;
	uint64_t value[2];	/* of LIE_WORD: the word, and that if it is protected */
	enum outcome outcome;
	unsigned int said;	/* the result is what it said first, or second */
};

static const struct lie lies[] = {
	{ "25", "read", "read", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, 0 },
	{ "25-negative", "read", "read", LIE_FD | LIE_SET, (uint64_t)-5000, 0, { 0 }, DIES, 0 },
	{ "25-one", "read", "read", LIE_FD | LIE_ADD, 1, 0, { 0 }, DIES, 0 },
	{ "25-readv", "readv", "readv", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, 0 },
	{ "25-recv", "recv", "recvfrom", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, 0 },
	{ "25-recvmsg", "recvmsg", "recvmsg", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, 0 },
	{ "29-dup", "dup", "dup", LIE_FD | LIE_SET, 0, 0, { 0 }, DIES, 2 },
	{ "24-mmap", "mmap", "mmap", LIE_SET, 0, 0, { 0 }, UNASKED, 1 },
	{ "24-mremap", "mremap", "mremap", LIE_SET, 0, 0, { 0 }, UNASKED, 1 },
	{ "24-brk", "brk", "brk", LIE_SET, 0, 0, { 0 }, UNASKED, 1 },
	{ "26", "getrandom", "getrandom", LIE_AFTER, 0, 0, { CHOSEN, CHOSEN }, UNASKED, 0 },
	{ "26-urandom", "urandom", "read", LIE_FD | LIE_AFTER, 0, 1, { CHOSEN, CHOSEN }, UNASKED,
	  0 },
	{ "30", "clock", "clock_gettime", LIE_AFTER, 0, 1, { 1, 0 }, UNHARMED, 0 },
	{ "27", "futex", "futex", LIE_FD | LIE_BEFORE | LIE_WORD, 0, 0, { 0, 0 }, UNHARMED, 0 },
	{ "27-wake", "futex", "futex", LIE_FD | LIE_BEFORE | LIE_WORD | LIE_SET, 0, 0, { 0, 0 },
	  UNHARMED, 0 },
	{ "27-woken", "woken", "futex", LIE_FD | LIE_BEFORE | LIE_WORD | LIE_SET, 0, 0, { 1, 1 },
	  UNHARMED, 0 },
	/* Who was woken by mistake would own it; who sleeps on a word that is 1 is awake. */
	{ "27-owner", "futex-owner", "futex", LIE_FD | LIE_BEFORE | LIE_WORD, 0, 0, { 0, 1 },
	  UNHARMED, 0 },
};

/* The lie is what the program has in the end. */
static bool believed(const struct lie *lie, const struct trusting *t)
{
	if (lie->said)
		return t->c == (lie->said == 1 ? t->a : t->b);
	if (lie->outcome == UNHARMED)
		return t->c != 0;
	if (lie->outcome == UNASKED)
		return t->c == CHOSEN;
	if (lie->flags & LIE_SET)
		return t->c == lie->result;
	return t->c == lie->result + 64;
}

static uint64_t tell(const struct lie *lie, enum protection protection, struct trusting *t)
{
	char name[40];
	struct attack a = { .op = ATTACK_LIE, .buffer = (uintptr_t)name };

	begin(t, lie->what, protection);
	a.size = (uint64_t)snprintf(name, sizeof(name), "__x64_sys_%s", lie->call) + 1;
	a.in[0] = (uint64_t)t->pid;
	/* An address of its memory never reaches the kernel: lies then are about all. */
	a.in[1] = protection == PROTECTED && lie->outcome == UNHARMED ? lie->flags & ~(uint64_t)LIE_FD :
		lie->flags;
	a.in[2] = t->a;
	a.in[3] = lie->said == 1 ? t->a : lie->said == 2 ? t->b : lie->result;
	a.in[4] = lie->pointer;
	a.in[5] = lie->value[lie->flags & LIE_WORD && protection == PROTECTED];
	a.in[6] = lie->value[1];
	module_do(&a);
	let_go(t);
	a.op = ATTACK_LIE_END;
	if (protection == PROTECTED && lie->flags & LIE_WORD && !trusting_read_until(t, "done ", DELAY_SECONDS)) {
		module_do(&a);
		wake_all(t);
		t->woken = true;
	}
	finish(t);
	module_do(&a);
	return a.out[0];
}

static void lie_once(const struct lie *lie)
{
	struct trusting t;
	char name[40];
	uint64_t calls;
	bool good;

	calls = tell(lie, PLAIN, &t);
	snprintf(name, sizeof(name), "control-%s", lie->name);
	/* glibc itself may find that its lock is broken */
	good = lie->outcome == UNHARMED ? !ended(&t) || believed(lie, &t) :
		t.done && believed(lie, &t);
	judge(calls && good, name, "%s: lied to %" PRIu64 " times: %s",
	      lie->call, calls, fate(&t));

	calls = tell(lie, PROTECTED, &t);
	snprintf(name, sizeof(name), "attack-%s", lie->name);
	if (lie->outcome == DIES)
		good = calls && killed(&t) && t.logged;
	else
		good = ended(&t) && !believed(lie, &t) && (calls || lie->outcome == UNASKED) &&
			!(calls && lie->outcome == UNASKED);
	judge(good, name, "%s: lied to %" PRIu64 " times: %s", lie->call, calls, fate(&t));
}

static void tell_lies(const char *number)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		if (!strncmp(lies[i].name, number, 2))
			lie_once(&lies[i]);
}

static void addresses(void) { tell_lies("24"); }
static void lengths(void) { tell_lies("25"); }
static void randomness(void) { tell_lies("26"); }
static void futexes(void) { tell_lies("27"); }
static void descriptors(void) { tell_lies("29"); }
static void clocks(void) { tell_lies("30"); }

/* --- 30: the data of the kernel's vDSO ------------------------------------------------------ */

/* Linux 6.1, vdso_data: 128 bytes into the page; basetime[] from 32 on, of 16 bytes each. */
#define VVAR_COARSE	(128 + 32 + 16 * CLOCK_MONOTONIC_COARSE)
#define EDITS		200
#define EDIT_US		3000		/* about as often as the kernel writes the truth there */

/* It is one page for all processes, so that this one's will do. */
static uint64_t vvar(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start;
	char line[256];

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]") && sscanf(line, "%lx-", &start) == 1) {
			fclose(maps);
			return start;
		}
	die("this kernel has no vvar");
}

static void edited_vvar(void)
{
	const uint64_t begin_of_time[2] = { 1, 0 };
	uint64_t at = vvar() + VVAR_COARSE;
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);	/* the page is there */
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool plain = p == PLAIN;
		uint64_t edits = 0;
		struct trusting t;

		begin(&t, "coarse", p);
		let_go(&t);
		for (int i = 0; i < EDITS; i++) {
			edits += poke(getpid(), at, begin_of_time, sizeof(begin_of_time)) > 1;
			usleep(EDIT_US);
		}
		finish(&t);
		judge(edits > EDITS / 4 && ended(&t) && plain == (t.c > 0),
		      plain ? "control-30-vvar" : "attack-30-vvar", "%" PRIu64 " times the vDSO's data "
		      "say that time begins: back %" PRIu64 " times; %s", edits, t.c, fate(&t));
	}
}

/* --- 30: settimeofday ------------------------------------------------------------------------ */

#define HOURS	5

static void set_back(int hours)
{
	struct timespec time;

	if (clock_gettime(CLOCK_REALTIME, &time))
		die("the time: %s", strerror(errno));
	time.tv_sec -= hours * 3600;
	if (clock_settime(CLOCK_REALTIME, &time))
		die("setting the time: %s", strerror(errno));
}

/* The time of day is the kernel's word; what is monotonic does not follow it. */
static void set_time(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool plain = p == PLAIN;
		struct trusting t;

		begin(&t, plain ? "real" : "coarse", p);
		let_go(&t);
		usleep(100000);
		set_back(HOURS);
		finish(&t);
		set_back(-HOURS);
		judge(ended(&t) && plain == (t.c > 0), plain ? "control-30-set" : "attack-30-set",
		      "the time of day set back by %d hours: %s", HOURS, fate(&t));
	}
}

/* --- 33: what a kernel clears when a thread ends -------------------------------------------- */

#define CANARY	0x11223344UL

static void cleared(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct attack a = { .op = ATTACK_CLEAR_TID };
		bool plain = p == PLAIN;
		struct trusting t;

		begin(&t, "clear", p);
		a.in[0] = (uint64_t)t.pid;
		a.in[1] = t.a;
		a.in[2] = t.b;
		module_do(&a);
		finish(&t);
		judge(t.done && a.out[0] >= 2 && plain == (t.c != CANARY) && plain == (a.out[1] > 0) &&
		      plain == (a.out[2] > 0), plain ? "control-33" : "attack-33", "%llu threads are to "
		      "clear a word of its: it is %" PRIx64 "h; the kernel knew %llu robust lists, "
		      "%llu words", a.out[0], t.c, a.out[1], a.out[2]);
	}
}

/* What it would have as its area, a sequence in it that begins where it waits. */
static void sequences(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct attack a = { .op = ATTACK_RSEQ };
		bool plain = p == PLAIN, ran;
		struct trusting t;

		begin(&t, "rseq", p);
		a.in[0] = (uint64_t)t.pid;
		a.in[1] = t.a;
		a.in[2] = t.b;
		module_do(&a);
		finish(&t);
		ran = strstr(t.text, "hijacked") != NULL;
		judge(a.out[0] && plain == ran && plain == (a.out[1] > 0) &&
		      (plain || (t.done ? ended(&t) && !t.c : WIFSIGNALED(t.status))),
		      plain ? "control-33-rseq" : "attack-33-rseq", "a restartable sequence of the "
		      "kernel's: its function %s; areas that the kernel knew: %llu; %s",
		      ran ? "ran" : "did not run", a.out[1], fate(&t));
	}
}

/* --- 20: a fault that was none -------------------------------------------------------------- */

static void forged_fault(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct attack a = { .op = ATTACK_SIGNAL };
		bool plain = p == PLAIN;
		struct trusting t;

		begin(&t, "signal", p);
		a.in[0] = (uint64_t)t.pid;
		a.in[1] = SIGSEGV;
		a.in[2] = SEGV_MAPERR;
		a.in[3] = CHOSEN;
		module_do(&a);
		usleep(50000);
		finish(&t);
		judge(!a.out[0] && (plain ? ended(&t) && t.c == CHOSEN : killed(&t) && t.logged),
		      plain ? "control-20" : "attack-20", "a page fault that the kernel made up: %s",
		      fate(&t));
	}
}

/* --- 21: a return from a signal that never was ---------------------------------------------- */

static bool stop(pid_t pid)
{
	int status;

	return !ptrace(PTRACE_SEIZE, pid, 0, 0) && !ptrace(PTRACE_INTERRUPT, pid, 0, 0) &&
		waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

/* The kernel's frame: rt_sigreturn finds its ucontext at the stack pointer. */
static void forge_frame(pid_t pid, uint64_t at, uint64_t target)
{
	ucontext_t context = { 0 };
	char path[40];
	int mem;

	context.uc_mcontext.gregs[REG_RIP] = (greg_t)target;
	context.uc_mcontext.gregs[REG_RSP] = (greg_t)((at & -16UL) - 8);
	context.uc_mcontext.gregs[REG_EFL] = 0x202;
	context.uc_mcontext.gregs[REG_CSGSFS] = (greg_t)(0x33 | 0x2bUL << 48);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDWR);
	if (mem < 0 || pwrite(mem, &context, sizeof(context), (off_t)at) != sizeof(context))
		die("a frame for %d: %s", pid, strerror(errno));
	close(mem);
}

static void forged_return(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct user_regs_struct regs;
		bool plain = p == PLAIN, ran;
		struct trusting t;

		begin(&t, "sigreturn", p);
		if (!stop(t.pid) || ptrace(PTRACE_GETREGS, t.pid, 0, &regs))
			die("the program cannot be stopped: %s", strerror(errno));
		regs.rsp = (regs.rsp - 4096) & -16UL;
		forge_frame(t.pid, regs.rsp, t.a);
		regs.rip = plain ? t.b : CARREL_GATE_VA + CARREL_GATE_RESTORER;
		regs.orig_rax = (uint64_t)-1;
		ptrace(PTRACE_SETREGS, t.pid, 0, &regs);
		ptrace(PTRACE_DETACH, t.pid, 0, 0);
		finish(&t);
		ran = strstr(t.text, "hijacked") != NULL;
		judge(plain == ran && !t.done && (plain || WIFSIGNALED(t.status)),
		      plain ? "control-21" : "attack-21", "rt_sigreturn with a frame of the kernel's: "
		      "its function %s; status %x", ran ? "ran" : "did not run", t.status);
	}
}

/* --- 23: threads resumed by each other's carriers ------------------------------------------- */

/* The kernel's copies of their general registers, all but RIP and RSP. */
static void exchange_registers(struct trusting *t)
{
	struct user_regs_struct regs[2], first;
	pid_t tids[2] = { (pid_t)t->a, (pid_t)t->b };

	for (int i = 0; i < 2; i++)
		if (!stop(tids[i]) || ptrace(PTRACE_GETREGS, tids[i], 0, &regs[i]))
			die("thread %d: %s", tids[i], strerror(errno));
	first = regs[0];
	for (int i = 0; i < 2; i++) {
		const struct user_regs_struct *other = i ? &first : &regs[1];

		regs[i].rax = other->rax;
		regs[i].rcx = other->rcx;
		regs[i].rdx = other->rdx;
		regs[i].rbx = other->rbx;
		regs[i].rbp = other->rbp;
		regs[i].rsi = other->rsi;
		regs[i].rdi = other->rdi;
		regs[i].r12 = other->r12;
		ptrace(PTRACE_SETREGS, tids[i], 0, &regs[i]);
		ptrace(PTRACE_DETACH, tids[i], 0, 0);
	}
}

/* Slots 1 and 2 say each other's thread, and then their own again, many times. */
static uint64_t exchange_slots(const struct trusting *t)
{
	uint64_t index[2] = { 1, 2 }, found = 0;

	for (int round = 0; round < 100; round++) {
		for (uint64_t i = 0; i < 2; i++)
			found += poke(t->pid, CARREL_CHANNEL_VA + (i + 1) * CARREL_SLOT_STRIDE +
				      CARREL_SLOT_THREAD, &index[i ^ (round & 1) ^ 1], 8) -
				(1 + (i ^ (round & 1))) == 0;
		usleep(3000);
	}
	return found;
}

static void wrong_carrier(void)
{
	struct trusting t;
	uint64_t found;

	begin(&t, "threads", PLAIN);
	exchange_registers(&t);
	finish(&t);
	judge(!t.done || t.c, "control-23-slots", "registers of two threads exchanged: %s", fate(&t));
	begin(&t, "threads", PROTECTED);
	found = exchange_slots(&t);
	finish(&t);
	judge(found > 100 && (t.done ? ended(&t) && !t.c : killed(&t)), "attack-23-slots",
	      "the indices of two threads exchanged in their slots, %" PRIu64 " of 200 as they "
	      "should be: %s", found, fate(&t));
}

/* --- 32: the child of a fork ---------------------------------------------------------------- */

static struct carrel_slot slot_zero(pid_t pid)
{
	struct carrel_slot slot = { 0 };
	char path[40];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	if (mem < 0 || pread(mem, &slot, sizeof(slot), CARREL_CHANNEL_VA) != sizeof(slot))
		die("the slot of %d: %s", pid, strerror(errno));
	close(mem);
	return slot;
}

static uint64_t places(uint64_t key)
{
	struct attack a = { .op = ATTACK_SCAN, .in = { key } };

	module_do(&a);
	return a.out[2];
}

/* One hypercall in the stopped carrier `pid`, or by this process, with its child's ticket. */
static int64_t forge_call(pid_t pid, uint64_t number, const struct carrel_slot *slot)
{
	struct user_regs_struct before, regs;
	int status;

	if (!stop(pid) || ptrace(PTRACE_GETREGS, pid, 0, &before))
		die("carrier %d: %s", pid, strerror(errno));
	regs = before;
	regs.rip = CARREL_GATE_VA + CARREL_GATE_CALL;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = number;
	regs.rdi = slot->process;
	regs.rsi = slot->ticket[0];
	regs.rdx = slot->ticket[1];
	regs.r10 = regs.r8 = regs.r9 = 0;
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) || ptrace(PTRACE_SINGLESTEP, pid, 0, 0) ||
	    waitpid(pid, &status, 0) != pid || ptrace(PTRACE_GETREGS, pid, 0, &regs))
		die("forging in %d: %s", pid, strerror(errno));
	ptrace(PTRACE_SETREGS, pid, 0, &before);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return (int64_t)regs.rax;
}

static int64_t adopt(const struct carrel_slot *slot)
{
	struct attack a = { .op = ATTACK_HYPERCALL, .in = { CARREL_HC_ADOPT, slot->process,
			    slot->ticket[0], slot->ticket[1] } };

	module_do(&a);
	return (int64_t)a.out[0];
}

static void child(void)
{
	int64_t again, guessed, by_parent, resumed, adopted;
	struct carrel_slot slot, wrong;
	struct trusting t;
	uint64_t found;

	begin(&t, "fork", PLAIN);
	found = places(t.b);
	finish(&t);
	judge(found && ended(&t) && !t.c, "control-32", "a child's secret: in %" PRIu64 " places; %s",
	      found, fate(&t));
	begin(&t, "fork", PROTECTED);
	found = places(t.b);
	slot = slot_zero((pid_t)t.a);
	again = forge_call((pid_t)t.a, CARREL_HC_ENTER, &slot);
	wrong = slot;
	wrong.ticket[1] ^= 1;
	guessed = forge_call((pid_t)t.a, CARREL_HC_ENTER, &wrong);
	by_parent = forge_call(t.pid, CARREL_HC_ENTER, &slot);
	resumed = forge_call(t.pid, CARREL_HC_RESUME, &slot);
	adopted = adopt(&slot);
	finish(&t);
	judge(!found && ended(&t) && !t.c, "attack-32", "a child's secret: in %" PRIu64 " places; %s",
	      found, fate(&t));
	judge(again == CARREL_ESTATE && guessed == CARREL_ETICKET && by_parent == CARREL_ETICKET &&
	      resumed == CARREL_ETICKET && adopted < 0 && ended(&t), "attack-32-twice", "the child "
	      "entered again: %" PRId64 ", with another ticket %" PRId64 "; by its parent: ENTER %"
	      PRId64 ", RESUME %" PRId64 "; adopted again: %" PRId64 "; %s", again, guessed, by_parent,
	      resumed, adopted, fate(&t));
}

/* Handles are numbers in order, as any process sees; those of children that there may soon be. */
#define GENERATIONS	64
#define CHILD_SLOTS	8

struct guesses {
	uint64_t tries, named, adopted;
};

static void guess(struct trusting *t, const struct carrel_slot *parent, struct guesses *guesses)
{
	struct pollfd said = { .fd = t->from, .events = POLLIN };
	struct carrel_slot slot = *parent;

	/* until it says that it is done, or has died */
	while (guesses->tries % GENERATIONS || poll(&said, 1, 0) <= 0) {
		uint64_t n = guesses->tries % (GENERATIONS * CHILD_SLOTS);
		int64_t answer;

		slot.process = (1 + n / CHILD_SLOTS) << 16 | n % CHILD_SLOTS;
		slot.ticket[0] = guesses->tries & 1 ? 0 : parent->ticket[0];
		slot.ticket[1] = guesses->tries & 1 ? 0 : parent->ticket[1];
		answer = adopt(&slot);
		guesses->tries++;
		guesses->named += answer == CARREL_ETICKET;
		guesses->adopted += answer >= 0;
	}
}

/* Children are adopted before their parent's FORK is done, or their own carrier comes. */
static void early_child(void)
{
	struct guesses guesses = { 0 };
	struct carrel_slot slot;
	struct trusting t;

	begin(&t, "forks", PROTECTED);
	slot = slot_zero(t.pid);
	let_go(&t);
	guess(&t, &slot, &guesses);
	finish(&t);
	judge(guesses.tries > 1000 && !guesses.adopted && ended(&t) && !t.c, "attack-32-early",
	      "%" PRIu64 " tries to adopt children that are being made, %" PRIu64 " by the name of one "
	      "that was: %" PRIu64 " adopted; %s", guesses.tries, guesses.named, guesses.adopted,
	      fate(&t));
}

/* --- 28: what calls carry, rewritten by another CPU ------------------------------------------ */

static void second_cpu(void)
{
	struct attack a = { .op = ATTACK_FLIP };
	const uint64_t other = 0;
	struct trusting t;

	if (cpu_count() < 2) {
		skip("attack-28", "one CPU: no other that could write meanwhile");
		return;
	}
	begin(&t, "calls", PLAIN);
	poke(t.pid, t.a, &other, sizeof(other));
	finish(&t);
	judge(ended(&t) && t.c, "control-28", "memory beside its buffers written: %s", fate(&t));
	begin(&t, "calls", PROTECTED);
	let_go(&t);
	a.in[0] = (uint64_t)t.pid;
	a.in[1] = 1500;
	a.in[2] = 4;
	module_do(&a);
	finish(&t);
	judge(a.out[0] && (t.done ? ended(&t) && !t.c : killed(&t) && t.logged), "attack-28",
	      "%llu pages of its channel filled with random bytes while it makes calls: %s", a.out[0],
	      fate(&t));
}

/* --- what is logged of a kill, after more refused accesses than are logged -------------------- */

static void drowned(void)
{
	struct attack read;
	struct trusting t;
	uint64_t memory[6];

	carrel_info(CARREL_INFO_MEMORY, 0, 0, memory);
	for (uint64_t i = 0; i < FLOOD; i++)
		frames[i] = memory[0] / 4096 + i;
	read = touch(frames, FLOOD, false, 0);
	tell(&lies[0], PROTECTED, &t);
	judge(read.out[1] == FLOOD && killed(&t) && t.logged, "attack-log",
	      "a lie after %llu refused reads: %s", read.out[1], fate(&t));
}

const struct test lie_tests[] = {
	{ "attack-log", drowned },
	{ "attack-23-slots", wrong_carrier },
	{ "attack-20", forged_fault },
	{ "attack-21", forged_return },
	{ "attack-24", addresses },
	{ "attack-25", lengths },
	{ "attack-26", randomness },
	{ "attack-27", futexes },
	{ "attack-29", descriptors },
	{ "attack-30", clocks },
	{ "attack-30-vvar", edited_vvar },
	{ "attack-30-set", set_time },
	{ "attack-33", cleared },
	{ "attack-33-rseq", sequences },
	{ "attack-28", second_cpu },
	{ "attack-32", child },
	{ "attack-32-early", early_child },
	{ 0 },
};
