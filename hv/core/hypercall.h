/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls: decoded, then checked against who may call in which state, then carried out. */
#ifndef HV_CORE_HYPERCALL_H
#define HV_CORE_HYPERCALL_H

#include "cpu.h"

/* The exit handler calls this for every VT_HYPERCALL, of the host view or a process view.
 * Results go to the guest's registers; the instruction is skipped. */
void hypercall(struct cpu *cpu, const struct vt_exit *exit);

#endif
