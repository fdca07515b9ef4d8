/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that is started with two pipes, read from, and waited for. */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* `become` is called in the child, its standard input and output being the pipes; it executes the
 * program. */
pid_t child_start(void (*become)(const void *), const void *argument, int *to, int *from);

/* Read what there is, for at most a second, behind what `text` has. False: it ended, time is up
 * (deadline, of child_clock), or there is no room. */
bool child_read(int from, char *text, size_t size, time_t deadline);

/* Its status when it has ended, by SIGKILL if that takes more than ten seconds. */
int child_reap(pid_t pid);

/* In seconds, by the clock that no attack sets. */
time_t child_clock(void);

#endif
