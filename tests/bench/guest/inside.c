/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations that cost a protected program more than an unprotected one; run as either. A line an
 * operation, as of operations.c but without exits, which no protected program may ask for, and a
 * pair of marks around each batch.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "work.h"

#define PAGE		4096UL
#define KIB		1024UL
#define FILE_SIZE	(1024 * KIB)
#define FRESH_PAGES	512
#define FILL_PAGES	16		/* that the hypervisor brings at once */
#define WARMING		3		/* batches that are not counted */
#define TRACED_TIMES	3

/* A file in the page cache, and memory that has been touched. */
static int file;
static char buffer[FILE_SIZE] __attribute__((aligned(PAGE)));

static void get(unsigned int n, size_t size)
{
	while (n--)
		if (pread(file, buffer, size, 0) != (ssize_t)size)
			die("pread");
}

static void put(unsigned int n, size_t size)
{
	while (n--)
		if (pwrite(file, buffer, size, 0) != (ssize_t)size)
			die("pwrite");
}

static void op_read_4k(unsigned int n)
{
	get(n, 4 * KIB);
}

static void op_read_512k(unsigned int n)
{
	get(n, 512 * KIB);
}

static void op_read_1m(unsigned int n)
{
	get(n, 1024 * KIB);
}

static void op_write_4k(unsigned int n)
{
	put(n, 4 * KIB);
}

static void op_write_512k(unsigned int n)
{
	put(n, 512 * KIB);
}

static void op_write_1m(unsigned int n)
{
	put(n, 1024 * KIB);
}

static void op_clock(unsigned int n)
{
	struct timespec now;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

/* --- Fresh memory -------------------------------------------------------------------------- */

#define FRESH_SIZE	((FRESH_PAGES + FILL_PAGES) * PAGE)

static char *mapped;
static volatile char *fresh;

/* Aligned, so that no exit fills pages that are not counted. */
static void map_fresh(void)
{
	if (mapped)
		munmap(mapped, FRESH_SIZE);
	mapped = mmap(NULL, FRESH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapped == MAP_FAILED)
		die("mmap");
	fresh = mapped + (-(uintptr_t)mapped & (FILL_PAGES * PAGE - 1));
}

static void op_touch(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		fresh[i * PAGE] = 1;
}

/* --- Threads and processes ----------------------------------------------------------------- */

/* Whose turn it is: 0 the batch's, 1 the other thread's, 2 nobody's any more. */
static _Atomic uint32_t turn;
static pthread_t other;

static void wait_while(uint32_t value)
{
	while (atomic_load(&turn) == value)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void pass_to(uint32_t value)
{
	atomic_store(&turn, value);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void *answer(void *unused)
{
	for (;;) {
		wait_while(0);
		if (atomic_load(&turn) == 2)
			return unused;
		pass_to(0);
	}
}

static void start_other(void)
{
	if (!other && pthread_create(&other, NULL, answer, NULL))
		die("pthread_create");
}

static void stop_other(void)
{
	pass_to(2);
	pthread_join(other, NULL);
}

static void op_futex(unsigned int n)
{
	while (n--) {
		pass_to(1);
		wait_while(1);
	}
}

static void *nothing(void *unused)
{
	return unused;
}

static void op_thread(unsigned int n)
{
	pthread_t thread;

	while (n--)
		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			die("pthread_create");
}

static void op_fork(unsigned int n)
{
	while (n--) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		if (waitpid(child, NULL, 0) != child)
			die("fork");
	}
}

/* -------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned int batch;
	void (*run)(unsigned int n);
	void (*prepare)(void);		/* before each batch */
	void (*end)(void);
	unsigned int traced;		/* how many in one window of a trace */
} ops[] = {
	{ "read-4k", 10, op_read_4k, NULL, NULL, 1 },
	{ "write-4k", 10, op_write_4k, NULL, NULL, 1 },
	{ "read-512k", 1, op_read_512k, NULL, NULL, 0 },
	{ "read-1m", 1, op_read_1m, NULL, NULL, 0 },
	{ "write-512k", 1, op_write_512k, NULL, NULL, 0 },
	{ "write-1m", 1, op_write_1m, NULL, NULL, 0 },
	{ "clock_gettime", 100, op_clock, NULL, NULL, 10 },
	{ "first-touch", FRESH_PAGES, op_touch, map_fresh, NULL, 64 },
	{ "futex-ping-pong", 20, op_futex, start_other, stop_other, 1 },
	{ "thread-create-join", 10, op_thread, NULL, NULL, 1 },
	{ "fork-exit-wait", 4, op_fork, NULL, NULL, 0 },
};
#define OPS	(sizeof(ops) / sizeof(*ops))

static uint64_t run(unsigned int op, unsigned int times, bool marked)
{
	uint64_t begin, end;

	if (ops[op].prepare)
		ops[op].prepare();
	if (marked)
		MARK_HERE(MARK_BEGIN);
	begin = tsc();
	ops[op].run(times);
	end = tsc();
	if (marked)
		MARK_HERE(MARK_END);
	return end - begin;
}

static void finish(unsigned int op)
{
	if (ops[op].end)
		ops[op].end();
}

static void make_file(void)
{
	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	if (file < 0)
		die("/tmp");
	memset(buffer, 1, sizeof(buffer));
	put(1, FILE_SIZE);
}

int inside(void)
{
	make_file();
	for (unsigned int op = 0; op < OPS; op++) {
		uint64_t taken[BATCHES];

		for (int i = -WARMING; i < 0; i++)
			run(op, ops[op].batch, false);
		for (int i = 0; i < BATCHES; i++)
			taken[i] = run(op, ops[op].batch, true);
		finish(op);
		printf("%s per batch %u cycles", ops[op].name, ops[op].batch);
		for (int i = 0; i < BATCHES; i++)
			printf(" %lu", taken[i]);
		putchar('\n');
	}
	return 0;
}

/* Names what is in the trace: NAME per batch N cycles, TRACED_TIMES windows each. */
void traced_inside(void)
{
	make_file();
	for (unsigned int op = 0; op < OPS; op++)
		for (int i = 0; ops[op].traced && i < WARMING; i++)
			run(op, ops[op].batch, false);
	trace();
	for (unsigned int op = 0; op < OPS; op++)
		for (int i = 0; ops[op].traced && i < TRACED_TIMES; i++)
			run(op, ops[op].traced, true);
	trace();
	for (unsigned int op = 0; op < OPS; op++)
		if (ops[op].traced) {
			finish(op);
			printf("%s per batch %u cycles\n", ops[op].name, ops[op].traced);
		}
}
