/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host guest may see and steer: CPUID, MSRs, ports, control registers. */
#ifndef HV_CORE_POLICY_H
#define HV_CORE_POLICY_H

#include "cpu.h"

/* Ports and registers that the machine's tables name; filled by boot/main.c. */
struct platform_ports {
	u16 pm1_cnt[2];		/* 0: none */
	u16 reset_port;		/* FADT reset register if it is a port, else 0 */
	u8 reset_value;
};

/* Build the MSR and I/O bitmaps of the host view from the tables in policy.c. */
void policy_bitmaps(const struct vt_ops *vt, void *msr_bitmap, void *io_bitmap,
		    const struct platform_ports *ports);

/* Stop the performance counters that the host started on this CPU, or let them run again. */
void policy_perf(struct cpu *cpu, bool run);

/* Carry out or refuse what the guest of the current view asked for; skips the instruction
 * or injects. Called by exit.c. */
void policy_cpuid(struct cpu *cpu, const struct vt_exit *exit);
void policy_msr(struct cpu *cpu, const struct vt_exit *exit);
void policy_io(struct cpu *cpu, const struct vt_exit *exit);
void policy_cr(struct cpu *cpu, const struct vt_exit *exit);
void policy_xsetbv(struct cpu *cpu, const struct vt_exit *exit);

#endif
