/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A static program to be protected:
 *   victim spin          computes for ever
 *   victim count         copies lines, each with its number in front
 *   victim touch MIB     uses so much memory; exit status 3: there was none
 *   victim crowd         for ever: threads that map memory and make children, some by exec
 *   victim pair          a parent and a child, which look at memory that they had in common; prints
 *                        both numbers, and how the child ended
 * and, unprotected, a tracer of such a one:
 *   victim trace PID     attaches, prints what it sees, detaches
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
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

static void *member(void *argument)
{
	unsigned long size = 64 * 4096, i;
	unsigned int turn;
	char *memory;
	pid_t child;

	(void)argument;
	for (turn = 0;; turn++) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (i = 0; memory != MAP_FAILED && i < size; i += 4096)
			memory[i] = 1;
		child = turn % 4 ? -1 : fork();
		if (child == 0) {
			if (turn % 8)
				execl("/proc/self/exe", "victim", "touch", "1", NULL);
			memset(memory, 2, size);
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
		munmap(memory, size);
	}
	return NULL;
}

static int crowd(void)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 5; i++)
		if (pthread_create(&thread, NULL, member, NULL))
			return 1;
	member(NULL);
	return 0;
}

static _Noreturn void look(const char *memory, unsigned long size, char mark)
{
	unsigned long i;

	for (;;)
		for (i = 0; i < size; i++)
			if (memory[i] != mark)
				_exit(4);
}

static int pair(void)
{
	unsigned long size = 3 << 20;
	char *memory = malloc(size);
	int status;
	pid_t child;

	memset(memory, 'a', size);
	child = fork();
	if (child == 0)
		look(memory, size, 'a');
	memset(memory, 'b', size);
	printf("%d %d\n", getpid(), child);
	fflush(stdout);
	waitpid(child, &status, 0);
	printf("child %d\n", status);
	fflush(stdout);
	look(memory, size, 'b');
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
	if (argc == 2 && !strcmp(argv[1], "crowd"))
		return crowd();
	if (argc == 2 && !strcmp(argv[1], "pair"))
		return pair();
	if (argc == 3 && !strcmp(argv[1], "touch"))
		return touch(strtoul(argv[2], NULL, 10));
	if (argc == 3 && !strcmp(argv[1], "trace"))
		return trace(atoi(argv[2]));
	return 2;
}
