/* SPDX-License-Identifier: BSD-2-Clause */
/* Write-back of caches: what devices and uncached mappings see is what was written. */
#ifndef HV_MM_CACHE_H
#define HV_MM_CACHE_H

#include <base/types.h>

/* Write the 64 lines of the frame at `pa` back to memory, drop them from every cache, and
 * wait for it. Any CPU. */
void cache_write_back(u64 pa);

#endif
