/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
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

static _Noreturn void become(const struct victim *victim, int in, int out)
{
	char key[20];
	char *plain[] = { PROGRAM, key, NULL };
	char *guarded[] = { "hvreg", "run", "--", PROGRAM, key, NULL };
	char **argv = victim->protection == PROTECTED ? guarded : plain;

	snprintf(key, sizeof(key), "%" PRIx64, victim->key);
	dup2(in, 0);
	dup2(out, 1);
	run_on(victim_cpu());
	execvp(argv[0], argv);
	_exit(127);
}

void victim_launch(struct victim *victim, enum protection protection)
{
	int to[2], from[2];

	*victim = (struct victim){ .protection = protection, .key = fresh_key() };
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	fflush(stdout);
	victim->pid = fork();
	if (victim->pid < 0)
		die("fork: %s", strerror(errno));
	if (!victim->pid)
		become(victim, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	victim->to = to[1];
	victim->from = from[0];
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Read until a whole line that begins with `word` is there. False: it ended, or time is up. */
static bool read_until(struct victim *victim, const char *word, int limit)
{
	time_t deadline = seconds() + limit;
	struct pollfd ready = { .fd = victim->from, .events = POLLIN };
	size_t used = strlen(victim->text);

	for (;;) {
		const char *at = word ? strstr(victim->text, word) : NULL;
		ssize_t got;

		if (at && strchr(at, '\n'))
			return true;
		if (seconds() >= deadline || used == sizeof(victim->text) - 1)
			return false;
		if (poll(&ready, 1, 1000) <= 0)
			continue;
		got = read(victim->from, victim->text + used, sizeof(victim->text) - 1 - used);
		if (got <= 0)
			return false;
		used += (size_t)got;
		victim->text[used] = '\0';
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
	time_t deadline = seconds() + 10;

	while (waitpid(victim->pid, &victim->status, WNOHANG) == 0) {
		if (seconds() >= deadline)
			kill(victim->pid, SIGKILL);
		usleep(1000);
	}
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
