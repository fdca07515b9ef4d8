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

/* How many of the bits from `i` on are as that one, or the rest of its word; no more than `most`. */
static uint64_t alike(const uint64_t *set, uint64_t i, uint64_t most)
{
	uint64_t word = __atomic_load_n(&set[i / 64], __ATOMIC_ACQUIRE) >> (i % 64), n;

	if (word & 1)
		word = ~word;
	n = word ? (uint64_t)__builtin_ctzl(word) : 64;
	n = n < 64 - i % 64 ? n : 64 - i % 64;
	return n < most ? n : most;
}

/* The first `want` free blocks in a row, or the longest row; its length in *length. */
static uint64_t find_row(uint64_t want, uint64_t *length)
{
	uint64_t best = first_block, row = 0, n;

	*length = 0;
	for (uint64_t i = first_block; i < end_block && *length < want; i += n) {
		n = alike(busy, i, end_block - i);
		row = test_bit(busy, i) ? 0 : row + n;
		if (row > *length) {
			*length = row < want ? row : want;
			best = i + n - row;
		}
	}
	return best;
}

/* Bits of one word from `i` on, at most `count`; *count becomes how many. */
static uint64_t bits_from(uint64_t i, uint64_t *count)
{
	uint64_t here = 64 - i % 64;

	*count = *count < here ? *count : here;
	return (*count < 64 ? (1UL << *count) - 1 : UINT64_MAX) << (i % 64);
}

static void set_row(uint64_t *set, uint64_t i, uint64_t count)
{
	for (uint64_t n; count > 0; i += n, count -= n) {
		n = count;
		__atomic_fetch_or(&set[i / 64], bits_from(i, &n), __ATOMIC_RELEASE);
	}
}

static void clear_row(uint64_t *set, uint64_t i, uint64_t count)
{
	for (uint64_t n; count > 0; i += n, count -= n) {
		n = count;
		__atomic_fetch_and(&set[i / 64], ~bits_from(i, &n), __ATOMIC_RELEASE);
	}
}

/* How many blocks of these the host has lent, in a row from the first on. */
static uint64_t lend_row(struct thread *t, uint64_t first, uint64_t count)
{
	uint64_t there = 0;

	while (there < count && channel_lend(t, first + there))
		there += alike(lent, first + there, count - there);
	return there;
}

uint8_t *arena_take(struct thread *t, size_t size, size_t *got)
{
	uint64_t want = size < ARENA_PIECE ? (size + CARREL_BLOCK_SIZE - 1) / CARREL_BLOCK_SIZE
					   : PIECE_BLOCKS;
	uint64_t first, length, there;

	lock_take(&arena_lock);
	first = find_row(want, &length);
	set_row(busy, first, length);
	lock_release(&arena_lock);
	/* They are this thread's by now, so the host may take its time. */
	there = lend_row(t, first, length);
	clear_row(busy, first + there, length - there);
	if (!there)
		return NULL;
	*got = there * CARREL_BLOCK_SIZE;
	return (uint8_t *)CARREL_CHANNEL_VA + first * CARREL_BLOCK_SIZE;
}

void arena_give(uint8_t *part, size_t got)
{
	clear_row(busy, block_of(part), got / CARREL_BLOCK_SIZE);
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
