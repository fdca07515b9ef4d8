/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"
#include "module.h"
#include "report.h"
#include "trusting.h"

#define READY_SECONDS	120
#define DONE_SECONDS	60

static void become(const void *argument)
{
	const struct start *start = argument;
	char byte;

	if (start->errors)
		dup2(1, 2);
	if (start->variable)
		putenv((char *)start->variable);
	(void)!read(0, &byte, 1);
	if (start->traced)
		ptrace(PTRACE_TRACEME, 0, 0, 0);
	execvp(start->argv[0], start->argv);
}

void trusting_launch(struct trusting *t, const struct start *start)
{
	*t = (struct trusting){ 0 };
	carrel_new_log();
	t->pid = child_start(become, start, &t->to, &t->from);
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

bool trusting_read_until(struct trusting *t, const char *word, int limit)
{
	time_t deadline = child_clock() + limit;

	while (!line_of(t, word))
		if (!child_read(t->from, t->text, sizeof(t->text), deadline))
			return false;
	return true;
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
	let_go(t);
	t->done = trusting_read_until(t, "done ", DONE_SECONDS) &&
		sscanf(line_of(t, "done "), "%" SCNx64, &t->c) == 1;
	t->status = child_reap(t->pid);
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
