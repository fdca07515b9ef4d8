/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The marshaller: measures every argument against the program's map, lays the
 * buffers out in the slot or the arena, copies in, makes the call, checks the
 * result, copies out. No address of the program's ever leaves.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "channel.h"
#include "fds.h"
#include "host.h"
#include "marshal.h"
#include "vm.h"

#define LINUX_PATH_MAX		4096
#define IOV_MAX			1024
#define STAT_SIZE		144
#define STAT_MODE		24		/* offset of st_mode in struct stat */
#define S_IFMT			0170000
#define S_IFIFO			0010000
#define S_IFCHR			0020000
#define S_IFREG			0100000
#define POLLIN			1
#define DIRENT_SIZE		16		/* offset of d_reclen */
#define F_GETFL			3
#define O_APPEND		02000
#define SOL_SOCKET		1
#define SO_TYPE			3
#define SOCK_STREAM		1
#define FDS_SIZE		(2 * sizeof(int32_t))
#define RANDOM_MAX		0x1ffffffL	/* the kernel's own limit of one read */
#define ALIGN			16UL

struct iovec {
	uint64_t base, size;
};

struct pollfd {
	int32_t fd;
	int16_t events, revents;
};

struct plan {
	uint64_t host[CALL_ARGS];	/* what goes out in the registers */
	uint64_t size[CALL_ARGS];	/* bytes of each buffer in the channel */
	uint8_t *channel[CALL_ARGS];	/* where it lies; NULL if the argument has none */
	uint64_t limit;			/* of RESULT_LENGTH */
	bool clipped;			/* the stream is shorter than the program asked */
};

/* What the kinds have in common. */
enum {
	NUMBER = 1,			/* no memory behind it */
	READ = 2,			/* the call reads the program's memory */
	WRITE = 4,			/* it writes the program's memory */
	SIZED = 8,			/* length or count is argument `by` */
	PART = 16,			/* may be offered shorter than the program asked */
	VECTOR = 32,			/* an iovec array, which the channel holds as one */
};
static const uint8_t traits[] = {
	[KIND_NONE] = NUMBER, [KIND_INT] = NUMBER, [KIND_LONG] = NUMBER, [KIND_FD] = NUMBER,
	[KIND_COUNT] = NUMBER, [KIND_OFFSET] = NUMBER,
	[KIND_STRING] = READ,
	[KIND_IN] = READ | SIZED,
	[KIND_IN_STREAM] = READ | SIZED | PART,
	[KIND_OUT] = WRITE | SIZED | PART,
	[KIND_OUT_STREAM] = WRITE | SIZED | PART,
	[KIND_FIX_IN] = READ,
	[KIND_FIX_OUT] = WRITE,
	[KIND_FIX_INOUT] = READ | WRITE,
	[KIND_FIX_REST] = WRITE,
	[KIND_FDS_OUT] = WRITE,
	[KIND_TEXT_OUT] = WRITE | SIZED | PART,
	[KIND_NAMES_OUT] = WRITE,
	[KIND_DIRENTS_OUT] = WRITE | SIZED | PART,
	[KIND_ARRAY_OUT] = WRITE | SIZED,
	[KIND_POLLFDS] = READ | WRITE | SIZED,
	[KIND_IOV_IN] = READ | SIZED | PART | VECTOR,
	[KIND_IOV_OUT] = WRITE | SIZED | PART | VECTOR,
};
_Static_assert(sizeof(traits) == KIND_LAST + 1, "every kind has its traits");

static uint8_t traits_of(uint16_t arg)
{
	return traits[ARG_KIND(arg)];
}

static uint8_t rights_for(uint16_t arg)
{
	return (traits_of(arg) & READ ? CARREL_R : 0) | (traits_of(arg) & WRITE ? CARREL_W : 0);
}

static uint64_t number_of(uint16_t kind, uint64_t value)
{
	return ARG_KIND(kind) == KIND_LONG || ARG_KIND(kind) == KIND_OFFSET ? value
									   : (uint32_t)value;
}

