/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: any call with any arguments, and a kernel that writes any bytes to
 * the channel and returns any result. Whatever it does:
 *
 *   - nothing of the program's changes but the buffers that the call may write;
 *   - nothing of the program's is copied out but the buffers that the call reads:
 *     all other memory holds a mark that must never be found in the channel;
 *   - no address of the program's leaves in a register.
 *
 * The process may be killed at any time, which ends the run and is no finding.
 */
#include <asm/unistd_64.h>

#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/calls/marshal.h"
#include "test.h"

#define WINDOWS		6
#define WINDOW_SIZE	8192UL
#define BLOCKS		2		/* one of slots, one of arena */
#define CALLS_MADE	24		/* by the shim, at most, in one run; then the process dies */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What a call that is emulated takes, in the words of a row; see table.c. */
static const struct {
	uint16_t number, arg[CALL_ARGS];
} emulated[] = {
#define FIX(kind, size)	ARG_FIX(KIND_FIX_##kind, size)
	{ __NR_close, { KIND_FD } },
	{ __NR_dup2, { KIND_FD, KIND_FD } },
	{ __NR_dup3, { KIND_FD, KIND_FD, KIND_INT } },
	{ __NR_socket, { KIND_INT, KIND_INT, KIND_INT } },
	{ __NR_socketpair, { KIND_INT, KIND_INT, KIND_INT, KIND_FDS_OUT } },
	{ __NR_setsockopt, { KIND_FD, KIND_INT, KIND_INT, ARG_BUF(KIND_IN, 4), KIND_INT } },
	{ __NR_getsockopt, { KIND_FD, KIND_INT, KIND_INT, ARG_BUF(KIND_OPTION_OUT, 4), KIND_ROOM } },
	{ __NR_readlink, { KIND_STRING, ARG_BUF(KIND_OUT, 2), KIND_INT } },
	{ __NR_readlinkat, { KIND_FD, KIND_STRING, ARG_BUF(KIND_OUT, 3), KIND_INT } },
	{ __NR_getrandom, { ARG_BUF(KIND_OUT, 1), KIND_LONG, KIND_INT } },
	{ __NR_capget, { FIX(INOUT, 8), FIX(OUT, 24) } },
	{ __NR_capset, { FIX(INOUT, 8), FIX(IN, 24) } },
	{ __NR_sched_setattr, { KIND_INT, FIX(IN, 48), KIND_INT } },
	{ __NR_sched_getattr, { KIND_INT, FIX(OUT, 48), KIND_INT, KIND_INT } },
	{ __NR_rt_sigtimedwait, { FIX(IN, 8), FIX(OUT, 128), FIX(IN, 16), KIND_LONG } },
	{ __NR_rt_sigsuspend, { FIX(IN, 8), KIND_LONG } },
	{ __NR_signalfd, { KIND_FD, FIX(IN, 8), KIND_LONG } },
	{ __NR_signalfd4, { KIND_FD, FIX(IN, 8), KIND_LONG, KIND_INT } },
	{ __NR_ppoll, { ARG_ARRAY(KIND_POLLFDS, 1, 8), KIND_INT, FIX(UPDATE, 16), FIX(IN, 8),
			KIND_LONG } },
	{ __NR_pselect6, { KIND_INT, ARG_BUF(KIND_FDSET, 0), ARG_BUF(KIND_FDSET, 0),
			   ARG_BUF(KIND_FDSET, 0), FIX(UPDATE, 16), FIX(IN, 16) } },
	{ __NR_epoll_create, { KIND_INT } },
	{ __NR_epoll_create1, { KIND_INT } },
	{ __NR_epoll_ctl, { KIND_FD, KIND_INT, KIND_FD, FIX(IN, 4) } },
	{ __NR_epoll_wait, { KIND_FD, ARG_ARRAY(KIND_ARRAY_OUT, 2, 12), KIND_INT, KIND_INT } },
	{ __NR_epoll_pwait, { KIND_FD, ARG_ARRAY(KIND_ARRAY_OUT, 2, 12), KIND_INT, KIND_INT,
			      FIX(IN, 8), KIND_LONG } },
	{ __NR_epoll_pwait2, { KIND_FD, ARG_ARRAY(KIND_ARRAY_OUT, 2, 12), KIND_INT, FIX(IN, 16),
			       FIX(IN, 8), KIND_LONG } },
	{ __NR_timer_create, { KIND_INT, FIX(IN, 64), FIX(OUT, 4) } },
	{ __NR_timer_delete, { KIND_INT } },
	{ __NR_sendmsg, { KIND_FD, FIX(IN, 56), KIND_INT } },
	{ __NR_recvmsg, { KIND_FD, FIX(INOUT, 56), KIND_INT } },
	{ __NR_sendmmsg, { KIND_FD, FIX(INOUT, 128), KIND_INT, KIND_INT } },
	{ __NR_recvmmsg, { KIND_FD, FIX(INOUT, 128), KIND_INT, KIND_INT, FIX(IN, 16) } },
};

