/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks in memory that processes share. Prints one line a test; all must say ok. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	200

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_barrier_t barrier;
	sem_t ping, pong;
	long counter, turn;
} *shared;

static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	fflush(stdout);
	failures += !good;
}

/* Both processes run it; true if it went well in both. */
static int both(int (*function)(int who))
{
	int status, good;
	pid_t child = fork();

	if (child == 0)
		_exit(!function(1));
	good = function(0);
	return waitpid(child, &status, 0) == child && status == 0 && good;
}

static int adding(int who)
{
	(void)who;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&shared->mutex);
		long was = shared->counter;

		if (i % 20 == 0)
			usleep(500);
		shared->counter = was + 1;
		pthread_mutex_unlock(&shared->mutex);
	}
	return 1;
}

static int in_turn(int who)
{
	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&shared->mutex);
		while (shared->turn % 2 != who)
			pthread_cond_wait(&shared->cond, &shared->mutex);
		shared->turn++;
		pthread_cond_broadcast(&shared->cond);
		pthread_mutex_unlock(&shared->mutex);
	}
	return 1;
}

static int ping_pong(int who)
{
	for (int i = 0; i < 20; i++) {
		sem_post(who ? &shared->ping : &shared->pong);
		sem_wait(who ? &shared->pong : &shared->ping);
	}
	return 1;
}

static int meeting(int who)
{
	(void)who;
	for (int i = 0; i < 10; i++) {
		pthread_barrier_wait(&shared->barrier);
		__atomic_fetch_add(&shared->counter, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&shared->barrier);
		if (shared->counter != 2 * (i + 1))
			return 0;
	}
	return 1;
}

static int dying(int who)
{
	int result;

	if (who) {
		pthread_mutex_lock(&shared->mutex);
		shared->turn = 1;
		usleep(30000);
		return 1;
	}
	while (!*(volatile long *)&shared->turn)
		usleep(1000);
	result = pthread_mutex_lock(&shared->mutex);
	return result == EOWNERDEAD && pthread_mutex_consistent(&shared->mutex) == 0 &&
	       pthread_mutex_unlock(&shared->mutex) == 0;
}

int main(void)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	pthread_barrierattr_t barrier;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->mutex, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&shared->cond, &cond);
	pthread_barrierattr_init(&barrier);
	pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &barrier, 2);
	sem_init(&shared->ping, 1, 0);
	sem_init(&shared->pong, 1, 0);
	report("a mutex of two processes", both(adding) && shared->counter == 2 * ROUNDS);
	report("a condition", both(in_turn) && shared->turn == 40);
	report("semaphores", both(ping_pong));
	shared->counter = 0;
	report("a barrier", both(meeting));
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->mutex, &mutex);
	shared->turn = 0;
	report("a robust mutex whose owner ends", both(dying));
	return failures;
}
