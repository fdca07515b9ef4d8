/* SPDX-License-Identifier: BSD-2-Clause */
/* ppoll, pselect6, rt_sigsuspend, rt_sigtimedwait, signalfd. See wait.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "emulate.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "signals/signal.h"
#include "time/timer.h"
#include "memory/user.h"
#include "signals/wait.h"

#define MASK_SIZE	8
#define SIGKILL		9
#define SIGSTOP		19
#define IPC_NOWAIT	04000

enum {
	NR_poll = 7, NR_select = 23, NR_nanosleep = 35, NR_msgsnd = 69, NR_msgrcv = 70,
	NR_semtimedop = 220, NR_epoll_wait = 232, NR_epoll_pwait = 281, NR_epoll_pwait2 = 441,
	NR_rt_sigtimedwait = 128, NR_rt_sigsuspend = 130, NR_pselect6 = 270, NR_ppoll = 271,
	NR_signalfd4 = 289,
};

/*
 * The host has its old mask again, unless a handler is to run because of EINTR: that one runs
 * under the call's mask and its frame goes back to the old. A signal that came before the call
 * came under the old mask, and so did one that came after the call's success.
 */
void wait_unmask(struct thread *t, int64_t value)
{
	if (!t->rewind && value == -LINUX_EINTR && t->noted)
		return;
	signal_mask_restore(t);
}

/* A call whose mask lies at `mask` (0: none) with `size`. */
static int64_t masked(struct thread *t, const struct call *row, uint64_t number,
		      const uint64_t arg[6], uint64_t mask, uint64_t size)
{
	uint64_t value;

	if (!mask)
		return marshal(t, row, number, arg);
	if (size != MASK_SIZE)
		return -LINUX_EINVAL;
	if (!user_get(&value, mask, sizeof(value)))
		return -LINUX_EFAULT;
	signal_mask_temporary(t, value);
	value = marshal(t, row, number, arg);
	wait_unmask(t, value);
	return value;
}

EMULATED(call_ppoll)
{
	static const struct call row = {
		.arg = { ARG_ARRAY(KIND_POLLFDS, 1, 8), KIND_INT, ARG_FIX(KIND_FIX_UPDATE, 16),
			 ARG_FIX(KIND_FIX_IN, 8), KIND_LONG },
		.how = HOW_MARSHAL, .restart = RESTART_NEVER, .result = RESULT_LENGTH,
	};

	return masked(t, &row, NR_ppoll, arg, arg[3], arg[4]);
}

/* The last argument leads to the mask's address and size: made in the slot's tail. */
EMULATED(call_pselect6)
{
	static const struct call row = {
		.arg = { KIND_INT, ARG_BUF(KIND_FDSET, 0), ARG_BUF(KIND_FDSET, 0),
			 ARG_BUF(KIND_FDSET, 0), ARG_FIX(KIND_FIX_UPDATE, 16), KIND_LONG },
		.how = HOW_MARSHAL, .restart = RESTART_NEVER, .result = RESULT_SETS,
	};
	uint64_t pair[2] = { 0, 0 }, own[6], mask;
	uint8_t *at = SLOT_TAIL(t);
	int64_t value;

	memcpy(own, arg, sizeof(own));
	own[5] = 0;
	if (arg[5] && !user_get(pair, arg[5], sizeof(pair)))
		return -LINUX_EFAULT;
	if (!pair[0])
		return marshal(t, &row, NR_pselect6, own);
	if (pair[1] != MASK_SIZE)
		return -LINUX_EINVAL;
	if (!user_get(&mask, pair[0], sizeof(mask)))
		return -LINUX_EFAULT;
	pair[0] = (uint64_t)at + sizeof(pair);
	channel_put(at, pair, sizeof(pair));
	channel_put(at + sizeof(pair), &mask, sizeof(mask));
	own[5] = (uint64_t)at;
	signal_mask_temporary(t, mask);
	value = marshal(t, &row, NR_pselect6, own);
	wait_unmask(t, value);
	return value;
}

