/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll, timers, and calls with a signal mask of their own, with a kernel that may lie. */
#include "guest-abi/shim/base/carrier.h"
#include "guest-abi/shim/files/epoll.h"
#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/signals/sigframe.h"
#include "guest-abi/shim/time/timer.h"
#include "test.h"

enum {
	READ = 0, CLOSE = 3, SIGACTION = 13, SIGPROCMASK = 14, PAUSE = 34, NANOSLEEP = 35,
	GETUID = 102, CLOCK_NANOSLEEP = 230, SIGTIMEDWAIT = 128, SIGSUSPEND = 130, EPOLL_CREATE = 213, TIMER_CREATE = 222,
	TIMER_DELETE = 226, EPOLL_WAIT = 232, EPOLL_CTL = 233, PSELECT6 = 270, PPOLL = 271,
	EPOLL_PWAIT = 281, SIGNALFD4 = 289, EPOLL_PWAIT2 = 441,
};
#define ADD	1
#define DEL	2
#define MOD	3
#define IN	1U
#define OUT	4U
#define HUP	0x10U
#define DATA	0x00007e0055667788UL	/* what a program gives: an address */
#define SIGUSR1	10
#define SIGUSR2	12
#define BIT(s)	(1UL << ((s) - 1))

static int64_t call(struct thread *t, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
		    uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t arg[6] = { a, b, c, d, e, f };

	return calls[number].emulate(t, arg);
}

/* --- A kernel with an epoll ------------------------------------------------------------------ */

struct event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

static struct event given[8];			/* by the program, as they arrived, by descriptor */
static struct event answers[4][8];		/* of the waits, one after the other */
static int64_t answer, waits, next_fd;
static bool seen_data, signal_comes, not_started;
static uint64_t mask_seen;

static void look(const struct ocall *c)
{
	for (int i = 0; i < 6; i++)
		seen_data |= c->arg[i] == DATA;
	for (uint64_t at = CARREL_SLOT_DATA; at + 8 <= CARREL_SLOT_SIZE; at++)
		seen_data |= !memcmp((void *)(CARREL_CHANNEL_VA + at), &(uint64_t){ DATA }, 8);
}

static int64_t wait_answer(const struct ocall *c)
{
	memcpy((void *)c->arg[1], answers[waits], sizeof(answers[waits]));
	waits++;
	return answer;
}

static int64_t kernel(const struct ocall *c, uint64_t *flags)
{
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;

	look(c);
	if (signal_comes) {
		*flags = CARREL_RESUME_SIGNAL | (not_started ? CARREL_RESUME_NOTSTARTED : 0);
		slot->pending = SIGUSR1;
		memset(slot->siginfo, 0, sizeof(slot->siginfo));
	}
	switch (c->number) {
	case EPOLL_CREATE:
		return next_fd;
	case EPOLL_CTL:
		if (c->arg[1] != DEL && answer == 0)
			memcpy(&given[c->arg[2]], (void *)c->arg[3], sizeof(given[0]));
		return answer;
	case EPOLL_WAIT:
		return wait_answer(c);
	case EPOLL_PWAIT: case EPOLL_PWAIT2:
		memcpy(&mask_seen, (void *)c->arg[4], sizeof(mask_seen));
		return wait_answer(c);
	default:
		return answer;
	}
}

static struct thread *fresh(void)
{
	struct thread *t = fake_reset(2, 4);

	fake.host = kernel;
	memset(given, 0, sizeof(given));
	memset(answers, 0, sizeof(answers));
	answer = waits = mask_seen = 0;
	seen_data = signal_comes = not_started = false;
	next_fd = 5;
	fds_add(6);
	fds_add(7);
	CHECK_EQ(call(t, EPOLL_CREATE, 1, 0, 0, 0, 0, 0), 5);
	return t;
}

static int64_t control(struct thread *t, uint64_t op, uint64_t fd, uint32_t events, uint64_t data)
{
	struct event *e = (struct event *)program_block(sizeof(*e), CARREL_R);

	*e = (struct event){ events, data };
	return call(t, EPOLL_CTL, 5, op, fd, (uint64_t)e, 0, 0);
}

