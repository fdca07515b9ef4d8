/* SPDX-License-Identifier: BSD-2-Clause */
/* What the module is asked: good calls, bad ones, in the wrong order, anything at all. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bearssl_hash.h>
#include <carrel/identity.h>
#include "test.h"

static void test_node(void)
{
	struct stat status;

	EXPECT(!stat(CARREL_DEVICE, &status));
	EXPECT((status.st_mode & 07777) == 0660);
	EXPECT(status.st_uid == 0 && status.st_gid == 1234);
}

static void test_mmap_refuses(void)
{
	unsigned long good = CARREL_MMAP_SIZE(BLOCKS);
	int device = open_device(), flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
	int rights = PROT_READ | PROT_WRITE, read_only;
	void *base = (void *)CARREL_BASE;

	EXPECT_ERRNO(mmap(base, good, rights, MAP_PRIVATE | MAP_FIXED_NOREPLACE, device, 0), EACCES);
	EXPECT_ERRNO(mmap(base, good, rights, flags, device, PAGE), EINVAL);
	EXPECT_ERRNO(mmap((char *)base + PAGE, good, rights, flags, device, 0), EINVAL);
	EXPECT_ERRNO(mmap(NULL, good, rights, MAP_SHARED, device, 0), EINVAL);
	EXPECT_ERRNO(map_at(device, PAGE), EINVAL);
	EXPECT_ERRNO(map_at(device, CARREL_MMAP_SIZE(0)), EINVAL);
	EXPECT_ERRNO(map_at(device, good - PAGE), EINVAL);
	EXPECT_ERRNO(map_at(device, CARREL_MMAP_SIZE(CARREL_BLOCKS_MAX + 1UL)), EINVAL);
	read_only = open(CARREL_DEVICE, O_RDONLY);
	EXPECT_ERRNO(mmap(base, good, PROT_READ, flags, read_only, 0), EACCES);
	EXPECT(map_at(device, good) == base);
	EXPECT(!munmap(base, good));
	EXPECT_ERRNO(map_at(device, good), EBUSY);
}

static void test_create_refuses(void)
{
	struct carrel_ioc_create good = {
		.abi = CARREL_ABI_VERSION, .limit = LIMIT, .slots = SLOTS, .blocks = BLOCKS,
	}, bad;
	int device = open_device();

	EXPECT_ERRNO(create(device, LIMIT), EINVAL);
	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED);
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_CREATE, NULL), EFAULT);
#define BAD(field, value, number) do {					\
	bad = good;							\
	bad.field = (value);						\
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_CREATE, &bad), number);	\
} while (0)
	BAD(abi, CARREL_ABI_VERSION + 1, EPROTO);
	BAD(limit, 0, EINVAL);
	BAD(limit, 0xffffffff, EINVAL);
	BAD(slots, 0, EINVAL);
	BAD(slots, CARREL_SLOTS_MAX + 1, EINVAL);
	BAD(slots, 7, EINVAL);
	BAD(blocks, BLOCKS + 1, EINVAL);
	BAD(blocks, 0, EINVAL);
	BAD(flags, CARREL_CREATE_FLAGS + 1, EINVAL);
	BAD(flags, 0x80000000, EINVAL);
	BAD(reserved, 1, EINVAL);
	set_parameter("dma", CARREL_DMA_UNPROTECTED);
	BAD(flags, CARREL_CREATE_DMA, EPERM);
	set_parameter("dma", CARREL_DMA_PROTECTED);
#undef BAD
	EXPECT_ERRNO(start(device), EINVAL);
	EXPECT(!ioctl(device, CARREL_IOC_CREATE, &good));
	EXPECT(good.process && good.ticket[0] == 0x1111 && good.ticket[1] == 0x2222);
	EXPECT_ERRNO(create(device, LIMIT), EBUSY);
}

static void test_order(void)
{
	static char page[PAGE];
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED);
	EXPECT(touch(CHANNEL, READ) == SIGBUS);
	EXPECT_ERRNO(add(device, page, 1), EINVAL);
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), EINVAL);
	EXPECT(!create(device, LIMIT));
	EXPECT_ERRNO(ask(CARREL_REQ_MEMORY), EINVAL);
	EXPECT(!add(device, page, 1));
	EXPECT(!start(device));
	EXPECT_ERRNO(add(device, page, 1), EINVAL);
	EXPECT_ERRNO(start(device), EINVAL);
	EXPECT_ERRNO(ioctl(device, _IO('C', 99), 0), ENOTTY);
}

static void test_add_refuses(void)
{
	static char page[PAGE];
	struct carrel_ioc_add good = {
		.source = (uintptr_t)page, .address = CARREL_SHIM_VA, .pages = 1, .type = CARREL_R,
	}, bad;
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
#define BAD(field, value, number) do {					\
	bad = good;							\
	bad.field = (value);						\
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_ADD, &bad), number);	\
} while (0)
	BAD(pages, 0, EINVAL);
	BAD(pages, 513, EINVAL);
	BAD(pages, 0xffffffff, EINVAL);
	BAD(address, CARREL_SHIM_VA + 8, EINVAL);
	BAD(address, ~0UL & -PAGE, EINVAL);
	BAD(address, 0, EINVAL);
	BAD(type, 0x1000, EINVAL);
	BAD(type, 8, EINVAL);
	BAD(source, 0, EFAULT);
	BAD(source, ~0UL, EFAULT);
	BAD(source, 0xffff888000000000, EFAULT);
	BAD(source, 0x800000000000 - PAGE + 1, EFAULT);
#undef BAD
	EXPECT(!ioctl(device, CARREL_IOC_ADD, &good));
	/* The channel is user memory like any other. */
	EXPECT(!add(device, (void *)CARREL_CHANNEL_VA, BLOCKS * 16));
}

