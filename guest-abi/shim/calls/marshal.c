/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The marshaller: copies in what plan.c has laid out, makes the call, checks the
 * result, copies out. No address of the program's ever leaves.
 *
 * Program memory is measured first and touched later: what another thread unmaps
 * in between is EFAULT. The channel is read once, into private memory; what must
 * be checked and is long is checked there, by guarded reads.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/user.h"
#include "memory/vm.h"

#define DIRENT_LENGTH		16		/* offset of d_reclen */
#define ADDRESS_MAX		128		/* the longest socket address: sockaddr_storage */
#define MSG_TRUNC		0x20
#define TIMER_ABSTIME		1
#define POLL_ALWAYS		0x38		/* POLLERR, POLLHUP, POLLNVAL */

struct pollfd {
	int32_t fd;
	int16_t events, revents;
};

/* The program's array is read again, so every element is held against the map once more. */
static bool copy_iov(uint64_t address, uint64_t count, uint8_t *channel, uint64_t size, bool in)
{
	for (uint64_t i = 0; i < count && size > 0; i++) {
		struct iovec v;
		uint64_t n;

		if (!plan_iovec(&v, address, i))
			return false;
		n = v.size < size ? v.size : size;
		if (!(in ? user_get(channel, v.base, n) : user_put(v.base, channel, n)))
			return false;
		channel += n;
		size -= n;
	}
	return true;
}

bool marshal_gather(uint64_t iov, uint64_t count, uint8_t *channel, uint64_t size)
{
	return copy_iov(iov, count, channel, size, true);
}

bool marshal_scatter(uint64_t iov, uint64_t count, const uint8_t *channel, uint64_t size)
{
	return copy_iov(iov, count, (uint8_t *)channel, size, false);
}

static bool copy_in(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	for (unsigned int i = 0; i < plan->count; i++) {
		uint8_t is = traits_of(row->arg[i]);
		uint8_t *to = plan->channel[i];

		if (!to)
			continue;
		if (is & VECTOR) {
			struct iovec v = { (uint64_t)(to + sizeof(v)), plan->size[i] };

			channel_put(to, &v, sizeof(v));
			if (is & READ && !marshal_gather(arg[i], (uint32_t)arg[ARG_BY(row->arg[i])],
							 to + sizeof(v), plan->size[i]))
				return false;
		} else if (ARG_KIND(row->arg[i]) == KIND_ROOM) {
			channel_put(to, &plan->offered, sizeof(plan->offered));
		} else if (plan->own && plan->own_at == i) {
			channel_put(to, plan->own, plan->size[i]);
		} else if (is & READ && !copy_try(to, (const void *)arg[i], plan->size[i])) {
			return false;
		}
		/* Another thread may have overwritten the NUL since it was found. */
		if (ARG_KIND(row->arg[i]) == KIND_STRING)
			channel_put(to + plan->size[i] - 1, "", 1);
	}
	return true;
}

/* Two descriptors at once: both new, and not the same. */
static bool take_fds(uint64_t to, const uint8_t *channel)
{
	int32_t fds[2];

	channel_get(fds, channel, sizeof(fds));
	if (!fds_add(fds[0]) || !fds_add(fds[1]))
		die(CARREL_DIE_IAGO);
	return user_put(to, fds, sizeof(fds));
}

/*
 * Of each pollfd the last field, and in it what was asked for: a host that exchanged descriptors
 * or reported other events would be believed.
 */
static bool take_revents(uint64_t to, const uint8_t *channel, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += sizeof(struct pollfd)) {
		struct pollfd mine, theirs;

		if (!copy_try(&mine, (const void *)(to + at), sizeof(mine)))
			return false;
		channel_get(&theirs, channel + at, sizeof(theirs));
		mine.revents = mine.fd < 0 ? 0 : theirs.revents & (mine.events | POLL_ALWAYS);
		if (!copy_try((uint8_t *)to + at + offsetof(struct pollfd, revents), &mine.revents,
			      sizeof(mine.revents)))
			return false;
	}
	return true;
}

/* Of descriptors only such as were asked for. */
static bool take_fdset(uint64_t to, const uint8_t *channel, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += sizeof(uint64_t)) {
		uint64_t mine, theirs;

		if (!copy_try(&mine, (const void *)(to + at), sizeof(mine)))
			return false;
		channel_get(&theirs, channel + at, sizeof(theirs));
		mine &= theirs;
		if (!copy_try((uint8_t *)to + at, &mine, sizeof(mine)))
			return false;
	}
	return true;
}

/* An address or option with its length, which is checked before it is believed. */
static bool take_room(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan,
		      int i)
{
	int by = ARG_BY(row->arg[i]);
	uint32_t most = plan->offered, length, copied;

	if (ARG_KIND(row->arg[i]) == KIND_ADDRESS_OUT && most < ADDRESS_MAX)
		most = ADDRESS_MAX;
	channel_get(&length, plan->channel[by], sizeof(length));
	if (length > most)
		die(CARREL_DIE_IAGO);
	copied = length < plan->size[i] ? length : plan->size[i];
	if (copied < length && copied < plan->offered)	/* memory ended before the offer did */
		return false;
	return copy_try((void *)arg[i], plan->channel[i], copied) &&
	       copy_try((void *)arg[by], &length, sizeof(length));
}

