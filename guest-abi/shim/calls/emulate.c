/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls served by the shim that are neither memory nor signals. */
#include <string.h>

#include <carrel/hypercall.h>
#include <carrel/identity.h>
#include "calls/call.h"
#include "emulate.h"
#include "files/fds.h"
#include "files/self.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/memory.h"
#include "load/program.h"
#include "memory/user.h"
#include "memory/vm.h"

#define ARCH_SET_GS		0x1001
#define ARCH_SET_FS		0x1002
#define ARCH_GET_FS		0x1003
#define ARCH_GET_GS		0x1004
#define CLOSE_RANGE_UNSHARE	2	/* of a table that is its own anyway */
#define CLOSE_RANGE_CLOEXEC	4
#define GRND_FLAGS		7
#define GETRANDOM_MAX		0x1ffffffUL

#define CLONE_FILES		0x400
#define CLONE_THREAD		0x10000
#define KCMP_SYSVSEM		6

enum {
	NR_fcntl = SYS_fcntl, NR_ioctl = 16, NR_syslog = 103, NR_prctl = 157, NR_unshare = 272,
	NR_kcmp = 312, NR_landlock_create_ruleset = 444,
};

EMULATED(call_close)
{
	uint64_t fd = (uint32_t)arg[0];
	const uint64_t host[6] = { fd };
	int64_t value;

	if (fds_is_hidden(fd))
		return -LINUX_EBADF;
	/* First: once it is closed, another thread may be given the same number. */
	fds_remove(fd);
	value = host_call_always(t, SYS_close, host);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	return value;
}

