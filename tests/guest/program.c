/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program MODE [ARGUMENT]...: an ordinary static program whose output, error output
 * and end are compared with and without protection.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int by_value(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

/* Numbers from standard input: sorted, summed, written to a file and read back. */
static int do_stdio(const char *path)
{
	char line[128], word[32];
	int numbers[256], count = 0;
	long sum = 0;
	FILE *file;

	if (scanf("%31s", word) != 1)
		return 3;
	while (count < 256 && scanf("%d", &numbers[count]) == 1)
		sum += numbers[count++];
	qsort(numbers, (size_t)count, sizeof(*numbers), by_value);
	file = fopen(path, "w+");
	if (!file)
		return 4;
	fprintf(file, "%s: %d numbers, sum %ld, mean %.3f\n", word, count, sum,
		count ? (double)sum / count : 0.0);
	for (int i = 0; i < count; i++)
		fprintf(file, "%5d%c", numbers[i], i % 8 == 7 ? '\n' : ' ');
	fputc('\n', file);
	rewind(file);
	while (fgets(line, sizeof(line), file))
		fputs(line, stdout);
	fclose(file);
	fprintf(stderr, "root of 2 is %.15f, %#x, %-8s|, %+e\n", sqrt(2.0), 48879, "left", 12345.678);
	return remove(path) ? 5 : 0;
}

/* A few megabytes by malloc and realloc, touched everywhere. */
static int do_memory(void)
{
	size_t size = 1 << 16;
	unsigned char *bytes = malloc(size);
	unsigned long sum = 0;

	for (; bytes && size < 8UL << 20; size *= 2) {
		memset(bytes, (int)(size >> 16), size);
		bytes = realloc(bytes, size * 2);
		memset(bytes + size, 7, size);
	}
	if (!bytes)
		return 3;
	for (size_t i = 0; i < size; i++)
		sum += bytes[i] * (i % 13 + 1);
	free(bytes);
	printf("%zu bytes, sum %lu\n", size, sum);
	return 0;
}

static volatile sig_atomic_t caught;
static sigjmp_buf jump;

static void on_signal(int number)
{
	caught = number;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = info->si_addr == (void *)0x1234000 ? number : -1;
	siglongjmp(jump, 1);
}

static int do_handlers(void)
{
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	struct timespec soon = { 0, 50000000 };

	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	printf("caught %d\n", (int)caught);
	signal(SIGALRM, on_signal);
	alarm(1);
	pause();
	printf("caught %d\n", (int)caught);
	sigaction(SIGSEGV, &fault, NULL);
	if (!sigsetjmp(jump, 1))
		*(volatile int *)0x1234000 = 1;
	printf("caught %d\n", (int)caught);
	return nanosleep(&soon, NULL) ? 3 : 0;
}

static int do_files(void)
{
	struct stat status;

	if (stat("/bin/busybox", &status))
		return 3;
	printf("%ld bytes, mode %o\n", (long)status.st_size, (unsigned int)status.st_mode);
	printf("%s, errno %d\n", access("/no/such/file", R_OK) ? "missing" : "there", errno);
	return mkdir("/tmp/program-dir", 0700) || rmdir("/tmp/program-dir") ? 4 : 0;
}

static int do_list(char **strings)
{
	for (; *strings; strings++)
		printf("[%s]\n", *strings);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : "0";

	if (!strcmp(mode, "stdio"))
		return do_stdio(argument);
	if (!strcmp(mode, "memory"))
		return do_memory();
	if (!strcmp(mode, "handlers"))
		return do_handlers();
	if (!strcmp(mode, "files"))
		return do_files();
	if (!strcmp(mode, "args"))
		return do_list(argv + 2);
	if (!strcmp(mode, "env"))
		return do_list(environ);
	if (!strcmp(mode, "exit"))
		exit(atoi(argument));
	if (!strcmp(mode, "raise"))
		return raise(atoi(argument));
	if (!strcmp(mode, "null"))
		return *(volatile int *)0;
	if (!strcmp(mode, "ud2"))
		__builtin_trap();
	if (!strcmp(mode, "divide"))
		return 1 / (argc - 2);
	if (!strcmp(mode, "abort"))
		abort();
	if (!strcmp(mode, "sleep"))
		return (int)sleep((unsigned int)atoi(argument));
	fprintf(stderr, "program: no mode %s\n", mode);
	return 2;
}
