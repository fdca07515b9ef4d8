/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress [ROUNDS [SEED]]: eight threads that do everything at once, each in a random order of its
 * own: locks, condition variables, atomic operations, signals, memory that comes, goes and changes
 * its rights, pipes, threads and children. All of it is counted, and must add up. Prints one line a
 * sum; what it prints is the same on every machine.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS		8
#define PAGE		4096
#define TOKENS		3
#define LOCKS		4
#define GUARDED		16	/* pages whose writers find them read-only at times */

struct pair {
	pthread_mutex_t lock;
	long a, b;
};

/* What the children see, too. */
struct shared {
	atomic_long children, sum;
};

static struct pair pairs[LOCKS];
static pthread_mutex_t token_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t token_free = PTHREAD_COND_INITIALIZER, never = PTHREAD_COND_INITIALIZER;
static int tokens = TOKENS;
static atomic_int holders;
static struct shared *shared;
static long *guarded;			/* one word of each page is a thread's */
static pthread_t threads[THREADS];
static atomic_int ready, running;
static int rounds = 1500, seed = 1, cpus;

/* What has been done and what has come of it, of each thread. */
static struct count {
	atomic_long locked, sent[THREADS], received, forked, written, barriers, wrong;
} counts[THREADS];
static atomic_long added, queued_sum;

static __thread int number = -1;
static __thread uint64_t state;
static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t expecting;

static uint32_t any(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 20) % below;
}

/* Each kind of mistake has a bit, so that one run tells which there were. */
static void check(int good, int kind)
{
	if (!good)
		atomic_fetch_or(&counts[number < 0 ? 0 : number].wrong, 1L << kind);
}

/* --- Handlers ------------------------------------------------------------------------------- */

/* A read-only page of `guarded` is made writable, as collectors of garbage do. */
static void fault(int signal, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, from = (uintptr_t)guarded;

	(void)signal;
	(void)context;
	if (at - from < GUARDED * PAGE) {
		mprotect((void *)(at & -PAGE), PAGE, PROT_READ | PROT_WRITE);
		counts[number].barriers++;
		return;
	}
	if (!expecting)
		abort();
	expecting = 0;
	siglongjmp(back, 1);
}

static void tick(int signal)
{
	(void)signal;
	check(number >= 0, 0);
}

/* Real-time signals queue: all of them come, each once. */
static void letter(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	counts[number].received++;
	queued_sum += info->si_value.sival_int;
}

/* --- What a thread does --------------------------------------------------------------------- */

static void lock_both(void)
{
	struct pair *p = &pairs[any(LOCKS)];

	for (int i = 0; i < 20; i++) {
		pthread_mutex_lock(&p->lock);
		check(p->a == p->b, 1);
		p->a++;
		if (!any(8))
			sched_yield();
		p->b++;
		pthread_mutex_unlock(&p->lock);
		counts[number].locked++;
	}
}

static void take_a_token(void)
{
	pthread_mutex_lock(&token_lock);
	while (!tokens)
		pthread_cond_wait(&token_free, &token_lock);
	tokens--;
	pthread_mutex_unlock(&token_lock);
	check(atomic_fetch_add(&holders, 1) < TOKENS, 2);
	sched_yield();
	atomic_fetch_sub(&holders, 1);
	pthread_mutex_lock(&token_lock);
	tokens++;
	if (any(2))
		pthread_cond_signal(&token_free);
	else
		pthread_cond_broadcast(&token_free);
	pthread_mutex_unlock(&token_lock);
}

static void count_atomically(void)
{
	long n = 1 + any(1000);

	for (long i = 0; i < n; i++)
		atomic_fetch_add(&shared->sum, 1);
	added += n;
}

static void signal_another(void)
{
	int to = any(THREADS);
	union sigval value = { .sival_int = 1 + any(9) };

	pthread_kill(threads[to], SIGUSR1);
	while (pthread_sigqueue(threads[to], SIGRTMIN, value) == EAGAIN)
		sched_yield();
	counts[number].sent[to]++;
	queued_sum -= value.sival_int;
}

