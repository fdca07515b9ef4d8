/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits for each descriptor, changed by any thread at any time: what is closed is
 * forgotten before the host closes it, what is opened is noted after, so no number is
 * noted twice by threads that race. See fds.h.
 */
#include "base/channel.h"
#include "base/host.h"
#include "files/epoll.h"
#include "files/fds.h"

#define INHERITED_MAX	1024
#define INHERITED_FIRST	64		/* as many as the smallest table of Linux has */
#define POLLNVAL	0x20
_Static_assert((INHERITED_MAX + 1) * 8 <= SLOT_ROOM, "they are asked about at once");

/* Most processes hide none, and every call asks. */
bool fds_hiding;

bool fds_valid(int64_t fd)
{
	return fd >= 0 && fd < FDS_MAX;
}

static bool test(const uint64_t *set, uint64_t fd)
{
	return fd < FDS_MAX && __atomic_load_n(&set[fd / 64], __ATOMIC_RELAXED) >> (fd & 63) & 1;
}

/* True if it was not set. */
static bool set(uint64_t *set, uint64_t fd)
{
	uint64_t bit = 1UL << (fd & 63);

	return fd < FDS_MAX && !(__atomic_fetch_or(&set[fd / 64], bit, __ATOMIC_RELAXED) & bit);
}

static void clear(uint64_t *set, uint64_t fd)
{
	__atomic_fetch_and(&set[fd / 64], ~(1UL << (fd & 63)), __ATOMIC_RELAXED);
}

bool fds_add(int64_t fd)
{
	return fds_valid(fd) && set(carrier()->open_fds, fd);
}

/*
 * poll tells of all in one call which are none (POLLNVAL), and waits for nothing. It takes no
 * more than the limit on descriptors allows.
 */
static void note_open(struct thread *t, int32_t first, int32_t n)
{
	struct {
		int32_t fd;
		int16_t events, revents;
	} p = { 0 };

	for (int32_t i = 0; i < n; i++) {
		p.fd = first + i;
		channel_put(SLOT_DATA(t) + i * sizeof(p), &p, sizeof(p));
	}
	while (n && host_call_own(t, SYS_poll, (uint64_t)SLOT_DATA(t), n, 0, 0) < 0)
		n /= 4;
	for (int32_t i = 0; i < n; i++) {
		channel_get(&p, SLOT_DATA(t) + i * sizeof(p), sizeof(p));
		if (!(p.revents & POLLNVAL))
			fds_add(first + i);
	}
}

/*
 * Is none open from this one on? select looks at none behind the end of the host's table of them
 * (select(2), "Bugs"), and fails if one before that is not open. So where it finds nothing wrong
 * with one that is not open, the table ends before that. A host that answers so and lies could as
 * well have lied to poll.
 */
static bool none_from(struct thread *t, uint64_t fd)
{
	uint8_t *set = SLOT_DATA(t), *wait;
	uint64_t word = 0, args[6] = { fd + 1, (uint64_t)set };

	if (test(carrier()->open_fds, fd))
		return false;
	for (uint64_t i = 0; i < fd / 64; i++)
		channel_put(set + i * sizeof(word), &word, sizeof(word));
	wait = set + (fd / 64 + 1) * sizeof(word);
	channel_put(wait, &(uint64_t[2]){ 0 }, 2 * sizeof(uint64_t));
	args[4] = (uint64_t)wait;
	word = 1UL << fd % 64;
	channel_put(wait - sizeof(word), &word, sizeof(word));
	return host_call_always(t, SYS_pselect6, args) == 0;
}

/* To ask about all would be a large part of a small program's start, and most have a few. */
void fds_inherit(struct thread *t)
{
	uint64_t first = 0, end = INHERITED_FIRST;

	do {
		note_open(t, first, end - first + 1);
		first = end;
		end *= 4;
	} while (first < INHERITED_MAX && !none_from(t, first));
}

void fds_remove(uint64_t fd)
{
	if (fd >= FDS_MAX)
		return;
	epoll_forget(carrier(), fd);
	clear(carrier()->open_fds, fd);
	clear(carrier()->random_fds, fd);
	clear(carrier()->hidden_fds, fd);
}

/* A program closes all that could be: few of them are, and those that were inherited are low. */
void fds_remove_range(uint64_t first, uint64_t end)
{
	for (uint64_t fd = first; fd < end && fd < FDS_MAX; fd++)
		if (fd < INHERITED_MAX || test(carrier()->open_fds, fd))
			fds_remove(fd);
}

void fds_set_random(uint64_t fd)
{
	set(carrier()->random_fds, fd);
}

bool fds_is_random(uint64_t fd)
{
	return test(carrier()->random_fds, fd);
}

void fds_hide(uint64_t fd)
{
	fds_hiding = true;
	set(carrier()->hidden_fds, fd);
}

bool fds_is_hidden(uint64_t fd)
{
	return fds_hiding && test(carrier()->hidden_fds, fd);
}

uint64_t fds_next_hidden(uint64_t fd)
{
	for (; fd < FDS_MAX; fd++) {
		if (test(carrier()->hidden_fds, fd))
			return fd;
		if (fd % 64 == 0 && !carrier()->hidden_fds[fd / 64])
			fd += 63;
	}
	return UINT64_MAX;
}
