/* SPDX-License-Identifier: BSD-2-Clause */
#include "table.h"

#include <base/log.h>
#include <base/phys.h>

#define ENTRIES		512U
#define ROOT_LEVEL	4U

static unsigned int index_of(u64 va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1);
}

static bool is_branch(const struct table_format *format, u64 entry, unsigned int level)
{
	return level > 1 && format->present(entry) && !(entry & TABLE_LEAF);
}

static u64 *entries_of(u64 branch)
{
	return phys(branch & TABLE_ADDRESS);
}

/* The page of a leaf. */
static u64 page_of(u64 leaf, unsigned int level)
{
	return ALIGN_DOWN(leaf & TABLE_ADDRESS, table_size(level));
}

int table_init(struct table *table, const struct table_format *format,
	       struct table_memory *memory, unsigned int largest_leaf)
{
	ASSERT(largest_leaf >= 1 && largest_leaf < ROOT_LEVEL);
	table->format = format;
	table->memory = memory;
	table->largest_leaf = largest_leaf;
	table->root = memory->alloc(memory);
	return table->root ? 0 : -1;
}

/* To the entry that decides about `va`; *value is what it held, read once as the CPU does. */
static u64 *descend(const struct table *table, u64 va, unsigned int *level, u64 *value)
{
	u64 *entries = phys(table->root);

	for (*level = ROOT_LEVEL;; --*level) {
		u64 *entry = &entries[index_of(va, *level)];

		*value = table_get(entry);
		if (!is_branch(table->format, *value, *level))
			return entry;
		entries = entries_of(*value);
	}
}

u64 *table_entry(const struct table *table, u64 va, unsigned int *level)
{
	u64 value;

	return descend(table, va, level, &value);
}

struct table_walk table_walk(const struct table *table, u64 va)
{
	struct table_walk walk = { 0 };

	descend(table, va, &walk.level, &walk.entry);
	walk.present = table->format->present(walk.entry);
	if (walk.present) {
		walk.pa = page_of(walk.entry, walk.level) + (va & (table_size(walk.level) - 1));
		walk.rights = table->format->rights(walk.entry);
	}
	return walk;
}

u64 *table_grow(struct table *table, u64 *entry, unsigned int level, u64 fill)
{
	u64 pa, *entries;

	ASSERT(level > 1 && !table->format->present(table_get(entry)));
	pa = table->memory->alloc(table->memory);
	if (!pa)
		return NULL;
	entries = phys(pa);
	if (fill)
		for (unsigned int i = 0; i < ENTRIES; i++)
			entries[i] = fill;
	table_set(entry, table->format->make_branch(pa, level));
	return entries;
}

u64 *table_slot(struct table *table, u64 va)
{
	unsigned int level;
	u64 *entry = table_entry(table, va, &level);

	while (level > 1) {
		u64 *entries = table_get(entry) ? NULL : table_grow(table, entry, level, 0);

		if (!entries)
			return NULL;
		entry = &entries[index_of(va, --level)];
	}
	return entry;
}

/* Replace a leaf by a table of leaves one level down that translate alike: no CPU owes. */
static int split(struct table *table, u64 *entry, unsigned int level)
{
	const struct table_format *format = table->format;
	u64 pa = table->memory->alloc(table->memory);
	u64 old = table_get(entry);
	u64 *entries;

	if (!pa)
		return -1;
	entries = phys(pa);
	for (unsigned int i = 0; i < ENTRIES; i++)
		entries[i] = format->make_leaf(page_of(old, level) + i * table_size(level - 1),
					       level - 1, format->rights(old), format->type(old));
	table_set(entry, format->make_branch(pa, level));
	return 0;
}

/* Split until no leaf has `va` strictly inside. */
static int split_at(struct table *table, u64 va)
{
	for (;;) {
		unsigned int level;
		u64 *entry = table_entry(table, va, &level);

		if (level == 1 || IS_ALIGNED(va, table_size(level)) ||
		    !table->format->present(table_get(entry)))
			return 0;
		if (split(table, entry, level))
			return -1;
	}
}

static void check_range(u64 va, u64 size)
{
	ASSERT(IS_ALIGNED(va, PAGE_SIZE) && IS_ALIGNED(size, PAGE_SIZE));
	ASSERT(size && va + (size - 1) >= va);
}

/* Bytes from `va` that the entry of `level` covers, at most `left`. */
static u64 step_of(u64 va, unsigned int level, u64 left)
{
	return min_u64(left, table_size(level) - (va & (table_size(level) - 1)));
}

/*
 * Set the rights of every leaf in the range, or clear it (rights 0); the edges
 * were split, so every leaf met lies wholly inside.
 */
