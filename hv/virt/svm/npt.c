/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry format of nested page tables: the long-mode format, walked as user
 * accesses (APM "Nested Paging"), so U/S is always 1. Memory types come from
 * the guest's PAT and the real MTRRs; the entries say WB.
 */
#include "svm.h"

#include <mm/guest_format.h>

static u64 npt_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return guest_make_page(pa, rights | TABLE_USER) | (level > 1 ? TABLE_LEAF : 0);
}

const struct table_format svm_nested_format = {
	.name = "NPT",
	.present = guest_present,
	.rights = guest_rights,
	.type = guest_type,
	.make_leaf = npt_make_leaf,
	.make_branch = guest_make_branch,
};
