/* SPDX-License-Identifier: BSD-2-Clause */
/* What INFO tells: numbers about the machine and about processes, never a process's data. */
#ifndef HV_CORE_INFO_H
#define HV_CORE_INFO_H

#include <base/types.h>

#define INFO_VALUES	6

/* CARREL_INFO_* `what` of `index` and `sub` into `value`, what is not used 0. 0, CARREL_EARG
 * (no such thing), CARREL_ESTATE (not measured yet). Host view, CPL 0. */
int info_get(u64 what, u64 index, u64 sub, u64 value[INFO_VALUES]);

#endif
