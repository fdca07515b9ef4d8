/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's page of registers that the hypervisor has for itself for a while: the TPM's, in which a
 * secret may stand meanwhile. A CPU that touches the page then executes the instruction again and
 * again, as one that waits for a slow device, and takes its interrupts in between.
 *
 * Interleavings: the page is ours when every CPU has left what it had cached of it (mm/flush.h),
 * for which the caller of RESEAL has all CPUs interrupted. One that waits for the page with
 * interrupts off would keep that caller from coming back; or the caller never comes back. So until
 * the page is ours, who has waited for it long enough puts it back. Then it does not depend on any
 * other CPU any more when it is given back. An INIT, or the end of the machine, finds a waiting CPU
 * in the guest as any other. Who puts it back, and who makes it ours, do so under frame_lock.
 */
#ifndef HV_CORE_WITHHOLD_H
#define HV_CORE_WITHHOLD_H

#include "cpu.h"

/* Boot, one CPU: the page is ours until withhold_end(). `zeros`: a page for its place, if it is never
 * to be the host's again. From now on nothing here needs memory for tables. */
void withhold_boot(u64 pa, u64 zeros);

/*
 * 0: it is ours until withhold_end(). PENDING: not all CPUs have flushed; ESTATE: it was given up.
 * One caller at a time.
 */
s64 withhold_begin(void);

/* Nothing comes of it: what withhold_begin() answered PENDING to. */
void withhold_cancel(void);

/* It is the host's again, or (`back` false) never. */
void withhold_end(bool back);

/* Was it for this page? Then the instruction is executed again. */
bool withhold_fault(struct cpu *cpu, const struct vt_exit *exit);

#endif
