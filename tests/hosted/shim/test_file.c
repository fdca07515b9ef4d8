/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as memory: what runs is what the manifest lists, what changed goes back, nothing else. */
#include <sys/mman.h>

#include "guest-abi/shim/files/checked.h"
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/files/file.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/memory/memory.h"
#include "test.h"

#define PAGE		4096UL
#define FD		5
#define PLACE		0x310000000000UL
#define FILE_MAX	(80 * PAGE)
#define NOTHING		UINT64_MAX

static struct thread *t;

/* One file, and a host that lies about it from the n-th read on. */
static struct {
	uint8_t bytes[FILE_MAX];
	uint64_t size, mode, rdev, flags;
	uint64_t part;			/* the most that a read gives; 0: all */
	unsigned int reads, writes, lie_at, change_at;
	int64_t lie;
	uint64_t own;			/* the shim's last descriptor */
	unsigned int copies, fresh;	/* 0: it gets the same number again */
	uint64_t written_low, written_high;
	uint64_t read_total, closed;
} file;

static int64_t host_read(const struct ocall *c)
{
	uint64_t n = c->arg[2], at = c->arg[3];

	CHECK(in_channel(c->arg[1], n));
	CHECK(c->arg[0] == FD || (file.own && c->arg[0] == file.own));
	file.reads++;
	if (file.lie && file.reads >= file.lie_at)
		return file.lie;
	if (at >= file.size)
		return 0;
	n = n < file.size - at ? n : file.size - at;
	if (file.part && n > file.part)
		n = file.part;
	memcpy((void *)c->arg[1], file.bytes + at, n);
	file.read_total += n;
	if (file.change_at && file.reads >= file.change_at)
		memset(file.bytes, 0xcc, sizeof(file.bytes));
	return n;
}

static int64_t host_write(const struct ocall *c)
{
	uint64_t n = c->arg[2], at = c->arg[3];

	CHECK(in_channel(c->arg[1], n));
	CHECK(c->arg[0] > 1000 && c->arg[0] <= file.own);
	CHECK(at + n <= sizeof(file.bytes));
	file.writes++;
	memcpy(file.bytes + at, (void *)c->arg[1], n);
	if (at < file.written_low)
		file.written_low = at;
	if (at + n > file.written_high)
		file.written_high = at + n;
	if (at + n > file.size)
		file.size = at + n;
	return n;
}

static int64_t host_fcntl(const struct ocall *c)
{
	if (c->arg[1] == 3)
		return file.flags;
	CHECK_EQ(c->arg[1], 1030);
	if (c->arg[2] > 1000)
		return -22;
	file.own = c->arg[2] + 1 + file.fresh * file.copies++;
	return file.own;
}

static int64_t host(const struct ocall *c, uint64_t *flags)
{
	uint64_t stat[18] = { 1, 2, 1, file.mode, 0, file.rdev, file.size };

	(void)flags;
	switch (c->number) {
	case SYS_fstat:
		memcpy((void *)c->arg[1], stat, sizeof(stat));
		return 0;
	case SYS_pread64:
		return host_read(c);
	case SYS_pwrite64:
		return host_write(c);
	case SYS_fcntl:
		return host_fcntl(c);
	case SYS_close:
		CHECK(c->arg[0] == FD || (file.own && c->arg[0] == file.own));
		file.closed = c->arg[0];
		if (c->arg[0] == file.own)
			file.own = 0;
		return 0;
	case SYS_msync:
		return 0;
	default:
		CHECK(false);
		return -38;
	}
}

static void begin(uint64_t size)
{
	t = fake_reset(2, 64);
	fake.host = host;
	fake.memory = true;
	memory_setup(&(struct memory_layout){ .brk_start = PLACE / 2, .map_high = 0x7eff00000000UL });
	memset(&file, 0, sizeof(file));
	file.size = size;
	file.mode = 0100644;
	file.written_low = NOTHING;
	for (uint64_t i = 0; i < size; i++)
		file.bytes[i] = random_u64();
}

static int64_t map(uint64_t at, uint64_t size, uint64_t prot, uint64_t flags, uint64_t offset)
{
	return call_mmap(t, (uint64_t[6]){ at, size, prot, flags, FD, offset });
}

static void *block(uint64_t size)
{
	return (void *)call_mmap(t, (uint64_t[6]){ 0, size, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 });
}

