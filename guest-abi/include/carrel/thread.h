/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the hypervisor and the shim agree on inside a process view: entry
 * points, the thread page and the upcall frame. The host sees none of it.
 * Leaf header: assembly and C, shim and hypervisor include it.
 *
 * Entry points, at fixed offsets of the shim image:
 *   START    thread start: RDI = thread index, RSP = top of the shim stack,
 *            every other register 0, vector state initial, in_shim = 1.
 *   SYSCALL  from the bounce page after SYSCALL: RCX and R11 as SYSCALL left
 *            them are in the thread page, RCX = this address, R11 = 202h,
 *            everything else the program's.
 *   UPCALL   the interrupted general registers are in the thread page's upcall
 *            frame, in_shim = 1, RSP = top of the shim stack, RDI = vector,
 *            vector state untouched.
 *
 * GS base is the thread page's address while a thread runs; it belongs to the
 * shim. FS base is the program's.
 */
#ifndef CARREL_THREAD_H
#define CARREL_THREAD_H

#include <carrel/layout.h>

#define CARREL_SHIM_START	(CARREL_SHIM_VA + 0x00)
#define CARREL_SHIM_SYSCALL	(CARREL_SHIM_VA + 0x40)
#define CARREL_SHIM_UPCALL	(CARREL_SHIM_VA + 0x80)
#define CARREL_THREAD_PAGE(i)	(CARREL_THREADS_VA + (i) * CARREL_THREAD_STRIDE)
/* Top of thread i's shim stack; the page below the stack is the thread page. */
#define CARREL_THREAD_STACK(i)	(CARREL_THREAD_PAGE(i) + CARREL_THREAD_STRIDE)

/* Selectors in the constant descriptor page; Linux's values. */
#define CARREL_USER_CS		0x33
#define CARREL_USER_SS		0x2b

/* Offsets in the thread page, from GS base. */
#define CARREL_TP_RCX		0x00	/* written by the bounce page */
#define CARREL_TP_R11		0x08
#define CARREL_TP_RSP		0x10	/* scratch of the shim's entry */
#define CARREL_TP_IN_SHIM	0x18	/* u32: upcalls wait while it is not 0 */
#define CARREL_TP_UPCALL_PENDING 0x1c	/* u32: set by the hypervisor instead */
#define CARREL_TP_SHIM		0x20	/* 0x58 bytes for the shim */
#define CARREL_TP_FIXUP		0x78	/* where the shim goes on after a #PF of its own; 0: it dies. The
					   hypervisor clears it when it sends the thread there */
#define CARREL_TP_UPCALL	0x80	/* struct carrel_upcall */
#define CARREL_TP_XSTATE	0x200	/* the shim's, to the end of the page: vector state handed over */

/* Vector of an upcall that carries a signal and no fault. */
#define CARREL_UPCALL_SIGNAL	256

#ifndef __ASSEMBLER__
#include <stdint.h>
#include <stddef.h>

struct carrel_upcall {
	uint64_t vector;		/* exception vector, or CARREL_UPCALL_SIGNAL */
	uint64_t error;			/* error code, 0 where the vector has none */
	uint64_t address;		/* CR2 of a #PF, else 0 */
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;	/* as the CPU numbers them */
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
};

struct carrel_thread_page {
	uint64_t rcx, r11, rsp;
	uint32_t in_shim, upcall_pending;
	uint8_t shim[0x58];
	uint64_t fixup;
	struct carrel_upcall upcall;
	uint8_t rest[4096 - 0x80 - sizeof(struct carrel_upcall)];
};
_Static_assert(sizeof(struct carrel_thread_page) == 4096, "thread page");
_Static_assert(offsetof(struct carrel_thread_page, in_shim) == CARREL_TP_IN_SHIM, "thread page");
_Static_assert(offsetof(struct carrel_thread_page, fixup) == CARREL_TP_FIXUP, "thread page");
_Static_assert(offsetof(struct carrel_thread_page, upcall) == CARREL_TP_UPCALL, "thread page");
_Static_assert(CARREL_TP_UPCALL + sizeof(struct carrel_upcall) <= CARREL_TP_XSTATE, "thread page");
#endif
#endif
