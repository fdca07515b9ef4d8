/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry format of private guest page tables: four-level paging of long mode
 * (SDM "4-Level Paging", APM "Long-Mode Page Translation").
 *
 * Present entries are made with A = 1, and D = 1 where writable, so no walk
 * writes; memory type WB. An entry that is not present but not 0 is one of
 *
 *   DEMAND  nothing behind it yet; a zero page comes at the first touch that
 *           the rights allow. Levels 1 to 3: it stands for all that it covers.
 *   HELD    level 1: a page without any right (PROT_NONE) that keeps its frame.
 *
 * A page that several spaces of a family lead to is writable only if it is SHARED;
 * else it is COW: W is its logical right, and at the first write the space gets a
 * copy. That is FRESH until no CPU can still read the frame that it was copied from.
 */
#ifndef HV_MM_GUEST_FORMAT_H
#define HV_MM_GUEST_FORMAT_H

#include "table.h"

#define GUEST_P		BIT(0)
#define GUEST_W		BIT(1)
#define GUEST_US	BIT(2)
#define GUEST_A		BIT(5)
#define GUEST_D		BIT(6)
#define GUEST_NX	BIT(63)

/* Software bit with P = 1, level 1: the hypervisor keeps using the frame behind it. */
#define GUEST_PINNED	BIT(9)
#define GUEST_COW	BIT(10)	/* not W, but would be if no other space had it */
#define GUEST_FRESH	BIT(11)	/* COW: no other space has it, or had it */
/* Software bit of all entries but those of tables; ignored with P = 1 too (SDM table 4-20). */
#define GUEST_SHARED	BIT(52)

/* Meanings with P = 0; the CPU ignores all other bits then. */
#define GUEST_DEMAND	BIT(1)
#define GUEST_HELD	BIT(2)
#define GUEST_SOFT_SHIFT 9	/* DEMAND: TABLE_R, TABLE_W, TABLE_X in bits 9 to 11 */
#define GUEST_RIGHTS	(TABLE_R | TABLE_W | TABLE_X)

extern const struct table_format guest_format;

static inline bool guest_present(u64 entry)
{
	return entry & GUEST_P;
}

/* True if a frame stands behind the level-1 entry. */
static inline bool guest_has_frame(u64 entry)
{
	return (entry & GUEST_P) || (entry & GUEST_HELD);
}

static inline bool guest_is_pinned(u64 entry)
{
	return (entry & GUEST_P) && (entry & GUEST_PINNED);
}

static inline bool guest_is_demand(u64 entry)
{
	return !(entry & GUEST_P) && (entry & GUEST_DEMAND);
}

static inline u64 guest_frame(u64 entry)
{
	return entry & TABLE_ADDRESS;
}

static inline u64 guest_make_demand(unsigned int rights)
{
	return GUEST_DEMAND | (u64)(rights & GUEST_RIGHTS) << GUEST_SOFT_SHIFT |
		(rights & TABLE_SHARED ? GUEST_SHARED : 0);
}

/* Level-1 entry of a page of the process; without rights, a HELD one. */
static inline u64 guest_make_page(u64 pa, unsigned int rights)
{
	if (rights & TABLE_SHARED)
		pa |= GUEST_SHARED;
	if (!(rights & GUEST_RIGHTS))
		return pa | GUEST_HELD;
	return pa | GUEST_P | GUEST_A | (rights & TABLE_USER ? GUEST_US : 0) |
		(rights & TABLE_W ? GUEST_W | GUEST_D : 0) | (rights & TABLE_X ? 0 : GUEST_NX);
}

/* The entry of a writable page that other spaces may have too. */
static inline u64 guest_make_cow(u64 entry)
{
	return (entry & ~(GUEST_W | GUEST_D)) | GUEST_COW;
}

/* Rights that a level-1 entry gives, or would give at the first touch or the first write. */
static inline unsigned int guest_rights(u64 entry)
{
	unsigned int shared = entry & GUEST_SHARED ? TABLE_SHARED : 0;

	if (guest_is_demand(entry))
		return (entry >> GUEST_SOFT_SHIFT & GUEST_RIGHTS) | shared;
	if (!guest_present(entry))
		return shared;
	return TABLE_R | (entry & (GUEST_W | GUEST_COW) ? TABLE_W : 0) |
		(entry & GUEST_NX ? 0 : TABLE_X) | (entry & GUEST_US ? TABLE_USER : 0) | shared;
}

/* PAT entry 0, which is WB in every process view; in nested tables (APM "Nested Paging") the
 * guest's PAT and the real MTRRs decide. */
static inline enum memory_type guest_type(u64 entry)
{
	(void)entry;
	return MEMORY_WB;
}

static inline u64 guest_make_branch(u64 table_pa, unsigned int level)
{
	(void)level;
	return table_pa | GUEST_P | GUEST_W | GUEST_US | GUEST_A;
}

#endif
