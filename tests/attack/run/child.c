/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"
#include "report.h"

pid_t child_start(void (*become)(const void *), const void *argument, int *to, int *from)
{
	int in[2], out[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		become(argument);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	*to = in[1];
	*from = out[0];
	return pid;
}

time_t child_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

bool child_read(int from, char *text, size_t size, time_t deadline)
{
	struct pollfd ready = { .fd = from, .events = POLLIN };
	size_t used = strlen(text);
	ssize_t got;

	if (child_clock() >= deadline || used == size - 1)
		return false;
	if (poll(&ready, 1, 1000) <= 0)
		return true;
	got = read(from, text + used, size - 1 - used);
	if (got <= 0)
		return false;
	text[used + (size_t)got] = '\0';
	return true;
}

int child_reap(pid_t pid)
{
	time_t deadline = child_clock() + 10;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (child_clock() >= deadline)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	return status;
}
