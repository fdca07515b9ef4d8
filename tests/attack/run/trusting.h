/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that believe their kernel, tests/guest/trusting.c and linked.c: started with or without
 * protection, asked what came of it.
 */
#ifndef RUN_TRUSTING_H
#define RUN_TRUSTING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "victim.h"

#define PROGRAM		"/attack/trusting"
#define IMPOSSIBLE	"killed: by its shim (11, "	/* CARREL_DIE_IAGO */
#define CHANGED		"killed: by its shim (10, "	/* CARREL_DIE_MANIFEST */
#define UNLISTED	": note 3, "			/* CARREL_NOTE_CODE */
#define REFUSED		125				/* hvreg's status when it starts nothing */
#define CHOSEN		0x4141414141414141UL

struct trusting {
	pid_t pid;
	int to, from, status;
	uint64_t a, b, c;	/* what it said */
	bool done, logged;	/* it came to its end; the log says that the kernel lied */
	bool woken;		/* all its waits were ended, because it did not go on */
	const char *log;	/* of the hypervisor meanwhile; valid until the next one ends */
	char text[4096];	/* what it said, in its words */
};

/* How one is started. */
struct start {
	char *const *argv;
	const char *variable;	/* one more for its environment */
	bool errors;		/* its text has standard error too */
	bool traced;		/* it stops when it is executed, for this process, its tracer */
};

/* Begins nothing before trusting_go(), so that lies may be told from the first call on. */
void trusting_launch(struct trusting *t, const struct start *start);
void trusting_go(struct trusting *t);
/* Read until a line that begins with `word` is whole. */
bool trusting_read_until(struct trusting *t, const char *word, int limit);
/* Wait until it is ready, and dies if it never is. */
void trusting_ready(struct trusting *t);

/* `trusting WHAT`, until it is ready. */
void begin(struct trusting *t, const char *what, enum protection protection);
/* What the attacker had to do is done: it goes on. */
void let_go(struct trusting *t);
/* The same, and wait for its end. */
void finish(struct trusting *t);

bool killed(const struct trusting *t);
bool ended(const struct trusting *t);
/* In words, for a report: valid until the next call. */
const char *fate(const struct trusting *t);

/* Write to its memory, or to the channel; returns the eight bytes that were there. */
uint64_t poke(pid_t pid, uint64_t address, const void *bytes, uint64_t size);

#endif
