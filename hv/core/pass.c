/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass.h"

#include <string.h>

#include <base/lock.h>
#include <carrel/hypercall.h>

#include "random.h"

#define PASS_MAX	64	/* at one time, of all processes */

struct pass {
	u64 number;		/* 0: empty; the oldest has the lowest */
	u64 ticket[2];
	u64 identity[4];	/* of who left it */
	u64 bytes[4];
};

static struct pass passes[PASS_MAX];
static u64 newest;		/* number */
static struct lock pass_lock;

static bool same(const u64 a[4], const u64 b[4])
{
	return !memcmp(a, b, sizeof(passes[0].identity));
}

/* How many `pass`'s identity would have with one more of `identity`; an empty place goes before. */
static unsigned int weight(const struct pass *pass, const u64 identity[4])
{
	unsigned int n = same(pass->identity, identity);

	for (unsigned int i = 0; i < PASS_MAX; i++)
		n += same(passes[i].identity, pass->identity);
	return pass->number ? n : PASS_MAX + 1;
}

/*
 * An empty place, or that of the oldest of the identity with most: a program that leaves them and
 * claims none has one identity across its forks and execs, and so pushes out its own.
 */
static struct pass *place_for(const u64 identity[4])
{
	struct pass *place = &passes[0];
	unsigned int most = 0;

	for (unsigned int i = 0; i < PASS_MAX; i++) {
		unsigned int n = weight(&passes[i], identity);

		if (n < most || (n == most && passes[i].number > place->number))
			continue;
		place = &passes[i];
		most = n;
	}
	return place;
}

int pass_leave(const u64 identity[4], const u64 bytes[4], u64 ticket[2])
{
	u8 random[RANDOM_SIZE];
	struct pass *place;

	if (random_get(random))
		return CARREL_ERANDOM;
	memcpy(ticket, random, sizeof(place->ticket));
	lock_take(&pass_lock);
	place = place_for(identity);
	place->number = ++newest;
	memcpy(place->ticket, ticket, sizeof(place->ticket));
	memcpy(place->identity, identity, sizeof(place->identity));
	memcpy(place->bytes, bytes, sizeof(place->bytes));
	lock_release(&pass_lock);
	return 0;
}

/* The time it takes says nothing about how much of a guess was right. */
static bool is_for(const struct pass *pass, const u64 identity[4], const u64 ticket[2])
{
	u64 wrong = (pass->ticket[0] ^ ticket[0]) | (pass->ticket[1] ^ ticket[1]);

	for (unsigned int i = 0; i < 4; i++)
		wrong |= pass->identity[i] ^ identity[i];
	return pass->number && !wrong;
}

int pass_claim(const u64 identity[4], const u64 ticket[2], u64 bytes[4])
{
	int result = CARREL_ETICKET;

	lock_take(&pass_lock);
	for (unsigned int i = 0; i < PASS_MAX && result; i++) {
		if (!is_for(&passes[i], identity, ticket))
			continue;
		memcpy(bytes, passes[i].bytes, sizeof(passes[i].bytes));
		memset(&passes[i], 0, sizeof(passes[i]));
		result = 0;
	}
	lock_release(&pass_lock);
	return result;
}

void pass_wipe(void)
{
	memset(passes, 0, sizeof(passes));
}
