/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>

#include "cache.h"
#include "scrub.h"

#define BLOCK_SHIFT	16	/* a channel block, CARREL_BLOCK_SHIFT */
#define BLOCKS_OF_CHUNK	(CHUNK_SIZE >> BLOCK_SHIFT)
#define MAX_CHUNKS	BIT(23)	/* frame numbers fit in 32 bits: 16 TiB */
#define BATCH		64U	/* frames that one hold of a family's lock frees at most */
#define IDLE_SEARCH	512U	/* chunks that one search for an idle one looks at */

struct lock frame_lock;

static struct chunk *chunks;
static u64 chunk_count;
static const struct ram_range *ram_map;
static size_t ram_count;

/* Where a range ends; one that runs past 2^64 ends there. */
static u64 range_end(const struct ram_range *range)
{
	return range->base + range->size < range->base ? UINT64_MAX : range->base + range->size;
}

static bool range_touches(const struct ram_range *range, u64 base, u64 end)
{
	return range->size && range->base < end && range_end(range) > base;
}

/* How far usable ranges reach without a gap from `base`; `base` itself if it is in none. */
static u64 usable_until(u64 base)
{
	u64 end = base;

	for (size_t i = 0; i < ram_count; i++)
		if (ram_map[i].usable && ram_map[i].base <= base)
			end = max_u64(end, range_end(&ram_map[i]));
	return end;
}

/* True if all of [base, end) is usable RAM and no unusable range touches it. */
static bool is_usable(u64 base, u64 end)
{
	for (size_t i = 0; i < ram_count; i++)
		if (!ram_map[i].usable && range_touches(&ram_map[i], base, end))
			return false;
	while (base < end) {
		u64 next = usable_until(base);

		if (next == base)
			return false;
		base = next;
	}
	return true;
}

static bool touches_usable(u64 base, u64 end)
{
	for (size_t i = 0; i < ram_count; i++)
		if (ram_map[i].usable && range_touches(&ram_map[i], base, end))
			return true;
	return false;
}

static enum chunk_state classify(u64 index)
{
	u64 base = index << CHUNK_SHIFT, end = base + CHUNK_SIZE;

	if (!touches_usable(base, end))
		return CHUNK_NONE;
	return index && is_usable(base, end) ? CHUNK_HOST : CHUNK_MIXED;
}

void frame_boot(struct chunk *array, u64 count, const struct ram_range *map, size_t map_count,
		u64 hv_base, u64 hv_size)
{
	u64 hv_first = hv_base >> CHUNK_SHIFT, hv_chunks = hv_size >> CHUNK_SHIFT;

	ASSERT(count <= MAX_CHUNKS && IS_ALIGNED(hv_base | hv_size, CHUNK_SIZE));
	ASSERT(hv_first && hv_first <= count && hv_chunks <= count - hv_first);
	chunks = array;
	chunk_count = count;
	ram_map = map;
	ram_count = map_count;
	for (u64 i = 0; i < count; i++)
		chunks[i].state = classify(i);
	for (u64 i = 0; i < hv_chunks; i++)
		chunks[hv_first + i].state = CHUNK_HV;
}

struct chunk *frame_chunk(u64 index)
{
	return index < chunk_count ? &chunks[index] : NULL;
}

u64 frame_chunk_count(void)
{
	return chunk_count;
}

bool frame_is_host_ram(u64 pa, u64 size)
{
	u64 end = pa + size;

	if (!size || end < pa || end > chunk_count << CHUNK_SHIFT)
		return false;
	for (u64 i = pa >> CHUNK_SHIFT; i <= (end - 1) >> CHUNK_SHIFT; i++) {
		u64 base = i << CHUNK_SHIFT;

		if (chunks[i].state == CHUNK_HOST)
			continue;
		if (chunks[i].state != CHUNK_MIXED ||
		    !is_usable(max_u64(pa, base), min_u64(end, base + CHUNK_SIZE)))
			return false;
	}
	return true;
}