/* --- The input ------------------------------------------------------------------------------- */

static const uint8_t *input;
static size_t left;

static uint8_t mark(uint64_t i)
{
	return (uint8_t[]){ 0xa7, 0x5e, 0xc2, 0xe7 }[i % 4];
}

static uint8_t byte(void)
{
	return left ? left--, *input++ : 0;
}

/* Never the first byte of the mark. */
static void fill(uint8_t *to, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		to[i] = byte();
		if (to[i] == mark(0))
			to[i] = 0;
	}
}

/* Small numbers, limits, and any. */
static uint64_t number(void)
{
	static const uint64_t special[] = {
		0, 1, UINT64_MAX, INT64_MIN, INT32_MAX, UINT32_MAX, 1UL << 32, 4096, 4097, 65536,
	};
	uint64_t value = 0;

	switch (byte() % 4) {
	case 0:
		return byte();
	case 1:
		return special[byte() % 10];
	case 2:
		return byte() | byte() << 8;
	default:
		fill((uint8_t *)&value, sizeof(value));
		/* as a number the program may give its addresses away, but here it does not */
		return value >> 40 & 0x7f ? value >> 20 : value;
	}
}

/* --- The program ----------------------------------------------------------------------------- */

struct region {
	uint64_t at, size;		/* what the call may write */
};

static uint8_t *windows[WINDOWS], marks[WINDOW_SIZE], before[WINDOWS][WINDOW_SIZE];
static struct region writable[32];
static unsigned int writables;
static uint64_t arg[CALL_ARGS];

static void may_write(uint64_t at, uint64_t size)
{
	if (size && writables < 32)
		writable[writables++] = (struct region){ at, size };
}

/* A place in window i for `size` bytes, which are the input's if `read`. */
static uint64_t place(int i, uint64_t size, bool read, bool write)
{
	uint64_t offset = byte() % 4 ? byte() * 4UL : WINDOW_SIZE - (size < 2048 ? size : 2048);
	uint64_t room = WINDOW_SIZE - offset, at = (uint64_t)windows[i] + offset;

	if (read)
		fill((uint8_t *)at, size < room ? size : room);
	if (write)
		may_write(at, size);
	return at;
}

static void put(uint64_t at, uint64_t value)
{
	memcpy((void *)at, &value, sizeof(value));
}

/* iovecs in window i that lead into window `to`. */
static uint64_t vectors(int i, int to, uint64_t count, bool write)
{
	uint64_t at = (uint64_t)windows[i], end = (uint64_t)windows[to];

	for (uint64_t k = 0; k < count && k < 8; k++) {
		uint64_t size = byte() * 16UL, base = place(to, size, !write, write);

		if (byte() % 8 == 0) {		/* one that leads out of the memory that is there */
			base = end + WINDOW_SIZE - 1;
			may_write(base, write);
		}
		put(at + 16 * k, base);
		put(at + 16 * k + 8, size);
	}
	return at;
}

/* Headers of messages at `at`: name, vectors and control in windows of their own. */
static void messages(uint64_t at, uint64_t stride, int count, bool receiving)
{
	for (int k = 0; k < count; k++, at += stride) {
		uint64_t name = byte(), parts = byte() % 4, control = byte() * 4UL;

		put(at, place(2, name, !receiving, receiving));
		put(at + 8, name);
		put(at + 16, vectors(3, 4, parts, receiving));
		put(at + 24, parts);
		put(at + 32, place(5, control, !receiving, receiving));
		put(at + 40, control);
	}
}

