/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sendmsg and its kin: a header that leads to a name, vectors and control
 * messages. In the channel the header leads to copies, the vectors are one.
 * Calls for several messages are made one by one.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/user.h"
#include "memory/vm.h"

#define NAME_MAX_SIZE		128
#define CONTROL_MAX		4096UL		/* 253 descriptors and what else comes with them */
#define MESSAGES_MAX		1024
#define MSG_TRUNC		0x20U
#define MSG_DONTWAIT		0x40U
#define MSG_WAITFORONE		0x10000U
#define SOL_SOCKET		1
#define SCM_RIGHTS		1

enum { NR_sendmsg = 46, NR_recvmsg = 47 };

/* The kernel's struct msghdr, struct cmsghdr, struct mmsghdr. */
struct header {
	uint64_t name;
	uint32_t name_size, pad0;
	uint64_t iov, iov_count;
	uint64_t control, control_size;
	uint32_t flags, pad1;
};
_Static_assert(sizeof(struct header) == 56, "kernel ABI");

struct control {
	uint64_t size;
	int32_t level, type;
};

#define MESSAGE_STRIDE	64
#define MESSAGE_COUNT	sizeof(struct header)	/* offset of msg_len */

/* One message in the channel. */
struct message {
	struct header user, host;
	struct iovec vector;
	uint64_t size;			/* of the data */
	uint8_t *at, *arena;
	size_t got;
};

static uint64_t align(uint64_t size)
{
	return (size + CHANNEL_ALIGN - 1) & ~(CHANNEL_ALIGN - 1);
}

/* Read and bound the header; measure what it leads to. */
static int64_t read_header(uint64_t address, struct message *m, bool sending)
{
	int64_t size;

	memset(m, 0, sizeof(*m));
	if (!user_get(&m->user, address, sizeof(m->user)))
		return -LINUX_EFAULT;
	if ((int32_t)m->user.name_size < 0)
		return -LINUX_EINVAL;
	if (!m->user.name)
		m->user.name_size = 0;
	if (m->user.name_size > NAME_MAX_SIZE)
		m->user.name_size = NAME_MAX_SIZE;
	if (m->user.iov_count > IOV_MAX)
		return -LINUX_EMSGSIZE;
	if (!m->user.control)
		m->user.control_size = 0;
	if (m->user.control_size > CONTROL_MAX) {
		if (sending)
			return -LINUX_ENOBUFS;
		m->user.control_size = CONTROL_MAX;
	}
	size = plan_iov(m->user.iov, m->user.iov_count, sending ? CARREL_R : CARREL_W);
	if (size < 0)
		return size;
	m->size = size;
	return 0;
}

/* Where it will lie: header, vector, name, control, data. */
static int64_t place(struct thread *t, struct message *m, bool message)
{
	uint64_t fixed = align(sizeof(m->host)) + align(sizeof(m->vector)) +
			 align(m->user.name_size) + align(m->user.control_size);
	uint64_t room = SLOT_ROOM;
	uint8_t *at = SLOT_DATA(t);

	if (fixed + m->size > room) {
		m->arena = arena_take(t, fixed + m->size, &m->got);
		if (m->arena) {
			at = m->arena;
			room = m->got;
		}
	}
	if (fixed + m->size > room) {
		if (message)
			return fixed + m->size > ARENA_PIECE ? -LINUX_EMSGSIZE : -LINUX_ENOBUFS;
		m->size = room - fixed;
	}
	m->at = at;
	m->host.iov = (uint64_t)at + align(sizeof(m->host));
	m->host.name = m->host.iov + align(sizeof(m->vector));
	m->host.control = m->host.name + align(m->user.name_size);
	m->vector.base = m->host.control + align(m->user.control_size);
	m->vector.size = m->size;
	m->host.iov_count = m->user.iov_count ? 1 : 0;
	m->host.name_size = m->user.name_size;
	m->host.control_size = m->user.control_size;
	m->host.name = m->user.name ? m->host.name : 0;
	m->host.control = m->user.control_size ? m->host.control : 0;
	channel_put(at, &m->host, sizeof(m->host));
	channel_put((void *)(m->host.iov), &m->vector, sizeof(m->vector));
	return 0;
}

