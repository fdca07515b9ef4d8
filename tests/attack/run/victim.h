/* SPDX-License-Identifier: BSD-2-Clause */
/* The program under attack: started with or without protection, asked whether it is whole. */
#ifndef RUN_VICTIM_H
#define RUN_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum protection { PLAIN, PROTECTED };

struct victim {
	enum protection protection;
	uint64_t key;
	pid_t pid;		/* of the program, or of its carrier */
	int to, from;		/* its standard input and output */
	/* what it said */
	uint64_t secret, size, digest, patch, errors;
	/* how it ended */
	bool done;		/* it said so */
	bool intact;		/* ... and that its secret is whole */
	int status;		/* as of wait */
	char text[512];		/* all that it wrote */
};

/* Start one on the last CPU, and wait until its registers hold the secret. */
void victim_start(struct victim *victim, enum protection protection);
/* Start, but do not wait; victim_ready waits, for at most five minutes. False: it never was. */
void victim_launch(struct victim *victim, enum protection protection);
bool victim_ready(struct victim *victim);

/* Let it end, without waiting. */
void victim_release(struct victim *victim);
/* Let it end and say how it is. A victim that was killed, or does not end, is not done. */
void victim_finish(struct victim *victim);
/* Done, whole, status 0. */
bool victim_right(struct victim *victim);
/* Not right, but it also says nothing wrong: a signal ended it. */
bool victim_killed(const struct victim *victim);
/* In words, for a report: valid until the next call. */
const char *victim_fate(const struct victim *victim);

void victim_kill(struct victim *victim);

/* CPU that victims run on, and the runner's own. */
int victim_cpu(void);
void run_on(int cpu);
int cpu_count(void);

#endif
