/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of the program's memory: a sorted array. See vm.h. */
#include <string.h>

#include "memory/vm.h"

struct lock vm_lock;

static struct vm_range ranges[VM_RANGES] LARGE;
static size_t count;

void vm_reset(void)
{
	count = 0;
}

/* Index of the first range that ends above `address`; `count` if there is none. */
static size_t find(uint64_t address)
{
	/* Where the last one was found, since the next is often the same. Any value is right. */
	static size_t last;
	size_t low = 0, high = count;

	if (last < count && ranges[last].start <= address && address < ranges[last].end)
		return last;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	last = low;
	return low;
}

bool vm_find(uint64_t address, struct vm_range *range)
{
	bool found;
	size_t i;

	lock_take(&vm_lock);
	i = find(address);
	found = i < count;
	if (found)
		*range = ranges[i];
	lock_release(&vm_lock);
	return found;
}

bool vm_next(uint64_t start, uint64_t end, struct vm_range *part)
{
	if (start >= end || !vm_find(start, part) || part->start >= end)
		return false;
	if (part->start < start)
		part->start = start;
	if (part->end > end)
		part->end = end;
	return true;
}

/* A change splits at most two ranges; the rest is what one call may add to that. */
bool vm_room_for(unsigned int changes)
{
	return count + 4 * changes <= VM_RANGES;
}

bool vm_room(void)
{
	return vm_room_for(1);
}

/* Move the ranges from index `from` on to index `to`. */
static void shift(size_t from, size_t to)
{
	memmove(&ranges[to], &ranges[from], (count - from) * sizeof(ranges[0]));
	count += to - from;
}

static bool alike(const struct vm_range *a, const struct vm_range *b)
{
	return a->end == b->start && a->rights == b->rights && a->backed == b->backed &&
	       a->kind == b->kind && a->object == b->object;
}

/* Join range i with its predecessor if they are one. */
static void join(size_t i)
{
	if (i == 0 || i >= count || !alike(&ranges[i - 1], &ranges[i]))
		return;
	ranges[i - 1].end = ranges[i].end;
	shift(i + 1, i);
}

bool vm_insert_as(const struct vm_range *range)
{
	bool room;
	size_t i;

	lock_take(&vm_lock);
	room = vm_room();
	if (room) {
		i = find(range->start);
		shift(i, i + 1);
		ranges[i] = *range;
		join(i + 1);
		join(i);
	}
	lock_release(&vm_lock);
	return room;
}

bool vm_insert(uint64_t start, uint64_t end, uint8_t rights, bool backed)
{
	return vm_insert_as(&(struct vm_range){ start, end, rights, backed, 0, 0 });
}

/* Make `address` a boundary between ranges. */
static void split(uint64_t address)
{
	size_t i = find(address);

	if (i == count || ranges[i].start >= address)
		return;
	shift(i, i + 1);
	ranges[i].end = address;
	ranges[i + 1].start = address;
}

void vm_remove(uint64_t start, uint64_t end)
{
	size_t first, last;

	lock_take(&vm_lock);
	split(start);
	split(end);
	first = find(start);
	for (last = first; last < count && ranges[last].end <= end; last++)
		;
	shift(last, first);
	lock_release(&vm_lock);
}

void vm_protect(uint64_t start, uint64_t end, uint8_t rights, bool back)
{
	size_t first, last;

	lock_take(&vm_lock);
	split(start);
	split(end);
	first = find(start);
	for (last = first; last < count && ranges[last].end <= end; last++) {
		ranges[last].rights = rights;
		ranges[last].backed |= back;
	}
	while (last + 1 > first)
		join(last--);
	lock_release(&vm_lock);
}

/* How far the ranges from `address` on go without a hole, all with `rights`, at most to `end`. */
static uint64_t reach(uint64_t address, uint64_t end, uint8_t rights)
{
	uint64_t at = address;

	lock_take(&vm_lock);
	for (size_t i = find(at); i < count && ranges[i].start <= at && at < end; i++) {
		if ((ranges[i].rights & rights) != rights)
			break;
		at = ranges[i].end;
	}
	lock_release(&vm_lock);
	return at < end ? at : end;
}

bool vm_covered(uint64_t start, uint64_t end)
{
	return reach(start, end, 0) == end;
}

bool vm_free(uint64_t start, uint64_t end)
{
	struct vm_range r;

	return !vm_find(start, &r) || r.start >= end;
}

static uint64_t gap(uint64_t low, uint64_t high, uint64_t size, uint64_t align)
{
	size_t i = find(high - 1);

	/* A range that straddles `high` lowers it. */
	if (i < count && ranges[i].start < high)
		high = ranges[i].start;
	for (;;) {
		uint64_t floor = i > 0 && ranges[i - 1].end > low ? ranges[i - 1].end : low;
		uint64_t start;

		if (high < low + size || high < size)
			return 0;
		start = (high - size) & ~(align - 1);
		if (start >= floor)
			return start;
		if (floor == low)
			return 0;
		high = ranges[--i].start;
	}
}

uint64_t vm_gap(uint64_t low, uint64_t high, uint64_t size, uint64_t align)
{
	uint64_t start;

	lock_take(&vm_lock);
	start = gap(low, high, size, align);
	lock_release(&vm_lock);
	return start;
}

uint64_t vm_prefix(uint64_t address, uint64_t size, uint8_t rights)
{
	uint64_t end;

	if (__builtin_add_overflow(address, size, &end))
		end = VM_HIGH;
	return end > address ? reach(address, end, rights) - address : 0;
}

const char *vm_check(void)
{
	for (size_t i = 0; i < count; i++) {
		const struct vm_range *r = &ranges[i];

		if (!vm_range_ok(r->start, r->end - r->start))
			return "a range that no program may have";
		if (r->rights && !r->backed)
			return "rights without a mapping";
		if (r->rights & ~CARREL_RIGHTS)
			return "unknown rights";
		if (i > 0 && ranges[i - 1].end > r->start)
			return "ranges overlap or are out of order";
		if (i > 0 && alike(&ranges[i - 1], r))
			return "neighbours not joined";
	}
	return NULL;
}
