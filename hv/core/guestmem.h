/* SPDX-License-Identifier: BSD-2-Clause */
/* The only reader of guest memory: instruction bytes of the host guest, for store.c. */
#ifndef HV_CORE_GUESTMEM_H
#define HV_CORE_GUESTMEM_H

#include "cpu.h"

#define GUESTMEM_INSN_MAX	15

/* Copy up to 15 bytes at the host guest's RIP, by its own page tables as they are now; a
 * hostile guest harms only what it is told. Reads only RAM that the host owns. Returns
 * the number of bytes, 0 when nothing can be read. */
unsigned int guestmem_fetch(struct cpu *cpu, u8 bytes[GUESTMEM_INSN_MAX]);

#endif