/* One wait for up to 8 events; what came in `got`. */
static struct event *got;

static int64_t wait(struct thread *t)
{
	got = (struct event *)program_block(8 * sizeof(*got), CARREL_R | CARREL_W);
	waits = 0;
	return call(t, EPOLL_WAIT, 5, (uint64_t)got, 8, -1, 0, 0);
}

static void epoll_data(void)
{
	struct thread *t = fresh();

	CHECK_EQ(control(t, ADD, 6, IN, DATA), 0);
	CHECK_EQ(control(t, ADD, 7, IN | OUT, DATA + 8), 0);
	CHECK(given[6].events == IN && given[6].data && given[6].data != given[7].data);
	answers[0][0] = (struct event){ OUT, given[7].data };
	answers[0][1] = (struct event){ IN | OUT | HUP, given[6].data };
	answer = 2;
	CHECK_EQ(wait(t), 2);
	CHECK(got[0].events == OUT && got[0].data == DATA + 8);
	/* of the events only those that were asked for, and errors */
	CHECK(got[1].events == (IN | HUP) && got[1].data == DATA);
	CHECK(!seen_data);
}

static void forged_tokens(void)
{
	struct thread *t = fresh();
	static const uint64_t lies[] = { 0, 1, DATA, UINT64_MAX };

	CHECK_EQ(control(t, ADD, 6, IN, DATA), 0);
	for (int i = 0; i < 4; i++)
		answers[0][i] = (struct event){ IN, lies[i] };
	answers[0][4] = (struct event){ IN, given[6].data ^ 1UL << 63 };
	answers[0][5] = (struct event){ IN, given[6].data ^ 1 };
	answer = 6;
	for (int i = 0; i < 6; i++)
		answers[1][i] = (struct event){ IN, given[6].data };
	/* not one of them: the wait goes on, and then gives what is real */
	CHECK_EQ(wait(t), 6);
	CHECK_EQ(waits, 2);
	CHECK(got[0].data == DATA && got[5].data == DATA);
	answer = 9;
	CHECK_DIES(CARREL_DIE_IAGO, wait(t));
	answer = 1;
	answers[0][0].data = DATA;
	got = (struct event *)program_block(1, CARREL_R | CARREL_W);
	answers[0][0].data = given[6].data;
	waits = 0;
	CHECK_EQ(call(t, EPOLL_WAIT, 5, (uint64_t)got, 8, -1, 0, 0), -LINUX_EFAULT);
	CHECK_EQ(call(t, EPOLL_WAIT, 5, (uint64_t)got, 0, -1, 0, 0), -LINUX_EINVAL);
	CHECK_EQ(call(t, EPOLL_WAIT, 5, (uint64_t)got, 1UL << 31, -1, 0, 0), -LINUX_EINVAL);
}

/* The token of a registration that has ended, by each of the ways in which it may. */
static void ended(void (*end)(struct thread *t))
{
	struct thread *t = fresh();
	uint64_t old;

	CHECK_EQ(control(t, ADD, 6, IN, DATA), 0);
	CHECK_EQ(control(t, ADD, 7, IN, DATA + 8), 0);
	old = given[6].data;
	end(t);
	answer = 0;
	fds_add(5);
	answers[0][0] = (struct event){ IN, old };
	answers[1][0] = (struct event){ IN, old };
	signal_comes = true;		/* so that the wait does not go on */
	answer = 1;
	CHECK_EQ(wait(t), 0);
}

static void end_del(struct thread *t)
{
	answer = -LINUX_EPERM;
	CHECK_EQ(call(t, EPOLL_CTL, 5, DEL, 6, 0, 0, 0), -LINUX_EPERM);
	answers[0][0] = (struct event){ IN, given[6].data };
	answer = 1;
	CHECK_EQ(wait(t), 1);		/* a failed DEL changes nothing */
	answer = 0;
	CHECK_EQ(call(t, EPOLL_CTL, 5, DEL, 6, 0, 0, 0), 0);
}

