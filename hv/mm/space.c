/* SPDX-License-Identifier: BSD-2-Clause */
#include "space.h"

#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>

#include "space_inner.h"

#define LOWER_END	0x7FFFFFFFF000UL	/* the last page left out: no RIP lies beyond it */
#define HALF_END	0x800000000000UL
#define DEMAND_TOP	3U			/* highest level whose entries may carry demand */
#define SEARCH_COST	16U			/* budget that first_in_use is worth */

#define FAULT_PRESENT	BIT(0)	/* #PF error code, SDM "Page-Fault Exceptions" */
#define FAULT_WRITE	BIT(1)
#define FAULT_RESERVED	BIT(3)
#define FAULT_FETCH	BIT(4)

static_assert(TABLE_R == CARREL_R && TABLE_W == CARREL_W && TABLE_X == CARREL_X, "rights");

static bool rights_ok(unsigned int rights)
{
	return !(rights & ~(GUEST_RIGHTS | TABLE_SHARED)) &&
		(!(rights & GUEST_RIGHTS) || (rights & TABLE_R));
}

bool space_range_ok(u64 va, u64 pages)
{
	u64 end;

	if (!IS_ALIGNED(va, PAGE_SIZE) || va < PAGE_SIZE || va >= LOWER_END)
		return false;
	if (!pages || pages > (LOWER_END - va) >> PAGE_SHIFT)
		return false;
	end = va + (pages << PAGE_SHIFT);
	return end <= CARREL_GATE_VA || va >= CARREL_SHIM_VA;
}

/* table_entry for the one format that private tables have. */
u64 *space_entry(const struct space *space, u64 va, unsigned int *level)
{
	u64 pa = space->table.root;

	for (*level = 4;; --*level) {
		u64 *entry = (u64 *)phys(pa) + (va >> (PAGE_SHIFT + 9 * (*level - 1)) & 511);
		u64 value = table_get(entry);

		if (*level == 1 || !guest_present(value))
			return entry;
		pa = guest_frame(value);
	}
}

static u64 memory_alloc(struct table_memory *memory)
{
	struct space *space = container_of(memory, struct space, memory);
	u64 pa = frame_alloc(space->family, FRAME_TABLE, false);

	if (pa && view_add(space->view, pa, TABLE_R | TABLE_W)) {
		frame_free(space->family, pa);
		return 0;
	}
	return pa;
}

/* Out of the view first, then the debt, then limbo. */
static void memory_free(struct table_memory *memory, u64 pa)
{
	struct space *space = container_of(memory, struct space, memory);

	view_remove(space->view, pa);
	frame_limbo(space->family, pa, space->view->changed);
}

int space_init(struct space *space, struct view *view, struct family *family)
{
	space->memory = (struct table_memory){ memory_alloc, memory_free };
	space->view = view;
	space->family = family;
	if (table_init(&space->table, &guest_format, &space->memory, 1))
		return CARREL_ENOMEM;
	return 0;
}

/* Pages from `va` to the end of what an entry of `level` covers, at most `left`. */
static u64 pages_within(u64 va, unsigned int level, u64 left)
{
	return min_u64(left, (table_size(level) - (va & (table_size(level) - 1))) >> PAGE_SHIFT);
}

/* True if [va, va + left pages) covers all of the entry of `level` at `va`. */
static bool covers(u64 va, unsigned int level, u64 left)
{
	return IS_ALIGNED(va, table_size(level)) && left >= table_size(level) >> PAGE_SHIFT;
}

u64 *space_slot(struct space *space, u64 va)
{
	unsigned int level;
	u64 *entry = space_entry(space, va, &level);

	for (; level > 1; entry = space_entry(space, va, &level)) {
		if (!table_grow(&space->table, entry, level, table_get(entry))) {
			table_prune(&space->table, va);
			return NULL;
		}
	}
	return entry;
}

