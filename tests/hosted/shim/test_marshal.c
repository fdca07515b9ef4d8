/* SPDX-License-Identifier: BSD-2-Clause */
/* What single rows do not show: long streams, vectors, signals, a host that races. */
#include <pthread.h>
#include <stdatomic.h>

#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/calls/marshal.h"
#include "test.h"

#define READ	0
#define WRITE	1
#define OPEN	2
#define STAT	4
#define POLL	7
#define PREAD	17
#define WRITEV	20
#define READV	19
#define PIPE	22
#define DUP	32
#define GETSOCKOPT 55
#define UNAME	63
#define FCNTL	72
#define GETDENTS 78
#define GETCWD	79
#define RENAME	82
#define GETGROUPS 115
#define PRCTL	157
#define GETDENTS64 217
#define S_IFREG	0100000
#define S_IFIFO	0010000
#define SIGUSR1	10

static uint64_t arg[6];

static int64_t call(struct thread *t, uint64_t number)
{
	return marshal(t, &calls[number], number, arg);
}

static void set(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	arg[0] = a;
	arg[1] = b;
	arg[2] = c;
	arg[3] = d;
	arg[4] = arg[5] = 0;
}

/* --- A file: reads give its bytes, writes are recorded -------------------------------------- */

#define FILE_SIZE	(2UL << 20)
static uint8_t file[FILE_SIZE];
static uint64_t position, file_size, at_most, data_calls, socket_type, signals_first;
static uint32_t mode, flags_of_file, ready_calls;

static int64_t transfer(const struct ocall *c, uint64_t where)
{
	uint64_t n = c->arg[2];

	data_calls++;
	if (!in_channel(c->arg[1], n))
		return -LINUX_EFAULT;
	n = n < at_most ? n : at_most;
	if (where >= file_size && c->number != WRITE)
		return 0;
	n = n < file_size - where ? n : file_size - where;
	if (c->number == WRITE)
		memcpy(file + where, (void *)c->arg[1], n);
	else
		memcpy((void *)c->arg[1], file + where, n);
	return n;
}

static int64_t disk(const struct ocall *c, uint64_t *flags)
{
	int64_t n;

	switch (c->number) {
	case READ:
	case WRITE:
		n = transfer(c, position);
		position += n > 0 ? n : 0;
		return n;
	case PREAD:
		return transfer(c, c->arg[3]);
	case SYS_fstat:
		memcpy((void *)(c->arg[1] + 24), &mode, sizeof(mode));
		return 0;
	case SYS_poll:
		return ready_calls ? ready_calls-- && 1 : 0;
	case FCNTL:
		return flags_of_file;
	case GETSOCKOPT:
		if (signals_first) {
			signals_first--;
			*flags = CARREL_RESUME_NOTSTARTED | CARREL_RESUME_SIGNAL;
			return 0;
		}
		if (!socket_type)
			return -88;
		memcpy((void *)c->arg[3], &socket_type, 4);
		return 0;
	default:
		return -LINUX_ENOSYS;
	}
}

static struct thread *with_file(uint64_t size)
{
	struct thread *t = fake_reset(2, 4);

	for (uint64_t i = 0; i < FILE_SIZE; i++)
		file[i] = i * 31 + (i >> 9);
	fake.host = disk;
	position = data_calls = flags_of_file = socket_type = ready_calls = 0;
	file_size = size;
	at_most = UINT64_MAX;
	mode = S_IFREG;
	return t;
}

static void large_read(void)
{
	struct thread *t = with_file(1000001);
	uint8_t *p = program_block(FILE_SIZE, CARREL_R | CARREL_W);

	set(3, (uint64_t)p, FILE_SIZE, 0);
	CHECK_EQ(call(t, READ), 1000001);
	CHECK(!memcmp(p, file, 1000001));
	CHECK_EQ(p[1000001], 0x5a);
	set(3, (uint64_t)p, FILE_SIZE, 500000);
	CHECK_EQ(call(t, PREAD), 500001);
	CHECK(!memcmp(p, file + 500000, 500001));
}

static void large_read_of_pipe(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint8_t *p = program_block(FILE_SIZE, CARREL_R | CARREL_W);

	mode = S_IFIFO;
	set(3, (uint64_t)p, FILE_SIZE, 0);
	CHECK_EQ(call(t, READ), arena.size);
	CHECK_EQ(data_calls, 1);
	at_most = 10;
	CHECK_EQ(call(t, READ), 10);
	/* a pipe that holds more gives more */
	at_most = UINT64_MAX;
	ready_calls = 2;
	CHECK_EQ(call(t, READ), 3 * arena.size);
}