static uint64_t round_up(uint64_t size)
{
	return (size + ALIGN - 1) & ~(ALIGN - 1);
}

/* Bytes of the path or name at `address` with its NUL, or an error. */
static int64_t measure_string(uint64_t address)
{
	uint64_t room = vm_prefix(address, LINUX_PATH_MAX, CARREL_R);
	size_t size = string_size((const char *)address, room);

	if (size)
		return size;
	return room == LINUX_PATH_MAX ? -LINUX_ENAMETOOLONG : -LINUX_EFAULT;
}

/* A whole buffer, or EFAULT. */
static int64_t measure_whole(uint64_t address, uint64_t size, uint8_t rights)
{
	return vm_prefix(address, size, rights) == size ? (int64_t)size : -LINUX_EFAULT;
}

/* As much of a buffer as is there, as the kernel's own copies would go; EFAULT for nothing, and
 * for what would end outside the lower half, as access_ok() has it. */
static int64_t measure_part(uint64_t address, uint64_t size, uint8_t rights)
{
	uint64_t part;

	if (size > VM_HIGH || address > VM_HIGH - size)
		return -LINUX_EFAULT;
	part = vm_prefix(address, size, rights);

	return part || !size ? (int64_t)part : -LINUX_EFAULT;
}

/* Bytes behind an iovec array up to the first bad address, or an error. */
static int64_t measure_iov(uint64_t address, uint64_t count, uint8_t rights)
{
	const struct iovec *iov = (const struct iovec *)address;
	uint64_t total = 0;

	if (count > IOV_MAX)
		return -LINUX_EINVAL;
	if (measure_whole(address, count * sizeof(*iov), CARREL_R) < 0)
		return -LINUX_EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		struct iovec v = iov[i];
		uint64_t part = vm_prefix(v.base, v.size, rights);

		if ((int64_t)v.size < 0)
			return -LINUX_EINVAL;
		total += part;
		if (part < v.size)
			return total ? (int64_t)total : -LINUX_EFAULT;
	}
	return total;
}

/* Bytes of the buffer behind argument i, or an error. */
static int64_t measure(const struct call *row, const uint64_t arg[CALL_ARGS], int i)
{
	uint16_t a = row->arg[i];
	uint8_t rights = rights_for(a);
	uint64_t length = 0;

	if (traits_of(a) & SIZED)
		length = number_of(row->arg[ARG_BY(a)], arg[ARG_BY(a)]);
	if (ARG_KIND(a) == KIND_STRING)
		return measure_string(arg[i]);
	if (ARG_KIND(a) == KIND_FDS_OUT)
		return measure_whole(arg[i], FDS_SIZE, rights);
	if (ARG_KIND(a) == KIND_NAMES_OUT)
		return measure_whole(arg[i], ARG_BY(a) * (uint64_t)ARG_ELEMENT(a), rights);
	if (ARG_KIND(a) == KIND_ARRAY_OUT || ARG_KIND(a) == KIND_POLLFDS)
		return measure_whole(arg[i], (uint32_t)length * (uint64_t)ARG_ELEMENT(a), rights);
	if (traits_of(a) & VECTOR)
		return measure_iov(arg[i], length, rights);
	if (traits_of(a) & PART)
		return measure_part(arg[i], length, rights);
	return measure_whole(arg[i], traits_of(a) & SIZED ? length : ARG_SIZE(a), rights);
}

/* Place the buffers, the one that may be clipped last. */
static int64_t lay_out(struct thread *t, const struct call *row, struct plan *plan)
{
	uint64_t fixed = 0, room, total;
	uint8_t *at;
	int clip = -1;

	for (int i = 0; i < CALL_ARGS; i++) {
		uint8_t is = traits_of(row->arg[i]);

		if (!plan->channel[i])
			continue;
		if (is & VECTOR)
			fixed += sizeof(struct iovec);
		if (is & PART)
			clip = i;
		else
			fixed += round_up(plan->size[i]);
	}
	total = fixed + (clip < 0 ? 0 : round_up(plan->size[clip]));
	at = SLOT_DATA(t);
	room = SLOT_ROOM;
	if (total > room && arena.size > room) {
		at = arena.base;
		room = arena.size;
	}
	if (fixed > room)
		return -LINUX_ENOMEM;
	if (total > room)
		plan->size[clip] = room - fixed;
	for (int i = 0; i < CALL_ARGS; i++) {
		if (!plan->channel[i])
			continue;
		plan->channel[i] = at;
		if (traits_of(row->arg[i]) & VECTOR)
			at += sizeof(struct iovec);
		at += round_up(plan->size[i]);
	}
	return 0;
}