/* Every entry lies in the buffer, and its name in the entry. Kills if not; false: EFAULT. */
static bool check_entries(uint64_t entry, uint64_t size, uint64_t name)
{
	while (size > 0) {
		uint16_t length;
		size_t string;

		if (size <= name)
			die(CARREL_DIE_IAGO);
		if (!user_get(&length, entry + DIRENT_LENGTH, sizeof(length)))
			return false;
		if (length <= name || length > size)
			die(CARREL_DIE_IAGO);
		if (!user_string(entry + name, length - name, &string))
			return false;
		if (!string)
			die(CARREL_DIE_IAGO);
		entry += length;
		size -= length;
	}
	return true;
}

static bool check_names(uint64_t text, uint64_t size, uint64_t each)
{
	for (uint64_t at = 0; at < size; at += each) {
		size_t string;

		if (!user_string(text + at, each, &string))
			return false;
		if (!string)
			die(CARREL_DIE_IAGO);
	}
	return true;
}

/*
 * What the program will walk until it finds the end: if there were none, it would
 * go on through memory of its own and perhaps show that to the kernel.
 */
static bool check_text(uint16_t a, uint64_t text, uint64_t size)
{
	char last;

	switch ((unsigned int)ARG_KIND(a)) {
	case KIND_TEXT_OUT:
		if (!size)
			return true;
		if (!user_get(&last, text + size - 1, 1))
			return false;
		if (last)
			die(CARREL_DIE_IAGO);
		return true;
	case KIND_DIRENTS_OUT:
		return check_entries(text, size, ARG_ELEMENT(a));
	case KIND_NAMES_OUT:
		return check_names(text, size, ARG_ELEMENT(a));
	default:
		return true;
	}
}

/* Bytes that the call wrote into the buffer of argument i. */
static uint64_t written(const struct call *row, const struct plan *plan, int i, int64_t value)
{
	uint16_t a = row->arg[i];
	uint64_t bytes = plan->size[i];

	if (ARG_KIND(a) == KIND_FIX_REST)
		return value == -LINUX_EINTR ? bytes : 0;
	if (ARG_KIND(a) == KIND_FIX_UPDATE)
		return value >= 0 || value == -LINUX_EINTR ? bytes : 0;
	if (value < 0 || (ARG_KIND(a) == KIND_FIX_FOUND && value == 0))
		return 0;
	if (traits_of(a) & PART)
		bytes = value;
	else if (ARG_KIND(a) == KIND_ARRAY_OUT)
		bytes = (uint64_t)value * ARG_ELEMENT(a);
	return bytes < plan->size[i] ? bytes : plan->size[i];
}

/* One argument. False: EFAULT. */
static bool take(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan, int i,
		 int64_t value)
{
	uint16_t a = row->arg[i];
	uint8_t *from = plan->channel[i];
	uint64_t size = written(row, plan, i, value);

	if (size == 0 && !(ARG_KIND(a) == KIND_ADDRESS_OUT || ARG_KIND(a) == KIND_OPTION_OUT))
		return true;
	if (value < 0 && ARG_KIND(a) != KIND_FIX_REST && ARG_KIND(a) != KIND_FIX_UPDATE)
		return true;
	switch ((unsigned int)ARG_KIND(a)) {
	case KIND_FDS_OUT:
		return take_fds(arg[i], from);
	case KIND_IOV_OUT:
		return marshal_scatter(arg[i], (uint32_t)arg[ARG_BY(a)],
				       from + sizeof(struct iovec), size);
	case KIND_POLLFDS:
		return take_revents(arg[i], from, size);
	case KIND_FDSET:
		return take_fdset(arg[i], from, size);
	case KIND_ADDRESS_OUT: case KIND_OPTION_OUT:
		return take_room(row, arg, plan, i);
	case KIND_FIX_UPDATE:		/* a timeout, which may be a constant */
		user_put(arg[i], from, size);
		return true;
	case KIND_ROOM:			/* taken with what it belongs to */
		return true;
	default:
		return copy_try((void *)arg[i], from, size) && check_text(a, arg[i], size);
	}
}

static bool copy_out(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan,
		     int64_t value)
{
	bool good = true;

	for (unsigned int i = 0; i < plan->count; i++)
		if (plan->channel[i] && traits_of(row->arg[i]) & WRITE)
			good &= take(row, arg, plan, i, value);
	return good;
}

