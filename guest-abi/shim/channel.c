/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots, the arena, and the two copies in and out. */
#include "channel.h"

struct arena arena;

void channel_setup(uint32_t slots, uint32_t blocks)
{
	uint64_t slot_bytes = slots * CARREL_SLOT_STRIDE;
	uint64_t first = (slot_bytes + CARREL_BLOCK_SIZE - 1) & ~(CARREL_BLOCK_SIZE - 1);

	arena.base = (uint8_t *)CARREL_CHANNEL_VA + first;
	arena.size = blocks * CARREL_BLOCK_SIZE - first;
}

/*
 * String instructions in assembly, so that the compiler can neither read a
 * byte twice nor look at it between the reads.
 */
static void copy(void *to, const void *from, size_t size)
{
	size_t words = size / 8, bytes = size % 8;

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

void channel_put(void *channel, const void *from, size_t size)
{
	copy(channel, from, size);
}

void channel_get(void *to, const void *channel, size_t size)
{
	copy(to, channel, size);
}
