/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks in memory that processes share. Prints one line a test; all must say ok. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	200

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_barrier_t barrier;
	sem_t ping, pong;
	long counter, turn;
	int word, other;
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

#define FUTEX_WAIT	0
#define FUTEX_WAKE	1
#define FUTEX_REQUEUE	3

/* The word stays as it is; 1 if the call came back in time, woken. */
static int is_woken(void)
{
	const struct timespec long_enough = { 20, 0 };

	return syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, &long_enough, NULL, 0) == 0;
}

/* What only the address tells: a wake, and a requeue of none. */
static int woken(int how)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(!is_woken());
	while (waitpid(child, &status, WNOHANG) == 0) {
		usleep(50000);
		syscall(SYS_futex, &shared->word, how, how == FUTEX_WAKE ? 1 : 0, 1L, &shared->other, 0);
		if (how == FUTEX_REQUEUE)
			syscall(SYS_futex, &shared->other, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	return status == 0;
}

static volatile int waiting, came;

static void *waiter(void *unused)
{
	__atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
	if (is_woken())
		__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST);
	return unused;
}

/* A wake of one of the same process does not wake the other, although there is a family. */
static int one_of_two(void)
{
	pthread_t threads[2];
	int good;

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, waiter, NULL);
	while (waiting < 2)
		usleep(1000);
	usleep(300000);
	good = syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1;
	while (good && !came)
		usleep(1000);
	usleep(100000);		/* the other looks several times */
	good = good && came == 1;
	good = syscall(SYS_futex, &shared->word, FUTEX_WAKE, 5, NULL, NULL, 0) == 1 && good;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return good && came == 2;
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
	report("a wake that changes no word", woken(FUTEX_WAKE));
	report("a requeue that changes no word", woken(FUTEX_REQUEUE));
	report("a wake of one of two", one_of_two());
	return failures;
}
