/* SPDX-License-Identifier: BSD-2-Clause */
/* Invariant walkers over frames and spaces: for tests and for assertions of debug runs. */
#include <base/phys.h>
#include <carrel/layout.h>

#include "frame.h"
#include "guest_format.h"
#include "space.h"

#define RIGHTS_ALL (TABLE_R | TABLE_W | TABLE_X)

unsigned int view_rights(const struct view *view, u64 pa)
{
	struct table_walk walk = table_walk(&view->table, pa);

	return walk.present ? walk.rights & RIGHTS_ALL : 0;
}

static const struct frame *records_of(u64 index)
{
	return phys(index << CHUNK_SHIFT);
}

static bool is_chunk_of(const struct family *family, u64 index)
{
	const struct chunk *chunk = frame_chunk(index);

	return chunk && chunk->state == CHUNK_FAMILY && chunk->family == family->id;
}

/* What the walker counts. */
struct tally {
	u64 chunks, free, used, limbo;
};

static const char *check_records(u64 index, struct tally *tally)
{
	const struct frame *records = records_of(index);
	unsigned int free = 0, listed = 0;

	if (records->use != FRAME_RECORDS)
		return "the first frame of a chunk does not hold its records";
	for (unsigned int i = 1; i < CHUNK_PAGES; i++) {
		if (records[i].use > FRAME_PAGE || records[i].use == FRAME_RECORDS)
			return "a frame has no valid use";
		free += records[i].use <= FRAME_CLEAN;
		tally->used += records[i].use >= FRAME_LIMBO;
		tally->limbo += records[i].use == FRAME_LIMBO;
	}
	for (u32 i = records->next; i; i = records[i].next) {
		if (i >= CHUNK_PAGES || records[i].use > FRAME_CLEAN || ++listed > free)
			return "a free list holds what is not free";
	}
	if (listed != free || records->count != free)
		return "a chunk's free frames are not all in its list";
	tally->free += free;
	return NULL;
}

