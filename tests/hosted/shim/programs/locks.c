/* SPDX-License-Identifier: BSD-2-Clause */
/* What threads wait on by way of the C library: mutexes, condition variables, and others. */
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "threads.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, order;

static void *adding(void *argument)
{
	pthread_mutex_t *m = argument;

	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(m);
		counter++;
		if (i % 1000 == 0)
			sched_yield();		/* so that others come to wait */
		pthread_mutex_unlock(m);
	}
	return NULL;
}

static void contended(const char *what, pthread_mutex_t *m)
{
	pthread_t threads[8];

	counter = 0;
	for (int i = 0; i < 8; i++)
		threads[i] = start(adding, m);
	for (int i = 0; i < 8; i++)
		end(threads[i]);
	report(what, counter == 160000);
}

static void mutexes(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;

	contended("a mutex", &mutex);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &attr);
	contended("a mutex that inherits priorities", &m);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &attr);
	contended("and is robust", &m);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&m, &attr);
	contended("one for several processes", &m);
}

static int queue[16], queued, produced, consumed;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;

static void *producer(void *argument)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 16)
			pthread_cond_wait(&room, &mutex);
		queue[queued++] = 1 + (intptr_t)argument;
		produced++;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consumer(void *argument)
{
	intptr_t sum = 0;

	(void)argument;
	for (;;) {
		pthread_mutex_lock(&mutex);
		while (queued == 0)
			pthread_cond_wait(&cond, &mutex);
		int item = queue[--queued];

		consumed++;
		pthread_cond_signal(&room);
		pthread_mutex_unlock(&mutex);
		if (item < 0)
			return (void *)sum;
		sum += item;
	}
}

static void conditions(void)
{
	pthread_t makers[4], takers[4];
	intptr_t sum = 0;

	for (intptr_t i = 0; i < 4; i++) {
		makers[i] = start(producer, (void *)i);
		takers[i] = start(consumer, NULL);
	}
	for (int i = 0; i < 4; i++)
		end(makers[i]);
	for (int i = 0; i < 4; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 16)
			pthread_cond_wait(&room, &mutex);
		queue[queued++] = -1;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	for (int i = 0; i < 4; i++)
		sum += end(takers[i]);
	/* LIFO: the ends may overtake, but then the items are left in the queue */
	for (int i = 0; i < queued; i++)
		sum += queue[i];
	report("condition variables", sum == 5000 * (1 + 2 + 3 + 4));
}

static void *at_barrier(void *argument)
{
	(void)argument;
	for (int i = 0; i < 300; i++) {
		pthread_barrier_wait(&barrier);
		if (__atomic_fetch_add(&order, 1, __ATOMIC_SEQ_CST) / 6 != i * 2)
			return (void *)1;
		pthread_barrier_wait(&barrier);
		__atomic_fetch_add(&order, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void *reading(void *argument)
{
	intptr_t wrong = 0;

	(void)argument;
	for (int i = 0; i < 3000; i++) {
		if (i % 10) {
			pthread_rwlock_rdlock(&rwlock);
			wrong |= counter & 1;
		} else {
			pthread_rwlock_wrlock(&rwlock);
			counter++;
			sched_yield();
			counter++;
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return (void *)wrong;
}

static sem_t ping, pong;

static void *ponging(void *argument)
{
	(void)argument;
	for (int i = 0; i < 5000; i++) {
		sem_wait(&ping);
		counter++;
		sem_post(&pong);
	}
	return NULL;
}

static void others(void)
{
	pthread_t threads[6];
	int good = 1;

	pthread_barrier_init(&barrier, NULL, 6);
	for (int i = 0; i < 6; i++)
		threads[i] = start(at_barrier, NULL);
	for (int i = 0; i < 6; i++)
		good &= end(threads[i]) == 0;
	report("a barrier", good);
	counter = 0;
	for (int i = 0; i < 6; i++)
		threads[i] = start(reading, NULL);
	for (int i = 0; i < 6; i++)
		good &= end(threads[i]) == 0;
	report("readers and writers", good && counter == 6 * 600);
	counter = 0;
	sem_init(&ping, 0, 0);
	sem_init(&pong, 0, 0);
	threads[0] = start(ponging, NULL);
	for (int i = 0; i < 5000; i++) {
		sem_post(&ping);
		sem_wait(&pong);
		good &= counter == i + 1;
	}
	end(threads[0]);
	report("semaphores", good);
}

static void *dying(void *argument)
{
	pthread_mutex_lock(argument);
	return NULL;
}

static atomic_int owned, wanted;

static void *waiting_for_dead(void *argument)
{
	int result;

	wanted = 1;
	result = pthread_mutex_lock(argument);
	pthread_mutex_consistent(argument);
	pthread_mutex_unlock(argument);
	return (void *)(intptr_t)result;
}

/* It ends with the lock held, when another has come for it and most likely sleeps. */
static void *dying_later(void *argument)
{
	pthread_mutex_lock(argument);
	owned = 1;
	while (!wanted)
		usleep(100);
	usleep(30000);
	return NULL;
}

static void robust(int protocol, const char *what)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t m;
	pthread_t owner, waiter;
	int result;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutex_init(&m, &attr);
	end(start(dying, &m));
	result = pthread_mutex_lock(&m);
	pthread_mutex_consistent(&m);
	pthread_mutex_unlock(&m);
	owned = wanted = 0;
	owner = start(dying_later, &m);
	while (!owned)
		usleep(100);
	waiter = start(waiting_for_dead, &m);
	end(owner);
	report(what, result == EOWNERDEAD && end(waiter) == EOWNERDEAD &&
	       pthread_mutex_lock(&m) == 0);
}

int main(void)
{
	mutexes();
	conditions();
	others();
	robust(PTHREAD_PRIO_NONE, "a robust mutex");
	robust(PTHREAD_PRIO_INHERIT, "a robust mutex that inherits");
	return failures;
}