/* A successful result that cannot be is the kernel's lie. */
static void check_result(const struct call *row, const uint64_t arg[CALL_ARGS],
			 const struct plan *plan, int64_t value)
{
	bool good = true;

	if (value < 0)
		return;
	switch ((enum result)row->result) {
	case RESULT_ANY:
		break;
	case RESULT_ZERO:
		good = value == 0;
		break;
	case RESULT_INT:
		good = value <= INT32_MAX;
		break;
	case RESULT_FD:
		good = fds_add(value);
		break;
	case RESULT_LENGTH:
		good = (uint64_t)value <= plan->limit;
		break;
	case RESULT_SIZE:
		good = (uint64_t)value <= plan->limit || (!plan->limit && value <= INT32_MAX);
		break;
	case RESULT_BOUND:
		good = (uint64_t)value <= arg[row->by];
		break;
	case RESULT_MESSAGE:
		good = (uint64_t)value <= plan->limit ||
		       (arg[row->by] & MSG_TRUNC && value <= INT32_MAX);
		break;
	case RESULT_SETS:
		good = (uint64_t)value <= 3 * (uint64_t)(uint32_t)arg[row->by];
		break;
	}
	if (!good)
		die(CARREL_DIE_IAGO);
}

static bool is_random_device(uint64_t path)
{
	static const char *const devices[] = { "/dev/urandom", "/dev/random" };
	char text[16];

	for (int i = 0; i < 2; i++) {
		size_t size = strlen(devices[i]) + 1;

		if (user_get(text, path, size) && !memcmp(text, devices[i], size))
			return true;
	}
	return false;
}

/* A new descriptor: of a random device by its path, or a copy of one of such. */
static void inherit_random(const struct call *row, const uint64_t arg[CALL_ARGS], uint64_t fd)
{
	bool random = ARG_KIND(row->arg[0]) == KIND_FD && fds_is_random((uint32_t)arg[0]);

	for (int i = 0; i < CALL_ARGS; i++)
		if (ARG_KIND(row->arg[i]) == KIND_STRING)
			random = is_random_device(arg[i]);
	if (random)
		fds_set_random(fd);
}

int64_t marshal_call(struct thread *t, uint64_t number, const uint64_t host[CALL_ARGS],
		     enum restart restart)
{
	int64_t value = host_call(t, number, host);

	/*
	 * The program is in its call since its SYSCALL: what would have slept and never restarts
	 * fails by the signal now, or who checks a flag and then sleeps would sleep on. What
	 * might have ended at once, as a read of a file, shows no EINTR that Linux would not.
	 */
	if (value == HOST_NOT_STARTED) {
		t->rewind = true;
		t->interrupted = restart == RESTART_NEVER ? INTERRUPTED_ENDS : INTERRUPTED_NO;
	} else if (value == -LINUX_EINTR && t->noted && restart == RESTART_YES) {
		t->interrupted = INTERRUPTED_RESTARTS;
	}
	return value;
}

/*
 * A sleep that was not begun has all of its time left; an absolute one has no rest. It follows
 * the argument with the time, and the flags are the second.
 */
static void rest_is_all(const struct call *row, const uint64_t arg[CALL_ARGS],
			const struct plan *plan)
{
	for (unsigned int i = 1; i < plan->count; i++)
		if (ARG_KIND(row->arg[i]) == KIND_FIX_REST && plan->channel[i] &&
		    plan->channel[i - 1] && (i == 1 || !(arg[1] & TIMER_ABSTIME)))
			user_put(arg[i], plan->channel[i - 1], plan->size[i]);
}

/* Copy, call, check, copy, as planned. */
static int64_t carry(struct thread *t, const struct call *row, uint64_t number,
		     const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	int64_t value;

	/* Asked before anything lies in the slot. */
	if ((plan->clipped && traits_of(row->arg[1]) & READ) || plan->starved)
		if (stream_is_message(t, (uint32_t)arg[0]))
			return plan->starved ? -LINUX_ENOBUFS : -LINUX_EMSGSIZE;
	if (!copy_in(row, arg, plan))
		return -LINUX_EFAULT;
	value = marshal_call(t, number, plan->host, row->restart);
	if (value == HOST_NOT_STARTED) {
		rest_is_all(row, arg, plan);
		return 0;
	}
	if (row->result == RESULT_FD && value >= FDS_MAX && value <= INT32_MAX) {
		host_call_own(t, SYS_close, value, 0, 0, 0);
		return -LINUX_EMFILE;
	}
	check_result(row, arg, plan, value);
	if (row->result == RESULT_FD && value >= 0)
		inherit_random(row, arg, value);
	if (copy_out(row, arg, plan, value))
		return value;
	/* the program never learns that number */
	if (row->result == RESULT_FD && value >= 0) {
		fds_remove(value);
		host_call_own(t, SYS_close, value, 0, 0, 0);
	}
	return -LINUX_EFAULT;
}

int64_t marshal_once(struct thread *t, const struct call *row, uint64_t number,
		     const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	int64_t value = plan_make(t, row, arg, plan);

	if (value == 0)
		value = carry(t, row, number, arg, plan);
	plan_drop(plan);
	return value;
}
