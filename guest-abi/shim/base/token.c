/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/token.h"

#define COUNT_BITS	26

struct lock token_lock;

/*
 * Unique is enough, since a token that comes back is looked up. The thread's number, which
 * no other process has, keeps parent and child of a fork apart, who count on from the same.
 */
uint64_t token_draw(uint64_t place)
{
	static uint64_t count;
	uint64_t unique = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);

	unique ^= (uint64_t)self()->tid << COUNT_BITS;
	return unique << TOKEN_BITS | place;
}
