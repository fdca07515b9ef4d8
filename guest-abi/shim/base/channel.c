/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots, the arena, and the two copies in and out. The arena is handed out in
 * blocks, which are also what the host lends: a word of `busy` and `lent` each 64.
 */
#include <string.h>

#include "base/channel.h"
#include "base/host.h"

#define WORDS		(CARREL_BLOCKS_MAX / 64)
#define PIECE_BLOCKS	(ARENA_PIECE / CARREL_BLOCK_SIZE)

struct arena arena;
struct lock arena_lock;

static uint64_t busy[WORDS], lent[WORDS];
static uint64_t first_block, end_block;		/* of the arena */

static bool test_bit(const uint64_t *set, uint64_t i)
{
	return __atomic_load_n(&set[i / 64], __ATOMIC_ACQUIRE) >> (i % 64) & 1;
}

static void set_bit(uint64_t *set, uint64_t i)
{
	__atomic_fetch_or(&set[i / 64], 1UL << (i % 64), __ATOMIC_RELEASE);
}

static void clear_bit(uint64_t *set, uint64_t i)
{
	__atomic_fetch_and(&set[i / 64], ~(1UL << (i % 64)), __ATOMIC_RELEASE);
}

static uint64_t block_of(const void *address)
{
	return ((uint64_t)address - CARREL_CHANNEL_VA) / CARREL_BLOCK_SIZE;
}

void channel_setup(uint32_t slots, uint32_t blocks)
{
	uint64_t slot_bytes = slots * CARREL_SLOT_STRIDE;
	uint64_t first = (slot_bytes + CARREL_BLOCK_SIZE - 1) & ~(CARREL_BLOCK_SIZE - 1);

	arena.base = (uint8_t *)CARREL_CHANNEL_VA + first;
	arena.size = blocks * CARREL_BLOCK_SIZE - first;
	first_block = first / CARREL_BLOCK_SIZE;
	end_block = blocks;
	memset(busy, 0, sizeof(busy));
	memset(lent, 0, sizeof(lent));
	set_bit(lent, 0);
	set_bit(lent, first_block);
}

void channel_started(size_t size)
{
	for (uint64_t i = 0; i * CARREL_BLOCK_SIZE < size; i++)
		set_bit(lent, first_block + i);
}

void channel_forked(const struct thread *t)
{
	memset(busy, 0, sizeof(busy));
	memset(lent, 0, sizeof(lent));
	set_bit(lent, block_of(t->slot));
}

/* An answer that is a lie: the first access is a fault of the shim, and its end. */
bool channel_lend(struct thread *t, uint64_t block)
{
	if (test_bit(lent, block))
		return true;
	if (!ask_module(t, CARREL_REQ_LEND, block))
		return false;
	set_bit(lent, block);
	return true;
}

bool channel_lend_slot(struct thread *t, uint64_t index)
{
	return channel_lend(t, index * CARREL_SLOT_STRIDE / CARREL_BLOCK_SIZE);
}

/* The first `want` free blocks in a row, or the longest row; its length in *length. */
static uint64_t find_row(uint64_t want, uint64_t *length)
{
	uint64_t best = first_block, row = 0;

	*length = 0;
	for (uint64_t i = first_block; i < end_block && *length < want; i++) {
		row = test_bit(busy, i) ? 0 : row + 1;
		if (row > *length) {
			*length = row;
			best = i + 1 - row;
		}
	}
	return best;
}

uint8_t *arena_take(struct thread *t, size_t size, size_t *got)
{
	uint64_t want = size < ARENA_PIECE ? (size + CARREL_BLOCK_SIZE - 1) / CARREL_BLOCK_SIZE
					   : PIECE_BLOCKS;
	uint64_t first, length, there = 0;

	lock_take(&arena_lock);
	first = find_row(want, &length);
	for (uint64_t i = 0; i < length; i++)
		set_bit(busy, first + i);
	lock_release(&arena_lock);
	/* They are this thread's by now, so the host may take its time. */
	while (there < length && channel_lend(t, first + there))
		there++;
	for (uint64_t i = there; i < length; i++)
		clear_bit(busy, first + i);
	if (!there)
		return NULL;
	*got = there * CARREL_BLOCK_SIZE;
	return (uint8_t *)CARREL_CHANNEL_VA + first * CARREL_BLOCK_SIZE;
}

void arena_give(uint8_t *part, size_t got)
{
	for (size_t at = 0; at < got; at += CARREL_BLOCK_SIZE)
		clear_bit(busy, block_of(part + at));
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