static int write_faults(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return 1;
	expecting = 1;
	*p = *p + 1;
	expecting = 0;
	return 0;
}

static void map_and_protect(void)
{
	size_t pages = 2 + any(40), half = pages / 2 * PAGE, size = pages * PAGE;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	char mark = 'a' + number;

	if (p == MAP_FAILED) {
		check(0, 3);
		return;
	}
	for (size_t at = 0; at < size; at += PAGE) {
		check(!p[at] && !p[at + PAGE - 1], 4);
		p[at] = p[at + PAGE - 1] = mark;
	}
	mprotect(p, half, any(2) ? PROT_READ : PROT_NONE);
	check(write_faults(p + half - PAGE) && !write_faults(p + half), 5);
	mprotect(p, half, PROT_READ | PROT_WRITE);
	check(!write_faults(p + half - 1) && p[0] == mark && p[half - 1] == mark + 1, 6);
	mmap(p, half, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(write_faults(p), 7);
	munmap(p, half);
	q = mremap(p + half, size - half, 2 * size, MREMAP_MAYMOVE);
	check(q != MAP_FAILED && q[0] == mark + 1 && q[PAGE - 1] == mark && !q[2 * size - 1], 8);
	madvise(q, PAGE, MADV_DONTNEED);
	check(!q[0], 9);
	munmap(q, 2 * size);
}

/* Makes a page read-only under its writers; all writes must be there in the end. */
static void write_through_barriers(void)
{
	long *page = guarded + any(GUARDED) * (PAGE / sizeof(long));

	for (int i = 0; i < 30; i++) {
		page[number]++;
		counts[number].written++;
		if (!any(10))
			mprotect(page, PAGE, PROT_READ);
	}
}

static void child(const char *memory, long expected)
{
	int good = memory[0] == 'm' && memory[5 * PAGE] == 'm';

	memset((char *)memory, 'c', 6 * PAGE);
	good &= memory[0] == 'c' && guarded[number] == expected;
	atomic_fetch_add(&shared->children, 1);
	_exit(good ? 40 + number : 1);
}

static void make_a_child(void)
{
	char *memory = malloc(6 * PAGE);
	int status = 0;
	pid_t pid;

	memset(memory, 'm', 6 * PAGE);
	pid = fork();
	if (!pid)
		child(memory, guarded[number]);
	for (int i = 0; i < 6; i++)
		check(memory[i * PAGE] == 'm', 10);
	if (any(2))
		memset(memory, 'p', 6 * PAGE);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	check(pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 40 + number, 11);
	counts[number].forked++;
	free(memory);
}

static void spawn_itself(void)
{
	char *argv[] = { "stress", "spawned", NULL };
	int status = 0;
	pid_t pid = 0;

	check(!posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 19);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	check(WIFEXITED(status) && WEXITSTATUS(status) == 77, 20);
}

static void talk_to_itself(void)
{
	char out[3000], in[3000];
	size_t size = 1 + any(sizeof(out)), got = 0;
	int fds[2];

	if (pipe(fds)) {
		check(0, 12);
		return;
	}
	memset(out, 'a' + any(26), size);
	check(write(fds[1], out, size) == (ssize_t)size, 13);
	while (got < size) {
		ssize_t n = read(fds[0], in + got, size - got);

		if (n <= 0)
			break;
		got += n;
	}
	check(got == size && !memcmp(in, out, size), 14);
	close(fds[0]);
	close(fds[1]);
}

static void *brief(void *argument)
{
	sched_yield();
	return argument;
}

/* It has no number, so no signal of ours may reach it: it is not in `threads`. */
static void make_a_thread(void)
{
	pthread_t thread;
	void *result = NULL;

	if (pthread_create(&thread, NULL, brief, &state)) {
		check(0, 15);
		return;
	}
	pthread_join(thread, &result);
	check(result == &state, 16);
}

/* Registers of each kind hold their values while signals come and CPUs change. */
static void compute(void)
{
	uint64_t in = state | 1, out;
	double x = 1.0 + number, y = x;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(any(cpus), &set);
	sched_setaffinity(0, sizeof(set), &set);
	asm volatile("movq %1, %%xmm11\n\tmovl $20000, %%ecx\n1:\tdecl %%ecx\n\tjnz 1b\n\t"
		     "movq %%xmm11, %0" : "=&r"(out) : "r"(in) : "ecx", "cc", "xmm11");
	for (int i = 0; i < 2000; i++)
		y = y * 3.0 / 3.0;
	check(out == in && y > x - 0.001 && y < x + 0.001, 17);
	CPU_ZERO(&set);
	for (int i = 0; i < cpus; i++)
		CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void sleep_a_little(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&token_lock);
	check(pthread_cond_timedwait(&never, &token_lock, &until) == ETIMEDOUT, 18);
	pthread_mutex_unlock(&token_lock);
}

static void (*const deeds[])(void) = {
	lock_both, lock_both, take_a_token, take_a_token, count_atomically, signal_another,
	signal_another, map_and_protect, write_through_barriers, write_through_barriers,
	talk_to_itself, make_a_thread, compute, sleep_a_little,
};

static void *work(void *argument)
{
	number = (intptr_t)argument;
	state = (number + 1) * 0x9e3779b97f4a7c15 + seed;
	ready++;
	while (ready <= THREADS)	/* until main has all of `threads` */
		sched_yield();
	for (int i = 0; i < rounds; i++) {
		if (i % 500 == 250)
			spawn_itself();
		else if (i % 50 == 25)
			make_a_child();
		else
			deeds[any(sizeof(deeds) / sizeof(*deeds))]();
	}
	running--;
	while (running)			/* signals may still come */
		usleep(1000);
	usleep(1000);			/* and are here when a call returns */
	return NULL;
}

/* --- The sums ------------------------------------------------------------------------------- */

static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

static void add_up(void)
{
	long a = 0, locked = 0, sent = 0, received = 0, forked = 0, wrong = 0;
	long written = 0, there = 0, barriers = 0;
	int each = 1;

	for (int i = 0; i < LOCKS; i++) {
		each &= pairs[i].a == pairs[i].b;
		a += pairs[i].a;
	}
	for (int i = 0; i < THREADS; i++) {
		long to = 0;

		for (int j = 0; j < THREADS; j++)
			to += counts[j].sent[i];
		each &= counts[i].received == to;
		sent += to;
		received += counts[i].received;
		locked += counts[i].locked;
		forked += counts[i].forked;
		wrong |= counts[i].wrong;
		written += counts[i].written;
		barriers += counts[i].barriers;
		for (int j = 0; j < GUARDED; j++)
			there += guarded[j * (PAGE / sizeof(long)) + i];
	}
	report("locks", a == locked && a > 0);
	report("atomic operations", shared->sum == added && added > 0);
	report("signals, each once, to the right thread", each && sent == received && sent > 0);
	report("their values", queued_sum == 0);
	report("children", shared->children == forked && forked == THREADS * (rounds / 50));
	report("writes to memory that is read-only at times", written == there && barriers > 0);
	report("tokens", tokens == TOKENS && !holders);
	report("all else", !wrong);
	if (wrong)
		printf("kinds %lx\n", wrong);
}

static void set_up(void)
{
	struct sigaction on_fault = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction on_tick = { .sa_handler = tick, .sa_flags = SA_RESTART };
	struct sigaction on_letter = { .sa_sigaction = letter, .sa_flags = SA_SIGINFO | SA_RESTART };

	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	sigaction(SIGSEGV, &on_fault, NULL);
	sigaction(SIGUSR1, &on_tick, NULL);
	sigaction(SIGRTMIN, &on_letter, NULL);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	guarded = mmap(NULL, GUARDED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&pairs[i].lock, NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "spawned"))
		return 77;
	if (argc > 1)
		rounds = atoi(argv[1]);
	if (argc > 2)
		seed = atoi(argv[2]);
	set_up();
	running = THREADS;
	for (intptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i))
			abort();
	ready++;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	add_up();
	return failures > 0;
}
