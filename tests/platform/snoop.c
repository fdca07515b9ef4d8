/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snoop HEX - in the guest, as root: reads the page of the TPM's locality 0, where a CRB has its buffer,
 * without a pause until it is told to end (SIGTERM), and looks for these bytes. Then one line: how
 * often it looked, how often the buffer had changed, how often the bytes were there, how many
 * milliseconds the longest look took. An access that is refused ends it before.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TPM_BASE	0xFED40000
#define BUFFER		0x80	/* TPM_CRB_DATA_BUFFER */
#define WORDS		128	/* as long as any command with a secret */
#define WANTED_MAX	64

static volatile sig_atomic_t over;

static void end(int number)
{
	(void)number;
	over = 1;
}

static void refused(int number)
{
	static const char text[] = "snoop: refused\n";

	(void)number;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

static size_t parse(const char *hex, unsigned char *bytes)
{
	size_t size;

	for (size = 0; size < WANTED_MAX && sscanf(hex + 2 * size, "%2hhx", &bytes[size]) == 1; size++)
		;
	return size;
}

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void look(const volatile uint32_t *page, const unsigned char *wanted, size_t size)
{
	unsigned long looks = 0, changes = 0, seen = 0;
	uint32_t now[WORDS], before[WORDS] = { 0 };
	uint64_t longest = 0, start, took;

	while (!over) {
		start = microseconds();
		for (int i = 0; i < WORDS; i++)
			now[i] = page[BUFFER / 4 + i];
		took = microseconds() - start;
		longest = took > longest ? took : longest;
		looks++;
		if (!memcmp(now, before, sizeof(now)))
			continue;
		changes++;
		memcpy(before, now, sizeof(now));
		for (size_t at = 0; at + size <= sizeof(now); at++)
			seen += !memcmp((unsigned char *)now + at, wanted, size);
	}
	printf("snoop: %lu looks, %lu changes, %lu seen, %lu ms\n", looks, changes, seen, longest / 1000);
}

int main(int argc, char **argv)
{
	unsigned char wanted[WANTED_MAX];
	size_t size = argc == 2 ? parse(argv[1], wanted) : 0;
	int memory = open("/dev/mem", O_RDONLY | O_SYNC);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, memory, TPM_BASE);

	if (!size || page == MAP_FAILED) {
		perror("snoop");
		return 2;
	}
	signal(SIGTERM, end);
	signal(SIGSEGV, refused);
	signal(SIGBUS, refused);
	look(page, wanted, size);
	return 0;
}