static uint64_t length_of(uint16_t a)
{
	uint64_t by = ARG_BY(a) < CALL_ARGS ? arg[ARG_BY(a)] : 0;

	switch ((unsigned int)ARG_KIND(a)) {
	case KIND_STRING:
		return byte();
	case KIND_FDS_OUT:
		return 8;
	case KIND_ROOM:
		return 4;
	case KIND_NAMES_OUT:
		return ARG_BY(a) * ARG_ELEMENT(a);
	case KIND_ARRAY_OUT: case KIND_ARRAY_IN: case KIND_POLLFDS:
		return (uint32_t)by * (uint64_t)ARG_ELEMENT(a);
	case KIND_FDSET:
		return ((uint32_t)by + 63UL) / 64 * 8;
	case KIND_IN: case KIND_IN_STREAM: case KIND_OUT: case KIND_OUT_STREAM:
	case KIND_TEXT_OUT: case KIND_DIRENTS_OUT:
		return by;
	default:
		return ARG_SIZE(a);
	}
}

static void make_pointer(const uint16_t *row, int i)
{
	uint16_t a = row[i];
	uint8_t is = traits_of(a);
	uint64_t size;

	if (is & VECTOR) {
		arg[ARG_BY(a)] = byte() % 6;
		arg[i] = vectors(i, (i + 3) % WINDOWS, arg[ARG_BY(a)], is & WRITE);
		return;
	}
	if (ARG_KIND(a) == KIND_ADDRESS_OUT || ARG_KIND(a) == KIND_OPTION_OUT) {
		size = number();
		arg[ARG_BY(a)] = place(ARG_BY(a), 4, true, true);
		memcpy((void *)arg[ARG_BY(a)], &size, 4);
		arg[i] = place(i, (uint32_t)size, false, true);
		return;
	}
	if (ARG_KIND(a) == KIND_ROOM && arg[i])
		return;			/* made with its partner */
	size = length_of(a);
	arg[i] = place(i, size, is & READ, is & WRITE);
}

static void make_arguments(uint64_t call, const uint16_t *row)
{
	for (int i = 0; i < CALL_ARGS; i++)
		arg[i] = traits_of(row[i]) & NUMBER ? number() : 0;
	for (int i = 0; i < CALL_ARGS; i++)
		if (!(traits_of(row[i]) & NUMBER))
			make_pointer(row, i);
	if (call == __NR_sendmsg || call == __NR_recvmsg)
		messages(arg[1], 56, 1, call == __NR_recvmsg);
	else if (call == __NR_sendmmsg || call == __NR_recvmmsg)
		messages(arg[1], 64, 2, call == __NR_recvmmsg);
	else if (byte() % 16 == 0)
		arg[byte() % CALL_ARGS] = byte() % 2 ? NOWHERE : 0;
}

/* --- The kernel ------------------------------------------------------------------------------ */

static void broken(const char *what, uint64_t where)
{
	fprintf(stderr, "broken: %s, call %d, at %llx\n", what, (int)fake.last.number,
		(unsigned long long)where);
	abort();
}

static void find_mark(const uint8_t *at, uint64_t size)
{
	static const uint8_t pattern[4] = { 0xa7, 0x5e, 0xc2, 0xe7 };
	const uint8_t *found = memmem(at, size, pattern, sizeof(pattern));

	if (found)
		broken("private memory in the channel", (uint64_t)found);
}

static int64_t kernel(const struct ocall *c, uint64_t *flags)
{
	static const int64_t answers[] = {
		0, 0, 1, 8, 3, 5, -1, -LINUX_EINTR, -LINUX_EFAULT, -4096, INT64_MIN, INT64_MAX, 1L << 31,
	};
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;
	uint8_t kind = byte();

	for (int i = 0; i < CALL_ARGS; i++)
		for (int w = 0; w < WINDOWS; w++)
			if (c->arg[i] - (uint64_t)windows[w] < WINDOW_SIZE)
				broken("an address leaves", c->arg[i]);
	find_mark((uint8_t *)CARREL_CHANNEL_VA, BLOCKS * CARREL_BLOCK_SIZE);
	for (int i = 0; i < CALL_ARGS && kind & 1; i++)
		if (in_channel(c->arg[i], 1)) {
			uint64_t end = CARREL_CHANNEL_VA + CARREL_SLOT_SIZE, size = byte() * 2UL;

			if (c->arg[i] < end && c->arg[i] + size > end)
				size = end - c->arg[i];
			if (in_channel(c->arg[i], size))
				fill((uint8_t *)c->arg[i], size);
		}
	/* single bytes of what lies there: lengths and pointers of structures, mostly */
	for (int i = 0; i < kind >> 4; i++) {
		uint64_t at = c->arg[i % CALL_ARGS] + byte() % 160;

		if (in_channel(at, 1))
			fill((uint8_t *)at, 1);
	}
	if (kind & 2) {
		fill((uint8_t *)slot, 256);
		*flags = byte() & (CARREL_RESUME_SIGNAL | CARREL_RESUME_NOTSTARTED);
	}
	if (fake.ocalls > CALLS_MADE)
		return INT64_MAX;
	return kind & 4 ? (int64_t)number() : answers[byte() % 13];
}

