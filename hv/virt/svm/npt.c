/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry format of nested page tables: the long-mode format, walked as user
 * accesses (APM "Nested Paging"), so U/S is always 1. Memory types come from
 * the guest's PAT and the real MTRRs; the entries say WB.
 */
#include "svm.h"

#include <mm/entry.h>
#include <mm/guest_format.h>

static u64 npt_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return guest_make_page(pa, rights | TABLE_USER) | (level > 1 ? ENTRY_LEAF : 0);
}

static u64 npt_make_branch(u64 table_pa)
{
	return table_pa | GUEST_P | GUEST_W | GUEST_US | GUEST_A;
}

static u64 npt_split_leaf(u64 entry, unsigned int level, unsigned int index)
{
	return npt_make_leaf(entry_part(entry, level, index), level - 1, guest_rights(entry),
			     MEMORY_WB);
}

static u64 npt_set_rights(u64 entry, unsigned int level, unsigned int rights)
{
	return npt_make_leaf(entry_address(entry, level), level, rights, MEMORY_WB);
}

const struct table_format svm_nested_format = {
	.name = "NPT",
	.largest_leaf = 3,
	.present = guest_present,
	.leaf = entry_is_leaf,
	.address = entry_address,
	.rights = guest_rights,
	.make_leaf = npt_make_leaf,
	.make_branch = npt_make_branch,
	.split_leaf = npt_split_leaf,
	.set_rights = npt_set_rights,
};
