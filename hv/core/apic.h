/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How CPUs start and are stopped: INIT and SIPI of the guest, carried out in
 * software while the trap is up (every SVM; VMX with sipi=trap), by VM exits where
 * the machine gives them (VMX, native). docs/architecture tells which holds where.
 *
 * The trap is the xAPIC page made read-only in the host view (MSR 830h in x2APIC mode). It is up while
 * a CPU waits for its SIPI, and again when Linux announces the start of a CPU; with
 * apic=trap it stays.
 */
#ifndef HV_CORE_APIC_H
#define HV_CORE_APIC_H

#include "cpu.h"

enum apic_mode { APIC_TRAP, APIC_NATIVE };

/* Boot, before the other CPUs start: choose the mode, read the APIC's mode and address. */
void apic_boot(enum apic_mode mode, bool keep_trap);

/* Start CPU `cpu` from reset by our own trampoline and wait until it is parked.
 * False when it does not come within about a second. */
bool apic_start_parked(struct cpu *cpu);

/* A nested fault of the host view: true if it was an access that the trap caught. */
bool apic_fault(struct cpu *cpu, const struct vt_exit *exit);

/* The guest writes the interrupt command register. */
void apic_icr_write(u32 low, u32 high);

/* The guest announced the start of a CPU (CMOS 0Fh = 0Ah): the trap goes up. */
void apic_expect_start(void);

/* Exits of the native mode: an INIT hit this CPU; a SIPI with this page did. */
void apic_init(struct cpu *cpu);
void apic_sipi(struct cpu *cpu, u8 page);

/*
 * PARK: the guest says that the CPU with this APIC id is offline. It is taken back into
 * the hypervisor, where it owes no flush, until the guest's next SIPI. 0; CARREL_EARG: no
 * such CPU, or the caller's own; CARREL_EBUSY: it did not come.
 */
int apic_park(u32 apic_id);

/* Panic: every other CPU stops for good. */
void apic_stop_others(void);

bool apic_trap_armed(void);
enum apic_mode apic_mode(void);

#endif
