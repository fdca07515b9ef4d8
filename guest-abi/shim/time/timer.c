/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POSIX timers. sigev_value is mostly an address: the kernel gets a token (see
 * token.h). The entry of a timer that was deleted stays until its place is needed,
 * for a signal that was on its way.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "time/timer.h"
#include "base/token.h"
#include "memory/user.h"

#define TIMERS		1024
#define SIGALRM		14
#define SIGEV_SIGNAL	0
#define SI_TIMER	(-2)
#define SI_CODE		8			/* offsets in siginfo */
#define SI_VALUE	24

enum { NR_timer_create = 222, NR_timer_delete = 226 };

/* The kernel's struct sigevent. */
struct sigevent {
	uint64_t value;
	int32_t signal, notify;
	uint8_t rest[48];
};
_Static_assert(sizeof(struct sigevent) == 64, "kernel ABI");

static struct timer {
	uint64_t token, value;
	int32_t id;
	bool used;
} timers[TIMERS] LARGE;
static uint32_t next_place;

/* Places are used in turn, so that a deleted timer's stays for long. NULL if all are used. */
static struct timer *take_place(uint64_t value)
{
	uint64_t token = token_draw(0);
	struct timer *found = NULL;

	lock_take(&token_lock);
	for (uint32_t i = 0; i < TIMERS && !found; i++) {
		uint32_t place = next_place++ % TIMERS;

		if (!timers[place].used) {
			found = &timers[place];
			*found = (struct timer){ token | place, value, -1, true };
		}
	}
	lock_release(&token_lock);
	return found;
}

/* The kernel's number for a timer; one that it gave before is of a timer lost by fork. */
static void set_id(struct timer *timer, int32_t id, bool own_value)
{
	lock_take(&token_lock);
	for (uint32_t i = 0; i < TIMERS; i++)
		if (timers[i].used && timers[i].id == id)
			timers[i].used = false;
	timer->id = id;
	if (own_value)
		timer->value = (uint32_t)id;
	lock_release(&token_lock);
}

static int64_t create(struct thread *t, uint32_t clock, struct sigevent *e, struct timer *timer,
		      int32_t *id)
{
	uint8_t *at = SLOT_DATA(t);
	const uint64_t host[6] = { clock, (uint64_t)at, (uint64_t)at + sizeof(*e) };
	int64_t value;

	e->value = timer->token;
	channel_put(at, e, sizeof(*e));
	value = marshal_call(t, NR_timer_create, host, RESTART_NO);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value)
		return value;
	channel_get(id, at + sizeof(*e), sizeof(*id));
	if (*id < 0)
		die(CARREL_DIE_IAGO);
	return 0;
}

EMULATED(call_timer_create)
{
	struct sigevent e = { .signal = SIGALRM, .notify = SIGEV_SIGNAL };
	struct timer *timer;
	int64_t value;
	int32_t id;

	if (arg[1] && !user_get(&e, arg[1], sizeof(e)))
		return -LINUX_EFAULT;
	timer = take_place(e.value);
	if (!timer)
		return -LINUX_EAGAIN;
	value = create(t, arg[0], &e, timer, &id);
	if (value) {
		timer->used = false;
		return value == HOST_NOT_STARTED ? 0 : value;
	}
	/* By default the value is the timer's number. */
	set_id(timer, id, !arg[1]);
	return user_put(arg[2], &id, sizeof(id)) ? 0 : -LINUX_EFAULT;
}

EMULATED(call_timer_delete)
{
	const uint64_t host[6] = { (uint32_t)arg[0] };
	int64_t value = marshal_call(t, NR_timer_delete, host, RESTART_NO);

	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value)
		return value == HOST_NOT_STARTED ? 0 : value;
	lock_take(&token_lock);
	for (uint32_t i = 0; i < TIMERS; i++)
		if (timers[i].used && timers[i].id == (int32_t)arg[0])
			timers[i].used = false;
	lock_release(&token_lock);
	return 0;
}

void timer_restore(uint8_t siginfo[SIGINFO_SIZE])
{
	uint64_t token, place;
	int32_t code;

	memcpy(&code, siginfo + SI_CODE, sizeof(code));
	if (code != SI_TIMER)
		return;
	memcpy(&token, siginfo + SI_VALUE, sizeof(token));
	place = TOKEN_PLACE(token);
	lock_take(&token_lock);
	token = token && place < TIMERS && timers[place].token == token ? timers[place].value : 0;
	lock_release(&token_lock);
	memcpy(siginfo + SI_VALUE, &token, sizeof(token));
}

bool timer_take(uint64_t address, uint32_t signal)
{
	uint8_t siginfo[SIGINFO_SIZE];

	if (!user_get(siginfo, address, sizeof(siginfo)))
		return false;
	memcpy(siginfo, &signal, sizeof(signal));
	timer_restore(siginfo);
	return user_put(address, siginfo, sizeof(siginfo));
}
