/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own command line, as given in the loader's menu entry. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include <base/types.h>

enum sipi_mode { SIPI_AUTO, SIPI_TRAP, SIPI_NATIVE };

/* One width for all, so that the table in options.c needs no functions. */
struct options {
	u16 serial;		/* serial=com1..com4|0xPORT|none: I/O port, 0 none; default com1 */
	u16 screen;		/* screen=on|off: lines go to the screen until Linux starts; on */
	u16 sipi;		/* sipi=auto|trap|native: how Linux's INIT and SIPI are caught */
	u16 apic_trap;		/* apic=auto|trap: keep the APIC page trapped for good */
	u16 cpuid_hv;		/* cpuid=auto|hv: set CPUID.1:ECX[31] */
	u16 fallback_bare;	/* fallback=halt|bare: start Linux without us if we cannot run */
	u16 require_dma;	/* require=dma: refuse to start without an IOMMU */
	u16 has_origin;		/* origin=64 hexadecimal digits: the policy of the launch that made the
				   platform key, if it was not this one */
	u16 has_update_key;	/* update-key=64 hexadecimal digits: SHA-256 of the public key (X and Y)
				   that must sign the platform key's updates; with another it is not used */
	u8 origin[32], update_key[32];
};

/*
 * Fill `options` from `line`: words between spaces, later ones win. A word that is not
 * understood changes nothing and is reported: `warn(word, length)`, word not ended by NUL;
 * tboot= is tboot's word to boot/launch.c.
 */
void options_parse(struct options *options, const char *line,
		   void (*warn)(const char *word, size_t length));

#endif
