/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that lies to system calls, forges signals, and writes where a thread ends: 20, 21, 24
 * to 27, 30 and 33 of the catalogue, against tests/guest/trusting.c.
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
#include <carrel/layout.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define PROGRAM		"/attack/trusting"
#define READY_SECONDS	120
#define DONE_SECONDS	60
#define IMPOSSIBLE	"killed: by its shim (11, "	/* CARREL_DIE_IAGO */

struct trusting {
	pid_t pid;
	int to, from, status;
	uint64_t a, b, c;	/* what it said */
	bool done, logged;	/* it came to its end; the log says that the kernel lied */
	char text[256];
};

static _Noreturn void become(const char *what, enum protection protection, int in, int out)
{
	char *plain[] = { PROGRAM, (char *)what, NULL };
	char *guarded[] = { "hvreg", "run", "--", PROGRAM, (char *)what, NULL };
	char **argv = protection == PROTECTED ? guarded : plain;

	dup2(in, 0);
	dup2(out, 1);
	execvp(argv[0], argv);
	_exit(127);
}

/* Read until a line that begins with `word` is whole. */
static bool read_until(struct trusting *t, const char *word, int limit)
{
	struct pollfd ready = { .fd = t->from, .events = POLLIN };
	time_t deadline = time(NULL) + limit;
	size_t used = strlen(t->text);

	for (;;) {
		const char *at = strstr(t->text, word);
		ssize_t got;

		if (at && strchr(at, '\n'))
			return true;
		if (time(NULL) >= deadline || used == sizeof(t->text) - 1)
			return false;
		if (poll(&ready, 1, 1000) <= 0)
			continue;
		got = read(t->from, t->text + used, sizeof(t->text) - 1 - used);
		if (got <= 0)
			return false;
		used += (size_t)got;
		t->text[used] = '\0';
	}
}

static void begin(struct trusting *t, const char *what, enum protection protection)
{
	int to[2], from[2];

	*t = (struct trusting){ 0 };
	carrel_new_log();
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	t->pid = fork();
	if (t->pid < 0)
		die("fork: %s", strerror(errno));
	if (!t->pid)
		become(what, protection, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	t->to = to[1];
	t->from = from[0];
	if (!read_until(t, "ready ", READY_SECONDS) ||
	    sscanf(t->text, "ready %" SCNx64 " %" SCNx64, &t->a, &t->b) != 2)
		die("trusting %s did not start: %s", what, t->text);
	usleep(20000);		/* it is in its read of standard input */
}

static void finish(struct trusting *t)
{
	time_t deadline;
	const char *at;

	signal(SIGPIPE, SIG_IGN);	/* it may be dead */
	(void)!write(t->to, "", 1);
	signal(SIGPIPE, SIG_DFL);
	t->done = read_until(t, "done ", DONE_SECONDS);
	at = t->done ? strstr(t->text, "done ") : NULL;
	if (!at || sscanf(at, "done %" SCNx64, &t->c) != 1)
		t->done = false;
	deadline = time(NULL) + 10;
	while (waitpid(t->pid, &t->status, WNOHANG) == 0) {
		if (time(NULL) >= deadline)
			kill(t->pid, SIGKILL);
		usleep(1000);
	}
	close(t->to);
	close(t->from);
	t->logged = strstr(carrel_new_log(), IMPOSSIBLE) != NULL;
}

static bool killed(const struct trusting *t)
{
	return !t->done && WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGKILL;
}

static bool ended(const struct trusting *t)
{
	return t->done && WIFEXITED(t->status) && WEXITSTATUS(t->status) == 0;
}

static const char *fate(const struct trusting *t)
{
	static char text[80];

	if (t->done)
		snprintf(text, sizeof(text), "it has %" PRIx64 "h, status %x", t->c, t->status);
	else
		snprintf(text, sizeof(text), "status %x%s", t->status,
			 t->logged ? ", the lie is in the log" : "");
	return text;
}

/* --- 24 to 27, 30: results, and what calls write -------------------------------------------- */

enum outcome {
	DIES,		/* the lie is found, and logged */
	UNASKED,	/* the kernel is not asked at all */
	UNHARMED,	/* it may be asked, and is not believed */
};

struct lie {
	const char *name, *what, *call;
	uint64_t flags, result, pointer, value[2];
	enum outcome outcome;
	bool address;		/* the result is what it said first: where its stack is */
};

#define CHOSEN	0x4141414141414141UL

static const struct lie lies[] = {
	{ "25", "read", "read", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, false },
	{ "25-negative", "read", "read", LIE_FD | LIE_SET, (uint64_t)-5000, 0, { 0 }, DIES, false },
	{ "25-one", "read", "read", LIE_FD | LIE_ADD, 1, 0, { 0 }, DIES, false },
	{ "25-readv", "readv", "readv", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, false },
	{ "25-recv", "recv", "recvfrom", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, false },
	{ "25-recvmsg", "recvmsg", "recvmsg", LIE_FD | LIE_ADD, 4096, 0, { 0 }, DIES, false },
	{ "29-dup", "dup", "dup", LIE_FD | LIE_SET, 1, 0, { 0 }, DIES, false },
	{ "24-mmap", "mmap", "mmap", LIE_SET, 0, 0, { 0 }, UNASKED, true },
	{ "24-mremap", "mremap", "mremap", LIE_SET, 0, 0, { 0 }, UNASKED, true },
	{ "24-brk", "brk", "brk", LIE_SET, 0, 0, { 0 }, UNASKED, true },
	{ "26", "getrandom", "getrandom", LIE_AFTER, 0, 0, { CHOSEN, CHOSEN }, UNASKED, false },
	{ "26-urandom", "urandom", "read", LIE_FD | LIE_AFTER, 0, 1, { CHOSEN, CHOSEN }, UNASKED,
	  false },
	{ "30", "clock", "clock_gettime", LIE_AFTER, 0, 1, { 1, 0 }, UNHARMED, false },
	{ "27", "futex", "futex", LIE_BEFORE | LIE_WORD, 0, 0, { 0, 0 }, UNHARMED, false },
	{ "27-result", "futex", "futex", LIE_BEFORE | LIE_WORD | LIE_SET, 1, 0, { 0, 0 }, UNHARMED,
	  false },
};

/* The lie is what the program has in the end. */
static bool believed(const struct lie *lie, const struct trusting *t)
{
	if (lie->address)
		return t->c == t->a;
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
	a.in[1] = lie->flags;
	a.in[2] = t->a;
	a.in[3] = lie->address ? t->a : lie->result;
	a.in[4] = lie->pointer;
	a.in[5] = lie->value[0];
	a.in[6] = lie->value[1];
	module_do(&a);
	finish(t);
	a.op = ATTACK_LIE_END;
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
	judge(calls && t.done && believed(lie, &t), name, "%s: lied to %" PRIu64 " times: %s",
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
		judge(t.done && a.out[0] >= 2 && plain == (t.c != CANARY) && plain == (a.out[1] > 0),
		      plain ? "control-33" : "attack-33", "%llu threads are to clear a word of its: "
		      "it is %" PRIx64 "h; robust lists that the kernel knows: %llu", a.out[0], t.c,
		      a.out[1]);
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

const struct test lie_tests[] = {
	{ "attack-20", forged_fault },
	{ "attack-21", forged_return },
	{ "attack-24", addresses },
	{ "attack-25", lengths },
	{ "attack-26", randomness },
	{ "attack-27", futexes },
	{ "attack-29", descriptors },
	{ "attack-30", clocks },
	{ "attack-33", cleared },
	{ 0 },
};