static void end_close(struct thread *t)
{
	CHECK_EQ(call(t, CLOSE, 6, 0, 0, 0, 0, 0), 0);
	answers[0][0] = (struct event){ IN, given[7].data };
	answer = 1;
	CHECK_EQ(wait(t), 1);
	CHECK_EQ(got[0].data, DATA + 8);
}

static void end_epoll(struct thread *t)
{
	CHECK_EQ(call(t, CLOSE, 5, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(call(t, EPOLL_CREATE, 1, 0, 0, 0, 0, 0), 5);
}

static void ended_registrations(void)
{
	ended(end_del);
	ended(end_close);
	ended(end_epoll);
}

static void changed_registrations(void)
{
	struct thread *t = fresh();
	uint64_t token;

	CHECK_EQ(control(t, ADD, 6, IN, DATA), 0);
	token = given[6].data;
	CHECK_EQ(control(t, MOD, 6, OUT, DATA + 1), 0);
	CHECK_EQ(given[6].data, token);
	answers[0][0] = (struct event){ IN | OUT, token };
	answer = 1;
	CHECK_EQ(wait(t), 1);
	CHECK(got[0].events == OUT && got[0].data == DATA + 1);
	/* what fails changes nothing, and what was never added is not there */
	answer = -LINUX_EPERM;
	CHECK_EQ(control(t, MOD, 6, IN, DATA + 2), -LINUX_EPERM);
	CHECK_EQ(control(t, ADD, 6, IN, DATA + 2), -LINUX_EPERM);
	CHECK_EQ(control(t, ADD, 7, IN, DATA + 3), -LINUX_EPERM);
	answer = 1;
	CHECK_EQ(wait(t), 1);
	CHECK_EQ(got[0].data, DATA + 1);
	CHECK_DIES(CARREL_DIE_IAGO, control(t, ADD, 7, IN, DATA));
	answer = 0;
	CHECK_EQ(call(t, EPOLL_CTL, 5, 9, 6, 0, 0, 0), -LINUX_EINVAL);
	CHECK_EQ(call(t, EPOLL_CTL, 5, ADD, 6, NOWHERE, 0, 0), -LINUX_EFAULT);
	CHECK_EQ(call(t, EPOLL_CTL, 5, ADD, FDS_MAX, (uint64_t)got, 0, 0), -LINUX_EBADF);
}

/* As many as there are places, and all of them again after they were closed. */
static void many_registrations(void)
{
	struct thread *t = fresh();
	struct event *e = (struct event *)program_block(sizeof(*e), CARREL_R);

	*e = (struct event){ IN, DATA };
	fake.host = NULL;
	for (int round = 0; round < 2; round++) {
		for (uint64_t fd = 0; fd < 65535; fd++)
			CHECK_EQ(call(t, EPOLL_CTL, 5, ADD, fd, (uint64_t)e, 0, 0), 0);
		CHECK_EQ(call(t, EPOLL_CTL, 5, ADD, 65535, (uint64_t)e, 0, 0), -LINUX_ENOMEM);
		CHECK_EQ(call(t, EPOLL_CTL, 5, MOD, 1, (uint64_t)e, 0, 0), 0);
		if (round)
			epoll_forget(carrier(), 5);
		else
			for (uint64_t fd = 0; fd < 65535; fd++)
				epoll_forget(carrier(), fd == 5 ? 6 : fd);
		if (!round)	/* 5 is its own epoll: not forgotten by its number above */
			epoll_forget(carrier(), 5);
		fake.host = kernel;
		fds_remove(5);
		CHECK_EQ(call(t, EPOLL_CREATE, 1, 0, 0, 0, 0, 0), 5);
		fake.host = NULL;
	}
}

/* --- Masks ----------------------------------------------------------------------------------- */

static uint64_t mask_block(uint64_t mask)
{
	uint64_t *at = (uint64_t *)program_block(8, CARREL_R);

	*at = mask;
	return (uint64_t)at;
}

static void masks_of_calls(void)
{
	struct thread *t = fresh();
	uint64_t mask = mask_block(BIT(SIGUSR2) | BIT(9));

	t->mask = BIT(SIGUSR1);
	got = (struct event *)program_block(sizeof(*got), CARREL_R | CARREL_W);
	CHECK_EQ(call(t, EPOLL_PWAIT, 5, (uint64_t)got, 1, 0, mask, 8), 0);
	CHECK(t->mask == BIT(SIGUSR1) && !t->temporary);
	CHECK_EQ(mask_seen, BIT(SIGUSR2) | BIT(9));
	CHECK_EQ(call(t, EPOLL_PWAIT, 5, (uint64_t)got, 1, 0, mask, 4), -LINUX_EINVAL);
	CHECK_EQ(call(t, EPOLL_PWAIT, 5, (uint64_t)got, 1, 0, NOWHERE, 8), -LINUX_EFAULT);
	CHECK(t->mask == BIT(SIGUSR1) && !t->temporary);
	/* a signal ended it: the call's mask holds until the handler runs */
	signal_comes = true;
	answer = -LINUX_EINTR;
	CHECK_EQ(call(t, PPOLL, 0, 0, 0, mask, 8, 0), -LINUX_EINTR);
	CHECK(t->mask == BIT(SIGUSR2) && t->temporary && t->saved_mask == BIT(SIGUSR1));
	/* it came before the call: as if there had been none */
	t->noted = t->temporary = false;
	t->mask = BIT(SIGUSR1);
	not_started = true;
	call(t, PPOLL, 0, 0, 0, mask, 8, 0);
	CHECK(t->rewind && t->mask == BIT(SIGUSR1) && !t->temporary);
	/* it came after */
	t->noted = t->rewind = not_started = false;
	answer = 0;
	CHECK_EQ(call(t, PPOLL, 0, 0, 0, mask, 8, 0), 0);
	CHECK(t->noted && t->mask == BIT(SIGUSR1) && !t->temporary);
}

/* --- A signal between the program's SYSCALL and the kernel's ------------------------------------ */

#define SA_RESTART	0x10000000UL
#define SA_RESTORER	0x04000000UL
#define HANDLER		0x402000UL
#define AFTER		0x401002UL	/* the SYSCALL's */

static int64_t signal_first(const struct ocall *c, uint64_t *flags)
{
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;

	if (c->number == SIGACTION || c->number == SIGPROCMASK)
		return 0;
	*flags = CARREL_RESUME_SIGNAL | CARREL_RESUME_NOTSTARTED;
	slot->pending = SIGUSR1;
	memset(slot->siginfo, 0, sizeof(slot->siginfo));
	return 0;
}

/* upcall.c; entry.S calls it */
void syscall_main(struct thread *t);

/* The frame of the handler that ran instead: where the program goes on, and with what. */
static const struct sigframe *kept_from(struct thread *t, uint64_t number, uint64_t a, uint64_t b,
					uint64_t c, uint64_t d, uint64_t sa_flags)
{
	uint64_t stack = (uint64_t)program_block(PAGE_SIZE * 4, CARREL_R | CARREL_W) + PAGE_SIZE * 4;
	uint64_t *action = (uint64_t *)program_block(32, CARREL_R);

	fake.host = signal_first;
	action[0] = HANDLER;
	action[1] = SA_RESTORER | sa_flags;
	t->mask = 0;
	CHECK_EQ(call(t, SIGACTION, SIGUSR1, (uint64_t)action, 0, 8, 0, 0), 0);
	t->regs = (struct regs){ .rax = number, .rdi = a, .rsi = b, .rdx = c, .r10 = d,
				 .rip = AFTER, .rsp = stack };
	syscall_main(t);
	CHECK_EQ(t->regs.rip, HANDLER);
	CHECK(!t->rewind && !t->interrupted && !t->noted);
	return (const struct sigframe *)t->regs.rsp;
}

/* What would have slept is over, whatever the handler's flags, as if it had begun to sleep. */
static void kept_from_sleeping(void)
{
	const uint64_t flags[] = { 0, SA_RESTART };

	for (int i = 0; i < 2; i++) {
		struct thread *t = fresh();
		const struct sigframe *f;
		uint64_t *time, *rest;

		time = (uint64_t *)program_block(16, CARREL_R);
		rest = (uint64_t *)program_block(16, CARREL_R | CARREL_W);
		time[0] = 1000;
		time[1] = 5;
		f = kept_from(t, NANOSLEEP, (uint64_t)time, (uint64_t)rest, 0, 0, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		CHECK(rest[0] == 1000 && rest[1] == 5);
		rest[0] = 1;
		f = kept_from(t, CLOCK_NANOSLEEP, 0, 0, (uint64_t)time, (uint64_t)rest, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		CHECK_EQ(rest[0], 1000);
		/* an absolute time has no rest */
		rest[0] = 1;
		f = kept_from(t, CLOCK_NANOSLEEP, 0, 1, (uint64_t)time, (uint64_t)rest, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		CHECK_EQ(rest[0], 1);
		/* what has no time has no rest either, not what lies at address 0 */
		kept_from(t, NANOSLEEP, 0, (uint64_t)rest, 0, 0, flags[i]);
		CHECK_EQ(rest[0], 1);
		f = kept_from(t, PAUSE, 0, 0, 0, 0, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		f = kept_from(t, EPOLL_WAIT, 5, (uint64_t)program_block(16, CARREL_R | CARREL_W), 1, -1,
			      flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		f = kept_from(t, SIGSUSPEND, mask_block(0), 8, 0, 0, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
	}
}

/* What might have ended at once is made after the handler: a read of a file has no EINTR. */
static void kept_from_reading(void)
{
	const uint64_t flags[] = { 0, SA_RESTART };

	for (int i = 0; i < 2; i++) {
		struct thread *t = fresh();
		const struct sigframe *f;

		f = kept_from(t, READ, 6, (uint64_t)program_block(8, CARREL_R | CARREL_W), 8, 0, flags[i]);
		CHECK(f->context.rip == AFTER - 2 && f->context.rax == READ);
		f = kept_from(t, GETUID, 0, 0, 0, 0, flags[i]);
		CHECK(f->context.rip == AFTER - 2 && f->context.rax == GETUID);
		/* nor has a look that does not sleep */
		f = kept_from(t, EPOLL_WAIT, 5, (uint64_t)program_block(16, CARREL_R | CARREL_W), 1, 0,
			      flags[i]);
		CHECK(f->context.rip == AFTER - 2 && f->context.rax == EPOLL_WAIT);
		f = kept_from(t, PSELECT6, 0, 0, 0, 0, flags[i]);
		CHECK(f->context.rip == AFTER && (int64_t)f->context.rax == -LINUX_EINTR);
		f = kept_from(t, NANOSLEEP, (uint64_t)memset(program_block(16, CARREL_R), 0, 16), 0, 0, 0,
			      flags[i]);
		CHECK(f->context.rip == AFTER - 2 && f->context.rax == NANOSLEEP);
	}
}

/* No handler, so no EINTR: the program need not notice a signal that it ignores. */
static void kept_from_sleeping_unhandled(void)
{
	uint64_t *action, *time;
	struct thread *t = fresh();

	action = (uint64_t *)program_block(32, CARREL_R);
	time = (uint64_t *)program_block(16, CARREL_R);
	fake.host = signal_first;
	action[0] = 1;					/* SIG_IGN */
	CHECK_EQ(call(t, SIGACTION, SIGUSR1, (uint64_t)action, 0, 8, 0, 0), 0);
	t->regs = (struct regs){ .rax = NANOSLEEP, .rdi = (uint64_t)time, .rip = AFTER };
	syscall_main(t);
	CHECK(t->regs.rip == AFTER - 2 && t->regs.rax == NANOSLEEP);
}

static int64_t pselect_kernel(const struct ocall *c, uint64_t *flags)
{
	uint64_t pair[2], *sets = (uint64_t *)c->arg[1];

	(void)flags;
	CHECK(in_channel(c->arg[5], 16));
	memcpy(pair, (void *)c->arg[5], sizeof(pair));
	CHECK(in_channel(pair[0], 8) && pair[1] == 8);
	memcpy(&mask_seen, (void *)pair[0], 8);
	*sets = ~0UL;
	return answer;
}

static void pselect_mask(void)
{
	struct thread *t = fresh();
	uint64_t *pair = (uint64_t *)program_block(16, CARREL_R);
	uint64_t *set = (uint64_t *)program_block(8, CARREL_R | CARREL_W);

	pair[0] = mask_block(0x100);
	pair[1] = 8;
	*set = 0x5;
	fake.host = pselect_kernel;
	answer = 2;
	CHECK_EQ(call(t, PSELECT6, 60, (uint64_t)set, 0, 0, 0, (uint64_t)pair), 2);
	CHECK(mask_seen == 0x100 && *set == 0x5);
	answer = 181;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, PSELECT6, 60, (uint64_t)set, 0, 0, 0, (uint64_t)pair));
	pair[1] = 4;
	CHECK_EQ(call(t, PSELECT6, 60, (uint64_t)set, 0, 0, 0, (uint64_t)pair), -LINUX_EINVAL);
	CHECK_EQ(call(t, PSELECT6, 60, (uint64_t)set, 0, 0, 0, NOWHERE), -LINUX_EFAULT);
	pair[0] = pair[1] = 0;
	CHECK_EQ(call(t, PSELECT6, -1, (uint64_t)set, 0, 0, 0, (uint64_t)pair), -LINUX_EINVAL);
}

static void sigsuspend(void)
{
	struct thread *t = fresh();

	t->mask = BIT(SIGUSR1);
	signal_comes = true;
	answer = -LINUX_EINTR;
	CHECK_EQ(call(t, SIGSUSPEND, mask_block(0), 8, 0, 0, 0, 0), -LINUX_EINTR);
	CHECK(t->temporary && t->mask == 0 && t->saved_mask == BIT(SIGUSR1));
	t->noted = t->temporary = signal_comes = false;
	CHECK_EQ(call(t, SIGSUSPEND, mask_block(0), 4, 0, 0, 0, 0), -LINUX_EINVAL);
	CHECK_EQ(call(t, SIGSUSPEND, NOWHERE, 8, 0, 0, 0, 0), -LINUX_EFAULT);
	answer = 0;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGSUSPEND, mask_block(0), 8, 0, 0, 0, 0));
}

static int64_t sigwait_kernel(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	memset((void *)c->arg[1], 0x77, 128);
	return answer;
}

static void sigtimedwait(void)
{
	struct thread *t = fresh();
	uint8_t *info = program_block(128, CARREL_R | CARREL_W);
	uint64_t set = mask_block(BIT(SIGUSR1) | BIT(SIGUSR2));
	uint32_t signal;

	fake.host = sigwait_kernel;
	answer = SIGUSR2;
	CHECK_EQ(call(t, SIGTIMEDWAIT, set, (uint64_t)info, 0, 8, 0, 0), SIGUSR2);
	memcpy(&signal, info, sizeof(signal));
	CHECK(signal == SIGUSR2 && info[100] == 0x77);
	answer = 11;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGTIMEDWAIT, set, (uint64_t)info, 0, 8, 0, 0));
	answer = 0;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGTIMEDWAIT, set, (uint64_t)info, 0, 8, 0, 0));
	answer = 65;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGTIMEDWAIT, set, (uint64_t)info, 0, 8, 0, 0));
}

