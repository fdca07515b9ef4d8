/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads: how they begin and end, and what is their own. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include "threads.h"

#define MANY	100

static __thread int own = 5;
static __thread struct { long a[16]; } zeros;

static void *body(void *argument)
{
	intptr_t good = own == 5 && zeros.a[7] == 0 && gettid() != getpid();

	own = (intptr_t)argument;
	zeros.a[7] = 1;
	sched_yield();
	return (void *)(good && own == (intptr_t)argument ? (intptr_t)argument : -1);
}

static void create_and_join(void)
{
	pthread_t threads[MANY];
	int good = 1;

	own = 77;
	report("a thread", end(start(body, (void *)4711)) == 4711 && own == 77);
	for (intptr_t i = 0; i < MANY; i++)
		threads[i] = start(body, (void *)i);
	for (intptr_t i = 0; i < MANY; i++)
		good &= end(threads[i]) == i;
	report("a hundred at once", good);
	for (intptr_t i = 0; i < 3000; i++)
		good &= end(start(body, (void *)i)) == i;
	report("three thousand in turn", good);
}

static void *sleeper(void *word)
{
	while (*(atomic_int *)word == 0)
		futex(word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void too_many(void)
{
	pthread_t threads[1000];
	atomic_int word = 0;
	int n = 0, error = 0;

	while (n < 1000 && !(error = pthread_create(&threads[n], NULL, sleeper, &word)))
		n++;
	word = 1;
	futex(&word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
	for (int i = 0; i < n; i++)
		end(threads[i]);
	report("too many are refused, the others live", n == 1000 || (n >= 120 && error == EAGAIN));
}

static atomic_int detached_done;

static void *detached(void *argument)
{
	(void)argument;
	detached_done++;
	return NULL;
}

static void detach(void)
{
	for (int i = 0; i < 300; i++)
		pthread_detach(start(detached, NULL));
	for (int i = 0; i < 10000 && detached_done < 300; i++)
		usleep(100);
	report("detached threads", detached_done == 300);
}

static void *vectors(void *argument)
{
	double x = 1.0 + (intptr_t)argument, y = x;
	uint64_t in = (uint64_t)argument * 0x0101010101010101, out = 0, wrong = 0;

	for (int i = 0; i < 2000; i++) {
		asm volatile("movq %2, %%xmm9\n\tmovl $24, %%eax\n\tsyscall\n\tmovq %%xmm9, %0"
			     : "=&r"(out), "+m"(y) : "r"(in) : "rax", "rcx", "r11", "xmm9");
		wrong |= out ^ in;
		y = y * 3.0 / 3.0;
	}
	return (void *)(intptr_t)(wrong == 0 && y > x - 0.001 && y < x + 0.001);
}

/* The new thread has the caller's vector state, rounding included. */
static void *rounding(void *argument)
{
	uint32_t mxcsr;

	asm volatile("stmxcsr %0" : "=m"(mxcsr));
	*(uint32_t *)argument = mxcsr;
	return NULL;
}

static void vector_state(void)
{
	pthread_t threads[8];
	uint32_t up = 0x5f80, usual = 0x1f80, seen = 0;
	int good = 1;

	for (intptr_t i = 0; i < 8; i++)
		threads[i] = start(vectors, (void *)(i + 1));
	for (int i = 0; i < 8; i++)
		good &= end(threads[i]);
	report("each has its own vector registers", good);
	asm volatile("ldmxcsr %0" : : "m"(up));
	end(start(rounding, &seen));
	asm volatile("ldmxcsr %0" : : "m"(usual));
	report("and begins with its maker's", (seen & 0x6000) == 0x4000);
}

static atomic_int tid_seen;

static void *raw_exit(void *argument)
{
	(void)argument;
	tid_seen = gettid();
	syscall(SYS_exit, 3);
	return NULL;
}

static void exits(void)
{
	pthread_t thread = start(raw_exit, NULL);
	long n;

	end(thread);
	report("a thread that leaves by exit", tid_seen > 0 && tid_seen != getpid());
	for (n = 0; n == 0; usleep(100))
		n = syscall(SYS_tgkill, getpid(), tid_seen, 0);
	report("tgkill of a thread that is gone", n == -1 && errno == ESRCH);
}

int main(void)
{
	create_and_join();
	too_many();
	detach();
	vector_state();
	exits();
	return failures;
}