static int set_lent(u64 block, bool lent)
{
	u32 bit = 1U << block % BLOCKS_OF_CHUNK;
	struct chunk *chunk = frame_chunk(block / BLOCKS_OF_CHUNK);
	int result = -1;

	lock_take(&frame_lock);
	if (chunk && !(chunk->lent & bit) == lent &&
	    (!lent || frame_is_host_ram(block << BLOCK_SHIFT, 1UL << BLOCK_SHIFT))) {
		chunk->lent ^= bit;
		result = 0;
	}
	lock_release(&frame_lock);
	return result;
}

int frame_lend(u64 block)
{
	return set_lent(block, true);
}

int frame_unlend(u64 block)
{
	return set_lent(block, false);
}

/* The chunk, if it is in the state that a move starts from; else *error. */
static struct chunk *chunk_in(u64 index, enum chunk_state state, int *error)
{
	struct chunk *chunk = frame_chunk(index);

	if (!chunk)
		*error = CARREL_EARG;
	else if (chunk->state != state)
		*error = CARREL_EOWNER;
	else
		return chunk;
	return NULL;
}

int frame_leave(u64 index, u64 stamp)
{
	int error;
	struct chunk *chunk = chunk_in(index, CHUNK_HOST, &error);

	if (!chunk)
		return error;
	if (chunk->lent)
		return CARREL_ESTATE;
	chunk->value = stamp;
	chunk->state = CHUNK_LEAVING;
	return 0;
}

static int move(u64 index, enum chunk_state from, enum chunk_state to)
{
	int error;
	struct chunk *chunk = chunk_in(index, from, &error);

	if (!chunk)
		return error;
	chunk->value = 0;
	chunk->state = to;
	return 0;
}

int frame_arrive(u64 index)
{
	return move(index, CHUNK_LEAVING, CHUNK_NOBODY);
}

int frame_return(u64 index)
{
	return move(index, CHUNK_NOBODY, CHUNK_HOST);
}

static struct frame *records_of(u64 index)
{
	return phys(index << CHUNK_SHIFT);
}

/* Into, and out of, one of a family's two lists of chunks. */
static void list_add(u32 *head, u32 index)
{
	chunks[index].next = *head;
	chunks[index].prev = 0;
	if (*head)
		chunks[*head].prev = index;
	*head = index;
}

static void list_remove(u32 *head, u32 index)
{
	struct chunk *chunk = &chunks[index];

	if (chunk->prev)
		chunks[chunk->prev].next = chunk->next;
	else
		*head = chunk->next;
	if (chunk->next)
		chunks[chunk->next].prev = chunk->prev;
}

static void make_records(struct frame *records)
{
	for (unsigned int i = 1; i < CHUNK_PAGES; i++)
		records[i] = (struct frame){ .next = i + 1, .use = FRAME_STALE };
	records[CHUNK_PAGES - 1].next = 0;
	records[0] = (struct frame){ .next = 1, .use = FRAME_RECORDS, .count = CHUNK_PAGES - 1 };
}

int frame_bind(struct family *family, u64 index)
{
	int error;
	struct chunk *chunk = chunk_in(index, CHUNK_NOBODY, &error);

	if (!chunk)
		return error;
	ASSERT(family->id);
	scrub_page(index << CHUNK_SHIFT);
	make_records(records_of(index));
	lock_take(&family->lock);
	chunk->family = family->id;
	chunk->state = CHUNK_FAMILY;
	list_add(&family->open, index);
	family->chunks++;
	family->free += CHUNK_PAGES - 1;
	lock_release(&family->lock);
	return 0;
}

static bool is_idle(u64 index)
{
	return records_of(index)->count == CHUNK_PAGES - 1;
}

int frame_unbind(struct family *family, u64 index)
{
	int error;
	struct chunk *chunk = chunk_in(index, CHUNK_FAMILY, &error);

	if (!chunk)
		return error;
	if (chunk->family != family->id)
		return CARREL_EOWNER;
	lock_take(&family->lock);
	if (!is_idle(index)) {
		lock_release(&family->lock);
		return CARREL_ESTATE;
	}
	list_remove(&family->open, index);
	family->chunks--;
	family->free -= CHUNK_PAGES - 1;
	lock_release(&family->lock);
	scrub_page(index << CHUNK_SHIFT);
	chunk->value = 0;
	chunk->family = 0;
	chunk->state = CHUNK_NOBODY;
	return 0;
}

