/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What root can do to a process without a module: 2, 3, 18, 45 of the catalogue,
 * and 23, hypercalls forged in the carrier's own address space.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>
#include <secret.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define PAGE		4096UL
#define STEPS		200
#define ROUNDS		(brief ? 4000000 : 30000000)	/* some seconds, of some 40 instructions each */

/* --- 2: by the kernel, by address ---------------------------------------------------------- */

static uint64_t buffer[2048];

static size_t by_module(const struct victim *victim, uint64_t how)
{
	struct attack a = {
		.op = ATTACK_READ, .in = { (uint64_t)victim->pid, victim->secret, how },
		.buffer = (uintptr_t)buffer, .size = victim->size,
	};

	memset(buffer, 0, sizeof(buffer));
	module_do(&a);
	return secret_pairs(victim->key, buffer, victim->size);
}

/* --- 3: by system calls -------------------------------------------------------------------- */

/* All that /proc/PID/maps names, through /proc/PID/mem. */
static size_t by_proc(const struct victim *victim)
{
	char path[40], line[256];
	unsigned long first, last;
	size_t found = 0;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", victim->pid);
	mem = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/maps", victim->pid);
	maps = fopen(path, "r");
	if (mem < 0 || !maps)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), maps) && sscanf(line, "%lx-%lx", &first, &last) == 2)
		for (; first < last; first += PAGE)
			if (pread(mem, buffer, PAGE, (off_t)first) == (ssize_t)PAGE)
				found += secret_pairs(victim->key, buffer, PAGE);
	if (pread(mem, buffer, victim->size, (off_t)victim->secret) == (ssize_t)victim->size)
		found += secret_pairs(victim->key, buffer, victim->size);
	fclose(maps);
	close(mem);
	return found;
}

static size_t by_readv(const struct victim *victim)
{
	struct iovec to = { buffer, victim->size };
	struct iovec from = { (void *)victim->secret, victim->size };

	memset(buffer, 0, sizeof(buffer));
	process_vm_readv(victim->pid, &to, 1, &from, 1, 0);
	return secret_pairs(victim->key, buffer, victim->size);
}

