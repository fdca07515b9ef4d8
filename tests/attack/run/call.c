/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls and virtualization instructions from every ring: 41 of the catalogue,
 * and what comes right before a hypercall.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "module.h"
#include "raw.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define VECTOR_UD	6
#define FUZZ_CALLS	(brief ? 20000U : 100000U)

/* --- who may call -------------------------------------------------------------------------- */

enum ring { RING_0, RING_3, COMPAT };

/* The answer to call `number` with all arguments -1 (kernel's) or 0. */
static int64_t expected(uint64_t number, enum ring ring)
{
	bool kernel = number >= CARREL_HC_DONATE && number <= CARREL_HC_RESEAL;
	bool carrier = number == CARREL_HC_ENTER || number == CARREL_HC_RESUME;
	bool process = number >= CARREL_HC_OCALL && number <= CARREL_HC_MAX;

	if (!kernel && !carrier && !process)
		return CARREL_ECALL;
	if (ring == RING_3 && carrier)
		return CARREL_ETICKET;
	return CARREL_ECALLER;
}

/* In ring 0 the kernel's own calls are for the fuzzer. */
static bool is_tried(uint64_t number, enum ring ring)
{
	return ring != RING_0 || number < CARREL_HC_DONATE || number > CARREL_HC_RESEAL;
}

static int64_t call_from(enum ring ring, uint64_t number)
{
	struct attack a = { .op = ATTACK_HYPERCALL, .in = { number } };

	switch (ring) {
	case RING_0:
		module_do(&a);
		return (int64_t)a.out[0];
	case RING_3:
		return raw_hypercall(carrel_is_svm(), number);
	case COMPAT:
		return raw_hypercall_compat(carrel_is_svm(), (uint32_t)number);
	}
	return 0;
}

static void every_number(enum ring ring, const char *name)
{
	struct refused before = carrel_refused(), after;
	unsigned int tried = 0, wrong = 0;

	for (uint64_t number = 0; number <= CARREL_HC_MAX + 3; number++) {
		int64_t answer;

		if (!is_tried(number, ring))
			continue;
		tried++;
		answer = call_from(ring, number);
		if (answer == expected(number, ring))
			continue;
		wrong++;
		printf("# hypercall %" PRIu64 ": %" PRId64 "\n", number, answer);
	}
	after = carrel_refused();
	judge(!wrong && after.calls - before.calls == tried, name, "%u hypercalls, %u answered "
	      "wrongly, %" PRIu64 " counted as refused", tried, wrong, after.calls - before.calls);
}

static void callers(void)
{
	every_number(RING_0, "attack-41-ring0");
	every_number(RING_3, "attack-41-ring3");
	every_number(COMPAT, "attack-41-compat");
}

/* --- at random ----------------------------------------------------------------------------- */

static void fuzz(void)
{
	struct attack a = { .op = ATTACK_FUZZ, .in = { FUZZ_CALLS, 20240229 } };
	uint64_t donated = carrel_donated();
	struct victim victim;

	module_do(&a);
	victim_start(&victim, PROTECTED);
	victim_finish(&victim);
	judge(victim_right(&victim) && carrel_donated() == donated, "attack-41-fuzz",
	      "%u random hypercalls from ring 0, %llu with a result; a process after that: %s",
	      FUZZ_CALLS, a.out[0], victim_fate(&victim));
}

/* --- instructions -------------------------------------------------------------------------- */

static sigjmp_buf refused_jump;

static void on_refused(int number)
{
	siglongjmp(refused_jump, number);
}

/* The signal that the instruction raised in ring 3, 0 if it was executed. */
static int in_ring3(void (*instruction)(void))
{
	int number;

	signal(SIGILL, on_refused);
	signal(SIGSEGV, on_refused);
	number = sigsetjmp(refused_jump, 1);
	if (!number)
		instruction();
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return number;
}

