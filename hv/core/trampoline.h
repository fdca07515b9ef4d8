/* SPDX-License-Identifier: BSD-2-Clause */
/* One page below 1 MiB, the hypervisor's for good: where a CPU starts after a SIPI of ours. */
#ifndef HV_CORE_TRAMPOLINE_H
#define HV_CORE_TRAMPOLINE_H

#include "cpu.h"

/* Boot: put the code into the page at `pa` and build the map it starts with. `cr3` is the
 * hypervisor's. */
void trampoline_boot(u64 pa, u64 cr3);

/* Make the page ready for `cpu` and return its SIPI vector. The caller serialises. */
u8 trampoline_prepare(struct cpu *cpu);

/* The map that trampoline_boot made: the hypervisor's and the first 2 MiB, for CR3. */
u64 trampoline_map(void);

#endif