static bool wait_stop(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

static bool stop(const struct victim *victim)
{
	return !ptrace(PTRACE_SEIZE, victim->pid, 0, 0) &&
		!ptrace(PTRACE_INTERRUPT, victim->pid, 0, 0) && wait_stop(victim->pid);
}

static void detach(const struct victim *victim)
{
	ptrace(PTRACE_DETACH, victim->pid, 0, 0);
}

static size_t words(uint64_t key, const void *bytes, size_t size)
{
	const uint64_t *word = bytes;
	size_t found = 0;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		found += (size_t)secret_is(key, word[i]);
	return found;
}

/* Memory by PEEKDATA, and every register set that the kernel offers. */
static size_t by_ptrace(const struct victim *victim)
{
	struct user_regs_struct general;
	struct iovec vector = { buffer, sizeof(buffer) };
	size_t found = 0, i;

	if (!stop(victim))
		return 0;
	memset(buffer, 0, sizeof(buffer));
	for (i = 0; i < 64; i++)
		buffer[i] = (uint64_t)ptrace(PTRACE_PEEKDATA, victim->pid, victim->secret + 8 * i, 0);
	found += secret_pairs(victim->key, buffer, 64 * 8);
	if (!ptrace(PTRACE_GETREGS, victim->pid, 0, &general))
		found += words(victim->key, &general, sizeof(general));
	memset(buffer, 0, sizeof(buffer));
	if (!ptrace(PTRACE_GETREGSET, victim->pid, 0x202, &vector))	/* NT_X86_XSTATE */
		found += words(victim->key, buffer, sizeof(buffer));
	detach(victim);
	return found;
}

#define CORE	"/tmp/attack-core"

/* Ends the victim. *size is that of its core dump. */
static size_t by_core(struct victim *victim, size_t *size)
{
	FILE *pattern = fopen("/proc/sys/kernel/core_pattern", "w"), *core;
	size_t found = 0, got;

	unlink(CORE);
	if (!pattern || fputs(CORE, pattern) < 0 || fclose(pattern))
		die("core_pattern: %s", strerror(errno));
	kill(victim->pid, SIGABRT);
	victim_release(victim);
	waitpid(victim->pid, &victim->status, 0);
	close(victim->from);
	core = fopen(CORE, "r");
	*size = 0;
	while (core && (got = fread(buffer, 1, sizeof(buffer), core))) {
		found += secret_pairs(victim->key, buffer, got);
		*size += got;
	}
	if (core)
		fclose(core);
	unlink(CORE);
	return found;
}

static void read_all(enum protection protection)
{
	const char *kind = protection == PLAIN ? "control" : "attack";
	size_t access, walk, proc, readv, trace, core, size;
	bool plain = protection == PLAIN, right;
	struct victim victim;
	char name[32];

	victim_start(&victim, protection);
	access = by_module(&victim, READ_ACCESS);
	walk = by_module(&victim, READ_WALK);
	proc = by_proc(&victim);
	readv = by_readv(&victim);
	trace = by_ptrace(&victim);
	victim_finish(&victim);
	right = victim_right(&victim);
	victim_start(&victim, protection);
	core = by_core(&victim, &size);
	snprintf(name, sizeof(name), "%s-02", kind);
	judge(right && plain == (access > 0) && plain == (walk > 0), name,
	      "read by address: access_process_vm %zu words, page tables and direct map %zu",
	      access, walk);
	snprintf(name, sizeof(name), "%s-03", kind);
	judge(right && plain == (proc > 0) && plain == (readv > 0) && plain == (trace > 0), name,
	      "/proc/PID/mem %zu words, process_vm_readv %zu, ptrace %zu", proc, readv, trace);
	snprintf(name, sizeof(name), "%s-03-core", kind);
	judge(size && plain == (core > 0) && WIFSIGNALED(victim.status) &&
	      WTERMSIG(victim.status) == SIGABRT, name, "core dump of %zu bytes: %zu words", size,
	      core);
}

static void read_both(void)
{
	read_all(PLAIN);
	read_all(PROTECTED);
}

/* --- 18: breakpoints and single steps ------------------------------------------------------ */

/* Reads and writes of the eight bytes at `address`. */
static bool watchpoint_hits(const struct victim *victim, uint64_t address)
{
	const size_t registers = offsetof(struct user, u_debugreg);
	int status = 0;

	if (!stop(victim) || ptrace(PTRACE_POKEUSER, victim->pid, registers, address) ||
	    ptrace(PTRACE_POKEUSER, victim->pid, registers + 7 * 8, 1 | 3 << 16 | 2 << 18))
		die("debug registers: %s", strerror(errno));
	ptrace(PTRACE_CONT, victim->pid, 0, 0);
	usleep(200000);
	if (waitpid(victim->pid, &status, WNOHANG) == 0) {
		ptrace(PTRACE_INTERRUPT, victim->pid, 0, 0);
		wait_stop(victim->pid);
	}
	ptrace(PTRACE_POKEUSER, victim->pid, registers + 7 * 8, 0);
	detach(victim);
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* Words of the secret in the registers of 200 single steps. */
static size_t single_steps(const struct victim *victim, unsigned int *steps)
{
	struct user_regs_struct general;
	size_t found = 0;

	*steps = 0;
	if (!stop(victim))
		return 0;
	while (*steps < STEPS && !ptrace(PTRACE_SINGLESTEP, victim->pid, 0, 0) &&
	       wait_stop(victim->pid)) {
		++*steps;
		if (!ptrace(PTRACE_GETREGS, victim->pid, 0, &general))
			found += words(victim->key, &general, sizeof(general));
	}
	detach(victim);
	return found;
}

static void debug(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool plain = p == PLAIN, hit;
		struct victim victim;
		unsigned int steps;
		size_t found;

		victim_start(&victim, p);
		/* its loop counter, eight bytes after its count of errors */
		hit = watchpoint_hits(&victim, victim.errors + 8);
		victim_finish(&victim);
		judge(hit == plain && victim_right(&victim), plain ? "control-18" : "attack-18",
		      "watchpoint on its memory %s; victim: %s", hit ? "hits" : "does not hit",
		      victim_fate(&victim));
		victim_start(&victim, p);
		found = single_steps(&victim, &steps);
		victim_finish(&victim);
		judge(plain == (found > 0) && steps && victim_right(&victim),
		      plain ? "control-18-step" : "attack-18-step",
		      "%u single steps show %zu words; victim: %s", steps, found,
		      victim_fate(&victim));
	}
}

/* --- 23: hypercalls in the carrier's place ------------------------------------------------- */

struct forged {
	const char *what;
	uint64_t number, thread, value, flags;
	uint64_t ticket_flip, process_flip;	/* xored to what the slot says */
	int64_t answer;
};

static const struct forged forgeries[] = {
	{ "ENTER of a thread that was entered", CARREL_HC_ENTER, 0, 0, 0, 0, 0, CARREL_ESTATE },
	{ "ENTER of a thread that does not exist", CARREL_HC_ENTER, 1, 0, 0, 0, 0, CARREL_ESTATE },
	{ "ENTER of thread 2^63", CARREL_HC_ENTER, 1UL << 63, 0, 0, 0, 0, CARREL_EARG },
	{ "ENTER, ticket wrong in one bit", CARREL_HC_ENTER, 0, 0, 0, 1, 0, CARREL_ETICKET },
	{ "RESUME of another thread", CARREL_HC_RESUME, 1, 0, 0, 0, 0, CARREL_ESTATE },
	{ "RESUME of thread 128", CARREL_HC_RESUME, 128, 0, 0, 0, 0, CARREL_EARG },
	{ "RESUME, ticket wrong in one bit", CARREL_HC_RESUME, 0, 0, 0, 1UL << 63, 0,
	  CARREL_ETICKET },
	{ "RESUME of another process", CARREL_HC_RESUME, 0, 0, 0, 0, 1, CARREL_ETICKET },
	{ "RESUME with unknown flags", CARREL_HC_RESUME, 0, 0, 4, 0, 0, CARREL_EARG },
	{ "DONATE in user mode", CARREL_HC_DONATE, 0, 0, 0, 0, 0, CARREL_ECALLER },
	{ "DESTROY in user mode", CARREL_HC_DESTROY, 0, 0, 0, 0, 0, CARREL_ECALLER },
	{ "MAP from outside", CARREL_HC_MAP, 0, 0, 0, 0, 0, CARREL_ECALLER },
	{ "DIE from outside", CARREL_HC_DIE, 0, 0, 0, 0, 0, CARREL_ECALLER },
};

/* Slot 0's header: the kernel can read it, so an attacker has the ticket. */
static struct carrel_slot slot_of(const struct victim *victim)
{
	struct carrel_slot slot = { 0 };
	char path[40];
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/mem", victim->pid);
	mem = open(path, O_RDONLY);
	if (mem < 0 || pread(mem, &slot, sizeof(slot), CARREL_CHANNEL_VA) != sizeof(slot))
		die("the slot of %d: %s", victim->pid, strerror(errno));
	close(mem);
	return slot;
}

/* One step over the hypercall instruction of the gate, in the stopped carrier. */
static int64_t forge(const struct victim *victim, const struct user_regs_struct *before,
		     const struct carrel_slot *slot, const struct forged *forged, bool *stepped)
{
	struct user_regs_struct regs = *before;

	regs.rip = CARREL_GATE_VA + CARREL_GATE_CALL;
	regs.orig_rax = (uint64_t)-1;
	regs.rax = forged->number;
	regs.rdi = slot->process ^ forged->process_flip;
	regs.rsi = slot->ticket[0] ^ forged->ticket_flip;
	regs.rdx = slot->ticket[1];
	regs.r10 = forged->thread;
	regs.r8 = forged->value;
	regs.r9 = forged->flags;
	if (ptrace(PTRACE_SETREGS, victim->pid, 0, &regs) ||
	    ptrace(PTRACE_SINGLESTEP, victim->pid, 0, 0) || !wait_stop(victim->pid) ||
	    ptrace(PTRACE_GETREGS, victim->pid, 0, &regs))
		die("forging in the carrier: %s", strerror(errno));
	*stepped = regs.rip == CARREL_GATE_VA + CARREL_GATE_CALL + 3;
	return (int64_t)regs.rax;
}

static void forge_all(const struct victim *victim, size_t *wrong)
{
	struct carrel_slot slot = slot_of(victim);
	struct user_regs_struct before;
	bool stepped;

	if (!stop(victim) || ptrace(PTRACE_GETREGS, victim->pid, 0, &before))
		die("the carrier cannot be stopped: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(*forgeries); i++) {
		int64_t answer = forge(victim, &before, &slot, &forgeries[i], &stepped);

		if (answer == forgeries[i].answer && stepped)
			continue;
		++*wrong;
		printf("# %s: %" PRId64 "%s\n", forgeries[i].what, answer,
		       stepped ? "" : ", not where the step should end");
	}
	ptrace(PTRACE_SETREGS, victim->pid, 0, &before);
	detach(victim);
}

/* The right ticket, in an address space that is not the carrier's. */
static int64_t stranger(uint64_t number, const struct carrel_slot *slot)
{
	struct carrel_slot copy = *slot;
	const bool svm = carrel_is_svm();	/* before the registers are taken */
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	int64_t rax = (int64_t)number;

	if (svm)
		__asm__ volatile("vmmcall" : "+a" (rax), "+D" (copy.process), "+S" (copy.ticket[0]),
				 "+d" (copy.ticket[1]), "+r" (r10), "+r" (r8), "+r" (r9)
				 : : "rbx", "rcx", "r11", "memory");
	else
		__asm__ volatile("vmcall" : "+a" (rax), "+D" (copy.process), "+S" (copy.ticket[0]),
				 "+d" (copy.ticket[1]), "+r" (r10), "+r" (r8), "+r" (r9)
				 : : "rbx", "rcx", "r11", "memory");
	return rax;
}

static void wrong_thread(void)
{
	struct carrel_slot slot;
	struct victim victim;
	int64_t enter, resume;
	size_t wrong = 0;

	victim_start(&victim, PROTECTED);
	forge_all(&victim, &wrong);
	victim_finish(&victim);
	judge(!wrong && victim_right(&victim), "attack-23", "%zu hypercalls forged in its carrier: "
	      "%zu answered wrongly; victim: %s", sizeof(forgeries) / sizeof(*forgeries), wrong,
	      victim_fate(&victim));
	victim_start(&victim, PROTECTED);
	slot = slot_of(&victim);
	enter = stranger(CARREL_HC_ENTER, &slot);
	resume = stranger(CARREL_HC_RESUME, &slot);
	victim_finish(&victim);
	judge(enter == CARREL_ETICKET && resume == CARREL_ETICKET && victim_right(&victim),
	      "attack-23-stranger", "its ticket used by another process: ENTER %" PRId64 ", RESUME %"
	      PRId64 "; victim: %s", enter, resume, victim_fate(&victim));
}

/* --- gate and channel rewritten ------------------------------------------------------------ */

/* It may die of it, but what it says of its secret must be right. */
static void rewrite(uint64_t what, const char *name)
{
	struct victim victim;
	struct attack a = { .op = ATTACK_FLIP };

	victim_start(&victim, PROTECTED);
	a.in[0] = (uint64_t)victim.pid;
	a.in[1] = 300;
	a.in[2] = what;
	module_do(&a);
	victim_finish(&victim);
	judge(a.out[0] && (victim_right(&victim) || victim_killed(&victim)), name,
	      "%llu pages filled with random bytes while it runs: %s", a.out[0],
	      victim_fate(&victim));
}

static void shared_pages(void)
{
	struct victim victim;

	rewrite(1, "attack-gate");
	rewrite(2, "attack-channel");
	victim_start(&victim, PROTECTED);
	victim_finish(&victim);
	judge(victim_right(&victim), "attack-gate-after", "a process after that: %s",
	      victim_fate(&victim));
}

/* --- 45: a protected sibling --------------------------------------------------------------- */

static void sibling(void)
{
	struct carrel_slot slot;
	struct victim victim;
	char command[160], line[128];
	FILE *output;
	int status;

	victim_start(&victim, PROTECTED);
	slot = slot_of(&victim);
	snprintf(command, sizeof(command), "hvreg run -- /attack/inside sibling %" PRIx64 " %" PRIx64
		 " %" PRIx64, slot.process, slot.ticket[0], slot.ticket[1]);
	fflush(stdout);
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output))
		printf("# %s", line);
	status = output ? pclose(output) : -1;
	victim_finish(&victim);
	judge(status == 0 && victim_right(&victim), "attack-45", "a protected sibling that has its "
	      "number and ticket: status %d; victim: %s", status, victim_fate(&victim));
}