u64 frame_idle_chunk(struct family *family)
{
	unsigned int looked = 0;
	u64 index;

	lock_take(&family->lock);
	for (index = family->open; index && !is_idle(index); index = chunks[index].next)
		if (++looked == IDLE_SEARCH)
			index = 0;
	lock_release(&family->lock);
	return index;
}

/* Take the first free frame of the first open chunk; *use is what it was. */
static u64 take_free(struct family *family, enum frame_use new_use, enum frame_use *use)
{
	u32 index = family->open, first;
	struct frame *records, *frame;

	if (!index)
		return 0;
	records = records_of(index);
	first = records->next;
	frame = &records[first];
	ASSERT(first && first < CHUNK_PAGES && frame->use <= FRAME_CLEAN);
	*use = frame->use;
	records->next = frame->next;
	*frame = (struct frame){ .use = new_use };
	if (!--records->count) {
		list_remove(&family->open, index);
		list_add(&family->full, index);
	}
	family->free--;
	family->used++;
	return ((u64)index << CHUNK_SHIFT) + ((u64)first << PAGE_SHIFT);
}

u64 frame_alloc(struct family *family, enum frame_use use, bool raw)
{
	enum frame_use was = FRAME_CLEAN;
	u64 pa;

	ASSERT(use >= FRAME_OBJECT && use <= FRAME_PAGE);
	lock_take(&family->lock);
	pa = take_free(family, use, &was);
	lock_release(&family->lock);
	if (was == FRAME_STALE) {
		if (raw)
			cache_write_back(pa);
		else
			scrub_page(pa);
	}
	return pa;
}

struct frame *frame_record(const struct family *family, u64 pa)
{
	u64 index = pa >> CHUNK_SHIFT;

	if (index >= chunk_count || chunks[index].state != CHUNK_FAMILY ||
	    chunks[index].family != family->id)
		return NULL;
	return &records_of(index)[pa >> PAGE_SHIFT & (CHUNK_PAGES - 1)];
}

/* Put a scrubbed frame into its chunk's free list. */
static void give_back(struct family *family, u64 pa)
{
	u32 index = pa >> CHUNK_SHIFT;
	struct frame *records = records_of(index);
	u32 number = pa >> PAGE_SHIFT & (CHUNK_PAGES - 1);

	records[number] = (struct frame){ .next = records->next, .use = FRAME_CLEAN };
	records->next = number;
	if (!records->count++) {
		list_remove(&family->full, index);
		list_add(&family->open, index);
	}
	family->free++;
	family->used--;
}

/* A frame in use: anything but free, in limbo or holding the records. */
static struct frame *used_record(const struct family *family, u64 pa)
{
	struct frame *frame = frame_record(family, pa);

	ASSERT(IS_ALIGNED(pa, PAGE_SIZE) && frame);
	ASSERT(frame->use >= FRAME_OBJECT && frame->use <= FRAME_PAGE);
	return frame;
}

void frame_free(struct family *family, u64 pa)
{
	used_record(family, pa);
	scrub_page(pa);
	lock_take(&family->lock);
	give_back(family, pa);
	lock_release(&family->lock);
}

/* A page. Its use does not change while a space has it mapped. */
static struct frame *page_record(const struct family *family, u64 pa)
{
	struct frame *frame = used_record(family, pa);

	ASSERT(frame->use == FRAME_PAGE && __atomic_load_n(&frame->count, __ATOMIC_RELAXED));
	return frame;
}