static void copy_page(void *to, const void *from)
{
	u64 words = PAGE_SIZE / 8;

	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

u64 space_page(struct space *space, const void *content)
{
	u64 pa = frame_alloc(space->family, FRAME_PAGE, content);

	if (!pa)
		return 0;
	if (content)
		copy_page(phys(pa), content);
	if (view_add(space->view, pa, GUEST_RIGHTS)) {
		frame_free(space->family, pa);
		return 0;
	}
	frame_record(space->family, pa)->count = 1;
	return pa;
}

/* A new page behind `slot`, which leads nowhere yet. */
static int fill(struct space *space, u64 *slot, unsigned int rights, const void *content)
{
	u64 pa = space_page(space, content);

	if (!pa)
		return CARREL_ENOMEM;
	table_set(slot, guest_make_page(pa, rights | TABLE_USER));
	return 0;
}

int space_add(struct space *space, u64 va, unsigned int rights, const void *content)
{
	unsigned int level;
	u64 *slot;

	if (!space_range_ok(va, 1) || !rights_ok(rights) || rights & TABLE_SHARED)
		return CARREL_EARG;
	if (table_get(space_entry(space, va, &level)))
		return CARREL_EARG;
	slot = space_slot(space, va);
	if (!slot)
		return CARREL_ENOMEM;
	if (fill(space, slot, rights, content)) {
		table_prune(&space->table, va);
		return CARREL_ENOMEM;
	}
	return 0;
}

static bool any_set(const u64 *entries, u64 count)
{
	for (u64 i = 0; i < count; i++)
		if (table_get(&entries[i]))
			return true;
	return false;
}

/* True if something lies in the range. An entry wholly inside that leads to a table says so by
 * itself, so only the range's edges are descended into. */
static bool in_use(const struct space *space, u64 va, u64 pages)
{
	while (pages) {
		u64 *entries = phys(space->table.root), *entry, step;
		unsigned int level = 4;

		for (;; level--) {
			entry = &entries[va >> (PAGE_SHIFT + 9 * (level - 1)) & 511];
			if (level == 1 || covers(va, level, pages) ||
			    !guest_present(table_get(entry)))
				break;
			entries = phys(guest_frame(table_get(entry)));
		}
		/* pages side by side at once */
		step = pages_within(va, level > 1 ? level : 2, pages);
		if (any_set(entry, level > 1 ? 1 : step))
			return true;
		va += step << PAGE_SHIFT;
		pages -= step;
	}
	return false;
}

/* Let the frames into the view, and make the tables for them. All or nothing. */
static int prepare(struct space *space, u64 va, u64 pa, u64 size, unsigned int rights)
{
	u64 at;

	for (at = 0; at < size; at += PAGE_SIZE)
		if (!space_slot(space, va + at) || view_add(space->view, pa + at, rights))
			break;
	if (at == size)
		return 0;
	table_prune(&space->table, va + at);
	while (at) {
		at -= PAGE_SIZE;
		view_remove(space->view, pa + at);
		table_prune(&space->table, va + at);
	}
	return CARREL_ENOMEM;
}

int space_fix(struct space *space, u64 va, u64 pa, u64 size, unsigned int rights, bool user)
{
	ASSERT(IS_ALIGNED(va | pa | size, PAGE_SIZE) && size);
	ASSERT(va >= CARREL_GATE_VA && va < CARREL_SHIM_VA && size <= CARREL_SHIM_VA - va);
	ASSERT(rights_ok(rights) && rights && !((rights & TABLE_W) && (rights & TABLE_X)));
	if (in_use(space, va, size >> PAGE_SHIFT))
		return CARREL_EARG;
	/* nothing leads there before all of it can: a thread that is inside may touch it at once,
	 * and what it has cached could not be taken back without a debt */
	if (prepare(space, va, pa, size, rights))
		return CARREL_ENOMEM;
	for (u64 at = 0; at < size; at += PAGE_SIZE)
		table_set(space_slot(space, va + at),
			  guest_make_page(pa + at, rights | (user ? TABLE_USER : 0)));
	return 0;
}

/* What a step of a range operation did: pages, or an error; entries it cost. */
struct step {
	s64 pages;
	unsigned int cost;
};

/* Eager pages from `va` to the end of its 2 MiB. */
static struct step map_pages(struct space *space, u64 va, u64 left, unsigned int rights,
			     unsigned int budget)
{
	u64 *slot = space_slot(space, va);
	u64 count = min_u64(pages_within(va, 2, left), budget), i;

	if (!slot)
		return (struct step){ CARREL_ENOMEM, 0 };
	for (i = 0; i < count; i++)
		if (fill(space, &slot[i], rights, NULL))
			break;
	if (!i) {
		table_prune(&space->table, va);
		return (struct step){ CARREL_ENOMEM, 0 };
	}
	return (struct step){ i, i };
}

/* The highest entry at `va` that lies wholly in the range; what it stood for before is broken up
 * into a table that stands for the same. NULL: no frame. */
static u64 *cut(struct space *space, u64 va, u64 left, unsigned int *level)
{
	u64 *entry = space_entry(space, va, level);

	for (; *level > DEMAND_TOP || !covers(va, *level, left);
	     entry = space_entry(space, va, level)) {
		if (!table_grow(&space->table, entry, *level, table_get(entry))) {
			table_prune(&space->table, va);
			return NULL;
		}
	}
	return entry;
}

/* One demand entry at the highest level that the range covers, or pages to the end of their 2 MiB. */
static struct step map_demand(struct space *space, u64 va, u64 left, unsigned int rights,
			      unsigned int budget)
{
	unsigned int level;
	u64 *entry = cut(space, va, left, &level), count = 1;

	if (!entry)
		return (struct step){ CARREL_ENOMEM, 0 };
	if (level == 1)
		count = min_u64(pages_within(va, 2, left), budget);
	for (u64 i = 0; i < count; i++)
		table_set(&entry[i], guest_make_demand(rights));
	return (struct step){ (s64)(count * (table_size(level) >> PAGE_SHIFT)), (unsigned int)count };
}

typedef struct step (*stepper)(struct space *space, u64 va, u64 left, unsigned int rights,
			       unsigned int budget);

/* Steps until the range or the budget is used up, or one fails. A lack of frames leaves what was
 * done; EARG is said even then: a hole was found before anything changed, or a pinned page. */
static s64 run(struct space *space, stepper stepper, u64 va, u64 pages, unsigned int rights,
	       unsigned int budget)
{
	u64 done = 0;

	ASSERT(budget);
	while (done < pages && budget) {
		struct step step = stepper(space, va + (done << PAGE_SHIFT), pages - done, rights,
					   budget);

		if (step.pages < 0)
			return done && step.pages == CARREL_ENOMEM ? (s64)done : step.pages;
		done += step.pages;
		budget -= min_u64(step.cost, budget);
	}
	return done;
}

s64 space_map(struct space *space, u64 va, u64 pages, unsigned int rights, bool demand,
	      unsigned int budget)
{
	if (!space_range_ok(va, pages) || !rights_ok(rights) || in_use(space, va, pages))
		return CARREL_EARG;
	/* what nothing may touch needs no frames */
	if (!(rights & GUEST_RIGHTS))
		demand = true;
	return run(space, demand ? map_demand : map_pages, va, pages, rights, budget);
}

/* A frame of the family goes to limbo if it is in no other space, with a stamp drawn after both
 * its entries are cleared; others were fixed and are only let out of the view. */
void space_drop(struct space *space, u64 pa)
{
	view_remove(space->view, pa);
	if (frame_record(space->family, pa) &&
	    frame_drop(space->family, pa, space->view->changed, &space->view->entered))
		frame_limbo(space->family, pa, space->view->changed);
}

/* Let go of what a level-1 entry holds. */
static void release(struct space *space, u64 *entry)
{
	u64 old = table_get(entry);

	table_set(entry, 0);
	if (guest_has_frame(old))
		space_drop(space, guest_frame(old));
}

/* Let go of `count` level-1 entries, or up to the first pinned one; how many were done. */
static u64 release_some(struct space *space, u64 *entry, u64 count, bool pinned_too)
{
	u64 i;

	for (i = 0; i < count; i++) {
		u64 value = table_get(&entry[i]);

		if (guest_is_pinned(value) && !pinned_too)
			break;
		if (value)
			release(space, &entry[i]);
	}
	return i;
}

/* Unmap what one table or entry covers. */
static struct step unmap(struct space *space, u64 va, u64 left, bool pinned_too,
			 unsigned int budget)
{
	unsigned int level;
	u64 *entry = space_entry(space, va, &level);
	u64 count;

	if (level > 1 && !table_get(entry))
		return (struct step){ pages_within(va, level, left), 1 };
	entry = cut(space, va, left, &level);
	if (!entry)
		return (struct step){ CARREL_ENOMEM, 0 };
	if (level > 1) {
		table_set(entry, 0);
		table_prune(&space->table, va);
		return (struct step){ table_size(level) >> PAGE_SHIFT, 1 };
	}
	count = release_some(space, entry, min_u64(pages_within(va, 2, left), budget), pinned_too);
	table_prune(&space->table, va);
	return (struct step){ count ? (s64)count : CARREL_EARG, count };
}

static struct step unmap_step(struct space *space, u64 va, u64 left, unsigned int rights,
			      unsigned int budget)
{
	(void)rights;
	return unmap(space, va, left, false, budget);
}

s64 space_unmap(struct space *space, u64 va, u64 pages, unsigned int budget)
{
	if (!space_range_ok(va, pages))
		return CARREL_EARG;
	return run(space, unmap_step, va, pages, 0, budget);
}

/* Look for holes and pinned pages in what protect_step would change with this budget. */
static struct step check_step(struct space *space, u64 va, u64 left, unsigned int rights,
			      unsigned int budget)
{
	unsigned int level;
	const u64 *entry = space_entry(space, va, &level);
	u64 count;

	(void)rights;
	if (level > 1)
		return (struct step){ table_get(entry) ? (s64)pages_within(va, level, left) :
				      CARREL_EARG, 1 };
	count = min_u64(pages_within(va, 2, left), budget);
	for (u64 i = 0; i < count; i++)
		if (!table_get(&entry[i]) || guest_is_pinned(table_get(&entry[i])))
			return (struct step){ CARREL_EARG, 0 };
	return (struct step){ count, count };
}

/* The same demand with other rights. */
static u64 other_demand(u64 old, unsigned int rights)
{
	return guest_make_demand(rights | (guest_rights(old) & TABLE_SHARED));
}

/* Give a level-1 entry other rights; true if a CPU may have cached more than it gives now. By its
 * logical rights, since what was write-protected for a fork may still be cached as it was. */
static bool protect_entry(struct space *space, u64 *entry, unsigned int rights)
{
	u64 old = table_get(entry), new;

	if (!guest_has_frame(old)) {
		table_set(entry, other_demand(old, rights));
		return false;
	}
	new = guest_make_page(guest_frame(old),
			      rights | TABLE_USER | (guest_rights(old) & TABLE_SHARED));
	if (new & GUEST_W && !(old & (GUEST_W | GUEST_SHARED)) &&
	    !space_may_write(space, guest_frame(old)))
		new = guest_make_cow(new) | (old & GUEST_FRESH);
	table_set(entry, new);
	return guest_rights(old) & GUEST_RIGHTS & ~rights;
}

static struct step protect_step(struct space *space, u64 va, u64 left, unsigned int rights,
				unsigned int budget)
{
	unsigned int level;
	u64 *entry = space_entry(space, va, &level);
	bool less = false;
	u64 count;

	if (level > 1 && table_get(entry) == other_demand(table_get(entry), rights))
		return (struct step){ pages_within(va, level, left), 1 };
	entry = cut(space, va, left, &level);
	if (!entry)
		return (struct step){ CARREL_ENOMEM, 0 };
	if (level > 1) {
		table_set(entry, other_demand(table_get(entry), rights));
		return (struct step){ table_size(level) >> PAGE_SHIFT, 1 };
	}
	count = min_u64(pages_within(va, 2, left), budget);
	for (u64 i = 0; i < count; i++)
		less |= protect_entry(space, &entry[i], rights);
	if (less)
		view_changed(space->view);
	return (struct step){ count, count };
}

s64 space_protect(struct space *space, u64 va, u64 pages, unsigned int rights,
		  unsigned int budget)
{
	s64 reach;

	if (!space_range_ok(va, pages) || !rights_ok(rights) || rights & TABLE_SHARED)
		return CARREL_EARG;
	reach = run(space, check_step, va, pages, 0, budget);
	if (reach < 0)
		return reach;
	return run(space, protect_step, va, reach, rights, budget);
}

static bool allows(u64 entry, u64 error_code)
{
	unsigned int rights = guest_rights(entry);

	if (error_code & FAULT_WRITE)
		return rights & TABLE_W;
	if (error_code & FAULT_FETCH)
		return rights & TABLE_X;
	return rights & TABLE_R;
}

/* Fill the page at `va`, then those of its 64 KiB that carry the same demand. */
static int fill_around(struct space *space, u64 va, u64 demand)
{
	unsigned int rights = guest_rights(demand), index = va >> PAGE_SHIFT & (NEIGHBOURS - 1);
	u64 *slot = space_slot(space, va);
	u64 *first;

	if (!slot || fill(space, slot, rights, NULL))
		return CARREL_ENOMEM;
	first = slot - index;
	for (unsigned int i = 0; i < NEIGHBOURS; i++)
		if (table_get(&first[i]) == demand && fill(space, &first[i], rights, NULL))
			break;
	return 1;
}

int space_fault(struct space *space, u64 va, u64 error_code)
{
	unsigned int level;
	u64 *slot, entry;

	if (va >= HALF_END || (error_code & FAULT_RESERVED))
		return 0;
	slot = space_entry(space, va, &level);
	entry = table_get(slot);
	if (!allows(entry, error_code))
		return 0;
	if (guest_is_demand(entry))
		return fill_around(space, va, entry);
	if (error_code & FAULT_WRITE && entry & GUEST_COW)
		return space_unshare(space, slot, va);
	/* present with enough rights: the CPU had less cached, and the fault dropped that */
	return guest_rights(entry) & TABLE_USER ? 1 : 0;
}

u64 space_find(const struct space *space, u64 va)
{
	unsigned int level;
	u64 entry;

	if (va >= HALF_END)
		return 0;
	entry = table_get(space_entry(space, va, &level));
	return level == 1 && guest_present(entry) ? guest_frame(entry) | (va & (PAGE_SIZE - 1)) : 0;
}

u64 space_pin(struct space *space, u64 va)
{
	unsigned int level;
	u64 *entry = space_entry(space, va, &level);

	if (!space_find(space, va))
		return 0;
	table_set(entry, table_get(entry) | GUEST_PINNED);
	return space_find(space, va);
}

/* Where the first entry in use begins; HALF_END if there is none. No table is empty, so nothing
 * is descended into in vain. */
static u64 first_in_use(const struct space *space)
{
	const u64 *entries = phys(space->table.root);
	u64 va = 0;

	for (unsigned int level = 4;; level--) {
		unsigned int i = 0;

		while (i < 512 && !table_get(&entries[i]))
			i++;
		ASSERT(i < 512 || level == 4);
		va += i * table_size(level);
		if (va >= HALF_END || level == 1 || !guest_present(table_get(&entries[i])))
			return va;
		entries = phys(guest_frame(table_get(&entries[i])));
	}
}

bool space_destroy(struct space *space, unsigned int *budget)
{
	if (!space->table.root)
		return true;
	while (*budget) {
		u64 va = first_in_use(space);
		struct step step;

		if (va >= HALF_END)
			return table_destroy(&space->table, budget);
		step = unmap(space, va, (HALF_END - va) >> PAGE_SHIFT, true, *budget);
		*budget -= min_u64(step.cost + SEARCH_COST, *budget);
	}
	return false;
}
