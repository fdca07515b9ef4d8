/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll. What a registration carries for the program (mostly an address) stays
 * here; the kernel gets a token. An event whose token is not that of a living
 * registration of this epoll is not delivered: it may be one that another thread
 * has just removed, or the kernel's invention.
 *
 * A registration lives from EPOLL_CTL_ADD to EPOLL_CTL_DEL or to the close of
 * either descriptor. (Linux goes on with it while another descriptor of the same
 * file is open; such events are lost here. docs/threat-model.md.) So the kernel is
 * told to remove it before the close: else an event that nobody gets would come again and again
 * to a wait that does not end. But not in a child of fork, which would take it from its parent:
 * there what was inherited goes on until the epoll is closed, since the parent's file may be open.
 * What one process registers in a set that it shares with another the other knows nothing of.
 *
 * Races: ADD stores before the call, since an event may come to another thread at
 * once; MOD changes in place before the call, so that no event is ever without its
 * data, and puts the old data back if the call fails; DEL removes after the call.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "files/epoll.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "signals/signal.h"
#include "base/token.h"
#include "memory/user.h"
#include "memory/vm.h"
#include "signals/wait.h"

#define EPOLL_CTL_ADD	1
#define EPOLL_CTL_DEL	2
#define EPOLL_CTL_MOD	3
#define EPOLL_ALWAYS	0x18U		/* EPOLLERR, EPOLLHUP */
#define EVENTS_LIMIT	(INT32_MAX / 12)
#define MASK_SIZE	8
#define PLACES		(1UL << TOKEN_BITS)
#define HEADS		1024
#define ORPHAN		-1		/* no descriptor of this process */

enum {
	NR_epoll_create = 213, NR_epoll_wait = 232, NR_epoll_ctl = 233, NR_epoll_pwait = 281,
	NR_epoll_create1 = 291, NR_epoll_pwait2 = 441,
};

struct event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));
_Static_assert(sizeof(struct event) == 12, "kernel ABI");

/* Place 0 is none. `next` is of the list by descriptor, or of that of free ones. */
struct registration {
	uint64_t token, data;		/* token 0: free */
	int32_t epoll, fd;
	uint32_t events;
	uint16_t next;
	uint8_t carrier;
	bool inherited;			/* the parent's, whose epoll the host shares with this one */
};

static struct registration table[PLACES] LARGE;
static uint16_t heads[HEADS], free_head;
static uint32_t used = 1;
/* Descriptors that epoll_create gave, so that a registration's epoll can be known by its number. */
static uint64_t epolls[CARRIERS_MAX][FDS_MAX / 64] LARGE;

static uint16_t carrier_number(const struct carrier *c)
{
	return c - carriers;
}

static uint16_t *head_of(uint32_t fd)
{
	return &heads[fd % HEADS];
}

/* --- Under the lock -------------------------------------------------------------------------- */

static struct registration *find(uint16_t carrier, int32_t epoll, int32_t fd)
{
	for (uint16_t i = *head_of(fd); i; i = table[i].next)
		if (table[i].fd == fd && table[i].epoll == epoll && table[i].carrier == carrier)
			return &table[i];
	return NULL;
}

static uint16_t take_place(void)
{
	uint16_t place = free_head;

	if (place)
		free_head = table[place].next;
	else if (used < PLACES)
		place = used++;
	return place;
}

static void unlink(struct registration *r)
{
	uint16_t place = r - table, *link = head_of(r->fd);

	while (*link != place)
		link = &table[*link].next;
	*link = r->next;
}

/* It goes on without a descriptor. */
static void orphan(struct registration *r)
{
	unlink(r);
	r->fd = ORPHAN;
	r->next = *head_of(ORPHAN);
	*head_of(ORPHAN) = r - table;
}

static void drop(struct registration *r)
{
	uint16_t place = r - table;

	unlink(r);
	memset(r, 0, sizeof(*r));
	r->next = free_head;
	free_head = place;
}

/* --------------------------------------------------------------------------------------------- */

static bool is_epoll(const struct carrier *c, uint64_t fd)
{
	return fd < FDS_MAX && epolls[carrier_number(c)][fd / 64] >> (fd & 63) & 1;
}

/* This descriptor is closed: drop one registration of it. False if there is none (more). */
static bool drop_one(uint16_t carrier, int32_t fd, struct registration *was)
{
	uint16_t i;

	lock_take(&token_lock);
	i = *head_of(fd);
	while (i && (table[i].fd != fd || table[i].carrier != carrier))
		i = table[i].next;
	if (i) {
		*was = table[i];
		if (was->inherited)
			orphan(&table[i]);
		else
			drop(&table[i]);
	}
	lock_release(&token_lock);
	return i != 0;
}

