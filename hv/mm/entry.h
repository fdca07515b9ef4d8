/* SPDX-License-Identifier: BSD-2-Clause */
/* What the entries of long mode's tables, NPT and EPT have in common. */
#ifndef HV_MM_ENTRY_H
#define HV_MM_ENTRY_H

#include "table.h"

#define ENTRY_ADDRESS	0x000FFFFFFFFFF000ULL
#define ENTRY_LEAF	BIT(7)		/* levels 2 and 3; something else at level 1 */

static inline bool entry_is_leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & ENTRY_LEAF);
}

/* Of the page or of the next table. */
static inline u64 entry_address(u64 entry, unsigned int level)
{
	u64 pa = entry & ENTRY_ADDRESS;

	return entry_is_leaf(entry, level) ? ALIGN_DOWN(pa, table_size(level)) : pa;
}

/* Of part `index` of a leaf, one level down. */
static inline u64 entry_part(u64 entry, unsigned int level, unsigned int index)
{
	return entry_address(entry, level) + index * table_size(level - 1);
}

#endif
