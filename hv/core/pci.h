/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration that the guest may read but not write: of host bridges and IOMMUs, which
 * decide where memory is, who reaches it, and where their own registers lie; and the place of the
 * ports by which the machine goes to sleep.
 *
 * That covers, of Intel's client chips and q35 (00:00.0): PAM, SMRAM, TSEGMB, BGSM, TOLUD, TOM,
 * TOUUD, REMAPBASE, REMAPLIMIT, PCIEXBAR, MCHBAR, DMIBAR, DEVEN; of AMD's: the northbridge or
 * data fabric (D18F0 to F7: DRAM and MMIO maps, bus maps, the interleave), the root complex
 * (D0F0, with the index and data registers that lead to all others, so k10temp and amd64_edac
 * of a kernel do not work), and the IOMMU's capability block (D0F2: its base and its lock).
 * ECAM moves by PCIEXBAR and by MSR C0010058h (policy.c) alone.
 *
 * Not covered: chipset functions of other classes (Intel Xeon's 0880h: VTBAR, TOLM, TOHM, the
 * system address decoder; sideband by P2SB), which the firmware locks; registers in the memory
 * that MCHBAR points to (5400h, 5410h: where client VT-d units lie); ECAM that the firmware
 * keeps from the MCFG. Mechanism #2 of PCI 2.0 was gone before CPUs had VMX or SVM.
 */
#ifndef HV_CORE_PCI_H
#define HV_CORE_PCI_H

#include "cpu.h"

#define PCI_PORTS	0xCF8	/* the address, four bytes; then data, four bytes */
#define PCI_PORTS_DATA	0xCFC
#define PCI_PORTS_END	0xD00
#define PCI_WINDOWS_MAX	16U

/* Boot, once there is a host view. First ECAM, a window for each allocation of the MCFG (`base`
 * is where bus 0 would be; no RAM is there, and nothing beyond the host view); then the functions,
 * any order. guard: 0, or -1: no memory. */
void pci_window(u64 base, u16 segment, u8 first_bus, u8 last_bus);
int pci_guard(u16 segment, u16 function);
/* Of this one, of segment 0, the registers alone that place the ports of power management, which
 * policy.c watches: ICH, PCH and PIIX4 have them at 40h to 47h (PMBASE, ACPI_CNTL). */
int pci_guard_power(u16 function);

/* The byte of PCI_PORTS is from now on pci.c's: it opens the data ports and closes them. */
void pci_ports(u8 *io_bitmap);

/* The guest's four bytes to PCI_PORTS; its other writes to ports of which some are in
 * [PCI_PORTS, PCI_PORTS_END), done or dropped; and its reads there. */
void pci_select(u32 address);
void pci_out(u16 port, u8 size, u32 value);
u32 pci_in(u16 port, u8 size);

/* A nested fault of the host view: true if it was a store to ECAM, which was dropped. */
bool pci_fault(struct cpu *cpu, const struct vt_exit *exit);

#endif