/* What lies between descriptors of the shim's own. */
EMULATED(call_close_range)
{
	uint64_t first = (uint32_t)arg[0], last = (uint32_t)arg[1], flags = (uint32_t)arg[2];
	int64_t value = 0;

	if (flags & ~(uint64_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -LINUX_EINVAL;
	while (!value && first <= last) {
		uint64_t hidden = fds_next_hidden(first);
		uint64_t end = hidden <= last ? hidden : last + 1;

		if (!(flags & CLOSE_RANGE_CLOEXEC))
			fds_remove_range(first, end);
		if (first < end)
			value = host_call_own(t, SYS_close_range, first, end - 1, flags, 0);
		first = end + 1;
	}
	if (value > 0)
		die(CARREL_DIE_IAGO);
	return value;
}

/* dup2 and dup3: the program chose the number, so that is what must come back. */
static int64_t duplicate(struct thread *t, uint64_t number, const uint64_t arg[6], uint64_t flags)
{
	uint64_t to = (uint32_t)arg[1];
	const uint64_t host[6] = { (uint32_t)arg[0], to, flags };
	int64_t value;

	if (!fds_valid(to) || fds_is_hidden((uint32_t)arg[0]))
		return -LINUX_EBADF;
	if (fds_is_hidden(to))		/* as if another thread were just opening it */
		return -LINUX_EBUSY;
	value = host_call(t, number, host);
	if (value == HOST_NOT_STARTED) {
		t->rewind = true;
		return 0;
	}
	if (value < 0)
		return value;
	if ((uint64_t)value != to)
		die(CARREL_DIE_IAGO);
	if (to != (uint32_t)arg[0]) {
		fds_remove(to);
		if (fds_is_random((uint32_t)arg[0]))
			fds_set_random(to);
	}
	fds_add(to);
	return value;
}

EMULATED(call_dup2)
{
	return duplicate(t, SYS_dup2, arg, 0);
}

EMULATED(call_dup3)
{
	return duplicate(t, SYS_dup3, arg, (uint32_t)arg[2]);
}

int64_t subcall_make(struct thread *t, const struct subcall *table, uint64_t number,
		     uint64_t request, int64_t unknown, const uint64_t arg[6])
{
	const struct call *row = subcall_find(table, request);

	if (row->how == HOW_REFUSE) {
		note(CARREL_NOTE_ENOSYS, number);
		return unknown;
	}
	if (fds_is_hidden((uint32_t)arg[0]) && ARG_KIND(row->arg[0]) == KIND_FD)
		return -LINUX_EBADF;
	return marshal(t, row, number, arg);
}

EMULATED(call_ioctl)
{
	return subcall_make(t, subcalls_ioctl, NR_ioctl, (uint32_t)arg[1], -LINUX_ENOTTY, arg);
}

EMULATED(call_fcntl)
{
	return subcall_make(t, subcalls_fcntl, NR_fcntl, (uint32_t)arg[1], -LINUX_EINVAL, arg);
}

EMULATED(call_prctl)
{
	return subcall_make(t, subcalls_prctl, NR_prctl, (uint32_t)arg[0], -LINUX_EINVAL, arg);
}

/* GS base is the shim's; FS base is a register like any other. */
EMULATED(call_arch_prctl)
{
	uint64_t base;

	(void)t;
	switch (arg[0]) {
	case ARCH_SET_FS:
		if (arg[1] >= VM_HIGH)
			return -LINUX_EPERM;
		asm volatile("wrfsbase %0" : : "r"(arg[1]));
		return 0;
	case ARCH_GET_FS:
		asm volatile("rdfsbase %0" : "=r"(base));
		return user_put(arg[1], &base, sizeof(base)) ? 0 : -LINUX_EFAULT;
	case ARCH_SET_GS:
	case ARCH_GET_GS:
		return -LINUX_EPERM;
	default:
		return -LINUX_EINVAL;
	}
}

/* Without a buffer it asks for a size, or sets the console's level. */
EMULATED(call_syslog)
{
	static const struct call plain = {
		.arg = { KIND_INT, KIND_LONG, KIND_INT }, .how = HOW_PASS, .result = RESULT_INT,
	}, read = {
		.arg = { KIND_INT, ARG_BUF(KIND_OUT, 2), KIND_INT }, .how = HOW_MARSHAL,
		.result = RESULT_LENGTH,
	};

	if ((int32_t)arg[2] < 0)
		return -LINUX_EINVAL;
	return marshal(t, arg[1] ? &read : &plain, NR_syslog, arg);
}

/*
 * Descriptors are those of all threads here. One that is alone has them to itself already: so
 * the kernel is asked whether it is (CLONE_THREAD is refused where it is not).
 */
EMULATED(call_unshare)
{
	static const struct call row = {
		.arg = { KIND_INT }, .how = HOW_PASS, .result = RESULT_ZERO,
	};
	const uint64_t own[6] = { arg[0] | (arg[0] & CLONE_FILES ? CLONE_THREAD : 0) };

	return marshal(t, &row, NR_unshare, own);
}

/* What the last type compares is described in memory. */
EMULATED(call_kcmp)
{
	static const struct call row = {
		.arg = { KIND_INT, KIND_INT, KIND_INT, KIND_LONG, KIND_LONG },
		.how = HOW_PASS, .result = RESULT_INT,
	};

	if ((uint32_t)arg[2] > KCMP_SYSVSEM)
		return -LINUX_EINVAL;
	return marshal(t, &row, NR_kcmp, arg);
}

/* With flags it is a question, and the answer no descriptor. */
EMULATED(call_landlock_create_ruleset)
{
	static const struct call ask = {
		.arg = { ARG_BUF(KIND_IN, 1), KIND_LONG, KIND_INT }, .how = HOW_MARSHAL,
		.result = RESULT_INT,
	}, make = {
		.arg = { ARG_BUF(KIND_IN, 1), KIND_LONG, KIND_INT }, .how = HOW_MARSHAL,
		.result = RESULT_FD,
	};

	return marshal(t, (uint32_t)arg[2] ? &ask : &make, NR_landlock_create_ruleset, arg);
}

/* The carrier's executable is not the program: that one link is the shim's to tell. */
static bool names_self(struct thread *t, uint64_t address)
{
	char text[SELF_PATH_MAX];
	uint64_t n = vm_prefix(address, sizeof(text), CARREL_R);

	return copy_try(text, (const void *)address, n) && string_size(text, n) &&
	       self_is_exe(t, text);
}

static int64_t read_self(uint64_t address, uint32_t size)
{
	const char *path = program_path();
	size_t length = strlen(path);

	if (size < length)
		length = size;
	return user_put(address, path, length) ? (int64_t)length : -LINUX_EFAULT;
}

EMULATED(call_readlink)
{
	static const struct call row = {
		.arg = { KIND_STRING, ARG_BUF(KIND_OUT, 2), KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_LENGTH,
	};

	if ((int32_t)arg[2] <= 0)
		return -LINUX_EINVAL;
	if (names_self(t, arg[0]))
		return read_self(arg[1], arg[2]);
	return marshal(t, &row, SYS_readlink, arg);
}

EMULATED(call_readlinkat)
{
	static const struct call row = {
		.arg = { KIND_FD, KIND_STRING, ARG_BUF(KIND_OUT, 3), KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_LENGTH,
	};

	if ((int32_t)arg[3] <= 0)
		return -LINUX_EINVAL;
	if (names_self(t, arg[1]))
		return read_self(arg[2], arg[3]);
	return marshal(t, &row, SYS_readlinkat, arg);
}

EMULATED(call_getrandom)
{
	uint64_t size = arg[1] < GETRANDOM_MAX ? arg[1] : GETRANDOM_MAX;

	(void)t;
	if ((uint32_t)arg[2] & ~GRND_FLAGS)
		return -LINUX_EINVAL;
	if (vm_prefix(arg[0], size, CARREL_W) != size)
		return -LINUX_EFAULT;
	return random_put(arg[0], size) ? (int64_t)size : -LINUX_EFAULT;
}

/* The kernel would write into private memory: programs do without, and need not be logged. */
EMULATED(call_rseq)
{
	(void)t;
	(void)arg;
	return -LINUX_ENOSYS;
}
