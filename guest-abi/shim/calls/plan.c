/* SPDX-License-Identifier: BSD-2-Clause */
/* Measuring and laying out. See plan.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "base/host.h"
#include "calls/plan.h"
#include "files/self.h"
#include "load/program.h"
#include "memory/user.h"
#include "memory/vm.h"

#define LINUX_PATH_MAX		4096
#define FDS_SIZE		(2 * sizeof(int32_t))
#define AT_SYMLINK_NOFOLLOW	0x100
#define O_NOFOLLOW		0400000
#define ROOM_MAX		2048		/* the most that is offered to KIND_ROOM's partner */

const uint8_t kind_traits[] = {
	[KIND_NONE] = NUMBER, [KIND_INT] = NUMBER, [KIND_LONG] = NUMBER, [KIND_FD] = NUMBER,
	[KIND_COUNT] = NUMBER, [KIND_OFFSET] = NUMBER,
	[KIND_STRING] = READ,
	[KIND_IN] = READ | SIZED | NULLABLE,
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
	[KIND_ARRAY_IN] = READ | SIZED | NULLABLE,
	[KIND_FIX_FOUND] = WRITE,
	[KIND_FDSET] = READ | WRITE | SIZED | NULLABLE,
	[KIND_ADDRESS_OUT] = WRITE | SIZED | NULLABLE,
	[KIND_OPTION_OUT] = WRITE | SIZED | NULLABLE,
	[KIND_ROOM] = READ | WRITE,
	[KIND_FIX_UPDATE] = READ | WRITE,
};
_Static_assert(sizeof(kind_traits) == KIND_LAST + 1, "every kind has its traits");

static uint8_t rights_for(uint16_t arg)
{
	if (ARG_KIND(arg) == KIND_FIX_UPDATE)
		return CARREL_R;
	return (traits_of(arg) & READ ? CARREL_R : 0) | (traits_of(arg) & WRITE ? CARREL_W : 0);
}

static uint64_t number_of(uint16_t kind, uint64_t value)
{
	return ARG_KIND(kind) == KIND_LONG || ARG_KIND(kind) == KIND_OFFSET ? value
									   : (uint32_t)value;
}

static uint64_t round_up(uint64_t size)
{
	return (size + CHANNEL_ALIGN - 1) & ~(CHANNEL_ALIGN - 1);
}

