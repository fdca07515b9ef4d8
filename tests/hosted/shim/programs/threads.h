/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs of threads share: each prints one line a test, and all must say ok. */
#ifndef PROGRAMS_THREADS_H
#define PROGRAMS_THREADS_H

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int failures;

static inline void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	fflush(stdout);
	failures += !good;
}

static inline int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static inline long futex(void *word, int op, uint32_t value, const struct timespec *time, void *word2,
		  uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, time, word2, value3);
}

/* Where there may be only so many, one that is about to end makes room. */
static inline pthread_t start(void *(*function)(void *), void *argument)
{
	pthread_t thread;
	int error = EAGAIN;

	for (int i = 0; i < 10000 && error == EAGAIN; i++) {
		error = pthread_create(&thread, NULL, function, argument);
		if (error)
			usleep(1000);
	}
	if (error)
		abort();
	return thread;
}

static inline intptr_t end(pthread_t thread)
{
	void *result;

	if (pthread_join(thread, &result))
		abort();
	return (intptr_t)result;
}

#endif
