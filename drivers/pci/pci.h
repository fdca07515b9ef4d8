/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which PCI functions there are, before the first guest instruction: who may send requests
 * (hv/mm/dma.h), and whose configuration steers memory or DMA, so that the guest must not
 * write it (hv/core/pci.h).
 */
#ifndef DRIVERS_PCI_PCI_H
#define DRIVERS_PCI_PCI_H

#include <mm/dma.h>

/* Where what is found goes: slots into `platform`; `guard` is told the host bridges and IOMMUs
 * and answers 0, or -1: no memory. */
struct pci_scan {
	struct dma_platform *platform;
	int (*guard)(u16 segment, u16 function);
	bool *left_out;		/* set if there is a device that no unit serves */
	u16 pm1_control;	/* the port of PM1_CNT; 0 none */
	u16 *power;		/* set to the function of segment 0 that places that port */
};

/* Segment 0 by its ports, and the functions that `platform` names as AMD-Vi units. Both
 * functions here return 0 or -1: `guard` failed. */
int pci_scan_ports(const struct pci_scan *scan);

/* Buses of another segment by ECAM (PCI Firmware 3.0, 4.1.2: `base` is where bus 0 would be),
 * if phys() reaches all of them: [0, reach). Else a line in the log says that it does not. */
int pci_scan_ecam(const struct pci_scan *scan, u64 base, u16 segment, u8 first_bus, u8 last_bus,
		  u64 reach);

#endif
