/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of secure processes: crossing in and out of a process view. */
#ifndef HV_CORE_THREAD_H
#define HV_CORE_THREAD_H

#include "cpu.h"

/* Any exit from a process view but a hypercall: an interrupt, an NMI, a fault, a forbidden
 * instruction, a refused entry. The thread is saved, upcalled, retried or killed. */
void thread_exit(struct cpu *cpu, const struct vt_exit *exit);

#endif
