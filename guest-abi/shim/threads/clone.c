/* SPDX-License-Identifier: BSD-2-Clause */
/* clone and clone3: what they ask for, and who makes it. */
#include <string.h>

#include "emulate.h"
#include "processes/fork.h"
#include "base/host.h"
#include "threads/thread.h"
#include "memory/user.h"

#define SIGNAL_MASK	0xffU		/* of clone's flags */
#define CLONE3_FLAGS	0xffffffffUL

/* The kernel's struct clone_args: its three sizes so far. */
struct clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size;
	uint64_t cgroup;
};
#define CLONE_ARGS_FIRST	64
_Static_assert(sizeof(struct clone_args) == 88, "kernel ABI");

static int64_t make(struct thread *t, const struct clone_request *request)
{
	return request->flags & CLONE_THREAD ? thread_clone(t, request) : fork_clone(t, request);
}

EMULATED(call_clone)
{
	const struct clone_request request = {
		.flags = (uint32_t)arg[0] & ~SIGNAL_MASK, .exit_signal = arg[0] & SIGNAL_MASK,
		.stack = arg[1], .parent_tid = arg[2], .child_tid = arg[3], .tls = arg[4],
	};

	return make(t, &request);
}

/* What this kernel does not know must be zero. */
static int64_t read_args(struct clone_args *args, uint64_t address, uint64_t size)
{
	uint64_t beyond;

	memset(args, 0, sizeof(*args));
	if (size < CLONE_ARGS_FIRST)
		return -LINUX_EINVAL;
	if (size > PAGE_SIZE)
		return -LINUX_E2BIG;
	if (!user_get(args, address, size < sizeof(*args) ? size : sizeof(*args)))
		return -LINUX_EFAULT;
	for (uint64_t at = sizeof(*args); at < size; at += sizeof(beyond)) {
		uint64_t n = size - at < sizeof(beyond) ? size - at : sizeof(beyond);

		beyond = 0;
		if (!user_get(&beyond, address + at, n))
			return -LINUX_EFAULT;
		if (beyond)
			return -LINUX_E2BIG;
	}
	return 0;
}

EMULATED(call_clone3)
{
	struct clone_args args;
	struct clone_request request;
	int64_t error = read_args(&args, arg[0], arg[1]);

	if (error)
		return error;
	if (args.flags & ~CLONE3_FLAGS || args.flags & SIGNAL_MASK || args.exit_signal & ~(uint64_t)SIGNAL_MASK ||
	    args.set_tid_size || args.cgroup || !args.stack != !args.stack_size)
		return -LINUX_EINVAL;
	request = (struct clone_request){
		.flags = args.flags, .exit_signal = args.exit_signal,
		.stack = args.stack + args.stack_size,
		.parent_tid = args.parent_tid, .child_tid = args.child_tid, .tls = args.tls,
	};
	return make(t, &request);
}
