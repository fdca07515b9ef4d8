/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and futexes. Addresses differ from run to run; whether there is memory does not. */
#include <string.h>
#include <sys/mman.h>

#include "calls.h"

#define PAGE	4096L
#define RW	(PROT_READ | PROT_WRITE)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

static long map(long pages)
{
	return S(mmap, 0, pages * PAGE, RW, ANON, -1, 0);
}

void check_mmap(void)
{
	long at = map(3);

	good_any(at);
	memset((void *)at, 7, 3 * PAGE);
	good_any(S(mmap, 0, FILE_SIZE, PROT_READ, MAP_PRIVATE, fd, 0));
	at = S(mmap, 0, FILE_SIZE, RW, MAP_PRIVATE, fd, 0);
	good_any(at);
	if (at > 0)
		wrote((void *)at, PAGE);
	bad(S(mmap, 0, 0, RW, ANON, -1, 0));
	bad(S(mmap, 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	bad(S(mmap, 0, PAGE, RW, 0, -1, 0));
	bad(S(mmap, 0, PAGE, RW, MAP_PRIVATE, 99, 0));
	bad(S(mmap, 0, PAGE, RW, MAP_PRIVATE, fd, 1));
}

void check_munmap(void)
{
	long at = map(3);

	good(S(munmap, at + PAGE, PAGE));
	good(S(munmap, at, 3 * PAGE));
	bad(S(munmap, at + 1, PAGE));
	bad(S(munmap, at, 0));
	bad(S(write, fd, at, 1));
}

void check_mprotect(void)
{
	long at = map(3);

	good(S(mprotect, at, PAGE, PROT_READ));
	bad(S(read, fd, at, 10));
	S(munmap, at + PAGE, PAGE);
	bad(S(mprotect, at, 3 * PAGE, RW));
	bad(S(mprotect, at + 1, PAGE, RW));
}

void check_mremap(void)
{
	long at = map(2);

	strcpy((char *)at, "text");
	at = S(mremap, at, 2 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
	good_any(at);
	wrote((void *)at, 10);
	good_any(S(mremap, at, 9 * PAGE, PAGE, 0));
	bad(S(mremap, at, PAGE, 0, 0));
	bad(S(mremap, BAD, PAGE, 2 * PAGE, 0));
}

void check_madvise(void)
{
	long at = map(2);

	memset((void *)at, 7, 2 * PAGE);
	good(S(madvise, at, PAGE, MADV_DONTNEED));
	wrote((void *)at, 2 * PAGE);
	bad(S(madvise, at + 1, PAGE, MADV_DONTNEED));
	bad(S(madvise, at, PAGE, 999));
}

void check_brk(void)
{
	long at = S(brk, 0);

	good(S(brk, at + 5 * PAGE) - at);
	memset((void *)at, 7, 5 * PAGE);
	good(S(brk, at) - at);
	bad(S(brk, 1) - at);
}

void check_msync(void)
{
	long at = map(2);

	good(S(msync, at, PAGE, MS_SYNC));
	bad(S(msync, at + 1, PAGE, MS_SYNC));
	bad(S(msync, at, PAGE, 999));
}

void check_mincore(void)
{
	long at = map(2);

	memset((void *)at, 7, PAGE);
	good(S(mincore, at, PAGE, BUF));
	good(buffer[0] & 1);
	bad(S(mincore, at + 1, PAGE, BUF));
}

CHECK(mlock, S(mlock, map(2), PAGE), S(mlock, BAD, PAGE))
CHECK(munlock, S(munlock, map(2), PAGE), S(munlock, BAD, PAGE))
CHECK(mlock2, S(mlock2, map(2), PAGE, 0), S(mlock2, map(2), PAGE, 99))
CHECK(mlockall, 0, S(mlockall, 99))
CHECK(munlockall, S(munlockall), 0)

void check_futex(void)
{
	uint32_t word = 5;
	int64_t time[2] = { 0, 1000 };

	good(S(futex, P(&word), 129, 1));			/* WAKE */
	good(S(futex, P(&word), 128, 5, P(time)));		/* WAIT, until it is too late */
	bad(S(futex, P(&word), 128, 6, P(time)));
	bad(S(futex, P(&word) + 1, 128, 5, P(time)));
	bad(S(futex, BAD, 128, 5, P(time)));
	bad(S(futex, P(&word), 99, 5, P(time)));
}

void check_get_robust_list(void)
{
	S(set_robust_list, BUF, 24);
	good(S(get_robust_list, 0, BUF + 100, BUF + 200));
	good(*(long *)(buffer + 100) == BUF);
	bad(S(get_robust_list, 0, BAD, BUF));
}