/* Fill the plan; nothing has crossed yet. */
static int64_t make_plan(struct thread *t, const struct call *row,
			 const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	int64_t error;

	memset(plan, 0, sizeof(*plan));
	for (int i = 0; i < CALL_ARGS; i++) {
		int64_t size;

		if (ARG_KIND(row->arg[i]) == KIND_NONE)
			continue;
		if (traits_of(row->arg[i]) & NUMBER) {
			plan->host[i] = number_of(row->arg[i], arg[i]);
			continue;
		}
		/* The kernel knows best what NULL means, unless bytes are wanted there. */
		if (arg[i] == 0 && !(traits_of(row->arg[i]) & SIZED))
			continue;
		size = measure(row, arg, i);
		if (size < 0)
			return size;
		if (arg[i] == 0)
			continue;
		plan->size[i] = size;
		plan->channel[i] = SLOT_DATA(t);
	}
	error = lay_out(t, row, plan);
	if (error)
		return error;
	for (int i = 0; i < CALL_ARGS; i++) {
		uint8_t is = traits_of(row->arg[i]);
		unsigned int by = ARG_BY(row->arg[i]);

		if (!plan->channel[i])
			continue;
		plan->host[i] = (uint64_t)plan->channel[i];
		if (is & SIZED && !(is & PART))
			plan->limit = plan->host[by];
		if (!(is & PART))
			continue;
		plan->limit = plan->size[i];
		if (is & VECTOR) {
			plan->host[by] = plan->host[by] ? 1 : 0;
		} else {
			plan->clipped = plan->size[i] < plan->host[by];
			plan->host[by] = plan->size[i];
		}
	}
	return 0;
}

/*
 * Copy between the program's iovec array and `channel`, `size` bytes in all.
 * The array is read again: another thread may have changed it, so every element
 * is held against the map once more.
 */
static void copy_iov(uint64_t address, uint64_t count, uint8_t *channel, uint64_t size, bool in)
{
	const struct iovec *iov = (const struct iovec *)address;

	for (uint64_t i = 0; i < count && size > 0; i++) {
		struct iovec v = iov[i];
		uint64_t n = v.size < size ? v.size : size;

		n = vm_prefix(v.base, n, in ? CARREL_R : CARREL_W);
		if (in)
			channel_put(channel, (const void *)v.base, n);
		else
			channel_get((void *)v.base, channel, n);
		channel += n;
		size -= n;
	}
}

static void copy_in(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	for (int i = 0; i < CALL_ARGS; i++) {
		uint8_t is = traits_of(row->arg[i]);
		uint8_t *to = plan->channel[i];

		if (!to)
			continue;
		if (is & VECTOR) {
			struct iovec v = { (uint64_t)(to + sizeof(v)), plan->size[i] };

			channel_put(to, &v, sizeof(v));
			if (is & READ)
				copy_iov(arg[i], (uint32_t)arg[ARG_BY(row->arg[i])],
					 to + sizeof(v), plan->size[i], true);
		} else if (is & READ) {
			channel_put(to, (const void *)arg[i], plan->size[i]);
		}
		/* Another thread may have overwritten the NUL since it was found. */
		if (ARG_KIND(row->arg[i]) == KIND_STRING)
			channel_put(to + plan->size[i] - 1, "", 1);
	}
}

/* Two descriptors at once: both new, and not the same. */
static void take_fds(void *to, const uint8_t *channel)
{
	int32_t fds[2];

	channel_get(fds, channel, sizeof(fds));
	if (!fds_add(fds[0]) || !fds_add(fds[1]))
		die(CARREL_DIE_IAGO);
	memcpy(to, fds, sizeof(fds));
}