static void signal_descriptors(void)
{
	struct thread *t = fresh();

	answer = 9;
	CHECK_EQ(call(t, SIGNALFD4, -1, mask_block(1), 8, 0, 0, 0), 9);
	CHECK(!fds_add(9));
	CHECK_EQ(call(t, SIGNALFD4, 9, mask_block(1), 8, 0, 0, 0), 9);
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGNALFD4, 6, mask_block(1), 8, 0, 0, 0));
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SIGNALFD4, -1, mask_block(1), 8, 0, 0, 0));
	CHECK_EQ(call(t, SIGNALFD4, -1, mask_block(1), 16, 0, 0, 0), -LINUX_EINVAL);
}

/* --- Timers ---------------------------------------------------------------------------------- */

static uint64_t timer_token;
static int32_t timer_id;

static int64_t timer_kernel(const struct ocall *c, uint64_t *flags)
{
	look(c);
	(void)flags;
	if (c->number == TIMER_CREATE && answer == 0) {
		memcpy(&timer_token, (void *)c->arg[1], 8);
		memcpy((void *)c->arg[2], &timer_id, 4);
	}
	return answer;
}

static uint64_t value_of(uint64_t token, int32_t code)
{
	uint8_t siginfo[SIGINFO_SIZE] = { 0 };
	uint64_t value;

	memcpy(siginfo + 8, &code, 4);
	memcpy(siginfo + 24, &token, 8);
	timer_restore(siginfo);
	memcpy(&value, siginfo + 24, 8);
	return value;
}