/* A message must cross in one piece; of a stream part is enough. Asked only where it matters. */
static int64_t lay_out(struct thread *t, uint64_t fd, uint64_t address, struct message *m,
		       bool sending)
{
	int64_t error = read_header(address, m, sending);

	if (error)
		return error;
	return place(t, m, m->size > SLOT_ROOM / 4 && stream_is_message(t, fd) &&
			   (sending || m->size <= ARENA_PIECE));
}

static void drop(struct message *m)
{
	if (m->arena)
		arena_give(m->arena, m->got);
}

static int64_t make_call(struct thread *t, uint64_t number, uint64_t fd, struct message *m,
			 uint32_t flags)
{
	const uint64_t host[CALL_ARGS] = { fd, (uint64_t)m->at, flags };

	return marshal_call(t, number, host, RESTART_YES);
}

/*
 * Does a message carry a descriptor of the shim's own? The program's memory is looked at, which
 * it may change before it is copied: what it then gives away is a file that it has mapped.
 */
static bool sends_hidden(uint64_t at, uint64_t size)
{
	struct control c;
	int32_t fd;

	for (uint64_t step; size >= sizeof(c) && user_get(&c, at, sizeof(c)); at += step, size -= step) {
		if (c.size < sizeof(c) || c.size > size)
			return false;		/* the kernel's to refuse */
		for (uint64_t i = sizeof(c); c.level == SOL_SOCKET && c.type == SCM_RIGHTS &&
		     i + sizeof(fd) <= c.size; i += sizeof(fd))
			if (user_get(&fd, at + i, sizeof(fd)) && fds_is_hidden((uint32_t)fd))
				return true;
		step = (c.size + 7) & ~7UL;
		if (step > size)
			step = size;
	}
	return false;
}

static int64_t send_once(struct thread *t, uint64_t fd, uint64_t address, uint32_t flags,
			 struct message *m)
{
	int64_t value = lay_out(t, fd, address, m, true);

	if (value)
		return value;
	if (fds_hiding && sends_hidden(m->user.control, m->user.control_size))
		return -LINUX_EBADF;
	if ((m->host.name && !user_get((void *)m->host.name, m->user.name, m->user.name_size)) ||
	    (m->host.control &&
	     !user_get((void *)m->host.control, m->user.control, m->user.control_size)) ||
	    !marshal_gather(m->user.iov, m->user.iov_count, (uint8_t *)m->vector.base, m->size))
		return -LINUX_EFAULT;
	value = make_call(t, NR_sendmsg, fd, m, flags);
	if (value == HOST_NOT_STARTED)
		return 0;
	if (value > (int64_t)m->size)
		die(CARREL_DIE_IAGO);
	return value;
}

static int64_t send_message(struct thread *t, uint64_t fd, uint64_t address, uint32_t flags)
{
	struct message m;
	int64_t value = send_once(t, fd, address, flags, &m);

	drop(&m);
	return value;
}

/* Descriptors that came with a message: each new, as if it had been opened. */
static bool take_rights(uint64_t at, uint64_t size)
{
	if (size % sizeof(int32_t))
		die(CARREL_DIE_IAGO);
	for (uint64_t i = 0; i < size; i += sizeof(int32_t)) {
		int32_t fd;

		if (!user_get(&fd, at + i, sizeof(fd)))
			return false;
		if (!fds_add(fd))
			die(CARREL_DIE_IAGO);
	}
	return true;
}

/*
 * Control messages, by now in the program's memory where the host cannot change them: the program
 * walks them by their lengths, so these must lead to the end and not beyond. The last may be cut
 * (MSG_CTRUNC), its length is what there is.
 */
static bool check_control(uint64_t at, uint64_t size)
{
	while (size >= sizeof(struct control)) {
		struct control c;
		uint64_t step;

		if (!user_get(&c, at, sizeof(c)))
			return false;
		if (c.size < sizeof(c) || c.size > size)
			die(CARREL_DIE_IAGO);
		if (c.level == SOL_SOCKET && c.type == SCM_RIGHTS &&
		    !take_rights(at + sizeof(c), c.size - sizeof(c)))
			return false;
		step = (c.size + 7) & ~7UL;
		if (step >= size)
			break;
		at += step;
		size -= step;
	}
	return true;
}

