/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"
#include "report.h"
#include "victim.h"

#define PROGRAM		"/attack/victim"
#define READY_SECONDS	300
#define DONE_SECONDS	30

int cpu_count(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int victim_cpu(void)
{
	return cpu_count() - 1;
}

void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %d: %s", cpu, strerror(errno));
}

static uint64_t fresh_key(void)
{
	uint64_t key;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		die("getrandom: %s", strerror(errno));
	return key;
}

static void become(const void *argument)
{
	const struct victim *victim = argument;
	char key[20];
	char *plain[] = { PROGRAM, key, NULL };
	char *guarded[] = { "hvreg", "run", "--", PROGRAM, key, NULL };
	char **argv = victim->protection == PROTECTED ? guarded : plain;

	snprintf(key, sizeof(key), "%" PRIx64, victim->key);
	run_on(victim_cpu());
	execvp(argv[0], argv);
}

void victim_launch(struct victim *victim, enum protection protection)
{
	*victim = (struct victim){ .protection = protection, .key = fresh_key() };
	victim->pid = child_start(become, victim, &victim->to, &victim->from);
}

/* Read until a whole line that begins with `word` is there. False: it ended, or time is up. */
static bool read_until(struct victim *victim, const char *word, int limit)
{
	time_t deadline = child_clock() + limit;

	for (;;) {
		const char *at = strstr(victim->text, word);

		if (at && strchr(at, '\n'))
			return true;
		if (!child_read(victim->from, victim->text, sizeof(victim->text), deadline))
			return false;
	}
}

bool victim_ready(struct victim *victim)
{
	int pid;

	return read_until(victim, "ready ", READY_SECONDS) &&
		sscanf(victim->text, "ready %d %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		       " %" SCNx64, &pid, &victim->secret, &victim->size, &victim->digest,
		       &victim->patch, &victim->errors) == 6;
}

void victim_start(struct victim *victim, enum protection protection)
{
	victim_launch(victim, protection);
	if (!victim_ready(victim))
		die("the victim did not start (%s): %s",
		    protection == PROTECTED ? "protected" : "unprotected", victim->text);
	usleep(20000);
}

static void reap(struct victim *victim)
{
	victim->status = child_reap(victim->pid);
	close(victim->from);
}

void victim_release(struct victim *victim)
{
	if (victim->to >= 0)
		close(victim->to);
	victim->to = -1;
}

void victim_finish(struct victim *victim)
{
	uint64_t digest, wrong;
	const char *at;

	victim_release(victim);
	victim->done = read_until(victim, "done ", DONE_SECONDS);
	at = victim->done ? strstr(victim->text, "done ") : NULL;
	if (at && sscanf(at, "done %" SCNx64 " %" SCNu64, &digest, &wrong) == 2)
		victim->intact = digest == victim->digest && wrong == 0;
	reap(victim);
}

bool victim_right(struct victim *victim)
{
	return victim->done && victim->intact && WIFEXITED(victim->status) &&
		WEXITSTATUS(victim->status) == 0;
}

bool victim_killed(const struct victim *victim)
{
	return !victim->done && WIFSIGNALED(victim->status);
}

const char *victim_fate(const struct victim *victim)
{
	static char text[80];

	if (WIFSIGNALED(victim->status))
		snprintf(text, sizeof(text), "ended by signal %d%s", WTERMSIG(victim->status),
			 victim->done ? " after its output" : "");
	else
		snprintf(text, sizeof(text), "%s, status %d",
			 !victim->done ? "no output" : victim->intact ? "its output right" :
			 "its secret changed", WEXITSTATUS(victim->status));
	return text;
}

void victim_kill(struct victim *victim)
{
	kill(victim->pid, SIGKILL);
	victim_release(victim);
	reap(victim);
}
