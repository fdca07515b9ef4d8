/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads, and what they wait on. Prints one line a test; all must say ok.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MANY	100

static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	fflush(stdout);
	failures += !good;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static long futex(void *word, int op, uint32_t value, const struct timespec *time, void *word2,
		  uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, time, word2, value3);
}

/* Where there may be only so many, one that is about to end makes room. */
static pthread_t start(void *(*function)(void *), void *argument)
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

static intptr_t end(pthread_t thread)
{
	void *result;

	if (pthread_join(thread, &result))
		abort();
	return (intptr_t)result;
}

/* --- Beginnings and ends -------------------------------------------------------------------- */

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

/* --- Locks ---------------------------------------------------------------------------------- */

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

/* --- The futex call itself ------------------------------------------------------------------- */

static atomic_int word, other, woken, at_it;

static void *waiting(void *argument)
{
	at_it++;
	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uintptr_t)argument);
	woken++;
	return NULL;
}

static void settle(int want)
{
	for (int i = 0; i < 1000 && woken < want; i++)
		usleep(1000);
	usleep(20000);
}

static void futexes(void)
{
	struct timespec short_time = { 0, 30000000 }, bad = { 0, 2000000000 }, at;
	pthread_t threads[4];
	int64_t before = now();
	long n;

	word = 7;
	report("wait: another value", futex(&word, FUTEX_WAIT, 8, NULL, NULL, 0) == -1 && errno == EAGAIN);
	report("wait: a time that is none",
	       futex(&word, FUTEX_WAIT, 7, &bad, NULL, 0) == -1 && errno == EINVAL);
	report("wait: no memory", futex((void *)64, FUTEX_WAIT, 7, NULL, NULL, 0) == -1 && errno == EFAULT);
	report("wait: not aligned",
	       futex((char *)&word + 1, FUTEX_WAIT, 7, NULL, NULL, 0) == -1 && errno == EINVAL);
	n = futex(&word, FUTEX_WAIT, 7, &short_time, NULL, 0);
	report("wait: some time", n == -1 && errno == ETIMEDOUT && now() - before >= 30000000);
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec++;
	before = now();
	n = futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 7, &at, NULL, 1);
	report("wait: until then", n == -1 && errno == ETIMEDOUT && now() - before > 900000000);
	report("wait: no bits", futex(&word, FUTEX_WAIT_BITSET, 7, NULL, NULL, 0) == -1 && errno == EINVAL);
	report("no such command", futex(&word, 77, 7, NULL, NULL, 0) == -1 && errno == ENOSYS);
	word = 0;
	for (int i = 0; i < 4; i++)
		threads[i] = start(waiting, (void *)(1UL << i));
	while (at_it < 4)
		usleep(1000);
	usleep(200000);			/* and asleep, if the machine is not very busy */
	report("wake: by bits", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4) == 1);
	settle(1);
	report("wake: that one alone", woken == 1);
	n = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 5);
	report("requeue: another value", n == -1 && errno == EAGAIN);
	n = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 0);
	report("requeue: one woken, one moved", n == 2);
	settle(2);
	report("wake: the one that stayed", woken == 2 &&
	       futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 1);
	other = 40;
	/* other += 2; it was 40, so its waiters are woken */
	n = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)5, &other,
		  FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_EQ, 40));
	report("wake_op", n == 1 && other == 42);
	settle(4);
	for (int i = 0; i < 4; i++)
		end(threads[i]);
	report("all are back", woken == 4);
}

/* --- Signals -------------------------------------------------------------------------------- */

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

/* A page comes and goes under calls that use it. */
static char *volatile page;

static void *mapping(void *argument)
{
	(void)argument;
	while (!finish) {
		mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		munmap(page, 4096);
	}
	return NULL;
}

static void vanishing(void)
{
	char *area = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2], good = 1;
	pthread_t thread;

	if (pipe2(fds, O_NONBLOCK))
		abort();
	finish = 0;
	page = area + 4096;
	thread = start(mapping, NULL);
	for (int i = 0; i < 3000; i++) {
		long n = write(fds[1], page, 64);

		good &= n == 64 || (n == -1 && errno == EFAULT);
		n = read(fds[0], page, 64);
		good &= n == 64 || (n == -1 && (errno == EFAULT || errno == EAGAIN));
		while (read(fds[0], (char[64]){ 0 }, 64) > 0)
			;
		n = futex(page, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
		good &= n == -1 && (errno == EAGAIN || errno == EFAULT);
	}
	finish = 1;
	end(thread);
	report("memory that goes away under a call", good);
}

int main(void)
{
	create_and_join();
	too_many();
	detach();
	vector_state();
	exits();
	mutexes();
	conditions();
	others();
	robust(PTHREAD_PRIO_NONE, "a robust mutex");
	robust(PTHREAD_PRIO_INHERIT, "a robust mutex that inherits");
	futexes();
	directed();
	storm();
	queues();
	cancel();
	vanishing();
	return failures;
}