void epoll_forked(void)
{
	for (uint32_t i = 1; i < used; i++)
		table[i].inherited = true;
}

void epoll_forget(struct carrier *c, uint64_t fd)
{
	uint16_t carrier = carrier_number(c);
	struct registration was;

	if (used == 1 && !is_epoll(c, fd))
		return;
	while (drop_one(carrier, fd, &was))
		if (!was.inherited)
			host_call_own(self(), NR_epoll_ctl, was.epoll, EPOLL_CTL_DEL, fd, 0);
	lock_take(&token_lock);
	if (is_epoll(c, fd)) {
		epolls[carrier][fd / 64] &= ~(1UL << (fd & 63));
		for (uint32_t i = 1; i < used; i++)
			if (table[i].token && table[i].epoll == (int32_t)fd &&
			    table[i].carrier == carrier)
				drop(&table[i]);
	}
	lock_release(&token_lock);
}

static int64_t create(struct thread *t, uint64_t number, const uint64_t arg[6])
{
	static const struct call row = {
		.arg = { KIND_INT }, .how = HOW_PASS, .result = RESULT_FD,
	};
	int64_t fd = marshal(t, &row, number, arg);

	if (fd >= 0 && !t->rewind) {
		lock_take(&token_lock);
		epolls[carrier_number(t->carrier)][fd / 64] |= 1UL << (fd & 63);
		lock_release(&token_lock);
	}
	return fd;
}

EMULATED(call_epoll_create)
{
	return create(t, NR_epoll_create, arg);
}

EMULATED(call_epoll_create1)
{
	return create(t, NR_epoll_create1, arg);
}

/* The registration's token, made or changed for `e`; what it was in *old. 0 if the table is full. */
static uint64_t set_registration(struct thread *t, int32_t epoll, int32_t fd,
				 const struct event *e, struct registration *old)
{
	uint16_t carrier = carrier_number(t->carrier), place;
	uint64_t token = token_draw(0);
	struct registration *r;

	lock_take(&token_lock);
	r = find(carrier, epoll, fd);
	*old = r ? *r : (struct registration){ 0 };
	if (!r) {
		place = take_place();
		if (!place) {
			lock_release(&token_lock);
			return 0;
		}
		r = &table[place];
		*r = (struct registration){
			.token = token | place, .epoll = epoll, .fd = fd, .carrier = carrier,
			.next = *head_of(fd),
		};
		*head_of(fd) = place;
	}
	r->data = e->data;
	r->events = e->events;
	token = r->token;
	lock_release(&token_lock);
	return token;
}

/* The call failed: as it was before. */
static void restore(struct thread *t, int32_t epoll, int32_t fd, const struct registration *old)
{
	struct registration *r;

	lock_take(&token_lock);
	r = find(carrier_number(t->carrier), epoll, fd);
	if (r && old->token) {
		r->data = old->data;
		r->events = old->events;
	} else if (r) {
		drop(r);
	}
	lock_release(&token_lock);
}

static int64_t add_or_change(struct thread *t, const uint64_t arg[6])
{
	const uint64_t host[6] = { (uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2],
				   (uint64_t)SLOT_DATA(t) };
	struct registration old;
	struct event e;
	int64_t value;

	if (!user_get(&e, arg[3], sizeof(e)))
		return -LINUX_EFAULT;
	if (!fds_valid((int32_t)arg[0]) || !fds_valid((int32_t)arg[2]) ||
	    fds_is_hidden((uint32_t)arg[0]) || fds_is_hidden((uint32_t)arg[2]))
		return -LINUX_EBADF;
	e.data = set_registration(t, arg[0], arg[2], &e, &old);
	if (!e.data)
		return -LINUX_ENOMEM;
	channel_put(SLOT_DATA(t), &e, sizeof(e));
	value = marshal_call(t, NR_epoll_ctl, host, RESTART_NO);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value != 0)
		restore(t, arg[0], arg[2], &old);
	return value == HOST_NOT_STARTED ? 0 : value;
}