/* --- from inside --------------------------------------------------------------------------- */

static void inside(const char *mode, const char *name, bool may_die)
{
	char command[80], line[128];
	struct victim victim;
	FILE *output;
	int status;

	snprintf(command, sizeof(command), "hvreg run -- /attack/inside %s", mode);
	fflush(stdout);
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output))
		printf("# %s", line);
	status = output ? pclose(output) : -1;
	victim_start(&victim, PROTECTED);
	victim_finish(&victim);
	judge((status == 0 || (may_die && status > 0)) && victim_right(&victim) &&
	      !carrel_donated(), name, "a hostile program in a view of its own: status %x; a process "
	      "after that: %s", status, victim_fate(&victim));
}

static void from_inside(void)
{
	inside("calls", "attack-inside-calls", false);
	inside("instructions", "attack-inside-instructions", false);
	inside("gs", "attack-inside-gs", true);
	inside("fuzz 1", "attack-inside-fuzz", true);
	if (brief)
		return;
	inside("fuzz 2", "attack-inside-fuzz-2", true);
	inside("fuzz 3", "attack-inside-fuzz-3", true);
}

/* --- 23: many host threads, one thread ----------------------------------------------------- */

static void crowd(void)
{
	char command[40];
	int threads = 2 * cpu_count(), status;

	snprintf(command, sizeof(command), "/attack/crowd %d %d", threads, ROUNDS);
	fflush(stdout);
	status = system(command);
	judge(WIFEXITED(status) && WEXITSTATUS(status) == 42 && !carrel_donated(), "attack-23-crowd",
	      "%d host threads resume one thread at the same time: status %x (2a00: all its registers "
	      "were right)", threads, status);
}

