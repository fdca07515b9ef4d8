/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Hypercalls: numbers, arguments, results. docs/abi.md gives the full text.
 *
 * Instruction: VMCALL on Intel, VMMCALL on AMD (CPUID 40000001h tells).
 * RAX = number; arguments RDI RSI RDX R10 R8 R9; result in RAX: zero or a
 * positive status, or a negative CARREL_E*. Some calls return further values in
 * RDI RSI RDX R10 R8 R9; registers not named by a call keep their value.
 * Arguments are numbers and frame numbers, never pointers: a frame is a physical
 * address >> 12, a block >> CARREL_BLOCK_SHIFT, a chunk >> CARREL_CHUNK_SHIFT.
 *
 * Leaf header: assembly and C, kernel, user and hypervisor include it.
 */
#ifndef CARREL_HYPERCALL_H
#define CARREL_HYPERCALL_H

#define CARREL_ABI_VERSION	5

/* CPUID 40000000h: EAX = highest leaf, EBX ECX EDX = signature. */
#define CARREL_CPUID_BASE	0x40000000
#define CARREL_CPUID_ABI	0x40000001	/* EAX = ABI version, EBX = hypercall instruction */
#define CARREL_CPUID_MAX	0x40000001
#define CARREL_SIG_EBX		0x72726143	/* "CarrelCarrel" */
#define CARREL_SIG_ECX		0x61436c65
#define CARREL_SIG_EDX		0x6c657272
#define CARREL_INSN_VMCALL	1
#define CARREL_INSN_VMMCALL	2

/* Host view, CPL 0. */
#define CARREL_HC_DONATE	1	/* (chunk, process or 0) */
#define CARREL_HC_RETURN	2	/* (chunk) */
#define CARREL_HC_CREATE	3	/* (chunk, abi, slots | blocks << 16 | CARREL_CREATE_* << 32,
					   limit in chunks)
					   -> RDI = process, RSI = ticket low, RDX = ticket high */
#define CARREL_HC_ADD		4	/* (process, source frame, address, type | rights) */
#define CARREL_HC_LEND		5	/* (process, block, index) */
#define CARREL_HC_INIT		6	/* (process) -> RDI RSI RDX R10 = identity */
#define CARREL_HC_DESTROY	7	/* (process) */
#define CARREL_HC_FLUSH		8	/* () */
#define CARREL_HC_INFO		9	/* (what, index, sub) -> RDI RSI RDX R10 R8 R9 */
#define CARREL_HC_LOG		10	/* (position) -> RAX = bytes (0 to 40),
					   RDI RSI RDX R10 R8 = text, R9 = next position */
#define CARREL_HC_PARK		11	/* (APIC id): that CPU is offline; take it back */
#define CARREL_HC_ADMIT		12	/* (requester): the kernel found that device; let its slot reach
					   host memory by DMA */
#define CARREL_HC_ADOPT		13	/* (process, ticket low, ticket high): a host process has come for
					   that child of a fork; once */
#define CARREL_HC_PUBLIC	14	/* RDI RSI RDX R10 = identity -> its X25519 public key there */
#define CARREL_HC_RESEAL	15	/* (frame): struct carrel_reseal at its start */
/* Host view, CPL 3. */
#define CARREL_HC_ENTER		16	/* (process, ticket low, ticket high, thread) */
#define CARREL_HC_RESUME	17	/* (process, ticket low, ticket high, thread, value, flags) */
/* Process view; the subject is the thread on this CPU. */
#define CARREL_HC_OCALL		32	/* RBX = system call, RDI RSI RDX R10 R8 R9 its arguments
					   -> RAX = the host's result, RBX = CARREL_RESUME_* flags */
#define CARREL_HC_MAP		33	/* (address, pages, rights | CARREL_MAP_*) */
#define CARREL_HC_UNMAP		34	/* (address, pages) */
#define CARREL_HC_PROTECT	35	/* (address, pages, rights) */
#define CARREL_HC_RANDOM	36	/* () -> RDI RSI RDX R10 = 32 random bytes */
#define CARREL_HC_NOTE		37	/* (code, number): a line in the log */
#define CARREL_HC_IDENTITY	38	/* () -> RDI RSI RDX R10 */
#define CARREL_HC_DIE		39	/* (code): kill this process with a logged reason */
#define CARREL_HC_THREAD	40	/* (index): make that thread, or make it anew if it is out */
#define CARREL_HC_FORK		41	/* (CARREL_FORK_*, child of ABORT)
					   -> RDI = child, RSI = ticket low, RDX = ticket high */
