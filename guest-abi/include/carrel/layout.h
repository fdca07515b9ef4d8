/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The fixed addresses of a secure process: what lies where in the private
 * address space, and which part of it the carrier maps too.
 *
 * One PML4 entry (7E00_0000_0000h) holds everything of Carrel's, below any
 * randomised mmap base of Linux and above the hints of Go and the sanitizers.
 *
 *   GATE      one page; two frames: the host's copy (stub) in the host view,
 *             the hypervisor's copy (hypercall instruction) in the process view
 *   BOUNCE    SYSCALL entry, supervisor, process view only
 *   DESC      constant GDT, supervisor, process view only
 *   CHANNEL   lent host frames, in both views, never executable in the process view
 *   SHIM      measured shim image, private
 *   MANIFEST  measured manifest pages, private
 *   THREADS   one CARREL_THREAD_STRIDE per thread, private: thread page, then shim stack
 *
 * Leaf header: assembly and C, kernel, user and hypervisor include it.
 */
#ifndef CARREL_LAYOUT_H
#define CARREL_LAYOUT_H

#ifdef __ASSEMBLER__
#define CARREL_UL(x) x
#else
#define CARREL_UL(x) x##UL
#endif

#define CARREL_BASE		CARREL_UL(0x7E0000000000)
#define CARREL_GATE_VA		CARREL_UL(0x7E0000000000)
#define CARREL_BOUNCE_VA	CARREL_UL(0x7E0000001000)
#define CARREL_DESC_VA		CARREL_UL(0x7E0000002000)
#define CARREL_CHANNEL_VA	CARREL_UL(0x7E0000200000)
#define CARREL_SHIM_VA		CARREL_UL(0x7E0040000000)
#define CARREL_SHIM_END		CARREL_UL(0x7E0041000000)
#define CARREL_MANIFEST_VA	CARREL_UL(0x7E0041000000)
#define CARREL_MANIFEST_END	CARREL_UL(0x7E0041100000)
#define CARREL_THREADS_VA	CARREL_UL(0x7E0050000000)
#define CARREL_THREAD_STRIDE	CARREL_UL(0x10000)
#define CARREL_END		CARREL_UL(0x7E8000000000)	/* end of the PML4 entry */

/* The channel is lent in naturally aligned 64 KiB blocks. */
#define CARREL_BLOCK_SHIFT	16
#define CARREL_BLOCK_SIZE	CARREL_UL(0x10000)
#define CARREL_BLOCKS_MAX	256
/* A slot: 16 KiB shared with the shim, then 16 KiB of host signal stack. */
#define CARREL_SLOT_STRIDE	CARREL_UL(0x8000)
#define CARREL_SLOT_SIZE	CARREL_UL(0x4000)
#define CARREL_SLOT_DATA	CARREL_UL(0x1000)	/* first data byte in a slot; a header lies before */
#define CARREL_SLOTS_MAX	128
/* RSP of the stub in slot base `s`; of one that has just been made by clone or fork. */
#define CARREL_STUB_RSP(s)	((s) + CARREL_SLOT_STRIDE - 0x80)
#define CARREL_CHILD_RSP(s)	((s) + CARREL_SLOT_STRIDE - 0x100)
#define CARREL_CHUNK_SHIFT	21
#define CARREL_CHUNK_SIZE	CARREL_UL(0x200000)

/*
 * Entry points of the gate page. The first is the same in both copies; the
 * others exist in the host's copy alone, and the hypervisor names them as the
 * RIP of a carrier whose thread left its view.
 */
#define CARREL_GATE_CALL	0x000	/* hypercall instruction; ret */
#define CARREL_GATE_ENTER	0x040	/* carrier: first entry of a thread */
#define CARREL_GATE_OCALL	0x080	/* execute the system call in the registers, then RESUME */
#define CARREL_GATE_RESUME	0x200	/* RESUME without a value (the thread was preempted) */
#define CARREL_GATE_MEMORY	0x280	/* ask the module for memory, then RESUME */
#define CARREL_GATE_DEAD	0x300	/* the process was killed: the carrier kills itself */
#define CARREL_GATE_SIGNAL	0x380	/* the one signal handler of a carrier */
#define CARREL_GATE_RESTORER	0x480	/* its sa_restorer */
#define CARREL_GATE_FLUSH	0x4c0	/* ask the module for FLUSH on every CPU, then RESUME */
#define CARREL_GATE_KICK	0x5c0	/* ask it to interrupt this process's CPUs, then RESUME */
#define CARREL_GATE_WAIT	0x600	/* sleep a moment, then RESUME */

/*
 * Requests to the module: msync(CARREL_BASE + request * 4096, (argument + 1) * 4096,
 * MS_SYNC), request + argument below 512.
 */
#define CARREL_REQ_MEMORY	1	/* donate one more chunk to this process, argument more if it can */
#define CARREL_REQ_FLUSH	2	/* run FLUSH on every CPU */
#define CARREL_REQ_LEND		3	/* block `argument` of the channel must be there */
#define CARREL_REQ_ADOPT	4	/* this address space is for a child of a fork: R10 = its handle,
					   R8 and R9 its ticket, as for clone */
#define CARREL_REQ_TRIM		5	/* take back chunks in which nothing is */
#define CARREL_REQ_KICK		6	/* interrupt the CPUs that run this address space: threads that
					   are in the process's view leave it, and owe nothing */

#endif