/* The program has opened `path`, as FD. */
static int64_t opened(const char *path, uint64_t flags)
{
	char *at = block(PAGE);

	strcpy(at, path);
	fds_add(FD);
	return checked_after(t, 257, (uint64_t[6]){ -100, (uint64_t)at, flags }, FD);
}

static int64_t serve(uint64_t number, uint64_t fd, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t value = INT64_MIN;

	checked_serve(t, number, (uint64_t[6]){ fd, a, b, c }, &value);
	return value;
}

static int64_t unmap(uint64_t at, uint64_t size)
{
	return call_munmap(t, (uint64_t[6]){ at, size });
}

/* `size` bytes at `at` are the file's from `offset` on, and zeros behind its end. */
static void check_shows(int64_t at, uint64_t size, uint64_t offset)
{
	const uint8_t *p = (const uint8_t *)at;

	CHECK(at > 0 && at % PAGE == 0);
	for (uint64_t i = 0; i < size; i++)
		CHECK_EQ(p[i], offset + i < file.size ? file.bytes[offset + i] : 0);
}

static void private_contents(void)
{
	static const uint64_t sizes[] = { 1, PAGE - 1, PAGE, PAGE + 1, 70 * PAGE + 77 };

	for (int i = 0; i < 5; i++) {
		begin(sizes[i]);
		check_shows(map(0, sizes[i], PROT_READ, MAP_PRIVATE, 0), sizes[i], 0);
		check_shows(map(0, 3 * PAGE, PROT_READ, MAP_PRIVATE, PAGE), 3 * PAGE, PAGE);
		CHECK_EQ(map(PLACE, 2 * PAGE, 3, MAP_PRIVATE | MAP_FIXED, 0), PLACE);
		check_shows(PLACE, 2 * PAGE, 0);
		/* A write stays here. */
		memset((void *)PLACE, 1, PAGE);
		CHECK_EQ(unmap(PLACE, 2 * PAGE), 0);
		CHECK_EQ(file.writes, 0);
		check_memory();
	}
}

static void bad_arguments(void)
{
	begin(PAGE);
	CHECK_EQ(map(0, PAGE, 1, MAP_PRIVATE, 1), -LINUX_EINVAL);
	CHECK_EQ(map(0, PAGE, 1, MAP_PRIVATE, 1UL << 63), -LINUX_EOVERFLOW);
	CHECK_EQ(map(0, 0, 1, MAP_PRIVATE, 0), -LINUX_EINVAL);
	CHECK_EQ(map(0, UINT64_MAX, 1, MAP_PRIVATE, 0), -LINUX_ENOMEM);
	CHECK_EQ(map(0, PAGE, 1, 0, 0), -LINUX_EINVAL);
	CHECK_EQ(map(PLACE + 1, PAGE, 1, MAP_PRIVATE | MAP_FIXED, 0), -LINUX_EINVAL);
	CHECK_EQ(map(CARREL_SHIM_VA, PAGE, 1, MAP_PRIVATE | MAP_FIXED, 0), -LINUX_ENOMEM);
	file.flags = 1;
	CHECK_EQ(map(0, PAGE, 1, MAP_PRIVATE, 0), -LINUX_EACCES);
	file.flags = 0;
	CHECK_EQ(map(0, PAGE, 3, MAP_SHARED, 0), -LINUX_EACCES);
	file.mode = 0010644;
	CHECK_EQ(map(0, PAGE, 1, MAP_PRIVATE, 0), -LINUX_ENODEV);
	file.mode = 0020666;
	file.rdev = 0x105;
	check_shows(map(0, PAGE, 3, MAP_PRIVATE, 0), 0, 0);
	CHECK_EQ(file.reads, 0);
	check_memory();
}

/* A host that lies, or fails half way: nothing of it stays. */
static void bad_host(void)
{
	static const int64_t lies[] = { 0x7fffffff, 70 * PAGE + 1 };

	begin(70 * PAGE);
	file.lie = -5;
	file.lie_at = 1;
	CHECK_EQ(map(0, 70 * PAGE, 1, MAP_PRIVATE, 0), -5);
	check_memory();
	file.flags = 2;
	CHECK_EQ(map(0, 70 * PAGE, 3, MAP_SHARED, 0), -5);
	CHECK_EQ(file.own, 0);
	check_memory();
	/* Shorter than it claimed to be: zeros, as in a file that was cut; but no code. */
	file.lie = 0;
	file.lie_at = 1;
	file.size = PAGE;
	CHECK_EQ(map(0, PAGE, 5, MAP_PRIVATE, 0), -LINUX_EACCES);
	for (int i = 0; i < 2; i++) {
		begin(70 * PAGE);
		file.lie_at = 1;
		file.lie = lies[i];
		CHECK_DIES(CARREL_DIE_IAGO, map(0, 70 * PAGE, 1, MAP_PRIVATE, 0));
	}
	begin(70 * PAGE);
	fake.refuse_map = CARREL_ELIMIT;
	CHECK_EQ(map(0, 70 * PAGE, 1, MAP_PRIVATE, 0), -LINUX_ENOMEM);
	check_memory();
}

