/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest_format.h"

static u64 make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return guest_make_page(pa, rights) | (level > 1 ? TABLE_LEAF : 0);
}

const struct table_format guest_format = {
	.name = "guest",
	.present = guest_present,
	.rights = guest_rights,
	.type = guest_type,
	.make_leaf = make_leaf,
	.make_branch = guest_make_branch,
};