/* Stamps of others may be newer, and come at the same time. */
static void raise(u64 *newest, u64 stamp)
{
	u64 old = __atomic_load_n(newest, __ATOMIC_RELAXED);

	while (old < stamp && !__atomic_compare_exchange_n(newest, &old, stamp, true,
							   __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void frame_share(struct family *family, u64 pa)
{
	u16 before = __atomic_fetch_add(&page_record(family, pa)->count, 1, __ATOMIC_RELAXED);

	ASSERT(before < UINT16_MAX);
}

/*
 * The stamps before the count: whoever finds that it has the page alone, here or in
 * frame_exclusive, finds the stamps of those who gave it up. A count of 1 is the caller's own
 * and stays: only who has a page shares it.
 */
bool frame_drop(struct family *family, u64 pa, u64 stamp, const struct cpu_mask *entered)
{
	u16 *count = &page_record(family, pa)->count;

	if (__atomic_load_n(count, __ATOMIC_ACQUIRE) != 1) {
		raise(&family->limbo_stamp, stamp);
		if (!flush_alone(entered))
			raise(&family->dropped, stamp);
	}
	return __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL) == 1;
}

bool frame_exclusive(struct family *family, u64 pa)
{
	u64 dropped;

	if (__atomic_load_n(&page_record(family, pa)->count, __ATOMIC_ACQUIRE) != 1)
		return false;
	dropped = __atomic_load_n(&family->dropped, __ATOMIC_RELAXED);
	if (!dropped)
		return true;
	if (!flush_paid_inside(&family->entered, dropped))
		return false;
	/* unless a newer one came */
	__atomic_compare_exchange_n(&family->dropped, &dropped, 0, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return true;
}

/* The stamp before the frame: whoever finds it in limbo finds limbo_stamp as new as that. */
void frame_limbo(struct family *family, u64 pa, u64 stamp)
{
	struct frame *frame = used_record(family, pa);
	u32 head = __atomic_load_n(&family->limbo, __ATOMIC_RELAXED);

	raise(&family->limbo_stamp, stamp);
	*frame = (struct frame){ .use = FRAME_LIMBO };
	do
		frame->next = head;
	while (!__atomic_compare_exchange_n(&family->limbo, &head, pa >> PAGE_SHIFT, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static u64 limbo_next(const struct family *family, u32 number)
{
	return frame_record(family, (u64)number << PAGE_SHIFT)->next;
}

/* Take frames out of limbo, at most `most`, in a list from *first on; how many. None if there is
 * a debt newer than `paid`. Others put frames in meanwhile, but the lock keeps them from taking. */
static unsigned int take_limbo(struct family *family, u64 paid, unsigned int most, u32 *first)
{
	unsigned int count;
	u32 rest;

	lock_take(&family->lock);
	*first = __atomic_load_n(&family->limbo, __ATOMIC_ACQUIRE);
	do {
		count = 0;
		if (__atomic_load_n(&family->limbo_stamp, __ATOMIC_RELAXED) > paid)
			break;
		for (rest = *first; rest && count < most; count++)
			rest = limbo_next(family, rest);
	} while (!__atomic_compare_exchange_n(&family->limbo, first, rest, false,
					      __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
	lock_release(&family->lock);
	return count;
}

bool frame_waits(struct family *family, u64 *stamp)
{
	bool waits = __atomic_load_n(&family->limbo, __ATOMIC_ACQUIRE) != 0;

	*stamp = __atomic_load_n(&family->limbo_stamp, __ATOMIC_RELAXED);
	return waits;
}

/* Free frames of a list that nobody else has, and that are scrubbed. */
static void give_back_list(struct family *family, u32 number, unsigned int count)
{
	lock_take(&family->lock);
	while (count--) {
		u32 next = limbo_next(family, number);

		give_back(family, (u64)number << PAGE_SHIFT);
		number = next;
	}
	lock_release(&family->lock);
}

bool frame_reclaim(struct family *family, u64 paid, unsigned int budget)
{
	unsigned int count;
	u32 first, number;
	u64 stamp;

	while (budget && (count = take_limbo(family, paid, min_u64(budget, BATCH), &first))) {
		number = first;
		for (unsigned int i = 0; i < count; i++, number = limbo_next(family, number))
			scrub_page((u64)number << PAGE_SHIFT);
		give_back_list(family, first, count);
		budget -= count;
	}
	return !frame_waits(family, &stamp);
}