static void listed_code_runs(void)
{
	static const char *const paths[] = { "/lib/it", "/usr/lib/it", "it" };
	static uint8_t was[FILE_MAX];
	uint8_t *at;

	for (int i = 0; i < 3; i++) {
		begin(9 * PAGE + 5);
		fake_list(CARREL_ENTRY_CODE, "/lib/it", file.bytes, file.size);
		CHECK_EQ(opened(paths[i], 0), FD);
		/* The whole file, once; from then on the host may do what it likes. */
		CHECK_EQ(file.read_total, file.size);
		memcpy(was, file.bytes, sizeof(was));
		memset(file.bytes, 0xcc, sizeof(file.bytes));
		file.size = PAGE;
		at = (uint8_t *)map(0, 6 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 2 * PAGE);
		CHECK((int64_t)at > 0 && !memcmp(at, was + 2 * PAGE, 6 * PAGE));
		CHECK_EQ(vm_prefix((uint64_t)at, 6 * PAGE, CARREL_R | CARREL_X), 6 * PAGE);
		CHECK_EQ(file.read_total, 9 * PAGE + 5);
		/* Text relocations: away and back. */
		CHECK_EQ(call_mprotect(t, (uint64_t[6]){ (uint64_t)at, 4 * PAGE, 3 }), 0);
		CHECK_EQ(call_mprotect(t, (uint64_t[6]){ (uint64_t)at, 4 * PAGE, 5 }), 0);
		check_memory();
	}
}

static void other_code_does_not(void)
{
	int64_t at;

	begin(9 * PAGE + 5);
	fake_list(CARREL_ENTRY_CODE, "/lib/it", file.bytes, file.size);
	fake_list(CARREL_ENTRY_FILE, "/etc/it", (const uint8_t *)"data", 4);
	file.bytes[8 * PAGE] ^= 1;
	/* The name of a listed file and other contents: under its path it is not even opened. */
	CHECK_EQ(opened("/lib/it", 0), -LINUX_EACCES);
	CHECK_EQ(fake.noted[0], CARREL_NOTE_CODE);
	CHECK_EQ(file.closed, FD);
	CHECK_EQ(opened("/opt/it", 0), FD);
	CHECK_EQ(map(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0), -LINUX_EACCES);
	/* The contents of a listed file, opened by a name that nobody listed. */
	file.bytes[8 * PAGE] ^= 1;
	fds_remove(FD);
	CHECK_EQ(opened("/lib/other", 0), FD);
	CHECK_EQ(map(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0), -LINUX_EACCES);
	/* What is mapped stays where a refused one would have gone. */
	CHECK_EQ(map(PLACE, PAGE, 3, MAP_PRIVATE | MAP_FIXED, 0), PLACE);
	CHECK_EQ(map(PLACE, PAGE, 5, MAP_PRIVATE | MAP_FIXED, 0), -LINUX_EACCES);
	check_shows(PLACE, 4, 0);
	/* Nor by way of mprotect. */
	fake.notes = 0;
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ PLACE, PAGE, 5 }), -LINUX_EACCES);
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ PLACE, PAGE, 7 }), -LINUX_EACCES);
	CHECK_EQ(fake.notes, 2);
	/* Nor moved. */
	at = call_mremap(t, (uint64_t[6]){ PLACE, PAGE, PAGE, 3, PLACE + 8 * PAGE });
	CHECK_EQ(at, PLACE + 8 * PAGE);
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ at, PAGE, 5 }), -LINUX_EACCES);
	/* Unless the host chooses. */
	fake_manifest()->host_chosen |= CARREL_HOST_CODE;
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ at, PAGE, 5 }), 0);
	CHECK_EQ(map(PLACE, PAGE, 5, MAP_PRIVATE | MAP_FIXED, 0), PLACE);
	check_memory();
}

