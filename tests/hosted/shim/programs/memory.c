/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap and its kin, and bad pointers. Prints one line a test; all must say ok. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096
#define CHANNEL	((void *)0x7e0000000000UL)
#define ANON	(MAP_PRIVATE | MAP_ANONYMOUS)

static int failures;
static sigjmp_buf back;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

static int error(long result)
{
	return result == -1 ? errno : 0;
}

static void jump(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static int faults(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return 1;
	*p = *p + 1;
	return 0;
}

static void mapping(void)
{
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, ANON, -1, 0), *q;

	report("fresh memory is zero", p != MAP_FAILED && p[0] == 0 && p[16 * PAGE - 1] == 0);
	memset(p, 7, 16 * PAGE);
	mprotect(p + PAGE, PAGE, PROT_READ);
	report("read-only memory", faults(p + PAGE) && !faults(p) && p[PAGE] == 7);
	mprotect(p + PAGE, PAGE, PROT_NONE);
	report("no access", faults(p + PAGE));
	mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE);
	report("contents outlive it", p[PAGE] == 7 && !faults(p + PAGE));
	munmap(p + 4 * PAGE, PAGE);
	report("a hole", faults(p + 4 * PAGE) && !faults(p + 5 * PAGE));
	q = mmap(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, ANON | MAP_FIXED, -1, 0);
	report("the hole filled", q == p + 4 * PAGE && q[0] == 0);
	q = mmap(p, PAGE, 3, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	report("no replacing", error((long)q) == EEXIST);
	q = mmap(NULL, 4 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	report("a reservation faults", faults(q));
	mprotect(q + PAGE, PAGE, PROT_READ | PROT_WRITE);
	report("a part of it is made usable", !faults(q + PAGE) && faults(q) &&
	       faults(q + 2 * PAGE));
	madvise(p, 2 * PAGE, MADV_DONTNEED);
	report("MADV_DONTNEED zeroes", p[0] == 0 && p[PAGE] == 0 && p[2 * PAGE] == 7);
	report("a hint", madvise(p, PAGE, MADV_WILLNEED) == 0);
	report("munmap of nothing", munmap((void *)0x10000000000UL, PAGE) == 0);
	report("bad arguments", error((long)mmap(NULL, 0, 3, ANON, -1, 0)) == EINVAL &&
	       error(munmap(p + 1, PAGE)) == EINVAL && error(mprotect(p, PAGE, 64)) == EINVAL &&
	       error(mprotect((void *)0x10000000000UL, PAGE, 3)) == ENOMEM);
}

static void moving(void)
{
	char *p = mmap(NULL, 4 * PAGE, 3, ANON, -1, 0), *q;

	memset(p, 9, 4 * PAGE);
	q = mremap(p, 4 * PAGE, 400 * PAGE, MREMAP_MAYMOVE);
	report("mremap grows", q != MAP_FAILED && q[0] == 9 && q[4 * PAGE - 1] == 9 &&
	       q[4 * PAGE] == 0 && q[400 * PAGE - 1] == 0);
	report("and shrinks", mremap(q, 400 * PAGE, PAGE, 0) == q && faults(q + PAGE) && q[0] == 9);
}

static void heap(void)
{
	char *start = sbrk(0), *p;

	report("brk grows", sbrk(100 * PAGE) == start && !faults(start + 99 * PAGE));
	sbrk(-100 * PAGE);
	report("and shrinks", sbrk(0) == start);
	report("and fails", error((long)sbrk(1L << 46)) == ENOMEM);
	p = malloc(10 << 20);
	memset(p, 1, 10 << 20);
	p = realloc(p, 20 << 20);
	report("realloc of a large block", p && p[(10 << 20) - 1] == 1);
	free(p);
}

static void bad_pointers(void)
{
	char *none = mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0);
	char *half = mmap(NULL, 2 * PAGE, 3, ANON, -1, 0);
	int fd = open("/dev/zero", O_RDONLY), null = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	struct iovec iov = { CHANNEL, 10 };
	struct stat st;

	munmap(half + PAGE, PAGE);
	report("read to nowhere", error(read(fd, none, 10)) == EFAULT);
	report("read to NULL", error(syscall(SYS_read, fd, NULL, 10)) == EFAULT);
	report("write from nowhere", error(write(null, none, 10)) == EFAULT);
	report("a string that is none", error(open(none, O_RDONLY)) == EFAULT);
	report("a structure at the edge", error(fstat(fd, (void *)(half + PAGE - 100))) == EFAULT);
	report("as far as it goes", write(null, half + PAGE - 100, 200) == 100);
	memset(half, 'a', PAGE);
	report("a string without end", error(open(half + PAGE - 100, O_RDONLY)) ==
	       EFAULT);
	half = mmap(NULL, 2 * PAGE, 3, ANON, -1, 0);
	memset(half, 'a', 2 * PAGE);
	report("a string too long", error(stat(half, &st)) == ENAMETOOLONG);
	report("the channel is not the program's",
	       error(read(fd, CHANNEL, 10)) == EFAULT && error(write(null, CHANNEL, 10)) == EFAULT &&
	       error(writev(null, &iov, 1)) == EFAULT &&
	       error(readv(fd, &iov, 1)) == EFAULT);
	if (getenv("UNDER_SHIM"))
		report("nor can it become so",
		       (long)mmap(CHANNEL, PAGE, 3, ANON | MAP_FIXED, -1, 0) == -1);
	report("non-canonical", error(read(fd, (void *)0x8000000000000000UL, 10)) == EFAULT);
	report("wrapping", error(poll((void *)(half), 1u << 31, 0)) != 0);
}

