/* SPDX-License-Identifier: BSD-2-Clause */
/* Carriers that fork, and children that are adopted. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

/* What vfork wants: another carrier of the same process. */
static int forked(void *device)
{
	static char page[PAGE];

	EXPECT(touch(GATE, READ) == 0 && CHANNEL[0] == 1);
	CHANNEL[0] = 2;
	EXPECT(!ask(CARREL_REQ_MEMORY) && !ask(CARREL_REQ_FLUSH));
	EXPECT_ERRNO(create(*(int *)device, LIMIT), EBUSY);
	EXPECT_ERRNO(add(*(int *)device, page, 1), EINVAL);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	EXPECT_ERRNO(create(*(int *)device, LIMIT), EINVAL);
	if (*why)
		printf("# in the child: %s\n", why);
	fflush(stdout);
	return !!*why;
}

static void test_fork(void)
{
	int device = open_device();

	EXPECT(!whole_life(device));
	CHANNEL[0] = 1;
	EXPECT(in_child(forked, &device) == 0);
	EXPECT(parameter("held") == 5 + BLOCKS && CHANNEL[0] == 2 && !ask(CARREL_REQ_FLUSH));
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && parameter("held") == 0);
}

/* The first carrier ends, and the process with the second. */
static void test_fork_outlives(void)
{
	int device = open_device(), pipes[2];
	char byte;
	pid_t child;

	EXPECT(!pipe(pipes) && !whole_life(device));
	child = fork();
	if (!child) {
		read(pipes[0], &byte, 1);
		_exit(ask(CARREL_REQ_FLUSH) || touch(CHANNEL, WRITE));
	}
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	EXPECT(parameter("held") == 4 + BLOCKS && write(pipes[1], "x", 1) == 1);
	EXPECT(waitpid(child, &device, 0) == child && device == 0 && parameter("held") == 0);
}

static long adopt_rightly(uint64_t handle)
{
	return adopt(handle, 0x1111 + handle, 0x2222);
}

/* As FORK does: a child of `created`, or 0. */
static uint64_t fork_secure(void)
{
	set_parameter("fork", created);
	return parameter("fork");
}

static int adopting(void *handle_at)
{
	uint64_t handle = *(uint64_t *)handle_at;
	long held = parameter("held");

	CHANNEL[0] = 3;
	EXPECT(adopt(handle, 0x1112 + handle, 0x2222) == -EINVAL);
	EXPECT(adopt(handle, 0x1111 + handle, 0x2223) == -EINVAL);
	EXPECT(adopt(handle + 1000, 0x1111, 0x2222) == -EINVAL);
	EXPECT(adopt(0, 0, 0) == -EINVAL);
	EXPECT(adopt_rightly(handle) == 0);
	EXPECT(adopt_rightly(handle) == -EINVAL);
	/* The parent's channel, until it is given up. */
	EXPECT(CHANNEL[0] == 3);
	EXPECT(madvise((void *)CARREL_CHANNEL_VA, CARREL_BLOCKS_MAX * CARREL_BLOCK_SIZE,
		       MADV_DONTNEED) == -1 && errno == ENOMEM);
	EXPECT(parameter("held") == held);
	EXPECT(CHANNEL[0] == 0 && parameter("held") == held + 1);
	CHANNEL[0] = 4;
	EXPECT(!lend_all() && parameter("held") == held + (long)BLOCKS);
	EXPECT(!ask(CARREL_REQ_MEMORY) && parameter("held") == held + (long)BLOCKS + 1);
	if (*why)
		printf("# in the child: %s\n", why);
	fflush(stdout);
	return !!*why;
}

static void test_adopt(void)
{
	int device = open_device();
	uint64_t child;

	EXPECT(!whole_life(device));
	CHANNEL[0] = 1;
	child = fork_secure();
	EXPECT(child && in_child(adopting, &child) == 0);
	/* The child's blocks are back, its chunk is the family's. */
	EXPECT(CHANNEL[0] == 3 && parameter("held") == 5 + BLOCKS);
	EXPECT(!ask(CARREL_REQ_FLUSH));
	EXPECT(adopt_rightly(child) == -EINVAL);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && parameter("held") == 0);
}

/* Adopts one that nobody came for yet, after its parent's carrier died, and lives alone. */
static void test_adopted_outlives(void)
{
	int device = open_device(), pipes[2];
	uint64_t handle;
	char byte;
	pid_t child;

	EXPECT(!pipe(pipes) && !whole_life(device));
	handle = fork_secure();
	child = fork();
	if (!child) {
		read(pipes[0], &byte, 1);
		_exit(adopt_rightly(handle) || ask(CARREL_REQ_MEMORY) ||
		      parameter("held") != 5 || touch(CHANNEL, WRITE) || CHANNEL[1] ||
		      parameter("held") != 6);
	}
	CHANNEL[1] = 1;
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	EXPECT(parameter("held") == 4 + BLOCKS && write(pipes[1], "x", 1) == 1);
	EXPECT(waitpid(child, &device, 0) == child && device == 0 && parameter("held") == 0);
}

/* Nobody comes for it: it ends with its parent. */
static void test_never_adopted(void)
{
	EXPECT(!whole_life(open_device()));
	EXPECT(fork_secure() && fork_secure());
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && parameter("held") == 0);
}

