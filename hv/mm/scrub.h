/* SPDX-License-Identifier: BSD-2-Clause */
/* The last steps before a frame changes hands (invariant 2). */
#ifndef HV_MM_SCRUB_H
#define HV_MM_SCRUB_H

#include <base/types.h>

/*
 * Write back caches, zero the frame at `pa`, write back again. The caller made
 * sure that no CPU and no device reaches the frame any more. The first
 * write-back keeps a line that was dirtied through another memory type from
 * landing on the zeros later; the second puts the zeros where an uncached
 * mapping or a non-snooping device would read.
 */
void scrub_page(u64 pa);

#endif
