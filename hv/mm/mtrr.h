/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory types as the firmware's MTRRs give them; EPT entries are derived from these. */
#ifndef HV_MM_MTRR_H
#define HV_MM_MTRR_H

#include "table.h"

/* Read this CPU's MTRRs once (boot CPU). Without MTRRs everything is WB. */
void mtrr_read(void);

/* Type at `pa` and, in *end, where it changes next (at least one page on). */
enum memory_type mtrr_type_at(u64 pa, u64 *end);

#endif
