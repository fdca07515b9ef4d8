/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest_format.h"

static bool leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & GUEST_PS);
}

static u64 address(u64 entry, unsigned int level)
{
	u64 pa = entry & GUEST_ADDRESS;

	return leaf(entry, level) ? ALIGN_DOWN(pa, table_size(level)) : pa;
}

static u64 make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;	/* PAT entry 0, which is WB in every process view */
	return guest_make_page(pa, rights) | (level > 1 ? GUEST_PS : 0);
}

static u64 make_branch(u64 table_pa)
{
	return table_pa | GUEST_P | GUEST_W | GUEST_US | GUEST_A;
}

static u64 split_leaf(u64 entry, unsigned int level, unsigned int index)
{
	u64 pa = address(entry, level) + index * table_size(level - 1);

	return make_leaf(pa, level - 1, guest_rights(entry), MEMORY_WB);
}

static u64 set_rights(u64 entry, unsigned int level, unsigned int rights)
{
	return make_leaf(address(entry, level), level, rights, MEMORY_WB) | (entry & GUEST_PINNED);
}

const struct table_format guest_format = {
	.name = "guest",
	.largest_leaf = 3,
	.present = guest_present,
	.leaf = leaf,
	.address = address,
	.rights = guest_rights,
	.make_leaf = make_leaf,
	.make_branch = make_branch,
	.split_leaf = split_leaf,
	.set_rights = set_rights,
};