static void large_write(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint8_t *p = program_block(1000000, CARREL_R);

	for (int i = 0; i < 1000000; i++)
		p[i] = i * 17;
	set(1, (uint64_t)p, 1000000, 0);
	CHECK_EQ(call(t, WRITE), 1000000);
	CHECK(!memcmp(p, file, 1000000));
	flags_of_file = 02000;		/* O_APPEND: torn writes are worse than short ones */
	CHECK_EQ(call(t, WRITE), arena.size);
	mode = S_IFIFO;
	position = 0;
	CHECK_EQ(call(t, WRITE), 1000000);
}

static void large_datagram(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint8_t *p = program_block(1000000, CARREL_R);

	socket_type = 2;
	set(1, (uint64_t)p, 1000000, 0);
	CHECK_EQ(call(t, WRITE), -LINUX_EMSGSIZE);
	CHECK_EQ(data_calls, 0);
	/* nor is one torn because a signal keeps the shim from asking */
	signals_first = 1;
	CHECK_EQ(call(t, WRITE), -LINUX_EMSGSIZE);
	CHECK_EQ(data_calls, 0);
	socket_type = 1;
	mode = 0140000;
	CHECK_EQ(call(t, WRITE), 1000000);
}

/* A full disk, or an error in a later piece: what was done counts. */
static void short_write(void)
{
	struct thread *t = with_file(300000);
	uint8_t *p = program_block(1000000, CARREL_R);

	set(1, (uint64_t)p, 1000000, 0);
	CHECK_EQ(call(t, WRITE), 300000);
}

static void edge_of_memory(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint8_t *p = program_block(100, CARREL_R | CARREL_W);

	set(3, (uint64_t)p, 5000, 0);
	CHECK_EQ(call(t, READ), 100);
	CHECK_EQ(call(t, WRITE), 100);
	/* as access_ok() of the kernel: nothing is read where the end is no address */
	set(3, (uint64_t)p, UINT64_MAX, 0);
	CHECK_EQ(call(t, READ), -LINUX_EFAULT);
	set(3, (uint64_t)p, VM_HIGH, 0);
	CHECK_EQ(call(t, WRITE), -LINUX_EFAULT);
	set(3, (uint64_t)p, 0, 0);
	CHECK_EQ(call(t, READ), 0);
}

/* --- Vectors --------------------------------------------------------------------------------- */

static void vector(uint64_t *iov, uint64_t i, const void *base, uint64_t size)
{
	iov[2 * i] = (uint64_t)base;
	iov[2 * i + 1] = size;
}

static int64_t gather(const struct ocall *c, uint64_t *flags)
{
	uint64_t iov[2];

	(void)flags;
	if (c->arg[2] != 1 || !in_channel(c->arg[1], 16))
		return -LINUX_EINVAL;
	memcpy(iov, (void *)c->arg[1], sizeof(iov));
	if (!in_channel(iov[0], iov[1]))
		return -LINUX_EFAULT;
	if (c->number == WRITEV)
		memcpy(file, (void *)iov[0], iov[1]);
	else
		memcpy((void *)iov[0], file, iov[1]);
	return iov[1];
}

static void vectors(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint64_t *iov = (uint64_t *)program_block(4 * 16, CARREL_R | CARREL_W);
	uint8_t *a = program_block(10, CARREL_R | CARREL_W);
	uint8_t *b = program_block(20, CARREL_R | CARREL_W);

	fake.host = gather;
	memset(a, 'a', 10);
	memset(b, 'b', 20);
	vector(iov, 0, a, 10);
	vector(iov, 1, NULL, 0);
	vector(iov, 2, b, 20);
	vector(iov, 3, (void *)NOWHERE, 5);
	set(1, (uint64_t)iov, 3, 0);
	CHECK_EQ(call(t, WRITEV), 30);
	CHECK(!memcmp(file, "aaaaaaaaaabbbbbbbbbbbbbbbbbbbb", 30));
	set(1, (uint64_t)iov, 4, 0);
	CHECK_EQ(call(t, WRITEV), 30);
	memcpy(file, "0123456789ABCDEFGHIJ", 20);
	set(1, (uint64_t)iov, 3, 0);
	CHECK_EQ(call(t, READV), 30);
	CHECK(!memcmp(a, "0123456789", 10) && !memcmp(b, "ABCDEFGHIJ", 10));
	vector(iov, 0, (void *)NOWHERE, 5);
	CHECK_EQ(call(t, READV), -LINUX_EFAULT);
	vector(iov, 0, a, 1UL << 63);
	CHECK_EQ(call(t, WRITEV), -LINUX_EINVAL);
	set(1, (uint64_t)iov, 1025, 0);
	CHECK_EQ(call(t, WRITEV), -LINUX_EINVAL);
	set(1, (uint64_t)iov, 5, 0);
	CHECK_EQ(call(t, WRITEV), -LINUX_EFAULT);
}

