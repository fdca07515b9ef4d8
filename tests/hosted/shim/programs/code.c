/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that is made, changed and checked while it runs. Each piece makes system calls, so each
 * has a SYSCALL instruction that has to be served where it is. Prints one line a test; all must
 * say ok.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	4096
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)
#define NUMBER	1	/* where MOV EAX has its operand */

typedef long (*code)(void);

static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

/* mov eax, number; syscall; ret */
static void make_call(uint8_t *at, uint32_t number)
{
	const uint8_t bytes[] = { 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	memcpy(at, bytes, sizeof(bytes));
	memcpy(at + NUMBER, &number, sizeof(number));
}

static code code_at(void *at)
{
	code c;

	memcpy(&c, &at, sizeof(c));
	return c;
}

/* As a compiler for one run does it: written, then made executable, over and over. */
static void compiled(void)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0);
	int good = page != MAP_FAILED;

	for (int i = 0; good && i < 200; i++) {
		make_call(page, i % 2 ? SYS_getpid : SYS_getuid);
		good = !mprotect(page, PAGE, PROT_READ | PROT_EXEC) &&
			code_at(page)() == (i % 2 ? getpid() : (long)getuid()) &&
			!mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	}
	report("code that is compiled", good);
	munmap(page, PAGE);
}

/* It writes to itself, with no call in between that could tell anybody. */
static void changed(void)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, ANON, -1, 0);
	int good = page != MAP_FAILED;

	for (int i = 0; good && i < 1000; i++) {
		make_call(page + i, i % 2 ? SYS_getpid : SYS_getuid);
		good = code_at(page + i)() == (i % 2 ? getpid() : (long)getuid());
	}
	report("code that changes itself", good);
	munmap(page, PAGE);
}

/* One memory under two addresses: written here, executed there. */
static void twice(void)
{
	int file = memfd_create("code", 0);
	uint8_t *writable, *executable;
	int good = file >= 0 && !ftruncate(file, PAGE);

	writable = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	good = good && writable != MAP_FAILED;
	if (good) {
		make_call(writable, SYS_getpid);
		msync(writable, PAGE, MS_SYNC);
		executable = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
		/* where files that become code must be listed, this one is not */
		good = executable == MAP_FAILED || code_at(executable)() == getpid();
	}
	report("code in two places", good);
}

static uint64_t sum(const uint8_t *from, const uint8_t *to)
{
	uint64_t value = 14695981039346656037UL;

	for (; from < to; from++)
		value = (value ^ *from) * 1099511628211UL;
	return value;
}

extern const uint8_t __executable_start[], etext[];

static void handler(int signal)
{
	(void)signal;
}

/* No byte of the program is other than it was, whatever it has called. */
static void checked(void)
{
	uint64_t before = sum(__executable_start, etext);
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, ANON, -1, 0);
	uint64_t page_before;
	int good;

	make_call(page, SYS_getpid);
	page_before = sum(page, page + PAGE);
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	good = code_at(page)() == getpid() && sum(page, page + PAGE) == page_before;
	report("code that checks itself", good && sum(__executable_start, etext) == before);
}

int main(void)
{
	compiled();
	changed();
	twice();
	checked();
	return failures != 0;
}