static void instructions_ring3(void)
{
	unsigned int executed = 0, count = 0;

	for (; raw_instructions[count].name; count++) {
		if (in_ring3(raw_instructions[count].execute))
			continue;
		executed++;
		printf("# %s is executed in ring 3\n", raw_instructions[count].name);
	}
	judge(!executed, "attack-41-insn-ring3", "%u instructions of VMX, SVM, SMX and SGX: %u "
	      "executed", count, executed);
}

static void instructions(void)
{
	struct attack other = { .op = ATTACK_HYPERCALL, .in = { CARREL_HC_INFO,
				[7] = HYPERCALL_OTHER } };
	unsigned int executed = 0, count = 0;
	char name[16];

	for (;; count++) {
		struct attack a = {
			.op = ATTACK_INSN, .in = { count },
			.buffer = (uintptr_t)name, .size = sizeof(name),
		};

		module_do(&a);
		if (a.out[0] == (uint64_t)-1)
			break;
		if (a.out[0] == VECTOR_UD + 1)
			continue;
		executed++;
		printf("# %s in ring 0: %s %llu\n", name, a.out[0] ? "trap" : "executed",
		       a.out[0] ? a.out[0] - 1 : 0);
	}
	judge(!executed, "attack-41-insn-ring0", "%u instructions of VMX, SVM, SMX and SGX: %u not "
	      "#UD", count, executed);
	instructions_ring3();
	module_do(&other);
	judge(other.out[7] == VECTOR_UD + 1, "attack-41-other-vendor",
	      "the other vendor's hypercall: %s", other.out[7] ? "a trap" : "executed");
}

/* --- what comes before a hypercall --------------------------------------------------------- */

#define SHADOWS	(brief ? 200U : 1000U)

static const uint32_t stack_selector __attribute__((aligned(8))) = 0x2b;

/* The loop of the traced child: its status is 0 if every answer was right. */
static _Noreturn void shadow_child(bool svm)
{
	unsigned int wrong = 0;

	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	for (unsigned int i = 0; i < SHADOWS; i++)
		wrong += raw_shadow_hypercall(svm, &stack_selector, CARREL_HC_INFO) !=
			CARREL_ECALLER;
	_exit(wrong != 0);
}

/* Let it run to its end, past each trap. -1 if it was killed. */
static int run_traced(pid_t child, enum __ptrace_request how, unsigned int *traps)
{
	int status;

	for (*traps = 0; waitpid(child, &status, 0) == child; ++*traps) {
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WIFSIGNALED(status) || ptrace(how, child, 0, 0))
			break;
	}
	return -1;
}

static void shadow(enum __ptrace_request how, bool watch, const char *name)
{
	const size_t registers = offsetof(struct user, u_debugreg);
	bool svm = carrel_is_svm();
	unsigned int traps;
	int status;
	pid_t child = fork();

	if (!child)
		shadow_child(svm);
	waitpid(child, &status, 0);
	if (watch && (ptrace(PTRACE_POKEUSER, child, registers, &stack_selector) ||
		      ptrace(PTRACE_POKEUSER, child, registers + 7 * 8, 1 | 3 << 16 | 3 << 18)))
		die("debug registers: %s", strerror(errno));
	ptrace(how, child, 0, 0);
	status = run_traced(child, how, &traps);
	judge(status == 0, name, "MOV SS, then a hypercall, %u times%s%s: %u traps, status %d",
	      SHADOWS, watch ? ", a watchpoint on SS's source" : "",
	      how == PTRACE_SINGLESTEP ? ", single steps" : "", traps, status);
}

static void shadows(void)
{
	shadow(PTRACE_CONT, true, "attack-mov-ss");
	shadow(PTRACE_SINGLESTEP, true, "attack-mov-ss-step");
}

const struct test call_tests[] = {
	{ "attack-41", callers },
	{ "attack-41-fuzz", fuzz },
	{ "attack-41-insn", instructions },
	{ "attack-mov-ss", shadows },
	{ 0 },
};