static void timers(void)
{
	struct thread *t = fresh();
	uint64_t *event = (uint64_t *)program_block(64, CARREL_R);
	int32_t *id = (int32_t *)program_block(4, CARREL_R | CARREL_W);
	uint64_t first;

	fake.host = timer_kernel;
	event[0] = DATA;
	timer_id = 3;
	CHECK_EQ(call(t, TIMER_CREATE, 1, (uint64_t)event, (uint64_t)id, 0, 0, 0), 0);
	CHECK(*id == 3 && timer_token && !seen_data);
	CHECK_EQ(value_of(timer_token, -2), DATA);
	/* of no timer, and of no timer's signal */
	CHECK_EQ(value_of(timer_token ^ 1UL << 40, -2), 0);
	CHECK_EQ(value_of(timer_token ^ 1, -2), 0);
	CHECK_EQ(value_of(DATA, -2), 0);
	CHECK_EQ(value_of(DATA, -1), DATA);
	first = timer_token;
	timer_id = 4;
	CHECK_EQ(call(t, TIMER_CREATE, 1, 0, (uint64_t)id, 0, 0, 0), 0);
	CHECK_EQ(value_of(timer_token, -2), 4);
	CHECK_EQ(call(t, TIMER_DELETE, 3, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(value_of(first, -2), DATA);	/* a signal may have been on its way */
	timer_id = -1;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, TIMER_CREATE, 1, 0, (uint64_t)id, 0, 0, 0));
	answer = 1;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, TIMER_CREATE, 1, 0, (uint64_t)id, 0, 0, 0));
	CHECK_EQ(call(t, TIMER_CREATE, 1, NOWHERE, (uint64_t)id, 0, 0, 0), -LINUX_EFAULT);
}

const struct test event_tests[] = {
	{ "epoll gives back what it was given, and the kernel does not see it", epoll_data },
	{ "forged tokens", forged_tokens },
	{ "tokens of registrations that have ended", ended_registrations },
	{ "changed registrations", changed_registrations },
	{ "as many registrations as there is room for", many_registrations },
	{ "masks of calls", masks_of_calls },
	{ "pselect's mask, and sets of other descriptors", pselect_mask },
	{ "a signal keeps a call from sleeping", kept_from_sleeping },
	{ "a signal keeps a call from reading", kept_from_reading },
	{ "a signal without a handler keeps a call from sleeping", kept_from_sleeping_unhandled },
	{ "rt_sigsuspend", sigsuspend },
	{ "rt_sigtimedwait", sigtimedwait },
	{ "signalfd", signal_descriptors },
	{ "timers give back what they were given", timers },
	{ NULL, NULL },
};
