/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that several spaces of a family have: fork, and copy-on-write.
 *
 * What a fork shares is write-protected in the parent; `settling` is the stamp of
 * that. A thread of the parent may write by an older translation until its CPU has
 * flushed, so nobody copies the page before, and the child does not run before.
 *
 * A copy takes the page's place at once, but read-only (FRESH): a thread of the same
 * space may still read the old frame, whose bytes are the same as long as nobody
 * writes to either. The copy's own stamp in `settling` paid, no CPU can, and the copy
 * becomes writable. The old frame becomes writable for the last space that has it
 * when the spaces that gave it up are flushed too (frame_exclusive); before, that
 * space takes a copy as well.
 */
#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include <carrel/thread.h>

#include "space_inner.h"

#define HALF_END	0x800000000000UL
#define COPY_COST	16U	/* looking at an entry costs 1, sharing a page this */

static_assert(IS_ALIGNED(CARREL_GATE_VA | CARREL_SHIM_VA, GIB) &&
	      IS_ALIGNED(CARREL_THREADS_VA | CARREL_THREAD_PAGE(CARREL_SLOTS_MAX), 2 * MIB),
	      "no table holds both what is shared and what is a space's own");

bool space_settled(const struct space *space)
{
	return flush_paid_inside(&space->view->entered, space->settling);
}

static void settle(struct space *space)
{
	view_changed(space->view);
	space->settling = space->view->changed;
}

bool space_may_write(const struct space *space, u64 pa)
{
	return frame_exclusive(space->family, pa) && space_settled(space);
}

/* Settled: make the page writable, or put a copy in its place. 0 or CARREL_ENOMEM. */
static int unshare_page(struct space *space, u64 *slot)
{
	u64 entry = table_get(slot), pa = guest_frame(entry), copy;

	if (entry & GUEST_FRESH || frame_exclusive(space->family, pa)) {
		table_set(slot, (entry & ~(GUEST_COW | GUEST_FRESH)) | GUEST_W | GUEST_D);
		return 0;
	}
	copy = space_page(space, phys(pa));
	if (!copy)
		return CARREL_ENOMEM;
	table_set(slot, (entry & ~TABLE_ADDRESS) | copy | GUEST_FRESH);
	space_drop(space, pa);
	space->settling = space->view->changed;
	return 0;
}

int space_unshare(struct space *space, u64 *slot, u64 va)
{
	u64 *first = slot - (va >> PAGE_SHIFT & (NEIGHBOURS - 1));
	int error;

	if (!space_settled(space))
		return SPACE_WAIT;
	error = unshare_page(space, slot);
	for (unsigned int i = 0; !error && i < NEIGHBOURS; i++)
		if (&first[i] != slot && guest_present(first[i]) && first[i] & GUEST_COW &&
		    unshare_page(space, &first[i]))
			break;
	if (error)
		return error;
	return table_get(slot) & GUEST_W ? 1 : SPACE_WAIT;
}

/* One page, or whatever an entry of level 1 holds. */
static int share_entry(struct space *parent, struct space *child, u64 *from, u64 *to)
{
	u64 entry = table_get(from), pa = guest_frame(entry);

	if (guest_has_frame(entry)) {
		ASSERT(!guest_is_pinned(entry));
		if (view_add(child->view, pa, GUEST_RIGHTS))
			return CARREL_ENOMEM;
		frame_share(parent->family, pa);
		if (entry & GUEST_W && !(entry & GUEST_SHARED))
			entry = guest_make_cow(entry);
		entry &= ~GUEST_FRESH;
		table_set(from, entry);
	}
	table_set(to, entry);
	return 0;
}

/* Level-1 entries from *va on to the end of their table, as far as the budget goes. */
static int share_pages(struct space *parent, struct space *child, u64 *from, u64 *va,
		       unsigned int *budget)
{
	u64 *to = NULL;
	bool shared = false;
	int error = 0;

	do {
		if (table_get(from)) {
			to = to ? to : space_slot(child, *va);
			error = to ? share_entry(parent, child, from, to) : CARREL_ENOMEM;
			if (error)
				break;
			shared |= guest_has_frame(table_get(from));
			*budget -= min_u64(COPY_COST, *budget);
		}
		from++;
		to = to ? to + 1 : NULL;
		*va += PAGE_SIZE;
		*budget -= min_u64(1, *budget);
	} while (*budget && !IS_ALIGNED(*va, table_size(2)));
	if (shared)
		settle(parent);
	if (error)
		table_prune(&child->table, *va);
	return error;
}

/* A demand entry above level 1. The child has nothing there, or (what came behind an earlier
 * step) a table. */
static int share_demand(struct space *child, u64 demand, unsigned int level, u64 *va)
{
	unsigned int at;
	u64 *entry = space_entry(child, *va, &at);

	for (; at > level; entry = space_entry(child, *va, &at)) {
		if (!table_grow(&child->table, entry, at, 0)) {
			table_prune(&child->table, *va);
			return CARREL_ENOMEM;
		}
	}
	table_set(entry, demand);
	*va = ALIGN_DOWN(*va, table_size(at)) + table_size(at);
	return 0;
}

/* Entries side by side that hold nothing: of one table, as far as the budget goes. */
static void skip_empty(const u64 *entry, unsigned int level, u64 *va, unsigned int *budget)
{
	do {
		*va = ALIGN_DOWN(*va, table_size(level)) + table_size(level);
		--*budget;
	} while (*budget && !IS_ALIGNED(*va, table_size(level + 1)) && !table_get(++entry));
}

/* Fixed pages and channel, and the threads' pages, are each space's own. */
static u64 skip_own(u64 va)
{
	if (va >= CARREL_GATE_VA && va < CARREL_SHIM_VA)
		return CARREL_SHIM_VA;
	if (va >= CARREL_THREADS_VA && va < CARREL_THREAD_PAGE(CARREL_SLOTS_MAX))
		return CARREL_THREAD_PAGE(CARREL_SLOTS_MAX);
	return va;
}

int space_fork(struct space *parent, struct space *child, u64 *va, unsigned int budget)
{
	int error = 0;

	budget *= COPY_COST;
	while (!error && budget && (*va = skip_own(*va)) < HALF_END) {
		unsigned int level;
		u64 *entry = space_entry(parent, *va, &level), value = table_get(entry);

		if (level == 1) {
			error = share_pages(parent, child, entry, va, &budget);
		} else if (value) {
			error = share_demand(child, value, level, va);
			budget--;
		} else {
			skip_empty(entry, level, va, &budget);
		}
	}
	return error ? error : *va < HALF_END ? CARREL_MORE : 0;
}

int space_copy(const struct space *parent, struct space *child, u64 va, u64 pages)
{
	for (; pages; pages--, va += PAGE_SIZE) {
		unsigned int level;
		u64 entry = table_get(space_entry(parent, va, &level)), pa = guest_frame(entry);
		u64 *to = entry ? space_slot(child, va) : NULL;

		if (!entry)
			continue;
		if (!to)
			return CARREL_ENOMEM;
		if (table_get(to))	/* an earlier call came so far */
			continue;
		if (guest_has_frame(entry))
			pa = space_page(child, phys(pa));
		if (!pa && guest_has_frame(entry)) {
			table_prune(&child->table, va);
			return CARREL_ENOMEM;
		}
		if (guest_has_frame(entry))
			entry = guest_make_page(pa, guest_rights(entry));
		table_set(to, entry);
	}
	return 0;
}