/* The file changes while it is read: what runs is what was hashed. */
static void changing_code(void)
{
	begin(70 * PAGE);
	fake_list(CARREL_ENTRY_CODE, "/lib/it", file.bytes, file.size);
	fake_list(CARREL_ENTRY_CODE, "/usr/lib/it", file.bytes, file.size);
	file.size += 1;
	CHECK_EQ(opened("/lib/it", 0), -LINUX_EACCES);
	file.size -= 2;
	CHECK_EQ(opened("/lib/it", 0), -LINUX_EACCES);
	file.size += 1;
	file.change_at = 1;
	file.part = PAGE;
	CHECK_EQ(opened("/lib/it", 0), -LINUX_EACCES);
	CHECK_EQ(checked_image(FD), 0);
	check_memory();
}

/* Data that is listed reads as it was listed, whatever the host has by then. */
static void listed_data(void)
{
	static uint8_t was[FILE_MAX];
	uint8_t *to;
	uint64_t *iov;

	begin(3 * PAGE + 9);
	to = block(8 * PAGE);
	iov = block(PAGE);
	fake_list(CARREL_ENTRY_FILE, "/etc/it", file.bytes, file.size);
	memcpy(was, file.bytes, sizeof(was));
	CHECK_EQ(opened("/etc/it", 2), -LINUX_EACCES);
	CHECK_EQ(opened("/etc/it", 1), FD);
	CHECK_EQ(serve(0, FD, (uint64_t)to, 100, 0), INT64_MIN);
	fds_remove(FD);
	CHECK_EQ(opened("/etc/it", 0), FD);
	memset(file.bytes, 0xcc, sizeof(file.bytes));
	CHECK_EQ(serve(0, FD, (uint64_t)to, 100, 0), 100);
	CHECK(!memcmp(to, was, 100));
	/* A copy shares the position and outlives the first. */
	CHECK_EQ(checked_after(t, 32, (uint64_t[6]){ FD }, 77), 77);
	CHECK_EQ(checked_after(t, 3, (uint64_t[6]){ FD }, 0), 0);
	CHECK_EQ(serve(0, FD, (uint64_t)to, 100, 0), INT64_MIN);
	CHECK_EQ(serve(0, 77, (uint64_t)to, 8 * PAGE, 0), 3 * PAGE + 9 - 100);
	CHECK(!memcmp(to, was + 100, 3 * PAGE + 9 - 100));
	CHECK_EQ(serve(0, 77, (uint64_t)to, 1, 0), 0);
	CHECK_EQ(serve(8, 77, -9, 2, 0), 3 * PAGE);
	CHECK_EQ(serve(8, 77, -9, 0, 0), -LINUX_EINVAL);
	CHECK_EQ(serve(17, 77, (uint64_t)to, 8, PAGE), 8);
	CHECK(!memcmp(to, was + PAGE, 8));
	CHECK_EQ(serve(17, 77, (uint64_t)to, 8, UINT64_MAX), -LINUX_EINVAL);
	CHECK_EQ(serve(17, 77, NOWHERE, 8, 0), -LINUX_EFAULT);
	iov[0] = (uint64_t)to;
	iov[1] = 3;
	iov[2] = (uint64_t)to + 10;
	iov[3] = 100;
	CHECK_EQ(serve(19, 77, (uint64_t)iov, 2, 0), 9);
	CHECK(!memcmp(to, was + 3 * PAGE, 3) && !memcmp(to + 10, was + 3 * PAGE + 3, 6));
	CHECK_EQ(serve(19, 77, (uint64_t)iov, 4, 0), 0);
	CHECK_EQ(serve(40, 1, 77, 0, 5), -LINUX_EINVAL);
	CHECK_EQ(serve(275, 77, 0, 1, 0), -LINUX_EINVAL);
	/* Another file under the same number is another file. */
	CHECK_EQ(checked_after(t, 33, (uint64_t[6]){ 1, 77 }, 77), 77);
	CHECK_EQ(checked_image(77), 0);
	check_memory();
}

