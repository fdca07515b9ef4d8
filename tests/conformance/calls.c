/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls DIRECTORY [FROM]: check every row from number FROM on, in DIRECTORY, which
 * is empty. Prints a line for each: number, name, what came back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"

#define LAST		451

/* A row without a check has none of these symbols. */
#define PASS(nr, name, ...)	void check_##name(void) __attribute__((weak));
#define MARSHAL(nr, name, ...)	void check_##name(void) __attribute__((weak));
#define EMULATE(nr, name, ...)	void check_##name(void) __attribute__((weak));
#define REFUSE(nr, name, when)	void check_##name(void) __attribute__((weak));
#include "guest-abi/shim/calls/calls.def"
#undef PASS
#undef MARSHAL
#undef EMULATE
#undef REFUSE

static const struct row {
	const char *name;
	void (*check)(void);
	const char *refused;
} rows[LAST] = {
#define PASS(nr, name, ...)	[nr] = { #name, check_##name, NULL },
#define MARSHAL(nr, name, ...)	[nr] = { #name, check_##name, NULL },
#define EMULATE(nr, name, ...)	[nr] = { #name, check_##name, NULL },
#define REFUSE(nr, name, when)	[nr] = { #name, check_##name, #when },
#include "guest-abi/shim/calls/calls.def"
};

int fd, dir, pipes[2], sockets[2];
uint8_t buffer[65536];
static char line[512];
static int line_size;

long call_raw(const long a[7])
{
	register long r10 asm("r10") = a[4], r8 asm("r8") = a[5], r9 asm("r9") = a[6];
	long result;

	asm volatile("syscall" : "=a"(result)
		     : "a"(a[0]), "D"(a[1]), "S"(a[2]), "d"(a[3]), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

static void say(const char *format, const char *what, long value)
{
	line_size += snprintf(line + line_size, sizeof(line) - line_size, format, what, value);
}

void good(long result)
{
	say(" %s=%ld", "good", result);
}

void good_any(long result)
{
	good(result < 0 ? result : 0);
}

void bad(long result)
{
	say(" %s=%ld", "bad", result);
}

void wrote(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ b[i]) * 16777619U;
	say(" %s=%08lx", "wrote", sum);
}

static void need(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	exit(2);
}

static void set_up(const char *name)
{
	char text[FILE_SIZE];

	for (int i = 0; i < FILE_SIZE; i++)
		text[i] = 'a' + i % 23;
	memset(buffer, 0, sizeof(buffer));
	need(mkdir(name, 0700), name);
	need(chdir(name), name);
	need(mkdir("dir", 0700), "dir");
	need(symlink("file", "link"), "link");
	fd = open("file", O_RDWR | O_CREAT, 0600);
	need(fd, "file");
	need(write(fd, text, sizeof(text)), "file");
	need(lseek(fd, 0, SEEK_SET), "file");
	dir = open(".", O_RDONLY | O_DIRECTORY);
	need(dir, ".");
	need(pipe(pipes), "pipe");
	need(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
}

static void tear_down(void)
{
	for (int i = 3; i < 64; i++)
		close(i);
}

int main(int argc, char **argv)
{
	int from = argc > 2 ? atoi(argv[2]) : 0;

	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	umask(022);
	tear_down();
	for (int i = from; i < LAST; i++) {
		const struct row *row = &rows[i];
		char name[512];

		if (!row->name)
			continue;
		line_size = 0;
		line[0] = 0;
		printf("row %d %s", i, row->name);
		if (!row->check) {
			puts(row->refused ? row->refused[0] == 'N' ? " refused" : " later" : " unchecked");
			continue;
		}
		fflush(stdout);
		snprintf(name, sizeof(name), "%s/%d", argv[1], i);
		set_up(name);
		row->check();
		tear_down();
		puts(line);
	}
	puts("done");
	return 0;
}
