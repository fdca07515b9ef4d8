/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own command line, as given in the loader's menu entry. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include <base/types.h>

enum sipi_mode { SIPI_AUTO, SIPI_TRAP, SIPI_NATIVE };

struct options {
	u16 serial;		/* serial=com1..com4|0xPORT|none: I/O port, 0 none; default com1 */
	bool screen;		/* screen=on|off: lines go to the screen until Linux starts; on */
	enum sipi_mode sipi;	/* sipi=auto|trap|native: how Linux's INIT and SIPI are caught */
	bool apic_trap;		/* apic=auto|trap: keep the APIC page trapped for good */
	bool cpuid_hv;		/* cpuid=auto|hv: set CPUID.1:ECX[31] */
	bool fallback_bare;	/* fallback=halt|bare: start Linux without us if we cannot run */
	bool require_dma;	/* require=dma: refuse to start without an IOMMU */
};

/*
 * Fill `options` from `line`: words between spaces, later ones win. A word that is not
 * understood changes nothing and is reported: `warn(word, length, why)`, word not ended by NUL.
 */
void options_parse(struct options *options, const char *line,
		   void (*warn)(const char *word, size_t length, const char *why));

#endif