#define CARREL_HC_PASS		42	/* RDI RSI RDX R10 = 32 bytes for a successor of the same identity
					   -> RDI = ticket low, RSI = ticket high */
#define CARREL_HC_CLAIM		43	/* (ticket low, ticket high) -> RDI RSI RDX R10 = the bytes, once */
#define CARREL_HC_SEAL_KEY	44	/* (CARREL_SEAL_*) -> RDI RSI RDX R10 = a key of this identity's */
#define CARREL_HC_MAX		44

/* What FORK is to do. */
#define CARREL_FORK_GO		0	/* begin, or go on after MORE or PENDING */
#define CARREL_FORK_ABORT	1	/* nobody comes for that child, or (0) the one in the making: undo */

/* Keys that SEAL_KEY derives from the platform key, the launch's state and the identity. */
#define CARREL_SEAL_SYMMETRIC	0	/* 32 bytes that nobody else can have */
#define CARREL_SEAL_X25519	1	/* the private key of what PUBLIC tells the host */
#define CARREL_SEAL_KINDS	2

/* Positive results. */
#define CARREL_PENDING		1	/* CPUs owe a flush: run FLUSH on all, ask again */
#define CARREL_MORE		2	/* bounded work done, more is left: ask again */

/* Errors. */
#define CARREL_ECALL		(-1)	/* no such hypercall */
#define CARREL_ECALLER		(-2)	/* not from this view or privilege level */
#define CARREL_EARG		(-3)	/* an argument is out of range */
#define CARREL_ESTATE		(-4)	/* the object is not in a state that allows it */
#define CARREL_EOWNER		(-5)	/* the frame is not owned by whom the call needs */
#define CARREL_ENOMEM		(-6)	/* the process's memory is used up: donate */
#define CARREL_ETICKET		(-7)	/* wrong ticket or wrong carrier */
#define CARREL_ELIMIT		(-8)	/* a limit given at CREATE, or a table of ours, is full */
#define CARREL_EDEAD		(-9)	/* the process was killed or is being destroyed */
#define CARREL_EBUSY		(-10)	/* the thread runs on another CPU, or a race was lost: retry */
#define CARREL_ERANDOM		(-11)	/* the machine's generator failed its health check */
#define CARREL_EDMA		(-12)	/* DMA protection was required and is absent */
#define CARREL_EFLAG		(-13)	/* CREATE did not say that the process may ask for this */
#define CARREL_ESIGNATURE	(-14)	/* the update key did not sign it */

/* Rights, in ADD, MAP and PROTECT. */
#define CARREL_R		1
#define CARREL_W		2
#define CARREL_X		4
#define CARREL_RIGHTS		7
#define CARREL_MAP_DEMAND	0x10	/* fill with zeros at the first touch */
#define CARREL_MAP_SHARED	0x20	/* what is there at a fork stays one memory of parent and child */
/* Types of ADD, ored to the rights. */
#define CARREL_ADD_PAGE		0x000
#define CARREL_ADD_TYPES	0xF00

/* Flags of RESUME. */
#define CARREL_RESUME_SIGNAL	1	/* the slot holds a signal */
#define CARREL_RESUME_NOTSTARTED 2	/* OCALL: a signal came first, the call was not made */

/* What INFO tells. */
#define CARREL_INFO_VERSION	0	/* RDI = ABI, RSI = version text (8 bytes), RDX = back end text,
					   R10 = CPUs online | CPUs known << 32, R8 = launch state */
#define CARREL_INFO_MEMORY	1	/* RDI = base, RSI = size of the hypervisor's range, RDX = chunks
					   donated, R10 = chunks of RAM, R8 = blocks lent */
#define CARREL_INFO_EXITS	2	/* index = CPU, sub = first reason: RDI..R9 = six counters;
					   EARG past the last CPU or reason */
#define CARREL_INFO_REASON	3	/* index = reason: RDI RSI RDX = name, 24 bytes, NUL-padded */
#define CARREL_INFO_REFUSED	4	/* RDI = refused reads, RSI = writes, RDX = fetches of private or
					   hypervisor memory, R10 = refused MSR and port accesses,
					   R8 = refused hypercalls */
#define CARREL_INFO_PROCESS	5	/* index = table slot: RDI = process or 0, RSI = state, RDX = threads,
					   R10 = chunks, R8 = OCALLs, R9 = other exits */
#define CARREL_INFO_IDENTITY	6	/* index = process: RDI RSI RDX R10 = identity */
#define CARREL_INFO_PLATFORM	7	/* RDI = INIT handling (0 not intercepted, 1 trapped, 2 native),
					   RSI = CARREL_DMA_*, RDX = APIC trap armed */