/* More than the arena: a short count, never a wrong one. */
static void large_vector(void)
{
	struct thread *t = with_file(FILE_SIZE);
	uint64_t *iov = (uint64_t *)program_block(2 * 16, CARREL_R | CARREL_W), n;
	uint8_t *a = program_block(150000, CARREL_R | CARREL_W);
	uint8_t *b = program_block(150000, CARREL_R | CARREL_W);

	fake.host = gather;
	memset(a, 'x', 150000);
	memset(b, 'y', 150000);
	vector(iov, 0, a, 150000);
	vector(iov, 1, b, 150000);
	set(1, (uint64_t)iov, 2, 0);
	n = call(t, WRITEV);
	CHECK(n > 150000 && n < arena.size);
	CHECK(file[0] == 'x' && file[149999] == 'x' && file[150000] == 'y' && file[n - 1] == 'y');
}

/* --- Strings ------------------------------------------------------------------------------- */

static int64_t opened(const struct ocall *c, uint64_t *flags)
{
	(void)c;
	(void)flags;
	return 5;
}

static void strings(void)
{
	struct thread *t = fake_reset(2, 4);
	uint8_t *s = program_block(6, CARREL_R), *longest = program_block(4097, CARREL_R);

	fake.host = opened;
	memcpy(s, "nonul!", 6);
	set((uint64_t)s, 0, 0, 0);
	CHECK_EQ(call(t, OPEN), -LINUX_EFAULT);
	memset(longest, 'p', 4097);
	set((uint64_t)longest, 0, 0, 0);
	CHECK_EQ(call(t, OPEN), -LINUX_ENAMETOOLONG);
	longest[4096] = 0;
	CHECK_EQ(call(t, OPEN), -LINUX_ENAMETOOLONG);
	CHECK_EQ(fake.ocalls, 0);
	set((uint64_t)longest + 1, 0, 0, 0);
	CHECK_EQ(call(t, OPEN), 5);
	fake.host = NULL;
	set((uint64_t)longest + 1, (uint64_t)longest + 1, 0, 0);
	CHECK_EQ(call(t, RENAME), 0);
	CHECK(fake.last.arg[0] != fake.last.arg[1]);
	CHECK(in_channel(fake.last.arg[0], 4096) && in_channel(fake.last.arg[1], 4096));
}

/* --- Descriptors --------------------------------------------------------------------------- */

static int64_t answer_value;

static int64_t constant(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	return c->number == SYS_close ? 0 : answer_value;
}

static void descriptors(void)
{
	struct thread *t = fake_reset(2, 4);

	fake.host = constant;
	answer_value = 7;
	set(0, 0, 0, 0);
	CHECK_EQ(call(t, DUP), 7);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, DUP));
	set(7, 0, 0, 0);
	CHECK_EQ(calls[SYS_close].emulate(t, arg), 0);
	CHECK_EQ(call(t, DUP), 7);
	/* dup2 onto an open one is what dup2 is for; onto another than asked is a lie */
	set(0, 7, 0, 0);
	CHECK_EQ(calls[SYS_dup2].emulate(t, arg), 7);
	answer_value = 8;
	CHECK_DIES(CARREL_DIE_IAGO, calls[SYS_dup2].emulate(t, arg));
	answer_value = FDS_MAX;
	CHECK_EQ(call(t, DUP), -LINUX_EMFILE);
	CHECK(fake.last.number == SYS_close && fake.last.arg[0] == FDS_MAX);
}

static int32_t pair[2];

static int64_t make_pair(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	memcpy((void *)c->arg[0], pair, sizeof(pair));
	return 0;
}

