/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outcome FILE PROG [ARG]...: runs PROG and writes to FILE how it ended, as a
 * shell cannot tell it: `exit N` or `signal N`. Its own status is always 0.
 * FILE.pid holds PROG's process ID meanwhile.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Opened only when the child is there, so that what it must find closed stays closed. */
static int tell(const char *path, const char *suffix, const char *word, int number)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	file = fopen(name, "w");
	if (!file)
		return 1;
	fprintf(file, "%s%d\n", word, number);
	return fclose(file) ? 1 : 0;
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	if (argc < 3)
		return 2;
	child = fork();
	if (!child) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (child < 0 || tell(argv[1], ".pid", "", child) || waitpid(child, &status, 0) != child)
		return 1;
	if (WIFSIGNALED(status))
		return tell(argv[1], "", "signal ", WTERMSIG(status));
	return tell(argv[1], "", "exit ", WEXITSTATUS(status));
}
