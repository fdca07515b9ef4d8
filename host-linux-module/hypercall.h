/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Asking the hypervisor, from ring 0 of the host view. */
#ifndef CARREL_MODULE_HYPERCALL_H
#define CARREL_MODULE_HYPERCALL_H

#include <linux/build_bug.h>
#include <linux/types.h>
#include <carrel/hypercall.h>

/* Arguments and further results of a hypercall, in the order of their registers. */
struct hc_regs {
	u64 rdi, rsi, rdx, r10, r8, r9;
};
static_assert(sizeof(struct hc_regs) == 6 * sizeof(u64));

/*
 * Is there a Carrel of our ABI beneath this kernel? Asks CPUID alone. Once, at
 * module init; the other functions may be called only if it returned 0.
 * -ENODEV: no, and the kernel log says why.
 */
int hc_detect(void);

/* True if the machine's hypercall instruction is VMMCALL, false if VMCALL. */
bool hc_is_vmmcall(void);

/* One hypercall. Returns its RAX; *regs holds the arguments, then the results. */
long hc_once(unsigned int nr, struct hc_regs *regs);

/*
 * The same hypercall until it is done: runs FLUSH on every CPU while it is
 * pending and asks again while there is more to do or a race was lost. Sleeps.
 * Returns the last RAX: CARREL_PENDING or CARREL_EBUSY only after some seconds
 * without progress.
 */
long hc_finish(unsigned int nr, struct hc_regs *regs);

/* Makes every online CPU pay its flushes. Sleeps. */
void hc_flush_all(void);

/* Interrupt the CPUs that run this address space. May sleep. */
void hc_kick(void);

/*
 * The errno for `code`, which hc_finish gave for hypercall `nr` instead of success.
 * What is not the caller's argument or a want of memory, of a CPU's flush or of DMA
 * protection goes to the kernel log too.
 */
int hc_errno(unsigned int nr, long code);

#endif