/* Bytes of the path or name at `address` with its NUL, or an error. */
static int64_t measure_string(uint64_t address)
{
	uint64_t size;

	if (!user_string(address, LINUX_PATH_MAX, &size))
		return -LINUX_EFAULT;
	return size ? (int64_t)size : -LINUX_ENAMETOOLONG;
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

bool plan_iovec(struct iovec *v, uint64_t address, uint64_t i)
{
	return user_get(v, address + i * sizeof(*v), sizeof(*v));
}

int64_t plan_iov(uint64_t address, uint64_t count, uint8_t rights)
{
	uint64_t total = 0;

	if (count > IOV_MAX)
		return -LINUX_EINVAL;
	if (measure_whole(address, count * sizeof(struct iovec), CARREL_R) < 0)
		return -LINUX_EFAULT;
	for (uint64_t i = 0; i < count; i++) {
		struct iovec v;
		uint64_t part;

		if (!plan_iovec(&v, address, i))
			return -LINUX_EFAULT;
		if ((int64_t)v.size < 0)
			return -LINUX_EINVAL;
		part = vm_prefix(v.base, v.size, rights);
		total += part;
		if (part < v.size)
			return total ? (int64_t)total : -LINUX_EFAULT;
	}
	return total;
}

/* Bits for `count` descriptors, in whole words as the kernel has them; it knows no more either. */
static int64_t measure_fdset(uint64_t address, uint32_t count)
{
	if ((int32_t)count < 0)
		return -LINUX_EINVAL;
	if (count > FDS_MAX)
		count = FDS_MAX;
	return measure_whole(address, (count + 63) / 64 * 8, CARREL_R | CARREL_W);
}

int64_t plan_measure(const struct call *row, const uint64_t arg[CALL_ARGS], int i)
{
	uint16_t a = row->arg[i];
	uint8_t rights = rights_for(a);
	uint64_t length = 0;

	if (traits_of(a) & SIZED)
		length = number_of(row->arg[ARG_BY(a)], arg[ARG_BY(a)]);
	switch ((unsigned int)ARG_KIND(a)) {
	case KIND_STRING:
		return measure_string(arg[i]);
	case KIND_FDS_OUT:
		return measure_whole(arg[i], FDS_SIZE, rights);
	case KIND_NAMES_OUT:
		return measure_whole(arg[i], ARG_BY(a) * (uint64_t)ARG_ELEMENT(a), rights);
	case KIND_ARRAY_OUT: case KIND_POLLFDS: case KIND_ARRAY_IN:
		if ((int32_t)length < 0)
			return -LINUX_EINVAL;
		return measure_whole(arg[i], (uint32_t)length * (uint64_t)ARG_ELEMENT(a), rights);
	case KIND_FDSET:
		return measure_fdset(arg[i], length);
	case KIND_ROOM:
		return measure_whole(arg[i], sizeof(uint32_t), rights);
	case KIND_IOV_IN: case KIND_IOV_OUT:
		return plan_iov(arg[i], length, rights);
	default:
		break;
	}
	if (traits_of(a) & PART)
		return measure_part(arg[i], length, rights);
	return measure_whole(arg[i], traits_of(a) & SIZED ? length : ARG_SIZE(a), rights);
}

/* What KIND_ROOM offers, read once, and the buffer that goes with it. */
static int64_t measure_room(const uint64_t arg[CALL_ARGS], int i, int by, struct plan *plan)
{
	uint32_t offered;

	if (!user_get(&offered, arg[by], sizeof(offered)))
		return -LINUX_EFAULT;
	if ((int32_t)offered < 0)
		return -LINUX_EINVAL;
	plan->offered = offered < ROOM_MAX ? offered : ROOM_MAX;
	return measure_part(arg[i], plan->offered, CARREL_W);
}

/* If it is a path that the call follows, and leads to what the shim shows in its own way: what the
 * host gets. */
static const char *stand_in(struct thread *t, const struct call *row, const uint64_t arg[CALL_ARGS],
			  int i, int64_t size)
{
	static const uint32_t stop[] = {
		[FOLLOWED_AT] = AT_SYMLINK_NOFOLLOW, [FOLLOWED_OPEN] = O_NOFOLLOW,
	};
	uint16_t a = row->arg[i];
	char path[SELF_PATH_MAX];

	if (ARG_KIND(a) != KIND_STRING || !ARG_ELEMENT(a) || size <= 0 || size > SELF_PATH_MAX ||
	    arg[ARG_BY(a)] & stop[ARG_ELEMENT(a)])
		return NULL;
	return copy_try(path, (const void *)arg[i], size) && string_size(path, size) ?
	       self_stand_in(t, path) : NULL;
}

/* Measure one argument. */
static int64_t plan_argument(struct thread *t, const struct call *row,
			     const uint64_t arg[CALL_ARGS], int i, struct plan *plan)
{
	uint16_t a = row->arg[i];
	uint8_t is = traits_of(a);
	const char *own;
	int64_t size;

	/* The kernel knows best what NULL means, unless bytes are wanted there. */
	if (arg[i] == 0 && (!(is & SIZED) || is & NULLABLE))
		return 0;
	if (ARG_KIND(a) == KIND_ADDRESS_OUT || ARG_KIND(a) == KIND_OPTION_OUT)
		size = measure_room(arg, i, ARG_BY(a), plan);
	else
		size = plan_measure(row, arg, i);
	if (size < 0)
		return size;
	if (arg[i] == 0)
		return 0;
	own = stand_in(t, row, arg, i, size);
	if (own) {
		plan->own = own;
		plan->own_at = i;
		size = strlen(own) + 1;
	}
	plan->size[i] = size;
	plan->channel[i] = (uint8_t *)CARREL_CHANNEL_VA;	/* until it is laid out */
	return 0;
}

/* Where there is room for `total` bytes, or less if there is no more. */
static uint8_t *find_room(struct thread *t, struct plan *plan, uint64_t total, uint64_t *room)
{
	*room = SLOT_ROOM;
	if (total <= SLOT_ROOM)
		return SLOT_DATA(t);
	plan->arena = arena_take(t, total, &plan->got);
	if (!plan->arena)
		return SLOT_DATA(t);
	*room = plan->got;
	return plan->arena;
}

/* Place the buffers, the one that may be clipped last. */
static int64_t lay_out(struct thread *t, const struct call *row, struct plan *plan)
{
	uint64_t fixed = 0, room, total;
	uint8_t *at;
	int clip = -1;

	for (unsigned int i = 0; i < plan->count; i++) {
		uint8_t is = traits_of(row->arg[i]);

		if (!plan->channel[i])
			continue;
		if (is & VECTOR)
			fixed += sizeof(struct iovec);
		if (is & PART)
			clip = i;
		else
			fixed += round_up(plan->size[i]);
		/* of what no arena could hold nothing is added up */
		if (fixed > ARENA_PIECE)
			return -LINUX_ENOMEM;
	}
	total = fixed + (clip < 0 ? 0 : round_up(plan->size[clip]));
	at = find_room(t, plan, total, &room);
	if (fixed > room)
		return -LINUX_ENOMEM;
	if (total > room) {
		plan->size[clip] = room - fixed;
		plan->clipped = true;
		plan->starved = room < ARENA_PIECE && room < arena.size;
	}
	for (unsigned int i = 0; i < plan->count; i++) {
		if (!plan->channel[i] || (int)i == clip)
			continue;
		plan->channel[i] = at;
		at += round_up(plan->size[i]);
	}
	if (clip >= 0)
		plan->channel[clip] = at;
	return 0;
}

/* What goes out for a buffer: its place in the channel, and its length as it was clipped. */
static void plan_out(const struct call *row, struct plan *plan, int i)
{
	uint8_t is = traits_of(row->arg[i]);
	unsigned int by = ARG_BY(row->arg[i]);

	plan->host[i] = (uint64_t)plan->channel[i];
	if (is & PART) {
		plan->limit = plan->size[i];
		if (is & VECTOR) {
			plan->host[by] = plan->host[by] ? 1 : 0;
		} else {
			plan->clipped |= plan->size[i] < plan->host[by];
			plan->host[by] = plan->size[i];
		}
	} else if (ARG_KIND(row->arg[i]) == KIND_FDSET) {
		if (plan->host[by] > FDS_MAX)
			plan->host[by] = FDS_MAX;
	} else if (ARG_KIND(row->arg[i]) == KIND_ARRAY_OUT ||
		   ARG_KIND(row->arg[i]) == KIND_POLLFDS) {
		plan->limit = plan->host[by];
	}
}

int64_t plan_make(struct thread *t, const struct call *row, const uint64_t arg[CALL_ARGS],
		  struct plan *plan)
{
	int64_t error;
	bool memory = false;

	memset(plan, 0, sizeof(*plan));
	for (int i = 0; i < CALL_ARGS && row->arg[i] != KIND_NONE; i++) {
		plan->count++;
		if (traits_of(row->arg[i]) & NUMBER) {
			plan->host[i] = number_of(row->arg[i], arg[i]);
			continue;
		}
		error = plan_argument(t, row, arg, i, plan);
		if (error)
			return error;
		memory |= plan->channel[i] != NULL;
	}
	if (!memory)
		return 0;
	error = lay_out(t, row, plan);
	if (error)
		return error;
	for (unsigned int i = 0; i < plan->count; i++)
		if (plan->channel[i])
			plan_out(row, plan, i);
	return 0;
}

void plan_drop(struct plan *plan)
{
	if (plan->arena)
		arena_give(plan->arena, plan->got);
	plan->arena = NULL;
}
