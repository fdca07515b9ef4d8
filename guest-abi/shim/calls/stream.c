/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes that are longer than the channel, and those of the random
 * devices, which never leave. See marshal.h.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/user.h"
#include "memory/vm.h"

#define STAT_MODE		24		/* offset of st_mode in struct stat */
#define S_IFMT			0170000
#define S_IFIFO			0010000
#define S_IFCHR			0020000
#define S_IFREG			0100000
#define POLLIN			1
#define F_GETFL			3
#define O_APPEND		02000
#define SOL_SOCKET		1
#define SO_TYPE			3
#define SOCK_STREAM		1
#define RANDOM_MAX		0x1ffffffL	/* the kernel's own limit of one read */
#define MSG_WAITALL		0x100

bool random_put(uint64_t address, uint64_t size)
{
	uint8_t piece[256];

	while (size > 0) {
		size_t n = size < sizeof(piece) ? size : sizeof(piece);

		random_bytes(piece, n);
		if (!user_put(address, piece, n))
			return false;
		address += n;
		size -= n;
	}
	return true;
}

/* A read of a random device: the kernel's bytes would be the kernel's choice. */
static int64_t read_random(const struct call *row, const uint64_t arg[CALL_ARGS])
{
	int64_t size = plan_measure(row, arg, 1), done = 0;

	if (size < 0)
		return size;
	if (size > RANDOM_MAX)
		size = RANDOM_MAX;
	if (!(traits_of(row->arg[1]) & VECTOR))
		return random_put(arg[1], size) ? size : -LINUX_EFAULT;
	for (uint64_t i = 0; done < size && i < (uint32_t)arg[2]; i++) {
		struct iovec v;
		uint64_t n;

		if (!plan_iovec(&v, arg[1], i))
			return -LINUX_EFAULT;
		n = v.size < (uint64_t)(size - done) ? v.size : (uint64_t)(size - done);
		if (!random_put(v.base, n))
			return -LINUX_EFAULT;
		done += n;
	}
	return done;
}

static uint32_t file_type(struct thread *t, uint64_t fd)
{
	uint32_t mode;

	if (host_call_own(t, SYS_fstat, fd, (uint64_t)SLOT_DATA(t), 0, 0) < 0)
		return 0;
	channel_get(&mode, SLOT_DATA(t) + STAT_MODE, sizeof(mode));
	return mode & S_IFMT;
}

/* Would a read give something, or the end, at once? */
static bool readable(struct thread *t, uint64_t fd)
{
	struct {
		int32_t fd;
		int16_t events, revents;
	} p = { fd, POLLIN, 0 };

	channel_put(SLOT_DATA(t), &p, sizeof(p));
	return host_call_own(t, SYS_poll, (uint64_t)SLOT_DATA(t), 1, 0, 0) == 1;
}

/*
 * After a full piece of a stream that is longer than the channel: may another
 * follow in the same call? Not if the read could sleep with bytes in hand, nor if
 * an appending write would be torn; a short count is always allowed.
 */
static bool may_go_on(struct thread *t, uint64_t fd, bool writing)
{
	uint32_t type = file_type(t, fd);

	if (writing)
		return type != S_IFREG ||
		       !(host_call_own(t, SYS_fcntl, fd, F_GETFL, 0, 0) & O_APPEND);
	if (type == S_IFIFO || type == S_IFCHR)
		return readable(t, fd);
	return type == S_IFREG;
}

bool stream_is_message(struct thread *t, uint64_t fd)
{
	uint8_t *at = SLOT_DATA(t);
	const uint64_t arg[CALL_ARGS] = { fd, SOL_SOCKET, SO_TYPE, (uint64_t)at,
					  (uint64_t)at + CHANNEL_ALIGN };
	uint32_t type = 0, size = sizeof(type);
	int64_t result;

	channel_put(at + CHANNEL_ALIGN, &size, sizeof(size));
	result = host_call_always(t, SYS_getsockopt, arg);
	if (result != 0)
		return false;
	channel_get(&type, at, sizeof(type));
	return type != SOCK_STREAM;
}

int64_t marshal(struct thread *t, const struct call *row, uint64_t number,
		const uint64_t arg[CALL_ARGS])
{
	enum kind kind = ARG_KIND(row->arg[1]);
	bool stream = kind == KIND_IN_STREAM || kind == KIND_OUT_STREAM;
	bool wait_all = row->result == RESULT_MESSAGE && arg[row->by] & MSG_WAITALL;
	uint64_t piece[CALL_ARGS];
	struct plan plan;
	int64_t done, n;

	if ((kind == KIND_OUT_STREAM || kind == KIND_IOV_OUT) && fds_is_random((uint32_t)arg[0]))
		return read_random(row, arg);
	done = n = marshal_once(t, row, number, arg, &plan);
	if (!stream || n <= 0)
		return n;
	memcpy(piece, arg, sizeof(piece));
	while ((uint64_t)n == plan.limit && plan.clipped && !t->noted &&
	       (wait_all || may_go_on(t, (uint32_t)arg[0], kind == KIND_IN_STREAM))) {
		piece[1] += n;
		piece[2] -= n;
		if (ARG_KIND(row->arg[3]) == KIND_OFFSET)
			piece[3] += n;
		n = marshal_once(t, row, number, piece, &plan);
		if (n <= 0)
			break;
		done += n;
	}
	/* What was done counts, whatever stopped the rest. */
	t->rewind = false;
	t->interrupted = INTERRUPTED_NO;
	return done;
}