static void lying_pair(const int32_t lie[2])
{
	struct thread *t = fake_reset(2, 4);

	fake.host = make_pair;
	fds_add(3);
	memcpy(pair, lie, sizeof(pair));
	set((uint64_t)program_block(8, CARREL_R | CARREL_W), 0, 0, 0);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, PIPE));
}

static void pairs(void)
{
	static const int32_t lies[][2] = {
		{ 4, 4 }, { -1, 5 }, { 5, -1 }, { 3, 6 }, { FDS_MAX, 6 }, { INT32_MIN, 6 },
	};
	struct thread *t;
	int32_t *out;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		lying_pair(lies[i]);
	t = fake_reset(2, 4);
	fake.host = make_pair;
	out = (int32_t *)program_block(8, CARREL_R | CARREL_W);
	pair[0] = 3;
	pair[1] = 4;
	set((uint64_t)out, 0, 0, 0);
	CHECK_EQ(call(t, PIPE), 0);
	CHECK(out[0] == 3 && out[1] == 4);
}

/* --- Random devices ------------------------------------------------------------------------ */

static unsigned int reads_made;

static int64_t devices(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	reads_made += c->number == READ || c->number == READV || c->number == PREAD;
	return c->number == SYS_close ? 0 : answer_value;
}

static void random_devices(void)
{
	struct thread *t = fake_reset(2, 4);
	char *path = (char *)program_block(13, CARREL_R);
	uint8_t *a = program_block(40, CARREL_R | CARREL_W);
	uint8_t *b = program_block(40, CARREL_R | CARREL_W);
	uint64_t *iov = (uint64_t *)program_block(2 * 16, CARREL_R | CARREL_W);

	fake.host = devices;
	reads_made = 0;
	strcpy(path, "/dev/urandom");
	answer_value = 5;
	set((uint64_t)path, 0, 0, 0);
	CHECK_EQ(call(t, OPEN), 5);
	answer_value = 6;
	set(5, 0, 0, 0);
	CHECK_EQ(call(t, DUP), 6);
	set(5, 9, 0, 0);
	answer_value = 9;
	CHECK_EQ(calls[SYS_dup2].emulate(t, arg), 9);
	for (uint64_t fd = 5; fd <= 9; fd += fd == 6 ? 3 : 1) {
		memset(a, 0, 40);
		set(fd, (uint64_t)a, 40, 0);
		CHECK_EQ(call(t, READ), 40);
		CHECK(memcmp(a, a + 20, 20));
	}
	set(5, (uint64_t)a, 4000, 0);
	CHECK_EQ(call(t, READ), 40);
	set(5, NOWHERE, 40, 0);
	CHECK_EQ(call(t, READ), -LINUX_EFAULT);
	vector(iov, 0, a, 30);
	vector(iov, 1, b, 40);
	memset(b, 0, 40);
	set(5, (uint64_t)iov, 2, 0);
	CHECK_EQ(call(t, READV), 70);
	CHECK(memcmp(b, b + 20, 20));
	CHECK_EQ(reads_made, 0);
	/* closed and given out again it is a file like any other */
	answer_value = 0;
	set(5, 0, 0, 0);
	calls[SYS_close].emulate(t, arg);
	strcpy(path, "/etc/passwd");
	answer_value = 5;
	set((uint64_t)path, 0, 0, 0);
	CHECK_EQ(call(t, OPEN), 5);
	answer_value = 0;
	set(5, (uint64_t)a, 40, 0);
	CHECK_EQ(call(t, READ), 0);
	CHECK_EQ(reads_made, 1);
}

/* Another CPU of the host rewrites the channel all the time: what was checked is what is used. */
static atomic_int racing;

static void *racer(void *unused)
{
	volatile int32_t *at = (volatile int32_t *)(CARREL_CHANNEL_VA + CARREL_SLOT_DATA);

	(void)unused;
	for (uint32_t i = 0; racing; i++) {
		at[0] = i & 63;
		at[1] = 64 + (i & 63);
	}
	return NULL;
}

static int64_t leave_it(const struct ocall *c, uint64_t *flags)
{
	(void)c;
	(void)flags;
	return 0;
}