/* --- One run --------------------------------------------------------------------------------- */

static bool allowed(uint64_t at)
{
	for (unsigned int i = 0; i < writables; i++)
		if (at - writable[i].at < writable[i].size)
			return true;
	return false;
}

static void check_windows(void)
{
	for (int w = 0; w < WINDOWS; w++) {
		if (!memcmp(windows[w], before[w], WINDOW_SIZE))
			continue;
		for (uint64_t i = 0; i < WINDOW_SIZE; i++)
			if (windows[w][i] != before[w][i] && !allowed((uint64_t)windows[w] + i))
				broken("memory changed that is no output", (uint64_t)windows[w] + i);
	}
}

static void make_call(struct thread *t, uint64_t call, const struct call *row)
{
	fake.may_die = true;
	if (setjmp(fake.died))
		return;
	if (row)
		marshal(t, row, call, arg);
	else
		calls[call].emulate(t, arg);
}

/* The row of a request of a call that is several, or of a call. NULL: an emulated one. */
static const struct call *choose(uint64_t *call, const uint16_t **kinds)
{
	static const struct subcall *const tables[] = {
		subcalls_ioctl, subcalls_fcntl, subcalls_prctl,
	};
	static const uint16_t numbers[] = { __NR_ioctl, __NR_fcntl, __NR_prctl };
	uint8_t way = byte(), which = byte();
	const struct call *row;

	if (way % 4 == 0) {
		which %= sizeof(emulated) / sizeof(emulated[0]);
		*call = emulated[which].number;
		*kinds = emulated[which].arg;
		return NULL;
	}
	if (way % 4 == 1) {
		const struct subcall *at = tables[way / 4 % 3];

		*call = numbers[way / 4 % 3];
		while (which-- && at[1].call.how != HOW_REFUSE)
			at++;
		row = &at->call;
	} else {
		*call = (which | (way >> 4 & 1) << 8) % CALLS;
		row = &calls[*call];
	}
	if (row->how != HOW_PASS && row->how != HOW_MARSHAL) {
		*call = __NR_read;
		row = &calls[__NR_read];
	}
	*kinds = row->arg;
	return row;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct thread *t = fake_reset(2, BLOCKS);
	const uint16_t *kinds;
	const struct call *row;
	uint64_t call;

	if (!marks[0])
		for (uint64_t i = 0; i < WINDOW_SIZE; i++)
			marks[i] = mark(i);
	input = bytes;
	left = size;
	writables = 0;
	memset((void *)CARREL_CHANNEL_VA, 0, BLOCKS * CARREL_BLOCK_SIZE);
	for (int w = 0; w < WINDOWS; w++) {
		windows[w] = program_block(WINDOW_SIZE, CARREL_R | CARREL_W);
		memcpy(windows[w], marks, WINDOW_SIZE);
	}
	row = choose(&call, &kinds);
	make_arguments(call, kinds);
	for (int w = 0; w < WINDOWS; w++)
		memcpy(before[w], windows[w], WINDOW_SIZE);
	fake.host = kernel;
	make_call(t, call, row);
	check_windows();
	return 0;
}

/* --- What test.c has for the tests ------------------------------------------------------------ */

void check(bool good, const char *file, int line, const char *what)
{
	if (!good) {
		fprintf(stderr, "%s:%d: %s\n", file, line, what);
		abort();
	}
}

void check_eq(uint64_t a, uint64_t b, const char *file, int line, const char *what)
{
	check(a == b, file, line, what);
}

uint64_t random_u64(void)
{
	static uint64_t state = 1;

	state = state * 0x5851f42d4c957f2dUL + 0x14057b7ef767814fUL;
	return state;
}
