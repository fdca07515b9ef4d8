/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything comes back, whenever a process ends and whatever fails. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

static void test_exit(void)
{
	EXPECT(in_child(life_in_child, NULL) == 0);
	EXPECT(parameter("held") == 0);
}

static int exec_in_child(void *unused)
{
	(void)unused;
	whole_life(open_device());
	execl("/bin/true", "true", NULL);
	return 1;
}

static void test_exec(void)
{
	EXPECT(in_child(exec_in_child, NULL) == 0);
	EXPECT(parameter("held") == 0);
}

/* A descriptor that outlives the mapping keeps nothing else alive. */
static void test_descriptor_outlives(void)
{
	int device = open_device();

	EXPECT(!whole_life(device) && parameter("held") > 0);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	EXPECT(parameter("held") == 0);
	EXPECT_ERRNO(start(device), EINVAL);
}

static int processes_until_full(void *pipes)
{
	/* on a host that is busy elsewhere, the module's patience may end first */
	for (int tries = 0; tries < 10 && whole_life(open_device()); tries++)
		munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS));
	write(((int *)pipes)[1], "x", 1);
	pause();
	return 0;
}

static void test_table_full(void)
{
	pid_t children[8];
	int pipes[2], device = open_device(), i;
	char byte;

	EXPECT(!pipe(pipes));
	for (i = 0; i < 8; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(processes_until_full(pipes));
		EXPECT(read(pipes[0], &byte, 1) == 1);
	}
	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED);
	EXPECT_ERRNO(create(device, LIMIT), ENOSPC);
	for (i = 0; i < 8; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	EXPECT(parameter("held") == 0);
	EXPECT(!create(device, LIMIT));
}

static void test_kill_at_every_call(void)
{
	int status = 0, calls;

	for (calls = 1; calls < 1000 && !*why; calls++) {
		set_parameter("kill_in", calls);
		status = in_child(life_in_child, NULL);
		if (WIFEXITED(status) && parameter("kill_in") > 0)
			break;
		EXPECT(parameter("held") == 0);
	}
	set_parameter("kill_in", 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	EXPECT(calls > 60);
	printf("# killed at each of %d calls\n", calls - 1);
}

static void test_kill_at_random(void)
{
	pid_t child;
	int i;

	srand(1);
	for (i = 0; i < 150 && !*why; i++) {
		child = fork();
		if (!child)
			_exit(life_in_child(NULL));
		usleep(rand() % 20000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		EXPECT(parameter("held") == 0);
	}
}

static void test_fail_at_every_call(void)
{
	static const struct { int number, code; } cases[] = {
		{ CARREL_HC_DONATE, CARREL_ELIMIT }, { CARREL_HC_DONATE, CARREL_EOWNER },
		{ CARREL_HC_DONATE, CARREL_EARG }, { CARREL_HC_CREATE, CARREL_ELIMIT },
		{ CARREL_HC_LEND, CARREL_EOWNER }, { CARREL_HC_ADD, CARREL_EARG },
		{ CARREL_HC_ADD, CARREL_EDEAD }, { CARREL_HC_ADD, CARREL_ENOMEM },
		{ CARREL_HC_INIT, CARREL_ESTATE },
	};
	unsigned int i;
	int skip;

	for (i = 0; i < sizeof(cases) / sizeof(*cases) && !*why; i++) {
		for (skip = 0; skip < 500 && !*why; skip++) {
			inject(cases[i].number, skip, 1, cases[i].code);
			in_child(life_in_child, NULL);
			EXPECT(parameter("held") == 0);
			if (parameter("fail_times"))
				break;
		}
		EXPECT(skip > 0 && skip < 500);
		inject(0, 0, 0, 0);
	}
}

/* A chunk that the hypervisor will not have is not offered again at once. */
static void test_undonatable(void)
{
	inject(CARREL_HC_DONATE, 0, 3, CARREL_EOWNER);
	EXPECT(in_child(life_in_child, NULL) == 0);
	inject(CARREL_HC_DONATE, 0, 1000, CARREL_EOWNER);
	EXPECT(in_child(life_in_child, NULL) == 1 << 8);
	inject(0, 0, 0, 0);
}

static void test_busy_unload(void)
{
	int device = open_device();

	EXPECT(!whole_life(device));
	close(device);
	EXPECT_ERRNO(syscall(SYS_delete_module, "carrel", O_NONBLOCK), EWOULDBLOCK);
}

static void *add_for_ever(void *device)
{
	static char image[64 * PAGE];

	while (!add(*(int *)device, image, 64))
		;
	return NULL;
}

static void *unmap_soon(void *unused)
{
	(void)unused;
	usleep(rand() % 3000);
	munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS));
	return NULL;
}

/* Two threads fill a process that a third unmaps. */
static void test_race(void)
{
	pthread_t threads[3];
	int device, i, round;

	for (round = 0; round < 40 && !*why; round++) {
		device = open_device();
		EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED);
		EXPECT(!create(device, 64));
		pthread_create(&threads[0], NULL, add_for_ever, &device);
		pthread_create(&threads[1], NULL, add_for_ever, &device);
		pthread_create(&threads[2], NULL, unmap_soon, NULL);
		for (i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		EXPECT(parameter("held") == 0);
		close(device);
	}
}

