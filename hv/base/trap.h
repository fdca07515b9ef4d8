/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and NMIs of the hypervisor itself: per-CPU GDT, TSS and IDT.
 *
 * #GP at an instruction listed in section `fixup` continues at its label. An NMI
 * sets trap_gs.nmi and, if RIP lies in a range listed in
 * section `restart` (begin, end), continues at the range's begin: so a test of the flag
 * followed by HLT or VM entry cannot lose one. Everything else is a panic.
 */
#ifndef HV_BASE_TRAP_H
#define HV_BASE_TRAP_H

#define HV_CS		0x08
#define HV_DS		0x10
#define HV_TR		0x18
/* struct trap_gs */
#define TRAP_GS_SELF	0
#define TRAP_GS_NMI	8
#define TRAP_GS_SIZE	16

#ifdef __ASSEMBLER__
/* A stretch [begin, end) that an NMI restarts. */
#define RESTART_RANGE(begin, end) \
	.pushsection restart, "a"; .quad begin, end; .popsection
#else
#include "types.h"

struct trap_tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 iomap;
} __attribute__((packed));
static_assert(sizeof(struct trap_tss) == 104, "SDM \"64-Bit TSS Format\"");

#define TRAP_STACK	4096
/* Per-CPU: tables and the separate stacks of NMI, #DF and #MC. */
struct trap_cpu {
	u64 gdt[6];
	struct trap_tss tss;
	u8 stacks[3][TRAP_STACK] __attribute__((aligned(16)));
};

/* What GS base points to on each CPU. */
struct trap_gs {
	void *self;
	u32 nmi;		/* an NMI sets it to 1 */
	u32 reserved;
};
static_assert(offsetof(struct trap_gs, self) == TRAP_GS_SELF, "assembly");
static_assert(offsetof(struct trap_gs, nmi) == TRAP_GS_NMI, "assembly");
static_assert(sizeof(struct trap_gs) == TRAP_GS_SIZE, "assembly");

/* Load GDT, TR and IDT on this CPU. Loading selectors clears no base: the caller sets GS
 * base afterwards, before the first NMI can arrive. */
void trap_cpu_init(struct trap_cpu *trap);

/* The machine ends: a CPU that learns of it by an INIT stops, also where that is an #SX. */
extern bool trap_stopping;

/* Called first on a panic, on the panicking CPU: the core stops the others and wipes. */
extern void (*panic_hook)(void);
#endif
#endif
