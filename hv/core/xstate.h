/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector state: x87, SSE, AVX, AVX-512. A thread's is saved when it leaves its
 * view and replaced by the initial state; what the host had enabled comes back.
 */
#ifndef HV_CORE_XSTATE_H
#define HV_CORE_XSTATE_H

#include "cpu.h"

/* XSAVE's standard format up to the end of AVX-512's last component (SDM "XSAVE Area"). */
#define XSTATE_SIZE	2688
#define XSTATE_ALIGN	64

/* Boot, on the first CPU: choose the components that every process has. Each CPU's CR0 and CR4
 * let the hypervisor use FXSAVE and, where there is one, XSAVE (cpu.c). */
void xstate_boot(void);

/* Make `area` (XSTATE_SIZE bytes, XSTATE_ALIGN) the state of a new thread. */
void xstate_fresh(void *area);

/* Host to process: our XCR0, then the thread's state. */
void xstate_load(struct cpu *cpu, const void *area);

/* Process to host: save the thread's state, load the initial one, the host's XCR0. */
void xstate_save(struct cpu *cpu, void *area);

/* The same without saving: the thread is no more, or the machine is about to stop. */
void xstate_drop(struct cpu *cpu);

#endif
