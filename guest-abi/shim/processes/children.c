/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waitid. What the kernel says of a child's end is a claim; that a number is a child's
 * at all is not checked. The program sees what the call writes, and nothing besides.
 */
#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/user.h"
#include "memory/vm.h"

#define RUSAGE_SIZE	144
#define INFO_SIZE	128
#define INFO_PID	16		/* behind signal, errno, code and 4 bytes that are not written */
#define SIGCHLD		17

/* In the slot. */
#define AT_INFO(t)	(SLOT_DATA(t))
#define AT_USAGE(t)	(SLOT_DATA(t) + INFO_SIZE)

static bool writable(uint64_t address, uint64_t size)
{
	return !address || vm_prefix(address, size, CARREL_W) == size;
}

static int64_t put(uint64_t address, const uint8_t *channel, uint64_t size)
{
	uint8_t bytes[RUSAGE_SIZE];

	channel_get(bytes, channel, size);
	return !address || user_put(address, bytes, size) ? 0 : -LINUX_EFAULT;
}

/* What the kernel writes of a siginfo: three numbers, and after a hole three more. */
static int64_t put_info(struct thread *t, uint64_t address, bool *found)
{
	uint32_t signal;

	channel_get(&signal, AT_INFO(t), sizeof(signal));
	*found = signal == SIGCHLD;
	if (signal && !*found)
		die(CARREL_DIE_IAGO);
	if (!address)
		return 0;
	return put(address, AT_INFO(t), 12) ?:
	       put(address + INFO_PID, AT_INFO(t) + INFO_PID, 12);
}

EMULATED(call_waitid)
{
	const uint64_t host[6] = {
		(uint32_t)arg[0], (uint32_t)arg[1], (uint64_t)AT_INFO(t), (uint32_t)arg[3],
		arg[4] ? (uint64_t)AT_USAGE(t) : 0,
	};
	int64_t value, error;
	bool found;

	if (!writable(arg[2], INFO_SIZE) || !writable(arg[4], RUSAGE_SIZE))
		return -LINUX_EFAULT;
	value = marshal_call(t, SYS_waitid, host, RESTART_YES);
	if (value == HOST_NOT_STARTED)
		return 0;
	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value)
		return value;
	error = put_info(t, arg[2], &found);
	return error ?: found ? put(arg[4], AT_USAGE(t), RUSAGE_SIZE) : 0;
}
