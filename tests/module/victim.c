/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A static program to be protected:
 *   victim spin          computes for ever
 *   victim count         copies lines, each with its number in front
 *   victim touch MIB     uses so much memory; exit status 3: there was none
 * and, unprotected, a tracer of such a one:
 *   victim trace PID     attaches, prints what it sees, detaches
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <carrel/layout.h>

static volatile unsigned long counter;

static _Noreturn void spin(void)
{
	for (;;)
		counter++;
}

static int count(void)
{
	char line[256];
	int number;

	for (number = 1; fgets(line, sizeof(line), stdin); number++) {
		printf("%d %s", number, line);
		fflush(stdout);
	}
	return 0;
}

static int touch(unsigned long mib)
{
	unsigned long i, size = mib << 20;
	char *memory = malloc(size);

	if (!memory)
		return 3;
	for (i = 0; i < size; i += 4096)
		memory[i] = i >> 12;
	for (i = 0; i < size; i += 4096)
		if (memory[i] != (char)(i >> 12))
			return 4;
	return 0;
}

/* Outside of the gate there is no code that a carrier runs. */
static int trace(pid_t pid)
{
	struct user_regs_struct regs;
	int status;
	long word;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_GETREGS, pid, NULL, &regs)) {
		perror("victim: ptrace");
		return 1;
	}
	printf("rip %s, rbp %llx r12 %llx r13 %llx r14 %llx r15 %llx\n",
	       regs.rip - CARREL_GATE_VA < 4096 ? "in the gate" : "elsewhere",
	       regs.rbp, regs.r12, regs.r13, regs.r14, regs.r15);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, CARREL_SHIM_VA, NULL);
	printf("the shim: %s\n", word == -1 && errno ? strerror(errno) : "read");
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "spin"))
		spin();
	if (argc == 2 && !strcmp(argv[1], "count"))
		return count();
	if (argc == 3 && !strcmp(argv[1], "touch"))
		return touch(strtoul(argv[2], NULL, 10));
	if (argc == 3 && !strcmp(argv[1], "trace"))
		return trace(atoi(argv[2]));
	return 2;
}
