/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an ordinary program does. Prints a line an operation:
 *	NAME per batch N exits E cycles T1 ... T9
 * with the TSC's advance over each batch of N, and the exits of all batches together.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "work.h"

#define PAGE		4096UL
#define FAULT_PAGES	512
#define MAP_PAGES	4
#define WARMING		3		/* batches that are not counted */

static char buffer[PAGE];
static int zeros, sink, to_child[2], from_child[2];

static void op_getppid(unsigned int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void op_read(unsigned int n)
{
	while (n--)
		if (read(zeros, buffer, sizeof(buffer)) != sizeof(buffer))
			die("read");
}

static void op_write(unsigned int n)
{
	while (n--)
		if (write(sink, buffer, sizeof(buffer)) != sizeof(buffer))
			die("write");
}

static void op_fork(unsigned int n)
{
	static char *const argv[] = { "nothing", NULL };

	while (n--) {
		pid_t child = fork();

		if (!child) {
			execv("/bench/nothing", argv);
			_exit(127);
		}
		if (waitpid(child, NULL, 0) != child)
			die("wait");
	}
}

/* Pages that are there from then on: map_pages() brings new ones for each batch. */
static volatile char *pages;

static void unmap_pages(void)
{
	if (pages)
		munmap((void *)pages, FAULT_PAGES * PAGE);
	pages = NULL;
}

static void map_pages(void)
{
	unmap_pages();
	pages = mmap(NULL, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		die("mmap");
}

static void op_fault(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		pages[i * PAGE] = 1;
}

static void op_ping(unsigned int n)
{
	char byte = 1;

	while (n--)
		if (write(to_child[1], &byte, 1) != 1 || read(from_child[0], &byte, 1) != 1)
			die("pipe");
}

static void op_map(unsigned int n)
{
	while (n--) {
		void *p = mmap(NULL, MAP_PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || munmap(p, MAP_PAGES * PAGE))
			die("mmap");
	}
}

static pid_t start_echo(void)
{
	pid_t child;
	char byte;

	if (pipe(to_child) || pipe(from_child))
		die("pipe");
	child = fork();
	if (child)
		return child;
	close(to_child[1]);
	while (read(to_child[0], &byte, 1) == 1 && write(from_child[1], &byte, 1) == 1)
		;
	_exit(0);
}

static const struct {
	const char *name;
	unsigned int batch;
	void (*run)(unsigned int n);
	void (*prepare)(void);
} ops[] = {
	{ "getppid", 100, op_getppid, NULL },
	{ "read-4k", 20, op_read, NULL },
	{ "write-4k", 50, op_write, NULL },
	{ "page-fault", FAULT_PAGES, op_fault, map_pages },
	{ "pipe-ping-pong", 100, op_ping, NULL },
	{ "mmap-munmap", 600, op_map, NULL },
	{ "fork-exec-exit", 10, op_fork, NULL },
};

static void measure(unsigned int op)
{
	uint64_t taken[BATCHES], exits = 0;

	for (int batch = -WARMING; batch < BATCHES; batch++) {
		uint64_t before, begin, end;

		if (ops[op].prepare)
			ops[op].prepare();
		before = exits_now();
		begin = tsc();
		ops[op].run(ops[op].batch);
		end = tsc();
		if (batch < 0)
			continue;
		exits += exits_now() - before;
		taken[batch] = end - begin;
	}
	unmap_pages();
	printf("%s per batch %u exits %lu cycles", ops[op].name, ops[op].batch, exits);
	for (unsigned int i = 0; i < BATCHES; i++)
		printf(" %lu", taken[i]);
	putchar('\n');
}

int operations(void)
{
	pid_t echo;

	zeros = open("/dev/zero", O_RDONLY);
	sink = open("/dev/null", O_WRONLY);
	if (zeros < 0 || sink < 0)
		die("/dev/zero, /dev/null");
	exits_open();
	echo = start_echo();
	for (unsigned int op = 0; op < sizeof(ops) / sizeof(*ops); op++)
		measure(op);
	close(to_child[1]);
	return waitpid(echo, NULL, 0) != echo;
}
