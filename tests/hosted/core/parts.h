/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the machine have of each other, and tests do not. */
#ifndef TEST_PARTS_H
#define TEST_PARTS_H

#include "machine.h"

extern struct chunk chunks[RAM_CHUNKS];
extern const struct vt_ops fake_ops;

/* Of the control structure whose turn it is. */
struct state *current_state(struct vt_cpu *vt);

void note(enum step step, u64 what);
bool cached_by_host(u64 chunk);

static inline bool has_bit(const u64 *map, u64 bit)
{
	return __atomic_load_n(&map[bit / 64], __ATOMIC_SEQ_CST) >> bit % 64 & 1;
}

static inline void set_bit(u64 *map, u64 bit)
{
	__atomic_fetch_or(&map[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST);
}

#endif