EMULATED(call_epoll_ctl)
{
	const uint64_t host[6] = { (uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2] };
	static const struct registration none;
	int64_t value;

	if ((uint32_t)arg[1] == EPOLL_CTL_ADD || (uint32_t)arg[1] == EPOLL_CTL_MOD)
		return add_or_change(t, arg);
	if ((uint32_t)arg[1] != EPOLL_CTL_DEL)
		return -LINUX_EINVAL;
	if (fds_is_hidden((uint32_t)arg[0]) || fds_is_hidden((uint32_t)arg[2]))
		return -LINUX_EBADF;
	value = marshal_call(t, NR_epoll_ctl, host, RESTART_NO);
	if (value > 0)
		die(CARREL_DIE_IAGO);
	if (value == 0)
		restore(t, arg[0], arg[2], &none);
	return value == HOST_NOT_STARTED ? 0 : value;
}

/* The event as the program registered it. False if there is no such registration. */
static bool translate(struct thread *t, int32_t epoll, struct event *e)
{
	struct registration *r = &table[TOKEN_PLACE(e->data)];
	uint16_t carrier = carrier_number(t->carrier);
	bool good;

	lock_take(&token_lock);
	/* An epoll that was dup'ed has other numbers than those its registrations were made by. */
	good = e->data && r->token == e->data &&
	       ((r->epoll == epoll && r->carrier == carrier) || !is_epoll(t->carrier, epoll));
	if (good) {
		e->data = r->data;
		e->events &= r->events | EPOLL_ALWAYS;
	}
	lock_release(&token_lock);
	return good && e->events;
}

/* Events from the channel to the program; how many, or EFAULT. */
static int64_t deliver(struct thread *t, int32_t epoll, const uint8_t *from, uint64_t count,
		       uint64_t to)
{
	int64_t delivered = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct event e;

		channel_get(&e, from + i * sizeof(e), sizeof(e));
		if (!translate(t, epoll, &e))
			continue;
		if (!user_put(to + delivered * sizeof(e), &e, sizeof(e)))
			return -LINUX_EFAULT;
		delivered++;
	}
	return delivered;
}

/* Timeout and mask lie in the slot's tail; events fill its data. `host[1]` and [2] are theirs. */
static int64_t wait_events(struct thread *t, uint64_t number, const uint64_t arg[6],
			   uint64_t host[6])
{
	uint64_t room = SLOT_ROOM / sizeof(struct event);
	int64_t value;

	if ((int32_t)arg[2] <= 0 || (int32_t)arg[2] > EVENTS_LIMIT)
		return -LINUX_EINVAL;
	host[0] = (uint32_t)arg[0];
	host[1] = (uint64_t)SLOT_DATA(t);
	host[2] = (uint32_t)arg[2] < room ? (uint32_t)arg[2] : room;
	do {
		value = marshal_call(t, number, host, RESTART_NEVER);
		if (value <= 0)
			return value == HOST_NOT_STARTED ? 0 : value;
		if ((uint64_t)value > host[2])
			die(CARREL_DIE_IAGO);
		value = deliver(t, arg[0], SLOT_DATA(t), value, arg[1]);
	} while (value == 0 && !t->noted);
	return value;
}

EMULATED(call_epoll_wait)
{
	uint64_t host[6] = { [3] = (uint32_t)arg[3] };

	return wait_events(t, NR_epoll_wait, arg, host);
}

static int64_t pwait(struct thread *t, uint64_t number, const uint64_t arg[6], uint64_t host[6])
{
	uint64_t mask;
	int64_t value;

	if (!arg[4])
		return wait_events(t, number, arg, host);
	if (arg[5] != MASK_SIZE)
		return -LINUX_EINVAL;
	if (!user_get(&mask, arg[4], sizeof(mask)))
		return -LINUX_EFAULT;
	channel_put(SLOT_TAIL(t), &mask, sizeof(mask));
	host[4] = (uint64_t)SLOT_TAIL(t);
	host[5] = MASK_SIZE;
	signal_mask_temporary(t, mask);
	value = wait_events(t, number, arg, host);
	wait_unmask(t, value);
	return value;
}

EMULATED(call_epoll_pwait)
{
	uint64_t host[6] = { [3] = (uint32_t)arg[3] };

	return pwait(t, NR_epoll_pwait, arg, host);
}

EMULATED(call_epoll_pwait2)
{
	uint64_t time[2], host[6] = { 0 };

	if (arg[3]) {
		if (!user_get(time, arg[3], sizeof(time)))
			return -LINUX_EFAULT;
		channel_put(SLOT_TAIL(t) + 16, time, sizeof(time));
		host[3] = (uint64_t)SLOT_TAIL(t) + 16;
	}
	return pwait(t, NR_epoll_pwait2, arg, host);
}
