/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits: resource limits as programs meet them. All must say ok, with a shim or without.
 * limits deep MIB: use so much stack.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB	(1UL << 30)
#define RW	(PROT_READ | PROT_WRITE)
#define FLAGS	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
	fflush(stdout);
}

static void limit(int resource, unsigned long soft)
{
	struct rlimit r;

	getrlimit(resource, &r);
	r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
	report("setrlimit", setrlimit(resource, &r) == 0);
}

static void *map(unsigned long size, int rights)
{
	return mmap(NULL, size, rights, FLAGS, -1, 0);
}

static int no_memory(void *p)
{
	return p == MAP_FAILED && errno == ENOMEM;
}

static void address_space(void)
{
	char *p, *q;

	limit(RLIMIT_AS, 16 * GIB);
	report("more than RLIMIT_AS", no_memory(map(1024 * GIB, PROT_NONE)));
	p = map(10 * GIB, PROT_NONE);
	report("less than it", p != MAP_FAILED);
	report("more than is left", no_memory(map(10 * GIB, PROT_NONE)));
	q = map(GIB, PROT_NONE);
	report("mremap to more than is left", no_memory(mremap(q, GIB, 9 * GIB, MREMAP_MAYMOVE)));
	munmap(p, 10 * GIB);
	report("what was given back", map(10 * GIB, PROT_NONE) != MAP_FAILED);
	limit(RLIMIT_AS, RLIM_INFINITY);
	report("without a limit", map(1024 * GIB, PROT_NONE) != MAP_FAILED);
}

static void data(void)
{
	char *p;

	limit(RLIMIT_DATA, 64UL << 20);
	report("more than RLIMIT_DATA", no_memory(map(GIB, RW)));
	report("what cannot be written is none", (p = map(GIB, PROT_READ)) != MAP_FAILED);
	report("mprotect makes it data", mprotect(p, GIB, RW) == -1 && errno == ENOMEM);
	report("a part of it", mprotect(p, 1 << 20, RW) == 0);
	report("brk", no_memory(sbrk(80 << 20)) && sbrk(1 << 20) != (void *)-1);
	limit(RLIMIT_DATA, RLIM_INFINITY);
	report("without a limit", mprotect(p, 64 << 20, RW) == 0);
}

static int deep(int mib)
{
	volatile char frame[1 << 20];

	frame[0] = frame[sizeof(frame) / 2] = mib;
	return mib > 1 ? deep(mib - 1) + frame[0] : frame[0];
}

/* The status of this program, which uses `mib` of stack under a limit of `soft` MiB. */
static int stack(const char *self, int soft, const char *mib)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit r;

		getrlimit(RLIMIT_CORE, &r);
		r.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &r);
		getrlimit(RLIMIT_STACK, &r);
		r.rlim_cur = (unsigned long)soft << 20;
		if (setrlimit(RLIMIT_STACK, &r))
			_exit(99);
		execl(self, self, "deep", mib, NULL);
		_exit(98);
	}
	waitpid(child, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return deep(atoi(argv[2])) == -1;
	address_space();
	data();
	report("4 MiB of a stack of 8", stack(argv[0], 8, "4") == 0);
	report("4 MiB of a stack of 2", stack(argv[0], 2, "4") == 11);
	report("40 MiB of a stack of 64", stack(argv[0], 64, "40") == 0);
	report("40 MiB of a stack of 20", stack(argv[0], 20, "40") == 11);
	return failures;
}