static void race(void)
{
	struct thread *t = fake_reset(2, 4);
	volatile int32_t *out = (volatile int32_t *)program_block(8, CARREL_R | CARREL_W);
	pthread_t other;

	fake.host = leave_it;
	memset(SLOT_DATA(t), 1, 8);
	racing = true;
	CHECK(pthread_create(&other, NULL, racer, NULL) == 0);
	while (*(volatile uint32_t *)SLOT_DATA(t) == 0x01010101)
		;
	set((uint64_t)out, 0, 0, 0);
	for (int i = 0; i < 50000; i++) {
		bool good;

		call(t, PIPE);
		/* the two that the program got are the two that were noted, and no others */
		good = out[0] < 64 && out[1] >= 64 && !fds_add(out[0]) && !fds_add(out[1]);
		fds_remove(out[0]);
		fds_remove(out[1]);
		if (!good) {
			racing = false;
			pthread_join(other, NULL);
		}
		CHECK(good);
	}
	racing = false;
	pthread_join(other, NULL);
}

/* --- Sizes ---------------------------------------------------------------------------------- */

static void sizes(void)
{
	struct thread *t = fake_reset(2, 4);
	uint8_t *list = program_block(40, CARREL_R | CARREL_W);

	fake.host = constant;
	answer_value = 23;
	set(0, 0, 0, 0);
	CHECK_EQ(call(t, GETGROUPS), 23);
	set(0, (uint64_t)list, 0, 0);
	CHECK_EQ(call(t, GETGROUPS), 23);
	CHECK_EQ(list[0], 0x5a);
	set(10, (uint64_t)list, 0, 0);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, GETGROUPS));
	answer_value = 1L << 33;
	set(0, 0, 0, 0);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, GETGROUPS));
}

/* --- Signals -------------------------------------------------------------------------------- */

static uint64_t answer_flags;

static int64_t flagged(const struct ocall *c, uint64_t *flags)
{
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;

	(void)c;
	*flags = answer_flags;
	if (answer_flags) {
		slot->pending = SIGUSR1;
		memset(slot->siginfo, 0x77, sizeof(slot->siginfo));
	}
	return answer_value;
}

static void signals(void)
{
	struct thread *t = fake_reset(2, 4);
	uint8_t *p = program_block(8, CARREL_R | CARREL_W);
	uint32_t noted;

	fake.host = flagged;
	answer_flags = CARREL_RESUME_SIGNAL;
	answer_value = -LINUX_EINTR;
	set(0, (uint64_t)p, 8, 0);
	CHECK_EQ(call(t, READ), -LINUX_EINTR);
	CHECK(t->noted && t->interrupted && !t->rewind);
	memcpy(&noted, t->siginfo, sizeof(noted));
	CHECK_EQ(noted, SIGUSR1);
	CHECK_EQ(t->siginfo[8], 0x77);
	CHECK_EQ(*(uint32_t *)(t->slot + CARREL_SLOT_PENDING), 0);
	/* a second one while the first waits is forged, and changes nothing */
	memset(t->siginfo + 8, 0x11, 8);
	host_take_signal(t);
	CHECK_EQ(t->siginfo[8], 0x11);
	/* EINTR out of nowhere is passed on */
	t->noted = false;
	t->interrupted = INTERRUPTED_NO;
	answer_flags = 0;
	CHECK_EQ(call(t, READ), -LINUX_EINTR);
	CHECK(!t->interrupted && !t->rewind);
}

static void forged_signals(void)
{
	struct thread *t = fake_reset(2, 4);
	volatile uint32_t *pending = (uint32_t *)(t->slot + CARREL_SLOT_PENDING);

	*pending = 65;
	host_take_signal(t);
	CHECK(!t->noted && *pending == 0);
	*pending = UINT32_MAX;
	host_take_signal(t);
	CHECK(!t->noted && *pending == 0);
	*pending = 64;
	host_take_signal(t);
	CHECK(t->noted);
}

/* --- Text without an end -------------------------------------------------------------------- */

static uint8_t lie[400];

static int64_t writes_lie(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	for (int i = 0; i < 3; i++)
		if (in_channel(c->arg[i], sizeof(lie)))
			memcpy((void *)c->arg[i], lie, sizeof(lie));
	return answer_value;
}

static struct thread *with_lie(uint8_t fill, int64_t answer)
{
	struct thread *t = fake_reset(2, 4);

	memset(lie, fill, sizeof(lie));
	fake.host = writes_lie;
	answer_value = answer;
	return t;
}

