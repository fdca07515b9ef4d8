/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunks, blocks and the mapping: who gets how much of them, and when they come back. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "test.h"

static void test_growth(void)
{
	static char image[17 * PAGE];
	unsigned int i;
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 4));
	EXPECT(!add(device, image, 17) && !start(device) && parameter("held") == 2);
	for (i = 0; i < 2; i++)
		EXPECT(!ask(CARREL_REQ_MEMORY));
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), ENOMEM);
	EXPECT(!ask(CARREL_REQ_FLUSH));
	close(device);
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), ENOMEM);
	EXPECT(!ask(CARREL_REQ_FLUSH) && parameter("held") == 4);
}

/* As much of what is asked for as the limit allows, but one at least. */
static void test_growth_by_many(void)
{
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 8));
	EXPECT(!start(device) && parameter("held") == 1);
	EXPECT(!ask_for(CARREL_REQ_MEMORY, 2) && parameter("held") == 4);
	EXPECT(!ask_for(CARREL_REQ_MEMORY, 510) && parameter("held") == 8);
	EXPECT_ERRNO(ask_for(CARREL_REQ_MEMORY, 1), ENOMEM);
}

static void test_growth_in_add(void)
{
	static char image[80 * PAGE];
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 4));
	EXPECT_ERRNO(add(device, image, 80), ENOMEM);
	EXPECT(parameter("held") == 4);
}

/* A block is lent, and charged, when the carrier first touches it or asks for it. */
static void test_lent_by_need(void)
{
	int device = open_device(), pipes[2];
	char byte = 'x';

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
	EXPECT(parameter("held") == 1);
	EXPECT(touch(CHANNEL + 3 * PAGE, WRITE) == 0 && parameter("held") == 2);
	EXPECT(touch(CHANNEL, READ) == 0 && CHANNEL[3 * PAGE] == 0x5a && parameter("held") == 2);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, 1), EINVAL);	/* not started yet */
	EXPECT(!start(device));
	EXPECT(!ask_for(CARREL_REQ_LEND, 1) && !ask_for(CARREL_REQ_LEND, 0));
	EXPECT(parameter("held") == 3);
	/* The kernel's own access, for a system call, is the carrier's. */
	EXPECT(!pipe(pipes) && write(pipes[1], &byte, 1) == 1);
	EXPECT(read(pipes[0], (void *)(CARREL_CHANNEL_VA + 2 * CARREL_BLOCK_SIZE), 1) == 1);
	EXPECT(CHANNEL[2 * CARREL_BLOCK_SIZE] == 'x' && parameter("held") == 4);
}

/* /proc/PID/mem of a channel whose block 0 is lent. */
static int peek(void *parent)
{
	char path[64], byte = 0;
	int memory;

	snprintf(path, sizeof(path), "/proc/%d/mem", *(pid_t *)parent);
	memory = open(path, O_RDWR);
	EXPECT(memory >= 0 && pread(memory, &byte, 1, CARREL_CHANNEL_VA) == 1 && byte == 0x5a);
	EXPECT_ERRNO(pread(memory, &byte, 1, CARREL_CHANNEL_VA + CARREL_BLOCK_SIZE), EIO);
	EXPECT_ERRNO(pwrite(memory, &byte, 1, CARREL_CHANNEL_VA + CARREL_BLOCK_SIZE), EIO);
	return !!*why;
}

static void test_not_lent_to_others(void)
{
	int device = open_device();
	pid_t self = getpid();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
	EXPECT(touch(CHANNEL, WRITE) == 0);
	EXPECT(in_child(peek, &self) == 0 && parameter("held") == 2);
}

static void test_lend_refused(void)
{
	int device = open_device(), pipes[2];

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
	EXPECT(!start(device) && !pipe(pipes) && write(pipes[1], "x", 1) == 1);
	inject(CARREL_HC_LEND, 0, 100, CARREL_ELIMIT);
	EXPECT(touch(CHANNEL, WRITE) == SIGBUS);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, 0), ENOSPC);
	EXPECT_ERRNO(read(pipes[0], (void *)CARREL_CHANNEL_VA, 1), EFAULT);
	inject(0, 0, 0, 0);
	EXPECT(parameter("held") == 1);
	EXPECT(touch(CHANNEL, WRITE) == 0 && parameter("held") == 2);
}

static void test_lend_takes_memory(void)
{
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 2));
	inject(CARREL_HC_LEND, 0, 1, CARREL_ENOMEM);
	EXPECT(touch(CHANNEL, WRITE) == 0 && parameter("held") == 3);
	inject(CARREL_HC_LEND, 0, 1, CARREL_ENOMEM);
	EXPECT(touch(CHANNEL + CARREL_BLOCK_SIZE, WRITE) == SIGBUS);
	inject(0, 0, 0, 0);
}