#define CARREL_INFO_DMA		8	/* RDI = CARREL_DMA_*, RSI = driver text (8 bytes), RDX = units,
					   R10 = faults, R8 = faults known to be lost, R9 = slots admitted */
#define CARREL_INFO_DMA_TEXT	9	/* index = part: 48 bytes of why DMA is not protected, NUL-padded;
					   EARG past the last */
#define CARREL_INFO_DMA_UNIT	10	/* index: RDI = registers, RSI = segment | CARREL_MSI_* << 16,
					   RDX R10 = its features, R8 = flushes; EARG past the last */
#define CARREL_INFO_DMA_FAULTS	11	/* index: RDI = requester (FFFFh: all that found no row),
					   RSI = faults, RDX = last address, R10 = last code | write << 8;
					   EARG past the last */
#define CARREL_INFO_LAUNCH	12	/* RDI = CARREL_LAUNCH_*, RSI = PCRs by bits, RDX = 1 if the
					   launch's checks passed, so that RECORD can be made for it */
#define CARREL_INFO_LAUNCH_HASH	13	/* index = CARREL_HASH_*: RDI RSI RDX R10 = 32 bytes */
#define CARREL_INFO_LAUNCH_TEXT	14	/* index = part: 48 bytes of why the launch is no better,
					   NUL-padded; EARG past the last */

/* Flags of CREATE; part of the identity. */
#define CARREL_CREATE_DMA	1	/* only where devices cannot reach private memory, else EDMA */
#define CARREL_CREATE_SEAL	2	/* it may ask for keys: its manifest fixes what it does */
#define CARREL_CREATE_FLAGS	3

#define CARREL_DMA_UNPROTECTED	0
#define CARREL_DMA_PROTECTED	1
#define CARREL_DMA_LOST		2	/* a unit failed: nothing new becomes private */

/* What a unit lets pass of devices' interrupt messages. */
#define CARREL_MSI_ANY		0
#define CARREL_MSI_COMPATIBLE	1	/* all but those in remappable format */
#define CARREL_MSI_FIXED	2	/* fixed and lowest-priority ones alone */

/* Hashes of the launch: zeros where there is none. */
#define CARREL_HASH_PCRS	0	/* SHA-256 of the values of INFO_LAUNCH's PCRs */
#define CARREL_HASH_POLICY	1	/* what RECORD's policy must be for this launch */
#define CARREL_HASH_KEY		2	/* the platform key's fingerprint */

/* States of a process, in INFO_PROCESS. */
#define CARREL_PROCESS_NEW	0	/* created; pages are added */
#define CARREL_PROCESS_READY	1	/* measured; threads may enter */
#define CARREL_PROCESS_DEAD	2	/* killed, or being destroyed */
#define CARREL_PROCESS_FORKED	3	/* a child that no host process has come for yet */

/* Codes of NOTE and DIE: numbers alone reach the log, never data. */
#define CARREL_NOTE_ENOSYS	1	/* number = a system call that the shim does not serve */
#define CARREL_NOTE_START	2	/* the program begins; number = its size in bytes */
#define CARREL_NOTE_CODE	3	/* refused to run a file that the manifest does not list */
#define CARREL_NOTE_EXEC	4	/* refused, or (number 1) ran without protection, another program */
#define CARREL_NOTE_SEALED	5	/* no key, or a sealed file was not opened; number = CARREL_SEALED_* */
#define CARREL_DIE_MANIFEST	16	/* the program is not what the manifest says */
#define CARREL_DIE_IAGO		17	/* the kernel's answer was impossible */
#define CARREL_DIE_START	18	/* the start block is malformed */
#define CARREL_DIE_SHIM		19	/* the shim met a fault of its own */
#define CARREL_DIE_RANDOM	20
#define CARREL_DIE_FRAME	21	/* a signal frame that cannot be returned to */
#define CARREL_DIE_HELD		22	/* a child of vfork was killed while it held a lock of the shim's */

/* Why not. */
#define CARREL_SEALED_UNMEASURED	1	/* the launch is unmeasured: there are no keys */
#define CARREL_SEALED_HOST	2	/* the manifest leaves arguments, environment or code to the host */
#define CARREL_SEALED_FORMAT	3	/* it is no sealed file, cut short, or too large */
#define CARREL_SEALED_IDENTITY	4	/* it is for another identity */
#define CARREL_SEALED_PATH	5	/* it is for another path */
#define CARREL_SEALED_CONTENT	6	/* it is of another machine or launch state, or was changed */

#endif
