/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs as root in the guest, with the module of ./run loaded. Prints TAP. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bearssl_hash.h>
#include <carrel/hypercall.h>
#include <carrel/identity.h>
#include <carrel/ioctl.h>

#define PAGE	4096UL
#define BLOCKS	3UL
#define SLOTS	2U
#define LIMIT	8U
#define GATE	((volatile unsigned char *)CARREL_GATE_VA)
#define CHANNEL	((volatile unsigned char *)CARREL_CHANNEL_VA)

/* --- what every test uses ---------------------------------------------------------------- */

static char why[256];

/* Notes the first thing that went wrong in a test. */
static void wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!*why)
		vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
}

#define EXPECT(condition) do {						\
	if (!(condition))						\
		wrong("line %d: %s (errno %d)", __LINE__, #condition, errno);	\
} while (0)

#define EXPECT_ERRNO(call, number) do {					\
	errno = 0;							\
	long returned = (long)(call);					\
	if (returned != -1 || errno != (number))			\
		wrong("line %d: %s gave %ld, errno %d, not %s", __LINE__, #call,	\
		      returned, errno, #number);			\
} while (0)

static long parameter(const char *name)
{
	char path[128], text[32] = "";
	int file;

	snprintf(path, sizeof(path), "/sys/module/carrel/parameters/%s", name);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0) {
		perror(path);
		exit(1);
	}
	close(file);
	return atol(text);
}

static void set_parameter(const char *name, long value)
{
	char path[128], text[32];
	int file, length;

	snprintf(path, sizeof(path), "/sys/module/carrel/parameters/%s", name);
	length = snprintf(text, sizeof(text), "%ld", value);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, text, length) != length) {
		perror(path);
		exit(1);
	}
	close(file);
}

/* The next `times` calls of `number`, after `skip`, give `code`. */
static void inject(long number, long skip, long times, long code)
{
	set_parameter("fail_number", 0);
	set_parameter("fail_skip", skip);
	set_parameter("fail_code", code);
	set_parameter("fail_times", times);
	set_parameter("fail_number", number);
}

static int open_device(void)
{
	return open(CARREL_DEVICE, O_RDWR | O_CLOEXEC);
}

static void *map_at(int device, unsigned long size)
{
	return mmap((void *)CARREL_BASE, size, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, device, 0);
}

/* CARREL_CREATE_* of what create() makes, and its handle. */
static uint32_t create_flags;
static uint64_t created;

static int create(int device, unsigned int limit)
{
	struct carrel_ioc_create request = {
		.abi = CARREL_ABI_VERSION, .limit = limit, .slots = SLOTS, .blocks = BLOCKS,
		.flags = create_flags,
	};

	if (ioctl(device, CARREL_IOC_CREATE, &request))
		return -1;
	created = request.process;
	return 0;
}

static int add(int device, const void *source, unsigned int pages)
{
	struct carrel_ioc_add request = {
		.source = (uintptr_t)source, .address = CARREL_SHIM_VA, .pages = pages,
		.type = CARREL_R,
	};

	return ioctl(device, CARREL_IOC_ADD, &request);
}

static int start(int device)
{
	struct carrel_ioc_init request;

	return ioctl(device, CARREL_IOC_INIT, &request);
}

static int ask_for(unsigned long request, unsigned long argument)
{
	return msync((char *)CARREL_BASE + request * PAGE, (argument + 1) * PAGE, MS_SYNC);
}

static int ask(unsigned long request)
{
	return ask_for(request, 0);
}

static int lend_all(void)
{
	unsigned long i;

	for (i = 0; i < BLOCKS; i++)
		if (ask_for(CARREL_REQ_LEND, i))
			return -1;
	return 0;
}

/* A started process of 40 pages with all of its channel: three chunks and one. 0 or -1. */
static int whole_life(int device)
{
	static char image[40 * PAGE + 1];

	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, LIMIT) ||
	    add(device, image + 1, 40) || start(device) || ask(CARREL_REQ_MEMORY) || lend_all())
		return -1;
	return 0;
}

/* Runs `body` in a child; its status as wait gives it. Failures noted there are lost. */
static int in_child(int (*body)(void *), void *argument)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(body(argument));
	waitpid(child, &status, 0);
	return status;
}

static sigjmp_buf jump;

static void on_fault(int number)
{
	siglongjmp(jump, number);
}

enum access { READ, WRITE };

/* The signal that touching it raises, or 0. */
static int touch(volatile unsigned char *address, enum access access)
{
	int number;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	number = sigsetjmp(jump, 1);
	if (!number && access == WRITE)
		*address = 0x5a;
	else if (!number)
		(void)*address;
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return number;
}

/* --- tests; each runs in a process of its own --------------------------------------------- */

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

static void write_file(const char *path, const char *text);

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

