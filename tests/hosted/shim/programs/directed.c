/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals to threads: directed, in a storm, queued; and cancellation. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include "threads.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static atomic_int word;
static atomic_int handled, handler_tid;

static void handler(int signal)
{
	(void)signal;
	handler_tid = gettid();
	handled++;
}

static atomic_int blocked_tid, finish;

static void *blocking(void *argument)
{
	char c;
	long n;

	blocked_tid = gettid();
	n = read(*(int *)argument, &c, 1);
	return (void *)(intptr_t)(n == -1 && errno == EINTR && handler_tid == gettid());
}

static void *spinning(void *argument)
{
	(void)argument;
	blocked_tid = gettid();
	while (!handled)
		;
	return (void *)(intptr_t)(handler_tid == gettid());
}

static void *in_futex(void *argument)
{
	long n;

	(void)argument;
	blocked_tid = gettid();
	n = futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return (void *)(intptr_t)(n == -1 ? errno : 0);
}

static pthread_t begin(void *(*function)(void *), void *argument)
{
	pthread_t thread;

	blocked_tid = handled = handler_tid = 0;
	thread = start(function, argument);
	while (!blocked_tid)
		usleep(1000);
	usleep(20000);
	return thread;
}

static void *masked(void *argument)
{
	sigset_t set;

	(void)argument;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	blocked_tid = gettid();
	while (!finish)
		usleep(1000);
	return NULL;
}

static void directed(void)
{
	struct sigaction action = { .sa_handler = handler };
	pthread_t thread;
	sigset_t set;
	int fds[2];

	if (pipe(fds))
		abort();
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	thread = begin(blocking, &fds[0]);
	pthread_kill(thread, SIGUSR1);
	report("a signal to a thread that reads", end(thread) == 1 && handled == 1);
	thread = begin(spinning, NULL);
	pthread_kill(thread, SIGUSR1);
	report("to one that computes", end(thread) == 1);
	word = 0;
	thread = begin(in_futex, NULL);
	pthread_kill(thread, SIGUSR1);
	report("to one that waits", end(thread) == EINTR && handled == 1);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	thread = begin(in_futex, NULL);
	pthread_kill(thread, SIGUSR1);
	usleep(20000);
	word = 1;
	futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	report("which goes on waiting with SA_RESTART", end(thread) == 0 && handled == 1);
	/* The process's signal goes to whoever has it unblocked: here that is the other thread. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	thread = begin(masked, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	for (int i = 0; i < 100 && !handled; i++)
		usleep(1000);
	finish = 1;
	end(thread);
	report("to the process, where it is not blocked", handled == 1 && handler_tid == getpid());
}

static pthread_t targets[4];
static atomic_long sent, got[4];
static __thread int number;

static void counting(int signal)
{
	(void)signal;
	got[number]++;
}

struct rained {
	int fd, number;
};

/* Locks, reads and allocations under a rain of signals. Returns how many calls failed. */
static void *rained_on(void *argument)
{
	struct rained *r = argument;
	intptr_t wrong = 0;

	number = r->number;
	while (!finish) {
		char c;
		void *p = malloc(100 + wrong);

		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		if (read(r->fd, &c, 1) != 1)
			wrong++;
		free(p);
	}
	return (void *)wrong;
}

static void *feeding(void *argument)
{
	while (!finish)
		if (write(*(int *)argument, "xxxxxxxx", 8) != 8)
			usleep(100);
	return NULL;
}

/* Nothing hangs, no call fails: a thread's signals coalesce, so what is counted is that some came. */
static void storm(void)
{
	struct sigaction action = { .sa_handler = counting, .sa_flags = SA_RESTART };
	struct rained r[4];
	pthread_t feeder;
	intptr_t wrong = 0;
	int fds[2];

	if (pipe(fds) || fcntl(fds[1], F_SETFL, O_NONBLOCK))
		abort();
	sigaction(SIGUSR1, &action, NULL);
	finish = 0;
	for (int i = 0; i < 4; i++) {
		r[i] = (struct rained){ fds[0], i };
		targets[i] = start(rained_on, &r[i]);
	}
	feeder = start(feeding, &fds[1]);
	for (int i = 0; i < 20000; i++) {
		pthread_kill(targets[i % 4], SIGUSR1);
		sent++;
	}
	finish = 1;
	end(feeder);
	close(fds[1]);
	for (int i = 0; i < 4; i++)
		wrong += end(targets[i]) > 1;	/* the end of the pipe */
	report("a storm of signals on four threads", !wrong && got[0] > 10 && got[1] > 10 &&
	       got[2] > 10 && got[3] > 10);
}

/* Real-time signals queue: each must be handled, by its thread, exactly once. */
static atomic_long queued_sum, queued_count;

static void summing(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code != SI_QUEUE)		/* the one that ends it */
		return;
	queued_sum += info->si_value.sival_int;
	queued_count++;
}

static void *pausing(void *argument)
{
	sigset_t none;

	(void)argument;
	sigemptyset(&none);
	blocked_tid = gettid();
	while (!finish)
		sigsuspend(&none);
	return NULL;
}

static void queues(void)
{
	struct sigaction action = { .sa_sigaction = summing, .sa_flags = SA_SIGINFO };
	pthread_t thread;
	sigset_t set;
	long expected = 0;

	sigaction(SIGRTMIN, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	finish = 0;
	thread = begin(pausing, NULL);
	for (int i = 1; i <= 20000; i++) {
		union sigval value = { .sival_int = i };

		while (pthread_sigqueue(thread, SIGRTMIN, value) == EAGAIN)
			usleep(100);
		expected += i;
	}
	for (int i = 0; i < 20000 && queued_count < 20000; i++)
		usleep(1000);
	finish = 1;
	pthread_kill(thread, SIGRTMIN);
	end(thread);
	report("queued signals: each once", queued_count == 20000 && queued_sum == expected);
}

static void *cancelled(void *argument)
{
	char c;

	blocked_tid = gettid();
	while (read(*(int *)argument, &c, 1) >= 0)
		;
	return NULL;
}

static void cancel(void)
{
	pthread_t thread;
	int fds[2];

	if (pipe(fds))
		abort();
	thread = begin(cancelled, &fds[0]);
	pthread_cancel(thread);
	report("a thread is cancelled", end(thread) == (intptr_t)PTHREAD_CANCELED);
}

int main(void)
{
	directed();
	storm();
	queues();
	cancel();
	return failures;
}
