// SPDX-License-Identifier: BSD-2-Clause
/*
 * trusting WHAT: a program that believes its kernel. Prints
 *	ready A B	(in hex: what the attacker needs to know)
 * waits for a byte of standard input, during which the lies begin, does WHAT and prints
 *	done C		(what came of it, in hex; each case says what)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <secret.h>

#define BYTES	64

static int ends[2];
static char buffer[BYTES];

/* False: standard input ended, so nobody attacks any more. */
static void go(uint64_t a, uint64_t b)
{
	char byte;

	printf("ready %lx %lx\n", a, b);
	fflush(stdout);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
}

static int done(uint64_t c)
{
	printf("done %lx\n", c);
	fflush(stdout);
	return 0;
}

/* --- results: what the call gave ------------------------------------------------------------ */

static int full_pipe(void)
{
	return pipe(ends) || write(ends[1], buffer, BYTES) != BYTES;
}

static int full_socket(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || write(ends[1], buffer, BYTES) != BYTES;
}

static int do_read(void)
{
	if (full_pipe())
		return 2;
	go((uint64_t)ends[0], 0);
	return done((uint64_t)syscall(SYS_read, ends[0], buffer, BYTES));
}

static int do_readv(void)
{
	struct iovec iov[2] = { { buffer, 10 }, { buffer + 10, BYTES - 10 } };

	if (full_pipe())
		return 2;
	go((uint64_t)ends[0], 0);
	return done((uint64_t)readv(ends[0], iov, 2));
}

static int do_recv(void)
{
	if (full_socket())
		return 2;
	go((uint64_t)ends[0], 0);
	return done((uint64_t)recv(ends[0], buffer, BYTES, 0));
}

static int do_recvmsg(void)
{
	struct iovec iov = { buffer, BYTES };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (full_socket())
		return 2;
	go((uint64_t)ends[0], 0);
	return done((uint64_t)recvmsg(ends[0], &message, 0));
}

static int do_dup(void)
{
	if (full_pipe())
		return 2;
	go((uint64_t)ends[0], (uint64_t)ends[1]);
	return done((uint64_t)dup(ends[0]));
}

/* --- addresses: where the memory is --------------------------------------------------------- */

static int do_mmap(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) & -4096UL;

	go(here, 0);
	return done((uint64_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0));
}

static int do_mremap(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) & -4096UL;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	go(here, 0);
	return done((uint64_t)mremap(page, 4096, 1 << 20, MREMAP_MAYMOVE));
}

static int do_brk(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0) & -4096UL;

	go(here, 0);
	return done((uint64_t)syscall(SYS_brk, 0));
}

/* --- random numbers: the first eight -------------------------------------------------------- */

static int do_getrandom(void)
{
	uint64_t value[2] = { 0 };

	go(0, 0);
	if (getrandom(value, sizeof(value), 0) != sizeof(value))
		return 3;
	return done(value[0]);
}

static int do_urandom(void)
{
	int file = open("/dev/urandom", O_RDONLY);
	uint64_t value[2] = { 0 };

	go((uint64_t)file, 0);
	if (read(file, value, sizeof(value)) != sizeof(value))
		return 3;
	return done(value[0]);
}

/* --- time: how often it went back ----------------------------------------------------------- */

#define CLOCK_ROUNDS	20
#define CLOCK_CALLS	200

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static uint64_t now(void)
{
	struct timespec time;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
	return nanoseconds(&time);
}

/* By the vDSO, from its data alone: whichever clock the kernel has, it knows this one. */
static uint64_t coarse(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return nanoseconds(&time);
}

static int watch_clock(uint64_t (*now)(void))
{
	uint64_t last = now(), back = 0;

	go(0, 0);
	for (int round = 0; round < CLOCK_ROUNDS; round++) {
		for (int i = 0; i < CLOCK_CALLS; i++) {
			uint64_t time = now();

			back += time < last;
			last = time;
		}
		usleep(15000);
	}
	return done(back);
}

static int do_clock(void)
{
	return watch_clock(now);
}

static uint64_t real(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return nanoseconds(&time);
}

static int do_real(void)
{
	return watch_clock(real);
}

static int do_coarse(void)
{
	return watch_clock(coarse);
}

/* --- locks: increments that were lost ------------------------------------------------------- */

#define THREADS		4
#define INCREMENTS	100

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t counter;
static pthread_barrier_t barrier;

static void *count(void *unused)
{
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < INCREMENTS; i++) {
		uint64_t value;

		pthread_mutex_lock(&mutex);
		value = counter;
		sched_yield();
		counter = value + 1;
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static int count_all(void)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, count, NULL))
			return 2;
	go((uint64_t)&mutex, 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return done(THREADS * INCREMENTS - counter);
}

static int do_futex(void)
{
	return count_all();
}

/* By a word that names its owner: whom the kernel lets go on owns it. */
static int do_futex_owner(void)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&mutex, &attributes);
	return count_all();
}

