/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System V semaphores and messages: the kernel's numbers, and bytes that are given away. (Shared
 * memory of that kind is the kernel's and refused.)
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "base/host.h"
#include "calls/call.h"
#include "calls/marshal.h"
#include "emulate.h"
#include "memory/user.h"

#define IPC_STAT	2
#define GETALL		13
#define SETALL		17
#define SEMID_SIZE	104
#define SEMID_COUNT	80		/* offset of sem_nsems */
#define TYPE_SIZE	8UL		/* before a message's text */

enum { NR_semctl = 66, NR_msgsnd = 69, NR_msgrcv = 70, NR_msgctl = 71 };

/* How many values the set has, as the kernel says, or an error. */
static int64_t count_of(struct thread *t, uint64_t set)
{
	const uint64_t host[6] = { set, 0, IPC_STAT, (uint64_t)SLOT_DATA(t) };
	int64_t error = marshal_call(t, NR_semctl, host, RESTART_NO);
	uint64_t count;

	if (error)
		return error < 0 ? error : -LINUX_EIO;
	channel_get(&count, SLOT_DATA(t) + SEMID_COUNT, sizeof(count));
	return count <= SLOT_ROOM / sizeof(uint16_t) ? (int64_t)count : -LINUX_ENOMEM;
}

/* All values of a set, between the program's array and the slot. */
static int64_t all_values(struct thread *t, const uint64_t arg[6])
{
	const uint64_t host[6] = { (uint32_t)arg[0], 0, (uint32_t)arg[2], (uint64_t)SLOT_DATA(t) };
	int64_t count = count_of(t, (uint32_t)arg[0]), value;
	uint64_t size = count * sizeof(uint16_t);

	if (count < 0)
		return count == HOST_NOT_STARTED ? 0 : count;
	if (host[2] == SETALL && !user_get(SLOT_DATA(t), arg[3], size))
		return -LINUX_EFAULT;
	value = marshal_call(t, NR_semctl, host, RESTART_NEVER);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value == 0 && host[2] == GETALL && !user_put(arg[3], SLOT_DATA(t), size))
		return -LINUX_EFAULT;
	return value == HOST_NOT_STARTED ? 0 : value;
}

EMULATED(call_semctl)
{
	if ((uint32_t)arg[2] == GETALL || (uint32_t)arg[2] == SETALL)
		return all_values(t, arg);
	return subcall_make(t, subcalls_semctl, NR_semctl, (uint32_t)arg[2], -LINUX_EINVAL, arg);
}

EMULATED(call_msgctl)
{
	return subcall_make(t, subcalls_msgctl, NR_msgctl, (uint32_t)arg[1], -LINUX_EINVAL, arg);
}

/* Room for type and text in the channel. */
struct room {
	uint8_t *at, *arena;
	size_t size;
};

static struct room take_room(struct thread *t, uint64_t size)
{
	struct room r = { SLOT_DATA(t), NULL, SLOT_ROOM };

	if (size > SLOT_ROOM - TYPE_SIZE)
		r.arena = arena_take(t, size < ARENA_PIECE ? size + TYPE_SIZE : ARENA_PIECE,
				     &r.size);
	if (r.arena)
		r.at = r.arena;
	else
		r.size = SLOT_ROOM;
	return r;
}

static void give_room(const struct room *r)
{
	if (r->arena)
		arena_give(r->arena, r->size);
}

static int64_t send(struct thread *t, const uint64_t arg[6], const struct room *r)
{
	const uint64_t host[6] = { (uint32_t)arg[0], (uint64_t)r->at, arg[2], (uint32_t)arg[3] };
	int64_t value;

	if (arg[2] > r->size - TYPE_SIZE)
		return -LINUX_ENOMEM;
	if (!user_get(r->at, arg[1], TYPE_SIZE + arg[2]))
		return -LINUX_EFAULT;
	value = marshal_call(t, NR_msgsnd, host, RESTART_NO);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	return value == HOST_NOT_STARTED ? 0 : value;
}

EMULATED(call_msgsnd)
{
	struct room r;
	int64_t value;

	if ((int64_t)arg[2] < 0)
		return -LINUX_EINVAL;
	r = take_room(t, arg[2]);
	value = send(t, arg, &r);
	give_room(&r);
	return value;
}

/* A message that is longer than there is room is E2BIG, or cut (MSG_NOERROR), as the kernel has it. */
static int64_t receive(struct thread *t, const uint64_t arg[6], const struct room *r)
{
	uint64_t most = arg[2] < r->size - TYPE_SIZE ? arg[2] : r->size - TYPE_SIZE;
	const uint64_t host[6] = {
		(uint32_t)arg[0], (uint64_t)r->at, most, arg[3], (uint32_t)arg[4],
	};
	int64_t value = marshal_call(t, NR_msgrcv, host, RESTART_NEVER);

	if (value == HOST_NOT_STARTED)
		return 0;
	if (value > (int64_t)most)
		die(CARREL_DIE_IAGO);
	if (value >= 0 && !user_put(arg[1], r->at, TYPE_SIZE + value))
		return -LINUX_EFAULT;
	return value;
}

EMULATED(call_msgrcv)
{
	struct room r;
	int64_t value;

	if ((int64_t)arg[2] < 0)
		return -LINUX_EINVAL;
	r = take_room(t, arg[2]);
	value = receive(t, arg, &r);
	give_room(&r);
	return value;
}
