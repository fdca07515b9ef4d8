/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step CALL RESULT makes that call again and again, with known values in every
 * register; RESULT "parent" is the parent's id. Run with --step CALL, a signal
 * comes at another instruction of the shim each time: it must
 * be handled once, and the call must not show that anything happened.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS	1500

static volatile sig_atomic_t handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
	getuid();		/* the handler's calls must not disturb the interrupted one */
}

/* 0 if result and registers are as they should be. */
static long call(long number, long expected)
{
	long wrong, result;

	asm volatile("movq $0x101, %%rbx\n\tmovq $0x102, %%rdx\n\tmovq $0x103, %%rsi\n\t"
		     "movq $0x104, %%rdi\n\tmovq $0x108, %%r8\n\tmovq $0x109, %%r9\n\t"
		     "movq $0x10a, %%r10\n\tmovq $0x10c, %%r12\n\tmovq $0x10d, %%r13\n\t"
		     "movq $0x10e, %%r14\n\tmovq $0x10f, %%r15\n\t"
		     "std\n\tsyscall\n\t"
		     "pushfq\n\tcld\n\tpopq %%rcx\n\tandl $0x400, %%ecx\n\txorl $0x400, %%ecx\n\t"
		     "subq $0x101, %%rbx\n\torq %%rbx, %%rcx\n\tsubq $0x102, %%rdx\n\torq %%rdx, %%rcx\n\t"
		     "subq $0x103, %%rsi\n\torq %%rsi, %%rcx\n\tsubq $0x104, %%rdi\n\torq %%rdi, %%rcx\n\t"
		     "subq $0x108, %%r8\n\torq %%r8, %%rcx\n\tsubq $0x109, %%r9\n\torq %%r9, %%rcx\n\t"
		     "subq $0x10a, %%r10\n\torq %%r10, %%rcx\n\tsubq $0x10c, %%r12\n\torq %%r12, %%rcx\n\t"
		     "subq $0x10d, %%r13\n\torq %%r13, %%rcx\n\tsubq $0x10e, %%r14\n\torq %%r14, %%rcx\n\t"
		     "subq $0x10f, %%r15\n\torq %%r15, %%rcx"
		     : "=a"(result), "=c"(wrong) : "a"(number)
		     : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		       "memory", "cc");
	return wrong | (result != expected);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	long wrong = 0, number, result;

	if (argc != 3)
		return 2;
	number = atol(argv[1]);
	result = strcmp(argv[2], "parent") ? atol(argv[2]) : getppid();

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < ROUNDS; i++)
		wrong += call(number, result) != 0;
	printf("%ld wrong\nhandled %d 0\n", wrong, (int)handled);
	return wrong != 0;
}