static int offline_and_online(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 10; i++) {
		write_file("/sys/devices/system/cpu/cpu1/online", "0");
		usleep(10000);
		write_file("/sys/devices/system/cpu/cpu1/online", "1");
	}
	return !!*why;
}

static void test_cpu_offline(void)
{
	long parked = parameter("parked");
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(offline_and_online(NULL));
	while (waitpid(child, &status, WNOHANG) == 0)
		EXPECT(in_child(life_in_child, NULL) == 0);
	EXPECT(status == 0 && parameter("held") == 0);
	EXPECT(parameter("parked") - parked == 10);
}

/* Waits for what a CPU kept from being freed. */
static void settle(void)
{
	int i;

	for (i = 0; i < 100 && parameter("waiting"); i++)
		usleep(100000);
	EXPECT(parameter("waiting") == 0 && parameter("held") == 0);
}

static int map_and_create(void *error)
{
	int device = open_device();

	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || !create(device, LIMIT))
		return 1;
	return errno == *(int *)error ? 0 : 2;
}

static void test_stuck_donation(void)
{
	int error = ETIMEDOUT;

	set_parameter("stuck", 1);
	EXPECT(in_child(map_and_create, &error) == 0);
	EXPECT(parameter("waiting") == 1 && parameter("held") == 1);
	EXPECT_ERRNO(syscall(SYS_delete_module, "carrel", O_NONBLOCK), EWOULDBLOCK);
	set_parameter("stuck", 0);
	settle();
}

static int life_then_stuck(void *unused)
{
	(void)unused;
	if (whole_life(open_device()))
		return 1;
	set_parameter("stuck", 1);
	return 0;
}

static void test_stuck_end(void)
{
	EXPECT(in_child(life_then_stuck, NULL) == 0);
	EXPECT(parameter("waiting") == 1 && parameter("held") == 4 + BLOCKS);
	EXPECT_ERRNO(syscall(SYS_delete_module, "carrel", O_NONBLOCK), EWOULDBLOCK);
	set_parameter("stuck", 0);
	settle();
	EXPECT(in_child(life_in_child, NULL) == 0);
}

/* CREATE fails, and its chunk cannot come back. */
static void test_stuck_create(void)
{
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED);
	inject(CARREL_HC_CREATE, 0, 1, CARREL_EOWNER);
	set_parameter("stuck_after", CARREL_HC_CREATE);
	EXPECT_ERRNO(create(device, LIMIT), EIO);
	EXPECT(parameter("waiting") == 1);
	EXPECT_ERRNO(create(device, LIMIT), EINVAL);
	EXPECT(touch(CHANNEL, READ) == SIGBUS);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)));
	set_parameter("stuck_after", 0);
	set_parameter("stuck", 0);
	settle();
}

/* An IOMMU failed: nothing new, no more for what is there, and that ends as ever. */
static void test_dma_lost(void)
{
	static char page[PAGE];
	int error = EPERM, device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
	EXPECT(!add(device, page, 1) && !start(device));
	set_parameter("dma", CARREL_DMA_LOST);
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), EPERM);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && parameter("held") == 0);
	EXPECT(in_child(map_and_create, &error) == 0);
	set_parameter("dma", CARREL_DMA_PROTECTED);
}

static void test_return_refused(void)
{
	inject(CARREL_HC_RETURN, 0, 1, CARREL_EOWNER);
	EXPECT(in_child(life_in_child, NULL) == 0);
	EXPECT(parameter("leaked_pages") == 512 && parameter("held") == 1);
	inject(0, 0, 0, 0);
}

static void test_destroy_refused(void)
{
	long leaked = parameter("leaked_pages"), held = parameter("held");

	inject(CARREL_HC_DESTROY, 0, 1, CARREL_EARG);
	EXPECT(in_child(life_in_child, NULL) == 0);
	inject(0, 0, 0, 0);
	/* Three chunks and three blocks; in the fourth chunk was nothing. */
	EXPECT(parameter("leaked_pages") - leaked == 3 * 512 + 3 * 16);
	EXPECT(parameter("held") - held == 3 + 3);
}

const struct test end_tests[] = {
	{ "exit returns everything", test_exit },
	{ "exec returns everything", test_exec },
	{ "a descriptor keeps nothing alive", test_descriptor_outlives },
	{ "a full table is told apart", test_table_full },
	{ "kill -9 at every hypercall", test_kill_at_every_call },
	{ "kill -9 at random", test_kill_at_random },
	{ "every hypercall fails in turn", test_fail_at_every_call },
	{ "chunks that cannot be donated", test_undonatable },
	{ "rmmod while in use", test_busy_unload },
	{ "munmap against ADD", test_race },
	{ "a CPU goes offline and online", test_cpu_offline },
	{ "a CPU does not flush: DONATE", test_stuck_donation },
	{ "a CPU does not flush: CREATE", test_stuck_create },
	{ "a CPU does not flush: exit", test_stuck_end },
	{ "an IOMMU failed", test_dma_lost },
	{ 0 },
};

const struct test leak_tests[] = {
	{ "RETURN is refused: the chunk leaks", test_return_refused },
	{ "DESTROY is refused: all leaks", test_destroy_refused },
	{ 0 },
};