static const char *check_list(const struct family *family, u32 head, bool open, struct tally *tally)
{
	u32 prev = 0;

	for (u32 i = head; i; prev = i, i = frame_chunk(i)->next) {
		const char *wrong;

		if (!is_chunk_of(family, i))
			return "a list holds a chunk that is not the family's";
		if (frame_chunk(i)->prev != prev || ++tally->chunks > family->chunks)
			return "a list of chunks is broken";
		if (open != !!records_of(i)->count)
			return "a chunk is in the wrong list";
		wrong = check_records(i, tally);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *check_limbo(const struct family *family, u64 expected)
{
	u64 count = 0;

	for (u32 number = family->limbo; number; count++) {
		const struct frame *frame = frame_record(family, (u64)number << PAGE_SHIFT);

		if (!frame || frame->use != FRAME_LIMBO || count == expected)
			return "limbo holds what is not in limbo";
		number = frame->next;
	}
	return count == expected ? NULL : "a frame in limbo is not in the list";
}

const char *frame_check(const struct family *family)
{
	struct tally tally = { 0 };
	const char *wrong = check_list(family, family->open, true, &tally);

	if (!wrong)
		wrong = check_list(family, family->full, false, &tally);
	if (!wrong)
		wrong = check_limbo(family, tally.limbo);
	if (!wrong && (tally.chunks != family->chunks || tally.free != family->free ||
		       tally.used != family->used))
		wrong = "a family's counters are wrong";
	return wrong;
}

/* What a space and its view hold. Family frames that a private entry leads to carry a mark. */
struct holding {
	const struct space *space;
	u64 tables, pages, fixed;
};

#define MARK 1U

static void clear_marks(u32 head)
{
	for (u32 i = head; i; i = frame_chunk(i)->next) {
		struct frame *records = phys((u64)i << CHUNK_SHIFT);

		for (unsigned int k = 0; k < CHUNK_PAGES; k++)
			records[k].flags = 0;
	}
}

/* True once for each frame. */
static bool mark(struct frame *frame)
{
	if (frame->flags & MARK)
		return false;
	frame->flags |= MARK;
	return true;
}

static bool is_fixed_address(u64 va)
{
	return va >= CARREL_GATE_VA && va < CARREL_SHIM_VA;
}

/* A frame that is not the family's: the hypervisor's, or the host's and lent. */
static bool may_be_fixed(u64 pa)
{
	const struct chunk *chunk = frame_chunk(pa >> CHUNK_SHIFT);

	if (!chunk)
		return false;
	if (chunk->state == CHUNK_HV)
		return true;
	return (chunk->state == CHUNK_HOST || chunk->state == CHUNK_MIXED) &&
		(chunk->lent >> (pa >> CARREL_BLOCK_SHIFT & 31) & 1);
}

static const char *check_fixed(struct holding *holding, u64 va, u64 entry)
{
	unsigned int rights = guest_rights(entry) & RIGHTS_ALL;

	holding->fixed++;
	if (!is_fixed_address(va) || !may_be_fixed(guest_frame(entry)))
		return "a private page is not a frame of the family";
	if (!rights || ((rights & TABLE_W) && (rights & TABLE_X)))
		return "a fixed page has impossible rights";
	if (view_rights(holding->space->view, guest_frame(entry)) != rights)
		return "a fixed page has other rights in the view";
	return NULL;
}

static const char *check_page(struct holding *holding, u64 va, u64 entry)
{
	u64 pa = guest_frame(entry);
	struct frame *frame = frame_record(holding->space->family, pa);

	if (guest_present(entry) &&
	    (!(entry & GUEST_A) || !(entry & GUEST_D) != !(entry & GUEST_W)))
		return "a walk would write to a private table";
	if (!frame)
		return check_fixed(holding, va, entry);
	holding->pages++;
	if (frame->use != FRAME_PAGE || !frame->count)
		return "a private page leads to what is no page";
	if (frame->count > 1 && entry & GUEST_P &&
	    (entry & GUEST_W || entry & GUEST_FRESH || entry & GUEST_PINNED) && !(entry & GUEST_SHARED))
		return "a page of several spaces is one space's own";
	if (entry & GUEST_P && entry & GUEST_COW && entry & (GUEST_W | GUEST_SHARED))
		return "a page that is copied when it is written to, and can be";
	if (entry & GUEST_P && entry & GUEST_FRESH && !(entry & GUEST_COW))
		return "a fresh copy of nothing";
	if (!mark(frame))
		return "a private page is mapped twice";
	if (is_fixed_address(va) || (guest_present(entry) && !(entry & GUEST_US)))
		return "a private page where only fixed ones belong";
	if (view_rights(holding->space->view, pa) != RIGHTS_ALL)
		return "a private page is not in the view";
	return NULL;
}

static const char *check_table(struct holding *holding, u64 pa, unsigned int level, u64 base);

static const char *check_entry(struct holding *holding, u64 va, u64 entry, unsigned int level)
{
	if (level > 1 && guest_present(entry))
		return entry & TABLE_LEAF ? "a private leaf above level 1" :
			check_table(holding, guest_frame(entry), level - 1, va);
	if (level == 1 && guest_has_frame(entry))
		return check_page(holding, va, entry);
	if (entry != guest_make_demand(guest_rights(entry)) || level > 3 || is_fixed_address(va))
		return "an entry means nothing";
	return NULL;
}

static const char *check_table(struct holding *holding, u64 pa, unsigned int level, u64 base)
{
	struct frame *frame = frame_record(holding->space->family, pa);
	const u64 *entries = phys(pa);
	bool empty = level < 4;

	holding->tables++;
	if (!frame || frame->use != FRAME_TABLE)
		return "a private table is not a table frame";
	if (!mark(frame))
		return "a private table is linked twice";
	if (view_rights(holding->space->view, pa) != (TABLE_R | TABLE_W))
		return "a private table has wrong rights in the view";
	for (unsigned int i = 0; i < 512; i++) {
		const char *wrong;

		if (!entries[i])
			continue;
		if (level == 4 && i >= 256)
			return "something private in the upper half";
		empty = false;
		wrong = check_entry(holding, base + i * table_size(level), entries[i], level);
		if (wrong)
			return wrong;
	}
	return empty ? "a private table holds nothing" : NULL;
}

/* Frames that are not the family's are compared by number. */
static bool is_wanted(const struct family *family, u64 pa)
{
	const struct frame *frame = frame_record(family, pa);

	return frame ? frame->flags & MARK : true;
}

/* Count the frames in the view; everything is where the identity map has it. */
static const char *check_nested(const struct view *view, const struct family *family, u64 table_pa,
				unsigned int level, u64 base, u64 *present)
{
	const struct table_format *format = view->table.format;
	const struct frame *frame = frame_record(family, table_pa);
	const u64 *entries = phys(table_pa);

	if (!frame || frame->use != FRAME_NESTED)
		return "a nested table is not the family's";
	for (unsigned int i = 0; i < 512; i++) {
		u64 pa = base + i * table_size(level), target = entries[i] & TABLE_ADDRESS;
		const char *wrong = NULL;

		if (!format->present(entries[i]))
			continue;
		if (level > 1 && entries[i] & TABLE_LEAF)
			wrong = "a process view holds more than single frames";
		else if (level > 1)
			wrong = check_nested(view, family, target, level - 1, pa, present);
		else if (target != pa)
			wrong = "a view is not the identity";
		else if (!is_wanted(family, pa))
			wrong = "the view holds a frame that no private entry leads to";
		if (wrong)
			return wrong;
		*present += level == 1;
	}
	return NULL;
}

/* Add what the tables from one on lead to, to the frames' flags. */
static void count_pages(const struct family *family, u64 pa, unsigned int level)
{
	const u64 *entries = phys(pa);

	for (unsigned int i = 0; i < 512; i++) {
		struct frame *frame = frame_record(family, guest_frame(entries[i]));

		if (level > 1 && guest_present(entries[i]))
			count_pages(family, guest_frame(entries[i]), level - 1);
		else if (level == 1 && guest_has_frame(entries[i]) && frame)
			frame->flags++;
	}
}

static const char *compare_counts(u32 head)
{
	for (u32 i = head; i; i = frame_chunk(i)->next) {
		const struct frame *records = records_of(i);

		for (unsigned int k = 1; k < CHUNK_PAGES; k++)
			if (records[k].use == FRAME_PAGE && records[k].flags != records[k].count)
				return "a page is mapped more or less often than it counts";
	}
	return NULL;
}

const char *spaces_check(const struct space *const spaces[], unsigned int count)
{
	const struct family *family = spaces[0]->family;
	const char *wrong = NULL;

	for (unsigned int i = 0; i < count && !wrong; i++)
		wrong = space_check(spaces[i]);
	clear_marks(family->open);
	clear_marks(family->full);
	for (unsigned int i = 0; i < count; i++)
		if (spaces[i]->table.root)
			count_pages(family, spaces[i]->table.root, 4);
	if (!wrong)
		wrong = compare_counts(family->open);
	return wrong ? wrong : compare_counts(family->full);
}

const char *space_check(const struct space *space)
{
	struct holding holding = { .space = space };
	u64 present = 0;
	const char *wrong;

	clear_marks(space->family->open);
	clear_marks(space->family->full);
	wrong = check_table(&holding, space->table.root, 4, 0);
	if (!wrong)
		wrong = check_nested(space->view, space->family, space->view->table.root, 4, 0,
				     &present);
	if (!wrong && present != holding.tables + holding.pages + holding.fixed)
		wrong = "the view holds other fixed frames than the private tables";
	return wrong;
}
