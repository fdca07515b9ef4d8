/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mremap. Contents that move are copied piece by piece, the old pages given up on
 * the way, so that a large heap that grows does not need its memory twice.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "emulate.h"
#include "base/host.h"
#include "memory/memory.h"

#define MREMAP_MAYMOVE		1
#define MREMAP_FIXED		2
#define MREMAP_DONTUNMAP	4
#define PIECE			(2UL << 20)
#define CHANGES			6		/* of the map, at most, in one move */

struct move {
	uint64_t from, old, to, new;
	uint64_t flags;
	struct vm_range range;		/* what `from` lies in */
};

/* Carry the contents of what both have, and end with the right rights at `to`. */
static int64_t carry(struct thread *t, const struct move *m)
{
	uint8_t rights = m->range.rights;
	uint64_t both = m->old < m->new ? m->old : m->new;

	for (uint64_t at = 0, n; at < both; at += n) {
		n = both - at < PIECE ? both - at : PIECE;
		memcpy((void *)(m->to + at), (const void *)(m->from + at), n);
		memory_hypercall(t, CARREL_HC_UNMAP, m->from + at, n, 0);
	}
	return memory_protect(t, m->to, m->new, rights);
}

/* To a place that is free. The old one is free, or holds zeros, afterwards. */
static int64_t move(struct thread *t, const struct move *m)
{
	struct vm_range to = m->range;
	int64_t error;

	/* A memory shared with children, or with a file, would be another one. */
	if (m->range.kind & VM_SHARED)
		return -LINUX_ENOMEM;
	to.start = m->to;
	to.end = m->to + m->new;
	to.rights = m->range.backed ? CARREL_R | CARREL_W : 0;
	error = memory_map_as(t, &to, false);
	if (error)
		return error;
	/* Some rights are needed for the copy. */
	if (m->range.backed && !m->range.rights)
		error = memory_protect(t, m->from, m->old, CARREL_R);
	if (error) {
		memory_unmap(t, m->to, m->new);
		return error;
	}
	if (m->range.backed && carry(t, m))
		die(CARREL_DIE_SHIM);		/* half of it has gone: no way back */
	error = memory_unmap(t, m->from, m->old);
	if (error == 0 && m->flags & MREMAP_DONTUNMAP) {
		to = m->range;
		to.start = m->from;
		to.end = m->from + m->old;
		error = memory_map_as(t, &to, false);
	}
	return error ? error : (int64_t)m->to;
}

static int64_t grow_in_place(struct thread *t, const struct move *m)
{
	struct vm_range more = m->range;
	int64_t error;

	/* The file would have to show there, from a descriptor that may be closed. */
	if (m->range.object)
		return -LINUX_ENOMEM;
	more.start = m->from + m->old;
	more.end = m->from + m->new;
	error = memory_map_as(t, &more, false);
	return error ? error : (int64_t)m->from;
}

static int64_t move_to_fixed(struct thread *t, struct move *m)
{
	int64_t error;

	if (m->to & PAGE_MASK || !vm_range_ok(m->to, m->new))
		return -LINUX_EINVAL;
	if (m->to < m->from + m->old && m->from < m->to + m->new)
		return -LINUX_EINVAL;
	error = memory_unmap(t, m->to, m->new);
	return error ? error : move(t, m);
}

static int64_t remap(struct thread *t, struct move *m)
{
	/* One range throughout, as in Linux. */
	if (!vm_find(m->from, &m->range) || m->range.start > m->from ||
	    m->range.end < m->from + m->old)
		return -LINUX_EFAULT;
	if (m->new > m->old &&
	    (memory_too_much(m->new - m->old) ||
	     memory_over_limit(m->new - m->old, memory_is_data(m->range.rights, m->range.kind))))
		return -LINUX_ENOMEM;
	if (!vm_room_for(CHANGES))
		return -LINUX_ENOMEM;
	if (m->flags & MREMAP_DONTUNMAP && m->range.kind & (VM_SHARED | VM_FILE))
		return -LINUX_EINVAL;
	if (m->flags & MREMAP_FIXED)
		return move_to_fixed(t, m);
	if (!(m->flags & MREMAP_DONTUNMAP)) {
		if (m->new == m->old)
			return m->from;
		if (m->new < m->old)
			return memory_unmap(t, m->from + m->new, m->old - m->new) ?:
			       (int64_t)m->from;
		if (vm_range_ok(m->from, m->new) &&
		    vm_free(m->from + m->old, m->from + m->new))
			return grow_in_place(t, m);
	}
	m->to = m->flags & MREMAP_MAYMOVE ? memory_place(m->new, PAGE_SIZE) : 0;
	return m->to ? move(t, m) : -LINUX_ENOMEM;
}

EMULATED(call_mremap)
{
	struct move m = {
		.from = arg[0], .old = page_up(arg[1]), .new = page_up(arg[2]), .flags = arg[3],
		.to = arg[4],
	};
	int64_t result;

	if (m.flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    m.from & PAGE_MASK || !m.new || !m.old)
		return -LINUX_EINVAL;
	if (m.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(m.flags & MREMAP_MAYMOVE))
		return -LINUX_EINVAL;
	if (m.flags & MREMAP_DONTUNMAP && m.new != m.old)
		return -LINUX_EINVAL;
	if (!vm_range_ok(m.from, m.old))
		return -LINUX_EFAULT;
	if (m.new > VM_HIGH)
		return -LINUX_ENOMEM;
	lock_take(&memory_lock);
	result = remap(t, &m);
	lock_release(&memory_lock);
	return result;
}
