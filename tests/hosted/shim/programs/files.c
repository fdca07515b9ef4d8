/* SPDX-License-Identifier: BSD-2-Clause */
/* files DIRECTORY: files as memory. Prints one line a test; all must say ok, with a shim or without. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	4096
#define SIZE	(5 * PAGE + 100)

static int failures;
static char contents[SIZE];

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

static int error(long result)
{
	return result == -1 ? errno : 0;
}

static int fresh(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 || write(fd, contents, SIZE) != SIZE)
		exit(1);
	return fd;
}

static void private_mapping(void)
{
	int fd = fresh();
	char now[PAGE], *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *q;

	report("it shows the file", !memcmp(p, contents, SIZE));
	report("and zeros to the end of the page", p[SIZE] == 0 && p[6 * PAGE - 1] == 0);
	p[PAGE] ^= 1;
	report("a change stays here", pread(fd, now, PAGE, PAGE) == PAGE &&
	       !memcmp(now, contents + PAGE, PAGE));
	q = mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 3 * PAGE);
	report("a part is replaced", q == p + PAGE && !memcmp(q, contents + 3 * PAGE, PAGE) &&
	       !memcmp(p + 2 * PAGE, contents + 2 * PAGE, PAGE));
	close(fd);
	report("it outlives the descriptor", !memcmp(p, contents, PAGE));
	report("an offset within a page", error((long)mmap(NULL, 1, 1, MAP_PRIVATE, fd, 7)) ==
	       EINVAL && error((long)mmap(NULL, 1, 1, MAP_PRIVATE, fd, 0)) == EBADF);
	munmap(p, SIZE);
}

/* How many from `first` on are open. */
static int descriptors(int first, int end)
{
	int open = 0;

	for (; first < end; first++)
		open += fcntl(first, F_GETFD) >= 0;
	return open;
}

/* How many of them can be sent or waited for. */
static int usable(int first, int end)
{
	int pair[2], epoll = epoll_create1(0), usable = 0;
	struct epoll_event event = { .events = EPOLLIN };
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec byte = { control, 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = CMSG_SPACE(2 * sizeof(int)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	*c = (struct cmsghdr){ CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	for (; first < end; first++) {
		const int fds[2] = { 1, first };

		memcpy(CMSG_DATA(c), fds, sizeof(fds));
		usable += error(sendmsg(pair[0], &message, 0)) != EBADF;
		usable += error(epoll_ctl(epoll, EPOLL_CTL_ADD, first, &event)) != EBADF;
		usable += error(epoll_ctl(epoll, EPOLL_CTL_DEL, first, NULL)) != EBADF;
	}
	close(pair[0]);
	close(pair[1]);
	close(epoll);
	return usable;
}

static void shared_mapping(void)
{
	char now[SIZE];
	int fd = fresh(), copy = open("/proc/self/fd", O_RDONLY);
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(copy);
	report("no descriptor but the program's", !descriptors(500, 1100) &&
	       !descriptors(60000, 60100));
	report("nor one to send or wait for", !usable(500, 1100) && !usable(60000, 60100));
	p[2 * PAGE] ^= 1;
	report("msync", msync(p, SIZE, MS_SYNC) == 0);
	report("writes it back", pread(fd, now, SIZE, 0) == SIZE && !memcmp(now, p, SIZE));
	p[4 * PAGE] ^= 1;
	p[0] ^= 1;
	munmap(p, PAGE);
	report("so does munmap", pread(fd, now, 1, 0) == 1 && now[0] == (contents[0] ^ 1));
	copy = dup(fd);
	close(fd);
	munmap(p + PAGE, SIZE - PAGE);
	report("when the descriptor is closed, too", pread(copy, now, 1, 4 * PAGE) == 1 &&
	       now[0] == (contents[4 * PAGE] ^ 1));
	report("the file is as long as it was", lseek(copy, 0, SEEK_END) == SIZE);
	close(copy);
}

static void access_modes(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), ro, wo;
	char *p;

	if (write(fd, contents, SIZE) != SIZE)
		return;
	ro = open(name, O_RDONLY);
	wo = open(name, O_WRONLY);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	report("shared and read-only", !memcmp(p, contents, PAGE));
	report("not to be written", error((long)mmap(NULL, PAGE, 3, MAP_SHARED, ro, 0)) == EACCES &&
	       error(mprotect(p, PAGE, 3)) == EACCES);
	report("a descriptor that cannot be read",
	       error((long)mmap(NULL, PAGE, 1, MAP_PRIVATE, wo, 0)) == EACCES);
	report("private may be written", mmap(NULL, PAGE, 3, MAP_PRIVATE, ro, 0) != MAP_FAILED);
	report("no file", error((long)mmap(NULL, PAGE, 1, MAP_PRIVATE, open("/", O_RDONLY), 0)) ==
	       ENODEV);
	p = mmap(NULL, PAGE, 3, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0);
	report("/dev/zero", p != MAP_FAILED && p[17] == 0);
	unlink(name);
}

static void moving(void)
{
	char *p = mmap(NULL, 8 * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	unsigned char there[8];

	memcpy(p, contents, 4 * PAGE);
	q = mremap(p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	report("mremap to a place", q == to && !memcmp(q, contents, 4 * PAGE) && q[5 * PAGE] == 0);
	report("and from there", error(mincore(p, PAGE, there)) == ENOMEM);
	report("not onto itself", error((long)mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE |
	       MREMAP_FIXED, q + PAGE)) == EINVAL);
	p = mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4, NULL);
	report("leaving zeros behind", p != MAP_FAILED && p != q && !memcmp(p, contents, PAGE) &&
	       q[0] == 0 && q[PAGE] == 0 && !memcmp(q + 2 * PAGE, contents + 2 * PAGE, PAGE));
	report("mincore", mincore(q, 6 * PAGE, there) == 0 && there[0] & 1);
	report("mlock", mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0 &&
	       error(mlock((void *)0x10000000000UL, PAGE)) == ENOMEM);
	report("advice that is unknown", error(madvise(p, PAGE, 999)) == EINVAL);
	report("a low place", (uint64_t)mmap(NULL, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
	       -1, 0) < 1UL << 31);
	report("a large reservation", mmap(NULL, 1UL << 42, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
	       MAP_NORESERVE, -1, 0) != MAP_FAILED);
	p = mmap(NULL, 4 * PAGE, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 5;
	madvise(p, PAGE, MADV_DONTNEED);
	report("shared memory keeps its contents", p[0] == 5);
}

static void growing_stack(void)
{
	char *area = mmap(NULL, 1024 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *top = area + 1024 * PAGE;
	char *p;

	munmap(area, 1024 * PAGE);
	p = mmap(top - PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	p[-1] = 1;
	p[-300 * PAGE] = 2;
	report("a stack grows", p[-1] == 1 && p[-300 * PAGE] == 2);
}

int main(int argc, char **argv)
{
	if (argc < 2 || chdir(argv[1]))
		return 1;
	for (int i = 0; i < SIZE; i++)
		contents[i] = i * 7 + (i >> 8) + 1;
	private_mapping();
	shared_mapping();
	access_modes("files.tmp");
	moving();
	growing_stack();
	fflush(stdout);
	return failures;
}
