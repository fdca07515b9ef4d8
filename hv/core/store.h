/* SPDX-License-Identifier: BSD-2-Clause */
/* The host guest's store at its RIP, where a write to a page is carried out or dropped in
 * software (apic.c, pci.c). The only decoder of instructions. */
#ifndef HV_CORE_STORE_H
#define HV_CORE_STORE_H

#include "cpu.h"

struct store {
	u32 value;
	u8 size;	/* 1, 2 or 4 */
	u8 length;	/* of the instruction */
	u64 *exchange;	/* XCHG of 4 bytes: the register that gets the old value; else NULL */
};

/*
 * What Linux writes device registers with, in 64-bit code: MOV of a register or an immediate,
 * 1, 2 or 4 bytes, and XCHG of 4. False for anything else, and for bytes that cannot be read.
 */
bool store_decode(struct cpu *cpu, struct store *store);

#endif