/* What the kernel wrote into the header, and what hangs on it. False: EFAULT. */
static bool take(uint64_t address, struct message *m, int64_t value)
{
	uint64_t size = value < (int64_t)m->size ? (uint64_t)value : m->size, name;
	struct header theirs;

	channel_get(&theirs, m->at, sizeof(theirs));
	if (theirs.name_size > NAME_MAX_SIZE || theirs.control_size > m->host.control_size)
		die(CARREL_DIE_IAGO);
	name = theirs.name_size < m->user.name_size ? theirs.name_size : m->user.name_size;
	if (!marshal_scatter(m->user.iov, m->user.iov_count, (uint8_t *)m->vector.base, size))
		return false;
	if (m->host.name && (!user_put(m->user.name, (void *)m->host.name, name) ||
			     !user_put(address + offsetof(struct header, name_size),
				       &theirs.name_size, sizeof(theirs.name_size))))
		return false;
	if (theirs.control_size &&
	    (!user_put(m->user.control, (void *)m->host.control, theirs.control_size) ||
	     !check_control(m->user.control, theirs.control_size)))
		return false;
	return user_put(address + offsetof(struct header, control_size), &theirs.control_size,
			sizeof(theirs.control_size)) &&
	       user_put(address + offsetof(struct header, flags), &theirs.flags,
			sizeof(theirs.flags));
}

static int64_t receive_once(struct thread *t, uint64_t fd, uint64_t address, uint32_t flags,
			    struct message *m)
{
	int64_t value = lay_out(t, fd, address, m, false);

	if (value)
		return value;
	value = make_call(t, NR_recvmsg, fd, m, flags);
	if (value == HOST_NOT_STARTED)
		return 0;
	if (value < 0)
		return value;
	if (value > (int64_t)m->size && (!(flags & MSG_TRUNC) || value > INT32_MAX))
		die(CARREL_DIE_IAGO);
	return take(address, m, value) ? value : -LINUX_EFAULT;
}

static int64_t receive_message(struct thread *t, uint64_t fd, uint64_t address, uint32_t flags)
{
	struct message m;
	int64_t value = receive_once(t, fd, address, flags, &m);

	drop(&m);
	return value;
}

EMULATED(call_sendmsg)
{
	return send_message(t, (uint32_t)arg[0], arg[1], arg[2]);
}

EMULATED(call_recvmsg)
{
	return receive_message(t, (uint32_t)arg[0], arg[1], arg[2]);
}

/* One after the other; what was done counts, whatever stopped the rest. */
static int64_t several(struct thread *t, const uint64_t arg[6], bool sending)
{
	uint32_t count = arg[2], flags = arg[3], done = 0;
	int64_t value = 0;

	if (count > MESSAGES_MAX)
		count = MESSAGES_MAX;
	while (done < count) {
		uint64_t at = arg[1] + done * (uint64_t)MESSAGE_STRIDE;
		uint32_t length;

		value = sending ? send_message(t, (uint32_t)arg[0], at, flags)
				: receive_message(t, (uint32_t)arg[0], at, flags & ~MSG_WAITFORONE);
		if (value < 0 || t->rewind)
			break;
		length = value;
		if (!user_put(at + MESSAGE_COUNT, &length, sizeof(length))) {
			value = -LINUX_EFAULT;
			break;
		}
		done++;
		/* A time limit is the kernel's after each message; here the first one ends it. */
		if (flags & MSG_WAITFORONE || arg[4])
			flags |= MSG_DONTWAIT;
		if (t->noted)
			break;
	}
	if (!done)
		return value;
	t->rewind = false;
	t->interrupted = INTERRUPTED_NO;
	return done;
}

EMULATED(call_sendmmsg)
{
	const uint64_t own[6] = { arg[0], arg[1], arg[2], arg[3] };

	return several(t, own, true);
}

EMULATED(call_recvmmsg)
{
	return several(t, arg, false);
}