static void text_without_end(void)
{
	struct thread *t = with_lie('/', 5);
	uint8_t *p = program_block(sizeof(lie), CARREL_R | CARREL_W);

	set((uint64_t)p, sizeof(lie), 0, 0);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, GETCWD));
	lie[4] = 0;
	CHECK_EQ(call(t, GETCWD), 5);
	answer_value = 0;
	memset(lie, 0, sizeof(lie));
	set((uint64_t)p, 0, 0, 0);
	CHECK_EQ(call(t, UNAME), 0);
	memset(lie + 5 * 65, 'x', 65);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, UNAME));
	set(16, (uint64_t)p, 0, 0);
	CHECK_EQ(calls[PRCTL].emulate(t, arg), 0);
	memset(lie, 'x', 16);
	CHECK_DIES(CARREL_DIE_IAGO, calls[PRCTL].emulate(t, arg));
}

static void entry(uint64_t at, uint16_t length, uint64_t end)
{
	memcpy(lie + at + 16, &length, sizeof(length));
	lie[end] = 0;
}

static void entries(uint64_t number, uint64_t name)
{
	struct thread *t = with_lie('x', 64);
	uint8_t *p = program_block(sizeof(lie), CARREL_R | CARREL_W);

	set(3, (uint64_t)p, sizeof(lie), 0);
	entry(0, 24, 23);
	entry(24, 40, 24 + name);
	CHECK_EQ(call(t, number), 64);
	CHECK(!memcmp(p, lie, 64));
	answer_value = 24;
	CHECK_EQ(call(t, number), 24);
	/* less than an entry at the end; one that is empty, too short, too long; a name without end */
	answer_value = 64 + name;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
	answer_value = 64;
	entry(24, 0, 30);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
	entry(24, name, 24);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
	entry(24, 41, 24 + name);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
	entry(24, UINT16_MAX, 24 + name);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
	memset(lie + 24, 'x', sizeof(lie) - 24);
	entry(24, 40, 64);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, number));
}

static void entries_without_end(void)
{
	entries(GETDENTS, 18);
	entries(GETDENTS64, 19);
}

/* The host may say what happened on a descriptor, not which one it is. */
static void exchanged_descriptors(void)
{
	struct thread *t = with_lie(0x11, 1);
	int16_t *p = (int16_t *)program_block(16, CARREL_R | CARREL_W);

	memcpy(p, (int16_t[]){ 7, 0, 1, 0, 8, 0, 4, 0 }, 16);
	memset(lie, 0x11, sizeof(lie));
	set((uint64_t)p, 2, 0, 0);
	CHECK_EQ(call(t, POLL), 1);
	CHECK(p[0] == 7 && p[1] == 0 && p[2] == 1 && p[3] == 0x11);
	CHECK(p[4] == 8 && p[5] == 0 && p[6] == 4 && p[7] == 0x10);
}

/* An arena that is smaller than what must cross whole. */
static void no_room(void)
{
	static const struct call row = {
		.arg = { ARG_BUF(KIND_IN, 1), KIND_LONG }, .how = HOW_MARSHAL, .result = RESULT_LENGTH,
	};
	struct thread *t = fake_reset(2, 4);
	uint8_t *p = program_block(1 << 20, CARREL_R);

	set((uint64_t)p, 1 << 20, 0, 0);
	CHECK_EQ(marshal(t, &row, 999, arg), -LINUX_ENOMEM);
	CHECK_EQ(fake.ocalls, 0);
}

const struct test marshal_tests[] = {
	{ "a read longer than the channel", large_read },
	{ "the same of a pipe", large_read_of_pipe },
	{ "a write longer than the channel", large_write },
	{ "a datagram longer than the channel", large_datagram },
	{ "a write that is cut short", short_write },
	{ "a buffer at the edge of memory", edge_of_memory },
	{ "vectors", vectors },
	{ "a vector longer than the channel", large_vector },
	{ "strings", strings },
	{ "descriptors are new, or it is a lie", descriptors },
	{ "and so are pairs", pairs },
	{ "random devices are read inside", random_devices },
	{ "a channel that changes all the time", race },
	{ "a size instead of a list", sizes },
	{ "signals during a call", signals },
	{ "forged signals", forged_signals },
	{ "text without an end is a lie", text_without_end },
	{ "and so are directory entries", entries_without_end },
	{ "poll with other descriptors", exchanged_descriptors },
	{ "no room in the channel", no_room },
	{ NULL, NULL },
};
