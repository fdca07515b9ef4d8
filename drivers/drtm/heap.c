/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TXT heap: BiosData, OsMleData, OsSinitData, SinitMleData, each led by a size that counts
 * itself (TXT MLE guide 315168, Appendix C). Offsets below count from behind the size.
 */
#include <drivers/drtm/drtm.h>

#include <string.h>

#define SIZE_WORD	8U
#define OS_SINIT_PMR	32U	/* low base, low size, high base, high size */
#define OS_SINIT_MIN	64U
#define SINIT_VERSION	0U
#define SINIT_MDRS	128U	/* how many, */
#define SINIT_MDR_AT	132U	/* where, from the size word */
#define SINIT_DMAR_SIZE	136U
#define SINIT_DMAR_AT	140U
#define SINIT_EXT	148U	/* elements: type, size with this head */
#define VERSION_MIN	9U	/* the first of TPM 2.0 */
#define MDR_SIZE	24U	/* base, length, type */
#define MDR_TYPE	16U
#define DMAR_HEAD	36U
#define EXT_HEAD	8U
#define EXT_END		0U

enum launch_check heap_copy(struct bytes *copy, u8 *to, u64 room, struct launch_range heap,
			    u64 reach)
{
	struct bytes from = bytes_phys(heap.base, heap.end - heap.base, reach);

	if (heap.base >= heap.end || heap.end - heap.base > room)
		return LAUNCH_HEAP_LARGE;
	if (!from.at)
		return LAUNCH_HEAP_OUTSIDE;
	memcpy(to, from.at, from.size);
	*copy = (struct bytes){ to, from.size };
	return LAUNCH_GOOD;
}

/* The table at *at, without its size word. */
static enum launch_check take(struct bytes *table, struct bytes heap, u64 *at)
{
	struct bytes word = bytes_part(heap, *at, SIZE_WORD);
	u64 size;

	if (!word.at)
		return LAUNCH_HEAP_PAST;
	size = get64(word.at);
	if (size < SIZE_WORD)
		return LAUNCH_HEAP_SIZE;
	if (size > heap.size - *at)
		return LAUNCH_HEAP_PAST;
	*table = (struct bytes){ word.at + SIZE_WORD, size - SIZE_WORD };
	*at += size;
	return LAUNCH_GOOD;
}

static bool make_range(struct launch_range *range, const u8 *base)
{
	*range = (struct launch_range){ get64(base), get64(base) + get64(base + 8) };
	return range->end >= range->base;
}

static enum launch_check parse_os_sinit(struct launch_heap *heap, struct bytes table)
{
	if (table.size < OS_SINIT_MIN)
		return LAUNCH_OS_SINIT_SHORT;
	for (u32 i = 0; i < 2; i++)
		if (!make_range(&heap->pmr[i], table.at + OS_SINIT_PMR + i * 16))
			return LAUNCH_PMR_WRAPS;
	return LAUNCH_GOOD;
}

/* `rest`: from SinitMleData's size word to the heap's end. */
static enum launch_check parse_mdrs(struct launch_heap *heap, struct bytes table,
				    struct bytes rest)
{
	u32 count = get32(table.at + SINIT_MDRS), at = get32(table.at + SINIT_MDR_AT);
	struct bytes mdrs;

	if (!count || count > LAUNCH_MDRS_MAX)
		return LAUNCH_MDR_COUNT;
	mdrs = bytes_part(rest, at, count * MDR_SIZE);
	if (at < SIZE_WORD || !mdrs.at)
		return LAUNCH_MDR_PLACE;
	for (u32 i = 0; i < count; i++) {
		const u8 *mdr = mdrs.at + i * MDR_SIZE;

		if (!make_range(&heap->mdr[heap->mdr_count], mdr))
			return LAUNCH_MDR_WRAPS;
		heap->mdr_count += !mdr[MDR_TYPE];
	}
	return LAUNCH_GOOD;
}

static enum launch_check parse_dmar(struct launch_heap *heap, struct bytes table,
				    struct bytes rest)
{
	u32 size = get32(table.at + SINIT_DMAR_SIZE), at = get32(table.at + SINIT_DMAR_AT);
	struct bytes dmar = bytes_part(rest, at, size);

	if (at < SIZE_WORD || size < DMAR_HEAD || !dmar.at)
		return LAUNCH_DMAR_PLACE;
	if (memcmp(dmar.at, "DMAR", 4) || get32(dmar.at + 4) != size || bytes_sum(dmar))
		return LAUNCH_DMAR_DAMAGED;
	heap->dmar = dmar;
	return LAUNCH_GOOD;
}

/* What they hold is of no use here; that they end in the table is. */
static enum launch_check parse_ext(struct bytes table)
{
	for (u64 at = SINIT_EXT;;) {
		struct bytes head = bytes_part(table, at, EXT_HEAD);
		u32 size;

		if (!head.at)
			return LAUNCH_EXT_DAMAGED;
		size = get32(head.at + 4);
		if (size < EXT_HEAD || size > table.size - at)
			return LAUNCH_EXT_DAMAGED;
		if (get32(head.at) == EXT_END)
			return LAUNCH_GOOD;
		at += size;
	}
}

static enum launch_check parse_sinit(struct launch_heap *heap, struct bytes table,
				     struct bytes rest)
{
	enum launch_check check;

	if (table.size < SINIT_EXT)
		return LAUNCH_SINIT_SHORT;
	heap->sinit_version = get32(table.at + SINIT_VERSION);
	if (heap->sinit_version < VERSION_MIN)
		return LAUNCH_SINIT_VERSION;
	check = parse_mdrs(heap, table, rest);
	check = check ? check : parse_dmar(heap, table, rest);
	return check ? check : parse_ext(table);
}

enum launch_check heap_parse(struct launch_heap *heap, struct bytes copy)
{
	enum { BIOS, OS_MLE, OS_SINIT, SINIT_MLE, TABLES };
	struct bytes table[TABLES], rest;
	enum launch_check check;
	u64 at = 0, last = 0;

	*heap = (struct launch_heap){ 0 };
	for (u32 i = BIOS; i < TABLES; i++) {
		last = at;
		check = take(&table[i], copy, &at);
		if (check)
			return check;
	}
	rest = (struct bytes){ copy.at + last, copy.size - last };
	check = parse_os_sinit(heap, table[OS_SINIT]);
	return check ? check : parse_sinit(heap, table[SINIT_MLE], rest);
}