/* --- a wait that nobody ends for a while: how often it ended --------------------------------- */

static volatile uint32_t word;
static volatile uint64_t woken;
static volatile int awake;

static void *waits(void *unused)
{
	pthread_barrier_wait(&barrier);
	while (!awake)
		if (!syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL) && !awake)
			woken++;
	return unused;
}

static int do_woken(void)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, waits, NULL))
		return 2;
	go((uint64_t)&word, 0);
	pthread_barrier_wait(&barrier);
	usleep(200000);
	awake = 1;
	word = 1;
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
	pthread_join(thread, NULL);
	return done(woken);
}

/* --- what the kernel clears when a thread ends: the canary ---------------------------------- */

static volatile uint32_t canary = 0x11223344;
static void *robust;

static void *ends_soon(void *unused)
{
	size_t size;

	syscall(SYS_get_robust_list, 0, &robust, &size);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return unused;
}

static int do_clear(void)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, ends_soon, NULL))
		return 2;
	pthread_barrier_wait(&barrier);
	go((uint64_t)&canary, (uint64_t)robust);
	pthread_barrier_wait(&barrier);
	/* not joined: whether that word is cleared is the matter */
	usleep(200000);
	return done(canary);
}

/* --- restartable sequences: words that a kernel wrote into what is none of its areas ----------- */

/* A read of standard input that a kernel takes for a sequence to be restarted at hijacked_restart. */
extern char sequence[], sequence_end[], hijacked_restart[];
int64_t sequence_read(char *byte);
void hijacked(void);
__asm__(".globl sequence_read, sequence, sequence_end, hijacked_restart\n"
	"sequence_read: movq %rdi, %rsi\n\txorl %edi, %edi\n\tmovl $1, %edx\n"
	"sequence: xorl %eax, %eax\n\tsyscall\n\tnop\nsequence_end: ret\n"
	".long 0x53053053\nhijacked_restart: andq $-16, %rsp\n\tcall hijacked\n");

static struct rseq_cs section;
static struct rseq area;

static int do_rseq(void)
{
	struct rseq before = { .cpu_id_start = 0x5a5a5a5a, .cpu_id = 0x5a5a5a5a };
	char byte;

	section.start_ip = (uint64_t)sequence;
	section.post_commit_offset = (uint64_t)(sequence_end - sequence);
	section.abort_ip = (uint64_t)hijacked_restart;
	before.rseq_cs = (uint64_t)&section;
	area = before;
	printf("ready %lx %lx\n", (uint64_t)&area,
	       (uint64_t)__builtin_thread_pointer() + (uint64_t)__rseq_offset);
	fflush(stdout);
	sequence_read(&byte);
	return done(area.cpu_id_start != before.cpu_id_start || area.cpu_id != before.cpu_id ||
		    area.rseq_cs != before.rseq_cs);
}

/* --- signals: address that the handler was told --------------------------------------------- */

static volatile uint64_t told;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told = (uint64_t)info->si_addr;
}

static int do_signal(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	go(0, 0);
	return done(told);
}

void __attribute__((used)) hijacked(void)
{
	static const char text[] = "hijacked\n";

	syscall(SYS_write, 1, text, sizeof(text) - 1);
	_exit(7);
}

void forged_return(void);
__asm__(".globl forged_return\nforged_return: movl $15, %eax\n\tsyscall\n\thlt\n");

static int do_sigreturn(void)
{
	go((uint64_t)hijacked, (uint64_t)forged_return);
	return done(0);
}

/* --- two threads that compute: results that were wrong -------------------------------------- */

#define ROUNDS	20000

static volatile int tids[2], stop;
static volatile uint64_t wrong, rounds[2];
static __thread uint64_t own;

static uint64_t compute(uint64_t x)
{
	for (int i = 0; i < ROUNDS; i++)
		x = x * 6364136223846793005 + 1442695040888963407;
	return x;
}

static void *computes(void *argument)
{
	uint64_t index = (uint64_t)argument, right = compute(index);

	own = index;
	tids[index] = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	/* who went on from registers of the past would find that memory is further */
	for (uint64_t round = 0; !stop; rounds[index] = ++round)
		if (compute(index) != right || own != index || rounds[index] != round)
			__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int do_threads(void)
{
	pthread_t threads[2];

	pthread_barrier_init(&barrier, NULL, 3);
	for (uint64_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, computes, (void *)i))
			return 2;
	pthread_barrier_wait(&barrier);
	go((uint64_t)tids[0], (uint64_t)tids[1]);
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return done(wrong);
}

/* --- a child with a secret of its own: words of it that changed ------------------------------ */

#define SECRET_WORDS	2048

static uint64_t secret[SECRET_WORDS];

