/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry format of extended page tables (SDM "The Extended Page Table Mechanism").
 * The memory type lies in the leaf; the guest's PAT combines with it, its MTRRs
 * do not count. Accessed and dirty flags stay off (EPTP bit 6): nobody reads
 * them, and with them each walk of guest tables would be a write of theirs and
 * the CPU would write into ours.
 */
#include "vmx.h"

#define EPT_R		BIT(0)
#define EPT_W		BIT(1)
#define EPT_X		BIT(2)
#define EPT_TYPE_SHIFT	3
#define EPT_TYPE	(7ULL << EPT_TYPE_SHIFT)

static bool ept_present(u64 entry)
{
	return entry & (EPT_R | EPT_W | EPT_X);
}

static unsigned int ept_rights(u64 entry)
{
	return TABLE_USER | (entry & EPT_R ? TABLE_R : 0) | (entry & EPT_W ? TABLE_W : 0) |
		(entry & EPT_X ? TABLE_X : 0);
}

/* A present leaf can be read: write-only, and on some CPUs execute-only, is a misconfiguration. */
static u64 rights_bits(unsigned int rights)
{
	return EPT_R | (rights & TABLE_W ? EPT_W : 0) | (rights & TABLE_X ? EPT_X : 0);
}

static u64 ept_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	return pa | rights_bits(rights) | (u64)type << EPT_TYPE_SHIFT | (level > 1 ? TABLE_LEAF : 0);
}

static u64 ept_make_branch(u64 table_pa, unsigned int level)
{
	(void)level;
	return table_pa | EPT_R | EPT_W | EPT_X;
}

static enum memory_type ept_type(u64 entry)
{
	return (enum memory_type)((entry & EPT_TYPE) >> EPT_TYPE_SHIFT);
}

const struct table_format vmx_nested_format = {
	.name = "EPT",
	.present = ept_present,
	.rights = ept_rights,
	.type = ept_type,
	.make_leaf = ept_make_leaf,
	.make_branch = ept_make_branch,
};