/* The identity, of three pages at an odd address, as identity.h defines it. */
static void expected_identity(const unsigned char *image, uint8_t identity[32])
{
	struct carrel_measure_create create = {
		.magic = CARREL_MEASURE_CREATE, .abi = CARREL_ABI_VERSION, .limit = LIMIT,
		.slots = SLOTS, .blocks = BLOCKS, .entry = CARREL_SHIM_VA,
		.threads = CARREL_THREADS_VA, .gate = CARREL_GATE_VA, .channel = CARREL_CHANNEL_VA,
		.flags = create_flags,
	};
	struct carrel_measure_add add = { .magic = CARREL_MEASURE_ADD, .type = CARREL_R };
	struct carrel_measure_init init = { .magic = CARREL_MEASURE_INIT };
	br_sha256_context context;
	unsigned int i;

	br_sha256_init(&context);
	br_sha256_update(&context, &create, sizeof(create));
	for (i = 0; i < 3; i++) {
		add.address = CARREL_SHIM_VA + i * PAGE;
		br_sha256_update(&context, &add, sizeof(add));
		br_sha256_update(&context, image + i * PAGE, PAGE);
	}
	br_sha256_update(&context, &init, sizeof(init));
	br_sha256_out(&context, identity);
}

static void test_measured(void)
{
	static unsigned char image[3 * PAGE + 1];
	struct carrel_ioc_init init;
	uint8_t identity[32];
	unsigned int i;
	int device = open_device();

	for (i = 0; i < sizeof(image); i++)
		image[i] = i * 7 + i / 255;
	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, LIMIT));
	EXPECT(!add(device, image + 1, 3) && !ioctl(device, CARREL_IOC_INIT, &init));
	expected_identity(image + 1, identity);
	EXPECT(!memcmp(identity, init.identity, sizeof(identity)));
}

static void test_measured_with_flags(void)
{
	create_flags = CARREL_CREATE_DMA;
	test_measured();
}

static void test_requests_refused(void)
{
	static const unsigned long unknown[] = { 0, CARREL_REQ_KICK + 1, 100, 511 };
	int device = open_device();
	unsigned int i;

	EXPECT(!whole_life(device));
	for (i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		EXPECT_ERRNO(ask(unknown[i]), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_FLUSH, 1), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_TRIM, 1), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_KICK, 1), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_ADOPT, 1), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, BLOCKS), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, 508), EINVAL);
	EXPECT_ERRNO(ask_for(CARREL_REQ_LEND, 509), EINVAL);
	EXPECT_ERRNO(ask(512), EINVAL);
	EXPECT_ERRNO(msync((char *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS), MS_SYNC), EINVAL);
	EXPECT_ERRNO(fsync(device), EINVAL);
	EXPECT_ERRNO(fsync(open_device()), EINVAL);
	EXPECT(parameter("held") == 4 + BLOCKS);
}