static void streams(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), fds[2];
	size_t size = 3 << 20;
	char *p = malloc(size), *q = calloc(1, size);
	struct iovec out[3] = { { p, 5 }, { p + 5, 0 }, { p + 5, 300000 } };
	struct iovec in[2] = { { q, 100 }, { q + 100, 299905 } };
	long n;

	for (size_t i = 0; i < size; i++)
		p[i] = i * 7 + (i >> 12);
	report("a large write is whole", write(fd, p, size) == (long)size);
	report("a large pread is whole", pread(fd, q, size, 0) == (long)size &&
	       !memcmp(p, q, size));
	memset(q, 0, size);
	lseek(fd, 100000, SEEK_SET);
	report("and stops at the end", read(fd, q, size) == (long)size - 100000 &&
	       !memcmp(p + 100000, q, size - 100000));
	memset(q, 0, size);
	lseek(fd, 0, SEEK_SET);
	for (n = 0; n < 300005;) {
		long m = writev(fd, out, 3);

		if (m <= 0)
			break;
		n += m;
		if (n < 300005) {
			out[0].iov_len = out[1].iov_len = 0;
			out[2].iov_base = p + n;
			out[2].iov_len = 300005 - n;
		}
	}
	lseek(fd, 0, SEEK_SET);
	report("vectors", n == 300005 && readv(fd, in, 2) > 100 && !memcmp(p, q, 150000));
	if (pipe(fds))
		return;
	report("a pipe gives what it has", write(fds[1], "abc", 3) == 3 &&
	       read(fds[0], q, size) == 3);
	free(p);
	free(q);
}

static void links(void)
{
	char text[64];

	report("readlink into no room", error(syscall(SYS_readlink, "/proc/self/cwd", text, 0)) ==
	       EINVAL && error(syscall(SYS_readlink, "/proc/self/cwd", text, -1)) == EINVAL &&
	       error(syscall(SYS_readlinkat, -1, "/proc/self/exe", text, -1)) == EINVAL);
}

/* An event of what the program has closed is nobody's, but must not keep a wait from its end. */
static void closed_events(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 7 };
	int fds[2], poll = epoll_create1(0), other, status = 1;

	if (pipe(fds) || epoll_ctl(poll, EPOLL_CTL_ADD, fds[0], &e))
		return;
	if (!fork()) {
		close(fds[0]);
		_exit(0);
	}
	wait(&status);
	report("a child's close", status == 0 && write(fds[1], "x", 1) == 1 &&
	       epoll_wait(poll, &e, 1, 5000) == 1 && e.data.u64 == 7);
	other = dup(fds[0]);
	close(fds[0]);
	alarm(10);
	report("a closed descriptor", epoll_wait(poll, &e, 1, 50) == 0);
	alarm(0);
	close(other);
	close(fds[1]);
	close(poll);
}

