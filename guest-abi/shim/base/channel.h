/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel as the shim uses it: each thread's slot for small arguments, one
 * arena for large ones. Both are written by the host at any moment. A block of
 * it is lent by the host when it is first used; before that it is not there.
 */
#ifndef SHIM_CHANNEL_H
#define SHIM_CHANNEL_H

#include <carrel/channel.h>
#include "base/lock.h"
#include "shim.h"

/* First byte and size of the data part of a slot. */
#define SLOT_DATA(t)	((t)->slot + CARREL_SLOT_DATA)
#define SLOT_ROOM	(CARREL_SLOT_SIZE - CARREL_SLOT_DATA - SLOT_TAIL_SIZE)
/* Its last bytes, for what a call keeps beside its arguments. */
#define SLOT_TAIL_SIZE	64
#define SLOT_TAIL(t)	((t)->slot + CARREL_SLOT_SIZE - SLOT_TAIL_SIZE)

struct arena {
	uint8_t *base;
	size_t size;
};
extern struct arena arena;

/* The most that arena_take gives at once. */
#define ARENA_PIECE	(1UL << 20)

/* Taken inside; fork takes it too. */
extern struct lock arena_lock;

/*
 * Where the arena lies, from the counts given to CREATE: behind the blocks that hold slots. The
 * block of slot 0 and the arena's first are there.
 */
void channel_setup(uint32_t slots, uint32_t blocks);

/* The host has put `size` bytes at the start of the arena. */
void channel_started(size_t size);

/*
 * In the child of a fork: no block is there but the one that its thread's slot lies in, and
 * nobody holds a part of the arena.
 */
void channel_forked(const struct thread *t);

/*
 * A part of the arena for `size` bytes (not 0), or for as many as there is room for, *got, at most
 * ARENA_PIECE; the caller's alone until it is given back with the same *got. NULL if the arena is
 * full: the caller goes on with what it has in its slot.
 */
uint8_t *arena_take(struct thread *t, size_t size, size_t *got);
void arena_give(uint8_t *part, size_t got);

/* Block `block` of the channel is there. False if the host does not lend it. */
bool channel_lend(struct thread *t, uint64_t block);

/* The slot of thread `index` is there, its header not filled in. */
bool channel_lend_slot(struct thread *t, uint64_t index);

/* Private to channel. */
void channel_put(void *channel, const void *from, size_t size);

/* Channel to private: every byte is read once. The only way in. */
void channel_get(void *to, const void *channel, size_t size);

#endif