static int have_secret(void)
{
	static uint32_t low[SECRET_WORDS];
	uint64_t key, changed = 0;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return 3;
	for (int i = 0; i < SECRET_WORDS; i += 64)
		if (getrandom(low + i, 64 * sizeof(*low), 0) != 64 * sizeof(*low))
			return 3;
	for (int i = 0; i < SECRET_WORDS; i++)
		secret[i] = secret_word(key, low[i]);
	go((uint64_t)getpid(), key);
	for (int i = 0; i < SECRET_WORDS; i++)
		changed += secret[i] != secret_word(key, low[i]);
	return done(changed);
}

static int do_fork(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(have_secret());
	return waitpid(child, &status, 0) != child || status;
}

/* --- children one after the other, while a thread computes: those that were not right ------------ */

#define CHILDREN	40

static int do_forks(void)
{
	uint64_t bad = 0;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, computes, (void *)1))
		return 2;
	pthread_barrier_wait(&barrier);
	go(0, 0);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t child = fork();
		int status;

		if (!child)
			_exit(compute(1) != compute(1) || own);
		bad += child < 0 || waitpid(child, &status, 0) != child || status;
	}
	stop = 1;
	pthread_join(thread, NULL);
	return done(bad + wrong);
}

/* --- calls with many buffers: bytes beside them that changed ---------------------------------- */

#define CALLS	3000
#define GUARD	0xa5

static struct {
	uint8_t before[64], first[32], between[64], second[32], after[64];
} guarded;

static uint64_t damage(void)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < 64; i++)
		bytes += (guarded.before[i] != GUARD) + (guarded.between[i] != GUARD) +
			(guarded.after[i] != GUARD);
	return bytes;
}

static int do_calls(void)
{
	struct iovec iov[2] = { { guarded.first, sizeof(guarded.first) },
				{ guarded.second, sizeof(guarded.second) } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

	memset(&guarded, GUARD, sizeof(guarded));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		return 2;
	go((uint64_t)guarded.between, 0);
	for (int i = 0; i < CALLS; i++) {
		(void)!write(ends[1], buffer, BYTES);
		if (i & 1)
			(void)!readv(ends[0], iov, 2);
		else
			recvmsg(ends[0], &message, 0);
	}
	return done(damage());
}

/* --- what execve tells: the vDSO, and the first random bytes --------------------------------- */

static int do_auxv(void)
{
	go(getauxval(AT_SYSINFO_EHDR), *(const uint64_t *)getauxval(AT_RANDOM));
	return done(0);
}

/* --- code: what it answers ------------------------------------------------------------------ */

uint64_t answer(void);
__asm__(".balign 16\nanswer: movl $0x1badcafe, %eax\n\tmovl %eax, %eax\n\tret\n");

static int do_code(void)
{
	go(0, 0);
	return done(answer());
}

/* --- a file: a digest of it before and after, or why it cannot be read ------------------------ */

#define DATA		"/attack/data"
#define NO_DIGEST	0xeee00000UL	/* and errno */

static uint64_t digest(int file)
{
	uint64_t hash = 14695981039346656037UL;
	static char block[4096];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(file, block, sizeof(block), at)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			hash = (hash ^ (uint8_t)block[i]) * 1099511628211UL;
		at += got;
	}
	return got < 0 ? NO_DIGEST + (uint64_t)errno : hash;
}

static uint64_t digest_anew(void)
{
	int file = open(DATA, O_RDONLY);
	uint64_t is = file < 0 ? NO_DIGEST + (uint64_t)errno : digest(file);

	if (file >= 0)
		close(file);
	return is;
}

static int do_file(void)
{
	go(digest_anew(), 0);
	return done(digest_anew());
}

static int do_open_file(void)
{
	int file = open(DATA, O_RDONLY);

	go(digest(file), 0);
	return done(digest(file));
}

static const struct {
	const char *what;
	int (*act)(void);
} acts[] = {
	{ "read", do_read }, { "readv", do_readv }, { "recv", do_recv }, { "recvmsg", do_recvmsg },
	{ "dup", do_dup }, { "mmap", do_mmap }, { "mremap", do_mremap }, { "brk", do_brk },
	{ "getrandom", do_getrandom }, { "urandom", do_urandom }, { "clock", do_clock },
	{ "coarse", do_coarse }, { "real", do_real }, { "rseq", do_rseq }, { "futex", do_futex },
	{ "futex-owner", do_futex_owner }, { "woken", do_woken }, { "clear", do_clear },
	{ "signal", do_signal }, { "sigreturn", do_sigreturn }, { "threads", do_threads },
	{ "fork", do_fork }, { "forks", do_forks }, { "code", do_code }, { "calls", do_calls },
	{ "auxv", do_auxv }, { "file", do_file }, { "open-file", do_open_file },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(acts) / sizeof(*acts); i++)
		if (!strcmp(argv[1], acts[i].what))
			return acts[i].act();
	fprintf(stderr, "usage: trusting WHAT\n");
	return 2;
}
