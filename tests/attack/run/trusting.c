/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "module.h"
#include "report.h"
#include "trusting.h"

#define READY_SECONDS	120
#define DONE_SECONDS	60

static _Noreturn void become(const struct start *start, int in, int out)
{
	char byte;

	dup2(in, 0);
	dup2(out, 1);
	if (start->errors)
		dup2(out, 2);
	if (start->variable)
		putenv((char *)start->variable);
	(void)!read(0, &byte, 1);
	if (start->traced)
		ptrace(PTRACE_TRACEME, 0, 0, 0);
	execvp(start->argv[0], start->argv);
	_exit(127);
}

void trusting_launch(struct trusting *t, const struct start *start)
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
		become(start, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	t->to = to[1];
	t->from = from[0];
}

void trusting_go(struct trusting *t)
{
	signal(SIGPIPE, SIG_IGN);	/* it may be dead */
	(void)!write(t->to, "", 1);
	signal(SIGPIPE, SIG_DFL);
}

void let_go(struct trusting *t)
{
	trusting_go(t);
}

/* What follows `word` in the line that begins with it, if that line is whole. */
static const char *line_of(const struct trusting *t, const char *word)
{
	const char *at = t->text;

	while (strncmp(at, word, strlen(word))) {
		at = strchr(at, '\n');
		if (!at)
			return NULL;
		at++;
	}
	return strchr(at, '\n') ? at + strlen(word) : NULL;
}

/* By the clock that no attack sets. */
static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

bool trusting_read_until(struct trusting *t, const char *word, int limit)
{
	struct pollfd ready = { .fd = t->from, .events = POLLIN };
	time_t deadline = seconds() + limit;
	size_t used = strlen(t->text);

	for (;;) {
		ssize_t got;

		if (line_of(t, word))
			return true;
		if (seconds() >= deadline || used == sizeof(t->text) - 1)
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

void trusting_ready(struct trusting *t)
{
	if (!trusting_read_until(t, "ready ", READY_SECONDS) ||
	    sscanf(line_of(t, "ready "), "%" SCNx64 " %" SCNx64, &t->a, &t->b) != 2)
		die("a program did not start: %s", t->text);
	usleep(20000);		/* it is in its read of standard input */
}

void begin(struct trusting *t, const char *what, enum protection protection)
{
	char *plain[] = { PROGRAM, (char *)what, NULL };
	char *guarded[] = { "hvreg", "run", "--", PROGRAM, (char *)what, NULL };
	const struct start start = { .argv = protection == PROTECTED ? guarded : plain };

	trusting_launch(t, &start);
	trusting_go(t);
	trusting_ready(t);
}

uint64_t poke(pid_t pid, uint64_t address, const void *bytes, uint64_t size)
{
	struct attack a = { .op = ATTACK_POKE, .in = { (uint64_t)pid, address },
			    .buffer = (uintptr_t)bytes, .size = size };

	module_do(&a);
	return a.out[0];
}

void finish(struct trusting *t)
{
	time_t deadline;

	let_go(t);
	t->done = trusting_read_until(t, "done ", DONE_SECONDS) &&
		sscanf(line_of(t, "done "), "%" SCNx64, &t->c) == 1;
	deadline = seconds() + 10;
	while (waitpid(t->pid, &t->status, WNOHANG) == 0) {
		if (seconds() >= deadline)
			kill(t->pid, SIGKILL);
		usleep(1000);
	}
	close(t->to);
	close(t->from);
	t->log = carrel_new_log();
	t->logged = strstr(t->log, IMPOSSIBLE) != NULL;
}

bool killed(const struct trusting *t)
{
	return !t->done && WIFSIGNALED(t->status) && WTERMSIG(t->status) == SIGKILL;
}

bool ended(const struct trusting *t)
{
	return t->done && WIFEXITED(t->status) && WEXITSTATUS(t->status) == 0;
}

const char *fate(const struct trusting *t)
{
	static char text[80];

	if (t->done)
		snprintf(text, sizeof(text), "it has %" PRIx64 "h, status %x%s", t->c, t->status,
			 t->woken ? ", after a wake of all" : "");
	else
		snprintf(text, sizeof(text), "status %x%s", t->status,
			 t->logged ? ", the lie is in the log" : "");
	return text;
}