/* Of each pollfd the last field: a host that exchanged descriptors would be believed. */
static void take_revents(struct pollfd *to, const uint8_t *channel, uint64_t size)
{
	const struct pollfd *from = (const struct pollfd *)channel;

	for (uint64_t i = 0; i < size / sizeof(*to); i++)
		channel_get(&to[i].revents, &from[i].revents, sizeof(to[i].revents));
}

/* Every entry lies in the buffer, and its name in the entry. */
static bool entries_good(const uint8_t *entry, uint64_t size, uint64_t name)
{
	while (size > 0) {
		uint16_t length;

		if (size <= name)
			return false;
		memcpy(&length, entry + DIRENT_SIZE, sizeof(length));
		if (length <= name || length > size || !memchr(entry + name, 0, length - name))
			return false;
		entry += length;
		size -= length;
	}
	return true;
}

/*
 * What the program will walk until it finds the end: if there were none, it would
 * go on through memory of its own and perhaps show that to the kernel.
 */
static bool text_good(uint16_t a, const uint8_t *text, uint64_t size)
{
	if (ARG_KIND(a) == KIND_TEXT_OUT)
		return size == 0 || text[size - 1] == 0;
	if (ARG_KIND(a) == KIND_DIRENTS_OUT)
		return entries_good(text, size, ARG_ELEMENT(a));
	if (ARG_KIND(a) != KIND_NAMES_OUT)
		return true;
	for (uint64_t at = 0; at < size; at += ARG_ELEMENT(a))
		if (!memchr(text + at, 0, ARG_ELEMENT(a)))
			return false;
	return true;
}

/* Bytes that a successful call wrote into the buffer of argument i. */
static uint64_t written(const struct call *row, const struct plan *plan, int i, int64_t value)
{
	uint16_t a = row->arg[i];
	uint64_t bytes = plan->size[i];

	if (traits_of(a) & PART)
		bytes = value;
	else if (ARG_KIND(a) == KIND_ARRAY_OUT)
		bytes = (uint64_t)value * ARG_ELEMENT(a);
	return bytes < plan->size[i] ? bytes : plan->size[i];
}

static void copy_out(const struct call *row, const uint64_t arg[CALL_ARGS], struct plan *plan,
		     int64_t value)
{
	for (int i = 0; i < CALL_ARGS; i++) {
		uint16_t a = row->arg[i];
		uint8_t *from = plan->channel[i];

		if (!from || !(traits_of(a) & WRITE))
			continue;
		if (ARG_KIND(a) == KIND_FIX_REST) {
			if (value == -LINUX_EINTR)
				channel_get((void *)arg[i], from, plan->size[i]);
		} else if (value < 0) {
			continue;
		} else if (ARG_KIND(a) == KIND_FDS_OUT) {
			take_fds((void *)arg[i], from);
		} else if (traits_of(a) & VECTOR) {
			copy_iov(arg[i], (uint32_t)arg[ARG_BY(a)], from + sizeof(struct iovec),
				 value, false);
		} else if (ARG_KIND(a) == KIND_POLLFDS) {
			take_revents((void *)arg[i], from, plan->size[i]);
		} else {
			uint64_t size = written(row, plan, i, value);

			channel_get((void *)arg[i], from, size);
			if (!text_good(a, (const void *)arg[i], size))
				die(CARREL_DIE_IAGO);
		}
	}
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
	}
	if (!good)
		die(CARREL_DIE_IAGO);
}

/* A new descriptor: of a random device by its path, or a copy of one of such. */
static void inherit_random(const struct call *row, const uint64_t arg[CALL_ARGS], uint64_t fd)
{
	static const char *const devices[] = { "/dev/urandom", "/dev/random" };
	bool random = ARG_KIND(row->arg[0]) == KIND_FD && fds_is_random((uint32_t)arg[0]);

	for (int i = 0; i < CALL_ARGS; i++)
		if (ARG_KIND(row->arg[i]) == KIND_STRING)
			random = !strcmp((const char *)arg[i], devices[0]) ||
				 !strcmp((const char *)arg[i], devices[1]);
	if (random)
		fds_set_random(fd);
}