static void change_leaves(struct table *table, u64 va, u64 size, unsigned int rights)
{
	const struct table_format *format = table->format;

	while (size) {
		unsigned int level;
		u64 *entry = table_entry(table, va, &level);
		u64 step = step_of(va, level, size);
		u64 old = table_get(entry);

		if (format->present(old))
			table_set(entry, rights ? format->make_leaf(page_of(old, level), level, rights,
								    format->type(old)) : 0);
		va += step;
		size -= step;
	}
}

static int change(struct table *table, u64 va, u64 size, unsigned int rights)
{
	check_range(va, size);
	if (split_at(table, va) || (va + size && split_at(table, va + size)))
		return -1;
	change_leaves(table, va, size, rights);
	return 0;
}

int table_unmap(struct table *table, u64 va, u64 size)
{
	return change(table, va, size, 0);
}

int table_protect(struct table *table, u64 va, u64 size, unsigned int rights)
{
	ASSERT(rights);
	return change(table, va, size, rights);
}

/* Set leaves from `va` on, the largest that fit, as far as they lie in one table; returns the
 * bytes that they cover, 0 if a frame is missing. */
static u64 map_leaves(struct table *table, u64 va, u64 pa, u64 left, unsigned int rights,
		      enum memory_type type)
{
	unsigned int level;
	u64 *entry = table_entry(table, va, &level), done = 0, size;

	while (level > table->largest_leaf || !IS_ALIGNED(va | pa, table_size(level)) ||
	       left < table_size(level)) {
		u64 *entries = table_grow(table, entry, level, 0);

		if (!entries)
			return 0;
		entry = &entries[index_of(va, --level)];
	}
	size = table_size(level);
	ASSERT(!table_get(entry));
	do {	/* a larger leaf would begin with a table; one that is there may hold smaller ones */
		table_set(entry++, table->format->make_leaf(pa + done, level, rights, type));
		done += size;
	} while (left - done >= size && index_of(va + done, level) && !table_get(entry));
	return done;
}

int table_map(struct table *table, u64 va, u64 pa, u64 size, unsigned int rights,
	      enum memory_type type)
{
	u64 done = 0;

	check_range(va, size);
	check_range(pa, size);
	ASSERT(rights);
	while (done < size) {
		u64 step = map_leaves(table, va + done, pa + done, size - done, rights, type);

		if (!step) {
			change_leaves(table, va, done, 0);
			return -1;
		}
		done += step;
	}
	return 0;
}

bool table_is_empty(const u64 *entry)
{
	const u64 *entries = (const u64 *)ALIGN_DOWN((u64)entry, PAGE_SIZE);
	unsigned int at = entry - entries;

	for (unsigned int i = 0; i <= ENTRIES / 2; i++)
		if (table_get(&entries[(at + i) % ENTRIES]) ||
		    table_get(&entries[(at - i) % ENTRIES]))
			return false;
	return true;
}

/* Give back the lowest table on the way to `va` if it is empty. */
static bool prune_lowest(struct table *table, u64 va)
{
	u64 *entry = (u64 *)phys(table->root) + index_of(va, ROOT_LEVEL), *parent = NULL;
	unsigned int level = ROOT_LEVEL;
	u64 pa = 0;

	while (is_branch(table->format, table_get(entry), level)) {
		parent = entry;
		pa = table_get(entry) & TABLE_ADDRESS;
		entry = (u64 *)phys(pa) + index_of(va, --level);
	}
	if (!parent || !table_is_empty(entry))
		return false;
	table_set(parent, 0);
	table->memory->free(table->memory, pa);
	return true;
}

void table_prune(struct table *table, u64 va)
{
	while (prune_lowest(table, va))
		;
}

/* The children of one table, depth first; true when it has no branch left. */
static bool destroy_below(struct table *table, u64 *entries, unsigned int level,
			  unsigned int *budget)
{
	for (unsigned int i = 0; level > 1 && i < ENTRIES; i++) {
		u64 value = table_get(&entries[i]);

		if (!is_branch(table->format, value, level))
			continue;
		if (!destroy_below(table, entries_of(value), level - 1, budget) ||
		    !*budget)
			return false;
		table_set(&entries[i], 0);
		table->memory->free(table->memory, value & TABLE_ADDRESS);
		--*budget;
	}
	return true;
}

bool table_destroy(struct table *table, unsigned int *budget)
{
	if (!table->root)
		return true;
	if (!destroy_below(table, phys(table->root), ROOT_LEVEL, budget) || !*budget)
		return false;
	table->memory->free(table->memory, table->root);
	table->root = 0;
	--*budget;
	return true;
}