EMULATED(call_rt_sigsuspend)
{
	const uint64_t host[6] = { (uint64_t)SLOT_DATA(t), MASK_SIZE };
	uint64_t mask;
	int64_t value;

	if (arg[1] != MASK_SIZE)
		return -LINUX_EINVAL;
	if (!user_get(&mask, arg[0], sizeof(mask)))
		return -LINUX_EFAULT;
	signal_mask_temporary(t, mask);
	do {
		channel_put(SLOT_DATA(t), &mask, sizeof(mask));
		value = marshal_call(t, NR_rt_sigsuspend, host, RESTART_NEVER);
	} while (value == -LINUX_EINTR && !t->noted);
	wait_unmask(t, value);
	/* It ends by a signal only. */
	if (value >= 0)
		die(CARREL_DIE_IAGO);
	return value == HOST_NOT_STARTED ? 0 : value;
}

EMULATED(call_rt_sigtimedwait)
{
	static const struct call row = {
		.arg = { ARG_FIX(KIND_FIX_IN, 8), ARG_FIX(KIND_FIX_OUT, SIGINFO_SIZE),
			 ARG_FIX(KIND_FIX_IN, 16), KIND_LONG },
		.how = HOW_MARSHAL, .restart = RESTART_NEVER, .result = RESULT_INT,
	};
	uint64_t set;
	int64_t value;

	if (arg[3] != MASK_SIZE)
		return -LINUX_EINVAL;
	if (!user_get(&set, arg[0], sizeof(set)))
		return -LINUX_EFAULT;
	value = marshal(t, &row, NR_rt_sigtimedwait, arg);
	if (value < 0 || t->rewind)
		return value;
	/* One that was waited for, and its number is that of the siginfo. */
	if (value < 1 || value > SIGNALS || !(set >> (value - 1) & 1))
		die(CARREL_DIE_IAGO);
	if (arg[1] && !timer_take(arg[1], value))
		return -LINUX_EFAULT;
	return value;
}

/* How each of them says that it would rather not sleep. */
static const struct {
	uint16_t number;
	uint8_t arg;
	enum { ZERO, ZERO_TIME, NOWAIT } by;
} unsleeping[] = {
	{ NR_poll, 2, ZERO }, { NR_epoll_wait, 3, ZERO }, { NR_epoll_pwait, 3, ZERO },
	{ NR_select, 4, ZERO_TIME }, { NR_pselect6, 4, ZERO_TIME }, { NR_ppoll, 2, ZERO_TIME },
	{ NR_epoll_pwait2, 3, ZERO_TIME }, { NR_nanosleep, 0, ZERO_TIME },
	{ NR_rt_sigtimedwait, 2, ZERO_TIME }, { NR_semtimedop, 3, ZERO_TIME },
	{ NR_msgsnd, 3, NOWAIT }, { NR_msgrcv, 4, NOWAIT },
};

static uint64_t argument(const struct regs *r, unsigned int i)
{
	const uint64_t arg[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return arg[i];
}

bool wait_sleeps(const struct thread *t, uint64_t number)
{
	uint64_t value, time[2];
	unsigned int i;

	for (i = 0; i < sizeof(unsleeping) / sizeof(unsleeping[0]); i++)
		if (unsleeping[i].number == number)
			break;
	if (i == sizeof(unsleeping) / sizeof(unsleeping[0]))
		return true;
	value = argument(&t->regs, unsleeping[i].arg);
	if (unsleeping[i].by == ZERO)
		return (uint32_t)value != 0;
	if (unsleeping[i].by == NOWAIT)
		return !(value & IPC_NOWAIT);
	return !user_get(time, value, sizeof(time)) || time[0] || time[1];
}

/* A new descriptor, or the one that was given: then it must be that one. */
static int64_t signalfd(struct thread *t, const uint64_t arg[6], uint32_t flags)
{
	static const struct call row = {
		.arg = { KIND_FD, ARG_FIX(KIND_FIX_IN, 8), KIND_LONG, KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_FD,
	};
	static const struct call again = {
		.arg = { KIND_FD, ARG_FIX(KIND_FIX_IN, 8), KIND_LONG, KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_INT,
	};
	const uint64_t own[6] = { arg[0], arg[1], arg[2], flags };
	bool new = (int32_t)arg[0] == -1;
	int64_t value;

	if (arg[2] != MASK_SIZE)
		return -LINUX_EINVAL;
	value = marshal(t, new ? &row : &again, NR_signalfd4, own);
	if (value >= 0 && !new && !t->rewind && value != (int32_t)arg[0])
		die(CARREL_DIE_IAGO);
	return value;
}

EMULATED(call_signalfd)
{
	return signalfd(t, arg, 0);
}

EMULATED(call_signalfd4)
{
	return signalfd(t, arg, arg[3]);
}