/* Six chunks, of which the pages that were added need two. */
static void test_trim(void)
{
	static char image[17 * PAGE];
	int device = open_device(), i;

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 6));
	EXPECT(!add(device, image, 17) && !start(device));
	for (i = 0; i < 3; i++) {
		EXPECT(!ask_for(CARREL_REQ_MEMORY, 3) && parameter("held") == 6);
		EXPECT(!ask(CARREL_REQ_TRIM) && parameter("held") == 2);
	}
	EXPECT(!ask(CARREL_REQ_TRIM) && parameter("held") == 2);
}

/* The kernel asks for what can be had when it is short of memory, or told to. */
static void test_shrinker(void)
{
	static char image[17 * PAGE];
	int device = open_device(), i;

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 60));
	EXPECT(!add(device, image, 17) && !start(device));
	EXPECT(!ask_for(CARREL_REQ_MEMORY, 40) && parameter("held") == 43);
	for (i = 0; i < 20 && parameter("held") > 2; i++)
		write_file("/proc/sys/vm/drop_caches", "2");
	EXPECT(parameter("held") == 2);
	EXPECT(!ask_for(CARREL_REQ_MEMORY, 1) && parameter("held") == 4);
}

static void test_pages(void)
{
	unsigned long i;
	unsigned int zeros = 0;
	int device = open_device();

	EXPECT(!whole_life(device));
	for (i = 0; i < BLOCKS * CARREL_BLOCK_SIZE; i++)
		zeros += CHANNEL[i] == 0;
	EXPECT(zeros == BLOCKS * CARREL_BLOCK_SIZE);
	for (i = 0; i < BLOCKS * CARREL_BLOCK_SIZE; i += 512)
		CHANNEL[i] = i >> 9;
	for (i = 0; i < BLOCKS * CARREL_BLOCK_SIZE; i += 512)
		EXPECT(CHANNEL[i] == (unsigned char)(i >> 9));
	EXPECT(touch(CHANNEL + BLOCKS * CARREL_BLOCK_SIZE - 1, WRITE) == 0);
	EXPECT(touch(CHANNEL + BLOCKS * CARREL_BLOCK_SIZE, READ) == SIGSEGV);
	EXPECT(touch(GATE + PAGE, READ) == SIGBUS);
	EXPECT(touch(CHANNEL - 1, WRITE) == SIGBUS);
	/* The stub's first instruction is VMMCALL or VMCALL; the next is RET. */
	EXPECT(GATE[0] == 0x0f && GATE[1] == 0x01 && GATE[3] == 0xc3);
}

/* No write reaches the gate: it is one page for all carriers. */
static void test_gate_is_read_only(void)
{
	int device = open_device(), memory, pipes[2];
	unsigned char byte, before;

	EXPECT(!whole_life(device));
	/* Both before its page is in the page table and after. */
	EXPECT(touch(GATE + 0x20, WRITE) == SIGBUS);
	before = GATE[0x20];
	byte = ~before;
	EXPECT(touch(GATE + 0x20, WRITE) == SIGBUS);
	EXPECT(!mprotect((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS), PROT_READ | PROT_WRITE));
	EXPECT(touch(GATE + 0x20, WRITE) == SIGBUS);
	memory = open("/proc/self/mem", O_RDWR);
	EXPECT(memory >= 0 && pwrite(memory, &byte, 1, CARREL_GATE_VA + 0x20) == -1);
	EXPECT(!pipe(pipes) && write(pipes[1], &byte, 1) == 1);
	EXPECT_ERRNO(read(pipes[0], (void *)(CARREL_GATE_VA + 0x20), 1), EFAULT);
	EXPECT(GATE[0] == 0x0f && GATE[0x20] == before);
}

static void test_one_piece(void)
{
	char *base = (char *)CARREL_BASE;
	unsigned long size = CARREL_MMAP_SIZE(BLOCKS);
	int device = open_device();

	EXPECT(!whole_life(device));
	EXPECT_ERRNO(munmap(base, PAGE), EINVAL);
	EXPECT_ERRNO(munmap(base + size - PAGE, PAGE), EINVAL);
	EXPECT_ERRNO(mprotect(base, PAGE, PROT_READ), EINVAL);
	EXPECT_ERRNO(mremap(base, size, size + PAGE, 0), EFAULT);
	EXPECT_ERRNO(mremap(base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, base - (1UL << 32)),
		     EINVAL);
	EXPECT_ERRNO(mremap(base, 0, size, MREMAP_MAYMOVE), EFAULT);
	EXPECT(touch(CHANNEL, WRITE) == 0);
	EXPECT(!ask(CARREL_REQ_FLUSH));
	EXPECT(!munmap(base, size) && parameter("held") == 0);
	EXPECT_ERRNO(create(device, LIMIT), EINVAL);
}

static int limited_in_child(void *unused)
{
	struct rlimit limit = { 4 << 20, 4 << 20 };
	int device = open_device();

	(void)unused;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (setgid(1000) || setuid(1000))
		return 2;
	/* One chunk and the channel fit into 4 MiB, two chunks do not. */
	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, LIMIT) ||
	    start(device))
		return 3;
	EXPECT(!lend_all());
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), ENOMEM);
	return !!*why;
}