/* One of another family, whose ticket it somehow has: no harm but to their own. */
static void test_adopt_a_stranger(void)
{
	int pipes[2][2], status;
	uint64_t handle;
	pid_t child;
	char byte;

	EXPECT(!pipe(pipes[0]) && !pipe(pipes[1]));
	child = fork();
	if (!child) {
		whole_life(open_device());
		handle = fork_secure();
		write(pipes[0][1], &handle, sizeof(handle));
		read(pipes[1][0], &byte, 1);
		_exit(ask(CARREL_REQ_FLUSH) ? 1 : 0);
	}
	EXPECT(!whole_life(open_device()) && read(pipes[0][0], &handle, 8) == 8);
	EXPECT(adopt_rightly(handle) == 0 && !ask(CARREL_REQ_MEMORY));
	/* The chunk went to the other's family, and comes back with that. */
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	EXPECT(parameter("leaked_pages") == 0);
	EXPECT(write(pipes[1][1], "x", 1) == 1 && waitpid(child, &status, 0) == child && !status);
	EXPECT(held_becomes(0));
}

/* Children of children, each with a life of its own; how many came into being is no matter. */
static int bomb(void *depth_at)
{
	int depth = *(int *)depth_at - 1, i;

	for (i = 0; depth >= 0 && i < 3; i++) {
		uint64_t handle = fork_secure();

		if (fork())
			continue;
		/* another's handle may have come between: then this carrier ends */
		if (!handle || adopt_rightly(handle))
			_exit(0);
		created = handle;
		lend_all();
		ask_for(CARREL_REQ_MEMORY, 1);
		bomb(&depth);
		ask(CARREL_REQ_TRIM);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

static int bomb_in_child(void *unused)
{
	int depth = 3;

	(void)unused;
	setpgid(0, 0);
	return whole_life(open_device()) ? 1 : bomb(&depth);
}

static void test_fork_bomb(void)
{
	pid_t child;
	int i;

	srand(3);
	EXPECT(in_child(bomb_in_child, NULL) == 0 && held_becomes(0));
	for (i = 0; i < 30 && !*why; i++) {
		child = fork();
		if (!child)
			_exit(bomb_in_child(NULL));
		setpgid(child, child);
		usleep(rand() % 60000);
		kill(-child, SIGKILL);
		waitpid(child, NULL, 0);
		EXPECT(held_becomes(0));
	}
}

/* A family of two, the second of which adopts, grows and ends first. */
static int family_in_child(void *unused)
{
	uint64_t handle;
	int status = 0;
	pid_t child;

	(void)unused;
	if (whole_life(open_device()))
		return 1;
	handle = fork_secure();
	child = fork();
	if (!child)
		_exit(!handle || adopt_rightly(handle) || touch(CHANNEL, WRITE) ||
		      ask(CARREL_REQ_MEMORY) || ask(CARREL_REQ_TRIM));
	waitpid(child, &status, 0);
	return status != 0;
}

static void test_kill_families(void)
{
	int status = 0, calls;

	for (calls = 1; calls < 1000 && !*why; calls++) {
		set_parameter("kill_in", calls);
		status = in_child(family_in_child, NULL);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && parameter("kill_in") > 0)
			break;
		EXPECT(held_becomes(0));
	}
	set_parameter("kill_in", 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0 && calls > 60);
	printf("# killed at each of %d calls\n", calls - 1);
}

static void *touch_for_ever(void *unused)
{
	volatile unsigned char *at;
	unsigned long i;

	(void)unused;
	for (i = 0;; i++) {
		at = CHANNEL + i % (BLOCKS * 16) * PAGE;
		*at = i;
		madvise((void *)(uintptr_t)at, PAGE, MADV_DONTNEED);
	}
	return NULL;
}

/* Threads of one address space touch the channel while another adopts, and ask for everything. */
static int adopt_among_threads(void *handle)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++)
		pthread_create(&thread, NULL, touch_for_ever, NULL);
	usleep(rand() % 5000);
	if (adopt_rightly(*(uint64_t *)handle))
		return 1;
	for (i = 0; i < 20; i++)
		ask_for(rand() % 6, rand() % 4);
	return 0;
}

static void test_adopt_race(void)
{
	uint64_t handle;
	int i;

	EXPECT(!whole_life(open_device()));
	for (i = 0; i < 30 && !*why; i++) {
		srand(i);
		handle = fork_secure();
		EXPECT(handle && in_child(adopt_among_threads, &handle) == 0);
	}
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && held_becomes(0));
}

static int fork_and_map_again(void *argument)
{
	int device = *(int *)argument;

	/* The mapping that was copied has no part in the process; nor has a second one. */
	munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS));
	EXPECT_ERRNO(map_at(device, CARREL_MMAP_SIZE(BLOCKS)), EBUSY);
	return !!*why;
}

static void test_fork_and_map_again(void)
{
	int device = open_device();

	EXPECT(!whole_life(device));
	EXPECT(in_child(fork_and_map_again, &device) == 0);
}

const struct test fork_tests[] = {
	{ "a forked child is another carrier", test_fork },
	{ "a forked child outlives its parent", test_fork_outlives },
	{ "ADOPT", test_adopt },
	{ "an adopted child outlives its parent", test_adopted_outlives },
	{ "a child that nobody adopts", test_never_adopted },
	{ "ADOPT of another's child", test_adopt_a_stranger },
	{ "a fork bomb, killed at random", test_fork_bomb },
	{ "kill -9 at every hypercall of a family", test_kill_families },
	{ "ADOPT among threads", test_adopt_race },
	{ "a forked child cannot map the descriptor", test_fork_and_map_again },
	{ 0 },
};
