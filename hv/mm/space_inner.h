/* SPDX-License-Identifier: BSD-2-Clause */
/* What space.c and share.c need of each other. */
#ifndef HV_MM_SPACE_INNER_H
#define HV_MM_SPACE_INNER_H

#include "space.h"
#include "guest_format.h"

#define NEIGHBOURS	16U	/* pages that one fault fills or copies at most */

/* space.c: the entry that decides about `va`; its level-1 entry, demand entries on the way being
 * broken up (NULL: no frame). */
u64 *space_entry(const struct space *space, u64 va, unsigned int *level);
u64 *space_slot(struct space *space, u64 va);

/* space.c: a new page that this space alone has, in the view; zeros, or a copy. 0: no frame. */
u64 space_page(struct space *space, const void *content);

/* space.c: the space leads to the page no longer; its entry is cleared or leads elsewhere. */
void space_drop(struct space *space, u64 pa);

/* share.c: a write to the COW page behind `slot`, as for space_fault. */
int space_unshare(struct space *space, u64 *slot, u64 va);

/* share.c: true if the page may be written to as soon as an entry says so. */
bool space_may_write(const struct space *space, u64 pa);

#endif
