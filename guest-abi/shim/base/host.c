/* SPDX-License-Identifier: BSD-2-Clause */
/* What leaves the process view: see host.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "base/host.h"

#define MS_SYNC		4

_Noreturn void die(uint64_t code)
{
	for (;;)
		hypercall(CARREL_HC_DIE, code, 0, 0);
}

void note(uint64_t code, uint64_t number)
{
	hypercall(CARREL_HC_NOTE, code, number, 0);
}

void host_take_signal(struct thread *t)
{
	volatile uint32_t *pending = (volatile uint32_t *)(t->slot + CARREL_SLOT_PENDING);
	uint32_t signal = *pending;

	if (signal == 0)
		return;
	/* The stub blocks all signals with the first: a second one is forged. */
	if (signal <= SIGNALS && !t->noted) {
		channel_get(t->siginfo, t->slot + CARREL_SLOT_SIGINFO, SIGINFO_SIZE);
		memcpy(t->siginfo, &signal, sizeof(signal));
		t->noted = true;
	}
	*pending = 0;
}

static int64_t make_call(struct thread *t, uint64_t number, const uint64_t args[6])
{
	uint64_t flags;
	int64_t value = hypercall_ocall(number, args, &flags);

	if (flags & CARREL_RESUME_SIGNAL)
		host_take_signal(t);
	if (flags & CARREL_RESUME_NOTSTARTED)
		return HOST_NOT_STARTED;
	if (value < -LINUX_ERRNO_MAX)
		die(CARREL_DIE_IAGO);
	return value;
}

int64_t host_call(struct thread *t, uint64_t number, const uint64_t args[6])
{
	/*
	 * The host holds all signals back until this one is delivered: a call that sleeps
	 * would sleep on. It was noted in a call of the shim's own.
	 */
	return t->noted ? HOST_NOT_STARTED : make_call(t, number, args);
}

int64_t host_call_always(struct thread *t, uint64_t number, const uint64_t args[6])
{
	int64_t value;

	do
		value = make_call(t, number, args);
	while (value == HOST_NOT_STARTED);
	return value;
}

int64_t host_call_own(struct thread *t, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
		      uint64_t d)
{
	const uint64_t args[6] = { a, b, c, d };

	return host_call_always(t, number, args);
}

uint32_t host_tid(struct thread *t)
{
	int64_t tid = host_call_own(t, SYS_gettid, 0, 0, 0, 0);

	if (tid <= 0 || tid > INT32_MAX)
		die(CARREL_DIE_IAGO);
	return tid;
}

bool ask_module(struct thread *t, uint64_t request, uint64_t argument)
{
	uint64_t address = CARREL_BASE + request * PAGE_SIZE, size = (argument + 1) * PAGE_SIZE;
	int64_t result;

	do
		result = host_call_own(t, SYS_msync, address, size, MS_SYNC, 0);
	while (result == -LINUX_EINTR);
	return result == 0;
}

bool hypercall_help(struct thread *t, int64_t result, bool *pending)
{
	switch (result) {
	case CARREL_MORE:
	case CARREL_EBUSY:
		return true;
	case CARREL_PENDING:
		if (!ask_module(t, *pending ? CARREL_REQ_FLUSH : CARREL_REQ_KICK, 0))
			die(CARREL_DIE_IAGO);
		*pending = true;
		return true;
	case CARREL_ENOMEM:
		return ask_module(t, CARREL_REQ_MEMORY, 0);
	case CARREL_ELIMIT:
		return false;
	default:
		die(CARREL_DIE_SHIM);
	}
}

int64_t memory_hypercall(struct thread *t, uint64_t number, uint64_t address, uint64_t size,
			 uint64_t rights)
{
	bool pending = false;

	for (;;) {
		struct answer answer = hypercall(number, address, size / PAGE_SIZE, rights);

		/* PENDING: all pages are done; only what was taken away must be gone everywhere. */
		if (!answer.result || (answer.result == CARREL_PENDING && number == CARREL_HC_MAP))
			return 0;
		if (answer.result == CARREL_MORE) {
			if (answer.done >= size / PAGE_SIZE)
				die(CARREL_DIE_SHIM);
			address += answer.done * PAGE_SIZE;
			size -= answer.done * PAGE_SIZE;
		}
		if (!hypercall_help(t, answer.result, &pending))
			return -LINUX_ENOMEM;
	}
}

void random_bytes(void *out, size_t size)
{
	uint8_t *p = out;
	uint64_t random[4];

	while (size > 0) {
		size_t n = size < sizeof(random) ? size : sizeof(random);

		if (hypercall_random(random) < 0)
			die(CARREL_DIE_RANDOM);
		memcpy(p, random, n);
		p += n;
		size -= n;
	}
}