static void shared_written_back(void)
{
	uint8_t *p;

	begin(6 * PAGE + 100);
	file.flags = 2;
	p = (uint8_t *)map(0, 8 * PAGE, 3, MAP_SHARED, 0);
	check_shows((int64_t)p, 8 * PAGE, 0);
	CHECK_EQ(call_msync(t, (uint64_t[6]){ (uint64_t)p, 8 * PAGE, 4 }), 0);
	CHECK_EQ(file.writes, 0);
	p[3 * PAGE + 17] ^= 1;
	CHECK_EQ(call_msync(t, (uint64_t[6]){ (uint64_t)p, 2 * PAGE, 4 }), 0);
	CHECK_EQ(file.writes, 0);
	CHECK_EQ(call_msync(t, (uint64_t[6]){ (uint64_t)p, 8 * PAGE, 4 }), 0);
	CHECK(file.written_low == 3 * PAGE && file.written_high == 4 * PAGE && file.writes == 1);
	check_shows((int64_t)p, 8 * PAGE, 0);
	/* The last page is written to the end of the file and not behind it. */
	memset(p + 6 * PAGE, 0x77, PAGE);
	CHECK_EQ(unmap((uint64_t)p + 4 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(file.size, 6 * PAGE + 100);
	CHECK_EQ(file.bytes[6 * PAGE + 99], 0x77);
	/* Pages that nobody may read go back all the same, and the descriptor goes with the last. */
	p[0] ^= 1;
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ (uint64_t)p, PAGE, 0 }), 0);
	CHECK(file.own && fds_is_hidden(file.own));
	CHECK_EQ(unmap((uint64_t)p, 4 * PAGE), 0);
	CHECK_EQ(file.written_low, 0);
	CHECK_EQ(file.own, 0);
	check_memory();
}

static void shared_at_the_end(void)
{
	uint8_t *p, *q;

	begin(3 * PAGE);
	file.flags = 2;
	file.fresh = 1;
	p = (uint8_t *)map(0, PAGE, 3, MAP_SHARED, 0);
	q = (uint8_t *)map(0, PAGE, 3, MAP_SHARED, 2 * PAGE);
	p[0] ^= 1;
	q[0] ^= 1;
	/* It was cut meanwhile: nothing brings the rest back. */
	file.size = 2 * PAGE;
	shared_write_all(t);
	CHECK(file.writes == 1 && file.written_high == PAGE && file.size == 2 * PAGE);
}

/* The shim's descriptor is none to the program; one that it knows is a lie. */
static void own_descriptor(void)
{
	begin(PAGE);
	file.flags = 2;
	CHECK(map(PLACE, PAGE, 3, MAP_SHARED, 0) > 0);
	CHECK_EQ(call_close(t, (uint64_t[6]){ file.own }), -LINUX_EBADF);
	CHECK_EQ(call_dup2(t, (uint64_t[6]){ file.own, 9 }), -LINUX_EBADF);
	CHECK_EQ(call_dup2(t, (uint64_t[6]){ FD, file.own }), -LINUX_EBUSY);
	CHECK_EQ(call_mmap(t, (uint64_t[6]){ 0, PAGE, 1, MAP_PRIVATE, file.own, 0 }), -LINUX_EBADF);
	CHECK_DIES(CARREL_DIE_IAGO, map(0, PAGE, 3, MAP_SHARED, 0));
}

static void shared_read_only(void)
{
	int64_t at;

	begin(PAGE);
	at = map(0, PAGE, 1, MAP_SHARED, 0);
	check_shows(at, PAGE, 0);
	CHECK_EQ(call_mprotect(t, (uint64_t[6]){ at, PAGE, 3 }), -LINUX_EACCES);
	/* Contents of a file do not turn into zeros. */
	CHECK_EQ(call_madvise(t, (uint64_t[6]){ at, PAGE, 4 }), 0);
	check_shows(at, PAGE, 0);
	CHECK_EQ(call_madvise(t, (uint64_t[6]){ at, PAGE, 8 }), -LINUX_EINVAL);
	check_memory();
}

const struct test file_tests[] = {
	{ "a private mapping shows the file", private_contents },
	{ "mappings of a file that cannot be", bad_arguments },
	{ "a host that fails to read it", bad_host },
	{ "code that the manifest lists may run", listed_code_runs },
	{ "other code may not, on no way", other_code_does_not },
	{ "nor code that changes while it is read", changing_code },
	{ "listed data reads as listed", listed_data },
	{ "a shared mapping is written back where it changed", shared_written_back },
	{ "and at the end, but not behind the file", shared_at_the_end },
	{ "the descriptor of a shared mapping is the shim's", own_descriptor },
	{ "a shared mapping that cannot be written", shared_read_only },
	{ NULL, NULL },
};