/* A read of a random device: the kernel's bytes would be the kernel's choice. */
static int64_t read_random(const struct call *row, const uint64_t arg[CALL_ARGS])
{
	const struct iovec *iov = (const struct iovec *)arg[1];
	int64_t size = measure(row, arg, 1), done = 0;

	if (size < 0)
		return size;
	if (!(traits_of(row->arg[1]) & VECTOR)) {
		size = size < RANDOM_MAX ? size : RANDOM_MAX;
		random_bytes((void *)arg[1], size);
		return size;
	}
	for (uint64_t i = 0; done < size && i < (uint32_t)arg[2]; i++) {
		struct iovec v = iov[i];
		uint64_t n = v.size < (uint64_t)(size - done) ? v.size : (uint64_t)(size - done);

		n = vm_prefix(v.base, n, CARREL_W);
		random_bytes((void *)v.base, n);
		done += n;
	}
	return done;
}

static int64_t marshal_once(struct thread *t, const struct call *row, uint64_t number,
			    const uint64_t arg[CALL_ARGS], struct plan *plan)
{
	int64_t value = make_plan(t, row, arg, plan);

	if (value < 0)
		return value;
	copy_in(row, arg, plan);
	value = host_call(t, number, plan->host);
	if (value == HOST_NOT_STARTED) {
		t->rewind = true;
		return 0;
	}
	if (row->result == RESULT_FD && value >= FDS_MAX && value <= INT32_MAX) {
		host_call_own(t, SYS_close, value, 0, 0, 0);
		return -LINUX_EMFILE;
	}
	check_result(row, arg, plan, value);
	if (row->result == RESULT_FD && value >= 0)
		inherit_random(row, arg, value);
	copy_out(row, arg, plan, value);
	if (value == -LINUX_EINTR && t->noted && row->restart == RESTART_YES)
		t->interrupted = true;
	return value;
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
	struct pollfd p = { .fd = fd, .events = POLLIN };

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

/* Would fewer bytes than the program gave be another message? */
static bool is_message(struct thread *t, uint64_t fd)
{
	const uint64_t arg[CALL_ARGS] = { fd, SOL_SOCKET, SO_TYPE, (uint64_t)SLOT_DATA(t),
					  (uint64_t)SLOT_DATA(t) + ALIGN };
	uint32_t type = 0, size = sizeof(type);
	int64_t result;

	channel_put(SLOT_DATA(t) + ALIGN, &size, sizeof(size));
	do
		result = host_call(t, SYS_getsockopt, arg);
	while (result == HOST_NOT_STARTED);
	if (result != 0)
		return false;
	channel_get(&type, SLOT_DATA(t), sizeof(type));
	return type != SOCK_STREAM;
}

int64_t marshal(struct thread *t, const struct call *row, uint64_t number,
		const uint64_t arg[CALL_ARGS])
{
	enum kind kind = ARG_KIND(row->arg[1]);
	bool stream = kind == KIND_IN_STREAM || kind == KIND_OUT_STREAM;
	uint64_t piece[CALL_ARGS];
	struct plan plan;
	int64_t done, n;

	if ((kind == KIND_OUT_STREAM || kind == KIND_IOV_OUT) && fds_is_random((uint32_t)arg[0]))
		return read_random(row, arg);
	if (kind == KIND_IN_STREAM && arg[2] > arena.size && arg[2] > SLOT_ROOM &&
	    is_message(t, (uint32_t)arg[0]))
		return -LINUX_EMSGSIZE;
	done = n = marshal_once(t, row, number, arg, &plan);
	if (!stream || n <= 0)
		return n;
	memcpy(piece, arg, sizeof(piece));
	while ((uint64_t)n == plan.limit && plan.clipped && !t->noted &&
	       may_go_on(t, (uint32_t)arg[0], kind == KIND_IN_STREAM)) {
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
	t->rewind = t->interrupted = false;
	return done;
}
