/* SPDX-License-Identifier: BSD-2-Clause */
/* Structures whose size the program says itself, in a number or a version. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/user.h"

#define CAPABILITY_VERSION_1	0x19980330
#define CAPABILITY_VERSION_2	0x20071026
#define CAPABILITY_VERSION_3	0x20080522
#define CAPABILITY_DATA		12
#define SCHED_ATTR_SIZE		48		/* of the first version */

enum { NR_capget = 125, NR_capset = 126, NR_sched_setattr = 314, NR_sched_getattr = 315 };

/* By the header's version: an unknown one has no data, and the kernel writes what it knows. */
static int64_t capabilities(struct thread *t, uint64_t number, const uint64_t arg[6], int kind)
{
	uint32_t header[2];
	struct call row = {
		.arg = { ARG_FIX(KIND_FIX_INOUT, sizeof(header)), ARG_FIX(kind, CAPABILITY_DATA) },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};
	uint64_t own[6] = { arg[0], arg[1] };
	int64_t value;

	if (!user_get(header, arg[0], sizeof(header)))
		return -LINUX_EFAULT;
	if (header[0] == CAPABILITY_VERSION_2 || header[0] == CAPABILITY_VERSION_3) {
		row.arg[1] = ARG_FIX(kind, 2 * CAPABILITY_DATA);
	} else if (header[0] != CAPABILITY_VERSION_1) {
		own[1] = 0;
		value = marshal(t, &row, number, own);
		header[0] = CAPABILITY_VERSION_3;
		if (t->rewind || !user_put(arg[0], header, sizeof(header[0])))
			return -LINUX_EFAULT;
		return arg[1] ? -LINUX_EINVAL : value;
	}
	return marshal(t, &row, number, own);
}

EMULATED(call_capget)
{
	return capabilities(t, NR_capget, arg, KIND_FIX_OUT);
}

EMULATED(call_capset)
{
	return capabilities(t, NR_capset, arg, KIND_FIX_IN);
}

EMULATED(call_sched_setattr)
{
	const uint64_t host[6] = { (uint32_t)arg[0], (uint64_t)SLOT_DATA(t), (uint32_t)arg[2] };
	uint8_t attr[SCHED_ATTR_SIZE];
	uint32_t size;
	int64_t value;

	if (!arg[1])
		return -LINUX_EINVAL;
	if (!user_get(attr, arg[1], sizeof(attr)))
		return -LINUX_EFAULT;
	memcpy(&size, attr, sizeof(size));
	if (size && size != SCHED_ATTR_SIZE)
		return -LINUX_E2BIG;
	channel_put(SLOT_DATA(t), attr, sizeof(attr));
	value = marshal_call(t, NR_sched_setattr, host, RESTART_NO);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	return value == HOST_NOT_STARTED ? 0 : value;
}

EMULATED(call_sched_getattr)
{
	static const struct call row = {
		.arg = { KIND_INT, ARG_FIX(KIND_FIX_OUT, SCHED_ATTR_SIZE), KIND_INT, KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};
	const uint64_t own[6] = { arg[0], arg[1], SCHED_ATTR_SIZE, arg[3] };

	if (!arg[1] || (uint32_t)arg[2] < SCHED_ATTR_SIZE || (uint32_t)arg[2] > PAGE_SIZE)
		return -LINUX_EINVAL;
	return marshal(t, &row, NR_sched_getattr, own);
}
