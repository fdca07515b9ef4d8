/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * race [N]: N signals (20,000) from another process, each while this one blocks in a read, is about
 * to, or has just begun; the handler writes what the read waits for. None may be lost, come twice or
 * out of order, and no read may wait for ever. Prints one line a test; all must say ok.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int bytes[2], answers[2];
static volatile long next;
static volatile int wrong;

static void handler(int signal, siginfo_t *info, void *context)
{
	int error = errno;

	(void)signal;
	(void)context;
	if (info->si_value.sival_int != (int)next || write(bytes[1], "x", 1) != 1)
		wrong = 1;
	next++;
	errno = error;
}

/* The next signal when the last has been answered, and after a while that is never the same. */
static _Noreturn void send(pid_t to, long n)
{
	unsigned long random = 1;
	char byte;

	for (long i = 0; i < n; i++) {
		union sigval value = { .sival_int = (int)i };

		random = random * 6364136223846793005UL + 1442695040888963407UL;
		for (volatile unsigned long k = (random >> 33) % 3000; k; k--)
			;
		if (sigqueue(to, SIGRTMIN, value) || read(answers[0], &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static int race(const char *what, long n, int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
	long interrupted = 0, i;
	int status;
	pid_t child;
	char byte;

	next = wrong = 0;
	sigaction(SIGRTMIN, &action, NULL);
	if (pipe(bytes) || pipe(answers))
		return 1;
	fflush(stdout);
	child = fork();
	if (!child)
		send(getppid(), n);
	for (i = 0; i < n && !wrong; i++) {
		while (read(bytes[0], &byte, 1) != 1) {
			if (errno != EINTR)
				return 1;
			interrupted++;
		}
		if (next != i + 1 || write(answers[1], "y", 1) != 1)
			wrong = 1;
	}
	if (wrong)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0)
		;
	wrong |= i != n || status || (flags & SA_RESTART ? interrupted > 0 : interrupted == 0);
	printf("%s: %s\n", what, wrong ? "WRONG" : "ok");
	return wrong;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 20000;

	return race("reads that signals interrupt", n, 0) |
		race("reads that signals do not interrupt", n, SA_RESTART);
}