/* The first line of `path` that has `text` in it. */
static int finds(const char *path, const char *text, char line[512])
{
	FILE *f = fopen(path, "r");
	int found = 0;

	while (f && !found && fgets(line, 512, f))
		found = !!strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

/* Does a line of maps have a part of [low, high)? */
static int reaches(const char *path, unsigned long low, unsigned long high)
{
	unsigned long start, end, found = 0;
	FILE *f = fopen(path, "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		found |= sscanf(line, "%lx-%lx ", &start, &end) == 2 && start < high && end > low;
	if (f)
		fclose(f);
	return found || !f;
}

/* Private memory with these bytes cannot be mapped for execution. */
static int runs(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	close(fd);
	return p != MAP_FAILED;
}

static void about_itself(void)
{
	unsigned long start, end, here = (unsigned long)&start;
	char line[512], path[64], bytes[512];
	FILE *f;
	int n, fd, copy;

	snprintf(path, sizeof(path), "/proc/%d/maps", getpid());
	report("its stack in maps", finds("/proc/self/maps", "[stack]", line) &&
	       sscanf(line, "%lx-%lx rw-p 00000000 00:00 0 ", &start, &end) == 2 &&
	       start < here && here < end);
	report("nothing of the shim's in maps", !finds(path, "carrel", line) &&
	       !reaches(path, 0x7e0000000000UL, 0x7e8000000000UL));
	fd = open("/proc/self/cmdline", O_RDONLY);
	copy = dup(fd);
	n = read(fd, bytes, 4);
	report("its own command line", n == 4 && read(copy, bytes + 4, 500) > 0 &&
	       strstr(bytes, "memory") && read(fd, bytes, 1) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	close(fd);
	close(copy);
	f = fopen("/proc/self/auxv", "r");
	report("its own auxiliary vector", f && fread(bytes, 16, 2, f) == 2 &&
	       *(unsigned long *)bytes == 16);
	fclose(f);
	f = fopen("/proc/self/environ", "r");
	report("its own environment", f && fgets(bytes, sizeof(bytes), f) && environ[0] &&
	       !strcmp(bytes, environ[0]));
	fclose(f);
	for (n = 0; n < 200; n++)
		if (!finds("/proc/thread-self/maps", "[heap]", line))
			break;
	report("as often as it likes", n == 200);
	report("which is no code", !getenv("STRICT") || !runs("/proc/self/cmdline"));
}

/* 64 MiB are all there is: who asks for more is told so, and what was given back can be had again. */
static void promises(void)
{
	const size_t piece = 8UL << 20;
	char *p[32], *all;
	int first, n;

	all = mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE, ANON | MAP_NORESERVE, -1, 0);
	report("a terabyte without reserve", all != MAP_FAILED && !munmap(all, 1UL << 40));
	for (n = 0; n < 32 && (p[n] = malloc(piece)); n++)
		memset(p[n], n, piece);
	first = n;
	report("malloc fails in time", n > 2 && n < 8 && errno == ENOMEM);
	report("so does realloc, and the old piece stays", !realloc(p[0], 8 * piece) &&
	       p[0][piece - 1] == 0);
	report("so does brk", error((long)sbrk(piece)) == ENOMEM);
	while (n > 0)
		free(p[--n]);
	while (n < 32 && (p[n] = malloc(piece)))
		n++;
	report("what was freed can be had again", n == first);
	while (n > 0)
		free(p[--n]);
}

int main(void)
{
	struct sigaction action = { .sa_handler = jump };

	sigaction(SIGSEGV, &action, NULL);
	mapping();
	moving();
	heap();
	bad_pointers();
	streams();
	links();
	about_itself();
	closed_events();
	if (getenv("LIMIT"))
		promises();
	return failures;
}
