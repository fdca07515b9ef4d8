/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a program BATCHES times that tells when its main began (hello.c). Prints two lines:
 *	main cycles T1 ... T9		from fork to main
 *	whole cycles T1 ... T9		from fork to the end of wait
 * around() runs a program once between the same marks.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "work.h"

static void once(char **argv, uint64_t *main_began, uint64_t *whole)
{
	uint64_t begin, told;
	int fds[2], status;
	pid_t child;

	if (pipe(fds))
		die("pipe");
	MARK_HERE(MARK_SPAWN);
	begin = tsc();
	child = fork();
	if (!child) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("the program");
	*whole = tsc() - begin;
	MARK_HERE(MARK_REAPED);
	if (status || read(fds[0], &told, sizeof(told)) != sizeof(told))
		die(argv[0]);
	*main_began = told - begin;
	close(fds[0]);
	close(fds[1]);
}

static void print(const char *name, const uint64_t taken[BATCHES])
{
	printf("%s cycles", name);
	for (unsigned int i = 0; i < BATCHES; i++)
		printf(" %lu", taken[i]);
	putchar('\n');
}

int start(char **argv)
{
	uint64_t main_began[BATCHES], whole[BATCHES];

	for (int i = -1; i < BATCHES; i++) {		/* the first is not counted */
		int to = i < 0 ? 0 : i;

		once(argv, &main_began[to], &whole[to]);
	}
	print("main", main_began);
	print("whole", whole);
	return 0;
}

int around(char **argv)
{
	int status;
	pid_t child;

	MARK_HERE(MARK_SPAWN);
	child = fork();
	if (!child) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("the program");
	MARK_HERE(MARK_REAPED);
	return status != 0;
}
