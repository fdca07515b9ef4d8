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

int pass_leave(const u64 identity[4], const u64 bytes[4], u64 ticket[2])
{
	struct pass *oldest = &passes[0];
	u8 random[RANDOM_SIZE];

	if (random_get(random))
		return CARREL_ERANDOM;
	memcpy(ticket, random, sizeof(oldest->ticket));
	lock_take(&pass_lock);
	for (unsigned int i = 1; i < PASS_MAX; i++)
		if (passes[i].number < oldest->number)
			oldest = &passes[i];
	oldest->number = ++newest;
	memcpy(oldest->ticket, ticket, sizeof(oldest->ticket));
	memcpy(oldest->identity, identity, sizeof(oldest->identity));
	memcpy(oldest->bytes, bytes, sizeof(oldest->bytes));
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
