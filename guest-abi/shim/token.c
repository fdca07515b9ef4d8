/* SPDX-License-Identifier: BSD-2-Clause */
#include "host.h"
#include "token.h"

struct lock token_lock;

uint64_t token_draw(uint64_t place)
{
	uint64_t random;

	do
		random_bytes(&random, sizeof(random));
	while (!(random >> TOKEN_BITS));
	return random >> TOKEN_BITS << TOKEN_BITS | place;
}
