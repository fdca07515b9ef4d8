/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel as the shim uses it: each thread's slot for small arguments, one
 * arena for large ones. Both are written by the host at any moment.
 */
#ifndef SHIM_CHANNEL_H
#define SHIM_CHANNEL_H

#include <carrel/channel.h>
#include "shim.h"

/* First byte and size of the data part of a slot. */
#define SLOT_DATA(t)	((t)->slot + CARREL_SLOT_DATA)
#define SLOT_ROOM	(CARREL_SLOT_SIZE - CARREL_SLOT_DATA)

struct arena {
	uint8_t *base;
	size_t size;
};
extern struct arena arena;

/* Where the arena lies, from the counts given to CREATE: behind the blocks that hold slots. */
void channel_setup(uint32_t slots, uint32_t blocks);

/* Private to channel. */
void channel_put(void *channel, const void *from, size_t size);

/* Channel to private: every byte is read once. The only way in. */
void channel_get(void *to, const void *channel, size_t size);

#endif
