/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry format of nested page tables: the long-mode format, walked as user
 * accesses (APM "Nested Paging"), so U/S is always 1. Memory types come from
 * the guest's PAT and the real MTRRs; the entries say WB.
 */
#include "svm.h"

#define NPT_P		BIT(0)
#define NPT_W		BIT(1)
#define NPT_US		BIT(2)
#define NPT_A		BIT(5)
#define NPT_D		BIT(6)
#define NPT_PS		BIT(7)
#define NPT_NX		BIT(63)
#define NPT_ADDRESS	0x000FFFFFFFFFF000ULL

static bool npt_present(u64 entry)
{
	return entry & NPT_P;
}

static bool npt_leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & NPT_PS);
}

static u64 npt_address(u64 entry, unsigned int level)
{
	u64 address = entry & NPT_ADDRESS;

	return npt_leaf(entry, level) ? ALIGN_DOWN(address, PAGE_SIZE << 9 * (level - 1)) : address;
}

static unsigned int npt_rights(u64 entry)
{
	return TABLE_R | TABLE_USER | (entry & NPT_W ? TABLE_W : 0) | (entry & NPT_NX ? 0 : TABLE_X);
}

static u64 rights_bits(unsigned int rights)
{
	return NPT_P | NPT_US | NPT_A | (rights & TABLE_W ? NPT_W | NPT_D : 0) |
		(rights & TABLE_X ? 0 : NPT_NX);
}

static u64 npt_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return pa | rights_bits(rights) | (level > 1 ? NPT_PS : 0);
}

static u64 npt_make_branch(u64 table_pa)
{
	return table_pa | NPT_P | NPT_W | NPT_US | NPT_A;
}

static u64 npt_split_leaf(u64 entry, unsigned int level, unsigned int index)
{
	u64 pa = npt_address(entry, level) + index * (PAGE_SIZE << 9 * (level - 2));

	return npt_make_leaf(pa, level - 1, npt_rights(entry), MEMORY_WB);
}

static u64 npt_set_rights(u64 entry, unsigned int level, unsigned int rights)
{
	return npt_make_leaf(npt_address(entry, level), level, rights, MEMORY_WB);
}

const struct table_format svm_nested_format = {
	.name = "NPT",
	.largest_leaf = 3,
	.present = npt_present,
	.leaf = npt_leaf,
	.address = npt_address,
	.rights = npt_rights,
	.make_leaf = npt_make_leaf,
	.make_branch = npt_make_branch,
	.split_leaf = npt_split_leaf,
	.set_rights = npt_set_rights,
};