/* The gate as this process sees it; every carrier has the same frame. */
static uint64_t *map_gate(void)
{
	int device = open(CARREL_DEVICE, O_RDWR | O_CLOEXEC);
	void *gate = mmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(1UL), PROT_READ | PROT_EXEC,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, device, 0);

	if (device < 0 || gate == MAP_FAILED)
		die("the gate cannot be mapped: %s", strerror(errno));
	close(device);
	return gate;
}

/* RESUME under single steps and MOV SS shadows: what they leave pending, and where. */
static void shadow_resume(void)
{
	uint64_t *gate = map_gate(), saved[2];
	struct attack poke = {
		.op = ATTACK_POKE, .in = { (uint64_t)getpid(), CARREL_GATE_VA + CARREL_GATE_RESUME },
		.buffer = (uintptr_t)saved, .size = sizeof(saved),
	};
	struct victim victim;
	char command[40], line[80] = "";
	bool proved = false;
	FILE *output;
	int status;

	memcpy(saved, (char *)gate + CARREL_GATE_RESUME, sizeof(saved));
	fflush(stdout);
	snprintf(command, sizeof(command), "/attack/crowd shadow %d", ROUNDS);
	output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output))
		proved |= !strcmp(line, "40 shadows\n");
	status = output ? pclose(output) : -1;
	module_do(&poke);
	munmap(gate, CARREL_MMAP_SIZE(1UL));
	victim_start(&victim, PROTECTED);
	victim_finish(&victim);
	judge(proved && WIFEXITED(status) && WEXITSTATUS(status) == 42 && victim_right(&victim),
	      "attack-mov-ss-resume", "RESUME with TF set and behind MOV SS: status %x (2a00: all its "
	      "registers were right); a process after that: %s", status, victim_fate(&victim));
}

const struct test trace_tests[] = {
	{ "attack-03", read_both },
	{ "attack-18", debug },
	{ "attack-23", wrong_thread },
	{ "attack-23-crowd", crowd },
	{ "attack-mov-ss-resume", shadow_resume },
	{ "attack-gate", shared_pages },
	{ "attack-45", sibling },
	{ "attack-inside", from_inside },
	{ 0 },
};