static void test_info_and_log(void)
{
	struct carrel_ioc_info info = { .what = CARREL_INFO_PROCESS, .index = 7 };
	char text[200];
	struct carrel_ioc_log log = { .buffer = (uintptr_t)text, .size = 100 };
	int device = open_device();

	EXPECT(!ioctl(device, CARREL_IOC_INFO, &info) && info.value[0] == 0);
	info.index = 8;
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_INFO, &info), EINVAL);
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_INFO, NULL), EFAULT);
	EXPECT(!ioctl(device, CARREL_IOC_LOG, &log) && log.size == 80 && log.position == 80);
	EXPECT(!memcmp(text + 40, "a line of forty", 15));
	log.size = sizeof(text);
	EXPECT(!ioctl(device, CARREL_IOC_LOG, &log) && log.size == 40 && log.position == 120);
	log.size = sizeof(text);
	EXPECT(!ioctl(device, CARREL_IOC_LOG, &log) && log.size == 0);
	log.size = 39;
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_LOG, &log), EINVAL);
	log = (struct carrel_ioc_log){ .buffer = 8, .size = 0xffffffff };
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_LOG, &log), EFAULT);
}

/* Anything at all, often. */
static void test_public(void)
{
	struct carrel_ioc_public public;
	int device = open_device();

	memset(&public, 0, sizeof(public));
	for (unsigned int i = 0; i < sizeof(public.identity); i++)
		public.identity[i] = i;
	EXPECT(!ioctl(device, CARREL_IOC_PUBLIC, &public));
	for (unsigned int i = 0; i < sizeof(public.key); i++)
		EXPECT(public.identity[i] == i && public.key[i] == (0xff ^ i));
	memset(public.identity, 0xff, sizeof(public.identity));
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_PUBLIC, &public), ENOKEY);
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_PUBLIC, NULL), EFAULT);
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_PUBLIC, 0xffff888000000000), EFAULT);
}

static int reseal_as_nobody(void *unused)
{
	struct carrel_ioc_reseal reseal = { { 0 } };
	int device = open_device();

	(void)unused;
	return setuid(1) || ioctl(device, CARREL_IOC_RESEAL, &reseal) != -1 || errno != EPERM;
}

static void test_reseal(void)
{
	static const struct {
		long code;
		int number;
	} refused[] = {
		{ CARREL_ESIGNATURE, EBADMSG }, { CARREL_EARG, EINVAL }, { CARREL_ESTATE, EIO },
		{ CARREL_EOWNER, EIO }, { CARREL_EBUSY, ETIMEDOUT },
	};
	struct carrel_ioc_reseal reseal;
	int device = open_device();

	memset(&reseal, 0x5a, sizeof(reseal));
	reseal.request[0] = 0;
	EXPECT(!ioctl(device, CARREL_IOC_RESEAL, &reseal));
	for (unsigned int i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		reseal.request[0] = -refused[i].code;
		EXPECT_ERRNO(ioctl(device, CARREL_IOC_RESEAL, &reseal), refused[i].number);
	}
	EXPECT_ERRNO(ioctl(device, CARREL_IOC_RESEAL, NULL), EFAULT);
	EXPECT(in_child(reseal_as_nobody, NULL) == 0);
}

static void test_noise(void)
{
	static const unsigned long commands[] = {
		CARREL_IOC_CREATE, CARREL_IOC_ADD, CARREL_IOC_INIT, CARREL_IOC_INFO, CARREL_IOC_LOG,
	};
	static unsigned char noise[256];
	int device = -1, i;
	unsigned int j;

	srand(2);
	for (i = 0; i < 20000; i++) {
		if (i % 50 == 0) {
			munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS));
			close(device);
			device = open_device();
			map_at(device, CARREL_MMAP_SIZE(BLOCKS));
			if (rand() % 2)
				create(device, 3);
		}
		for (j = 0; j < sizeof(noise); j++)
			noise[j] = rand() % 4 ? 0 : rand();
		ioctl(device, commands[rand() % 5], noise);
		msync((char *)CARREL_BASE + rand() % 64 * PAGE, (rand() % 3) * PAGE, MS_SYNC);
		adopt(rand() % 32, 0x1111 + rand() % 32, 0x2222);
	}
	close(device);
	EXPECT(!munmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS)) && parameter("held") == 0);
}

const struct test call_tests[] = {
	{ "the node's mode and group", test_node },
	{ "mmap refuses what is not gate and channel", test_mmap_refuses },
	{ "CREATE refuses bad arguments", test_create_refuses },
	{ "calls out of order are refused", test_order },
	{ "ADD refuses bad arguments", test_add_refuses },
	{ "ADD hands over the right bytes", test_measured },
	{ "CREATE's flags are measured", test_measured_with_flags },
	{ "requests that make no sense", test_requests_refused },
	{ "INFO and LOG", test_info_and_log },
	{ "PUBLIC", test_public },
	{ "RESEAL", test_reseal },
	{ "noise", test_noise },
	{ 0 },
};