static void test_growth_in_add(void)
{
	static char image[80 * PAGE];
	int device = open_device();

	EXPECT(map_at(device, CARREL_MMAP_SIZE(BLOCKS)) != MAP_FAILED && !create(device, 4));
	EXPECT_ERRNO(add(device, image, 80), ENOMEM);
	EXPECT(parameter("held") == 4);
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

/* Until `held` is that much, for processes that nobody can wait for. */
static bool held_becomes(long held)
{
	int i;

	for (i = 0; i < 500 && parameter("held") != held; i++)
		usleep(10000);
	return parameter("held") == held;
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

/* REQ_ADOPT, whose arguments lie in registers that msync does not use. */
static long adopt(uint64_t handle, uint64_t low, uint64_t high)
{
	register uint64_t r10 asm("r10") = handle, r8 asm("r8") = low, r9 asm("r9") = high;
	long result = SYS_msync;

	asm volatile("syscall" : "+a" (result) :
		     "D" (CARREL_BASE + CARREL_REQ_ADOPT * PAGE), "S" (PAGE), "d" (MS_SYNC),
		     "r" (r10), "r" (r8), "r" (r9) : "rcx", "r11", "memory");
	return result;
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

static int life_in_child(void *unused)
{
	(void)unused;
	return whole_life(open_device()) ? 1 : 0;
}

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

static void test_busy_unload(void)
{
	int device = open_device();

	EXPECT(!whole_life(device));
	close(device);
	EXPECT_ERRNO(syscall(SYS_delete_module, "carrel", O_NONBLOCK), EWOULDBLOCK);
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

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	EXPECT(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
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

/* Anything at all, often. */
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

/* --- devices ------------------------------------------------------------------------------ */

/* Which requesters the hypervisor was told of. */
static void read_admitted(bool told[0x10000])
{
	char text[4096] = "", *at = text;
	int file = open("/sys/module/carrel/parameters/admitted", O_RDONLY);
	unsigned long first, last;

	EXPECT(file >= 0 && read(file, text, sizeof(text) - 1) >= 0);
	close(file);
	memset(told, 0, 0x10000);
	while (*at >= '0' && *at <= '9') {
		first = last = strtoul(at, &at, 10);
		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		for (; first <= last && first < 0x10000; first++)
			told[first] = true;
		at += *at == ',';
	}
}

/* Requesters of the devices that this kernel has, by their names in /sys; how many. The first
 * that is not on bus 0 is the one behind the bridge. */
static unsigned int read_devices(bool there[0x10000], unsigned int *behind)
{
	DIR *folder = opendir("/sys/bus/pci/devices");
	unsigned int bus, device, function, count = 0;
	struct dirent *entry;

	memset(there, 0, 0x10000);
	*behind = 0;
	while (folder && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "0000:%x:%x.%x", &bus, &device, &function) != 3)
			continue;
		there[bus << 8 | device << 3 | function] = true;
		if (bus)
			*behind = bus << 8 | device << 3 | function;
		count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

static bool there[0x10000], told[0x10000];

static void test_admitted(void)
{
	unsigned int behind, i;

	EXPECT(read_devices(there, &behind) > 4 && behind & 0xff);
	there[behind & 0xff00] = true;	/* what the bridge calls all that is behind it */
	read_admitted(told);
	for (i = 0; i < 0x10000; i++)
		if (there[i] != told[i])
			wrong("requester %x is %s, and %s told of", i, there[i] ? "there" : "absent",
			      told[i] ? "was" : "was not");
}

/* Takes the device behind the bridge away and lets the kernel find it again. */
static unsigned int plug_again(void)
{
	unsigned int behind, again;
	char path[64];

	read_devices(there, &behind);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:%02x:%02x.%x/remove", behind >> 8,
		 behind >> 3 & 31, behind & 7);
	write_file(path, "1");
	read_devices(there, &again);
	EXPECT(!again);
	set_parameter("admitted", 0);
	write_file("/sys/bus/pci/rescan", "1");
	read_devices(there, &again);
	EXPECT(again == behind);
	read_admitted(told);
	return behind;
}

static void test_hot_plug(void)
{
	unsigned int behind = plug_again(), i, count = 0;

	EXPECT(told[behind] && told[behind & 0xff00]);
	for (i = 0; i < 0x10000; i++)
		count += told[i];
	EXPECT(count == 2);
}

/* The device stays, and the kernel's log says once that it gets no DMA. */
static void test_not_admitted(void)
{
	static char log[1 << 18];
	unsigned int behind;
	char line[64], *at;

	EXPECT(klogctl(5 /* SYSLOG_ACTION_CLEAR */, NULL, 0) == 0);
	inject(CARREL_HC_ADMIT, 0, 1, CARREL_ELIMIT);
	behind = plug_again();
	inject(0, 0, 0, 0);
	EXPECT(!told[behind] && !told[behind & 0xff00]);
	EXPECT(klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1) > 0);
	snprintf(line, sizeof(line), "device %02x:%02x.%x gets no DMA", behind >> 8,
		 behind >> 3 & 31, behind & 7);
	at = strstr(log, line);
	EXPECT(at && !strstr(at + strlen(line), "gets no DMA"));
	plug_again();
}

/* --- tests that lose pages for good: last ------------------------------------------------- */

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

static const struct {
	const char *name;
	void (*body)(void);
	bool leaks;
} tests[] = {
	{ "the node's mode and group", test_node, false },
	{ "mmap refuses what is not gate and channel", test_mmap_refuses, false },
	{ "CREATE refuses bad arguments", test_create_refuses, false },
	{ "calls out of order are refused", test_order, false },
	{ "ADD refuses bad arguments", test_add_refuses, false },
	{ "ADD hands over the right bytes", test_measured, false },
	{ "CREATE's flags are measured", test_measured_with_flags, false },
	{ "memory on request, up to the limit", test_growth, false },
	{ "as much memory as there is", test_growth_by_many, false },
	{ "ADD takes memory, up to the limit", test_growth_in_add, false },
	{ "requests that make no sense", test_requests_refused, false },
	{ "blocks are lent by need", test_lent_by_need, false },
	{ "blocks are not lent to others", test_not_lent_to_others, false },
	{ "LEND is refused", test_lend_refused, false },
	{ "LEND takes memory, up to the limit", test_lend_takes_memory, false },
	{ "TRIM", test_trim, false },
	{ "the shrinker", test_shrinker, false },
	{ "gate and channel pages", test_pages, false },
	{ "the gate cannot be written", test_gate_is_read_only, false },
	{ "the mapping stays in one piece", test_one_piece, false },
	{ "a forked child is another carrier", test_fork, false },
	{ "a forked child outlives its parent", test_fork_outlives, false },
	{ "ADOPT", test_adopt, false },
	{ "an adopted child outlives its parent", test_adopted_outlives, false },
	{ "a child that nobody adopts", test_never_adopted, false },
	{ "ADOPT of another's child", test_adopt_a_stranger, false },
	{ "a fork bomb, killed at random", test_fork_bomb, false },
	{ "kill -9 at every hypercall of a family", test_kill_families, false },
	{ "ADOPT among threads", test_adopt_race, false },
	{ "a forked child cannot map the descriptor", test_fork_and_map_again, false },
	{ "exit returns everything", test_exit, false },
	{ "exec returns everything", test_exec, false },
	{ "a descriptor keeps nothing alive", test_descriptor_outlives, false },
	{ "a full table is told apart", test_table_full, false },
	{ "kill -9 at every hypercall", test_kill_at_every_call, false },
	{ "kill -9 at random", test_kill_at_random, false },
	{ "every hypercall fails in turn", test_fail_at_every_call, false },
	{ "chunks that cannot be donated", test_undonatable, false },
	{ "INFO and LOG", test_info_and_log, false },
	{ "rmmod while in use", test_busy_unload, false },
	{ "RLIMIT_MEMLOCK", test_memlock, false },
	{ "a cgroup's memory.max", test_cgroup, false },
	{ "the channel pinned beyond its process", test_pinned_channel, false },
	{ "munmap against ADD", test_race, false },
	{ "a CPU goes offline and online", test_cpu_offline, false },
	{ "noise", test_noise, false },
	{ "a CPU does not flush: DONATE", test_stuck_donation, false },
	{ "a CPU does not flush: CREATE", test_stuck_create, false },
	{ "a CPU does not flush: exit", test_stuck_end, false },
	{ "an IOMMU failed", test_dma_lost, false },
	{ "devices that are there", test_admitted, false },
	{ "a device comes", test_hot_plug, false },
	{ "a device that the hypervisor refuses", test_not_admitted, false },
	{ "RETURN is refused: the chunk leaks", test_return_refused, true },
	{ "DESTROY is refused: all leaks", test_destroy_refused, true },
};

static int run_test(void *body)
{
	(*(void (**)(void))body)();
	if (*why)
		printf("# %s\n", why);
	fflush(stdout);
	return !!*why;
}

int main(void)
{
	unsigned int i, failed = 0;
	void (*body)(void);
	int status;

	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		body = tests[i].body;
		status = in_child(run_test, &body);
		if (status == 0 && !tests[i].leaks &&
		    (parameter("held") || parameter("leaked_pages"))) {
			printf("# %ld chunks and blocks held, %ld pages leaked after it\n",
			       parameter("held"), parameter("leaked_pages"));
			status = 1;
		}
		if (parameter("violations")) {
			printf("# %ld violations; see the kernel's log\n", parameter("violations"));
			status = 1;
		}
		printf("%s %u - %s\n", status ? "not ok" : "ok", i + 1, tests[i].name);
		failed += !!status;
	}
	printf("1..%u\n", i);
	return failed ? 1 : 0;
}