/* As limited_in_child(), but its creator was allowed to: who it is by now is no matter. */
static int allowed_in_child(void *unused)
{
	struct rlimit limit = { PAGE, PAGE };
	int device = open_device();

	(void)unused;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, LIMIT) ||
	    start(device) || setgid(1000) || setuid(1000))
		return 3;
	EXPECT(!lend_all());
	EXPECT(!ask(CARREL_REQ_MEMORY));
	EXPECT(parameter("held") == 2 + BLOCKS);
	return !!*why;
}

/* One chunk and one block: the second block must not be touched. */
static int block_limited_in_child(void *unused)
{
	struct rlimit limit = { (2 << 20) + CARREL_BLOCK_SIZE, (2 << 20) + CARREL_BLOCK_SIZE };
	int device = open_device();

	(void)unused;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	if (setgid(1000) || setuid(1000))
		return 2;
	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, LIMIT) ||
	    start(device) || touch(CHANNEL, WRITE))
		return 3;
	EXPECT(touch(CHANNEL + CARREL_BLOCK_SIZE, WRITE) == SIGBUS);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, 1), ENOMEM);
	EXPECT(parameter("held") == 2);
	return !!*why;
}

static void test_memlock(void)
{
	int i;

	/* What a process was charged is given back when it ends. */
	for (i = 0; i < 3; i++)
		EXPECT(in_child(limited_in_child, NULL) == 0);
	for (i = 0; i < 3; i++)
		EXPECT(in_child(block_limited_in_child, NULL) == 0);
	for (i = 0; i < 3; i++)
		EXPECT(in_child(allowed_in_child, NULL) == 0);
}

static int cgroup_in_child(void *unused)
{
	char self[16];
	int device = open_device(), grown = 0;

	(void)unused;
	snprintf(self, sizeof(self), "%d", getpid());
	write_file("/tmp/cgroup/small/cgroup.procs", self);
	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, 64) ||
	    start(device))
		return 2;
	while (grown < 62 && !ask(CARREL_REQ_MEMORY))
		grown++;
	EXPECT(errno == ENOMEM && grown > 2 && grown < 16);
	return !!*why;
}

static void test_cgroup(void)
{
	char events[512] = "";
	int file;

	mkdir("/tmp/cgroup", 0755);
	EXPECT(!mount("cgroup", "/tmp/cgroup", "cgroup2", 0, NULL));
	write_file("/tmp/cgroup/cgroup.subtree_control", "+memory");
	EXPECT(!mkdir("/tmp/cgroup/small", 0755));
	write_file("/tmp/cgroup/small/memory.max", "20971520");
	EXPECT(in_child(cgroup_in_child, NULL) == 0);
	file = open("/tmp/cgroup/small/memory.events", O_RDONLY);
	EXPECT(file >= 0 && read(file, events, sizeof(events) - 1) > 0);
	EXPECT(strstr(events, "oom_kill 0\n"));
	EXPECT(parameter("held") == 0);
}

/* References to the channel that outlive the process keep their pages, harmlessly. */
static int splice_in_child(void *pipes)
{
	struct iovec io = { (void *)CARREL_CHANNEL_VA, PAGE };

	if (whole_life(open_device()))
		return 2;
	memset((void *)CARREL_CHANNEL_VA, 'c', PAGE);
	return vmsplice(((int *)pipes)[1], &io, 1, 0) == (ssize_t)PAGE ? 0 : 3;
}

static void test_pinned_channel(void)
{
	char page[PAGE];
	int pipes[2];

	EXPECT(!pipe(pipes));
	EXPECT(in_child(splice_in_child, pipes) == 0 && parameter("held") == 0);
	EXPECT(read(pipes[0], page, PAGE) == (ssize_t)PAGE && page[0] == 'c' &&
	       page[PAGE - 1] == 'c');
}

const struct test memory_tests[] = {
	{ "memory on request, up to the limit", test_growth },
	{ "as much memory as there is", test_growth_by_many },
	{ "ADD takes memory, up to the limit", test_growth_in_add },
	{ "blocks are lent by need", test_lent_by_need },
	{ "blocks are not lent to others", test_not_lent_to_others },
	{ "LEND is refused", test_lend_refused },
	{ "LEND takes memory, up to the limit", test_lend_takes_memory },
	{ "TRIM", test_trim },
	{ "the shrinker", test_shrinker },
	{ "gate and channel pages", test_pages },
	{ "the gate cannot be written", test_gate_is_read_only },
	{ "the mapping stays in one piece", test_one_piece },
	{ "RLIMIT_MEMLOCK", test_memlock },
	{ "a cgroup's memory.max", test_cgroup },
	{ "the channel pinned beyond its process", test_pinned_channel },
	{ 0 },
};
