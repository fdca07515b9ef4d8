/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * /dev/attack: what the attacking module does for its runner. One ioctl; `op`
 * says what, `in` and `buffer` are its arguments, `out` its results. The ioctl
 * fails with an errno only if the attack could not be tried. Leaf header.
 */
#ifndef ATTACK_H
#define ATTACK_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#include <linux/types.h>
#else
#include <linux/types.h>
#include <sys/ioctl.h>
#endif

#define ATTACK_DEVICE	"/dev/attack"

struct attack {
	__u64 op;
	__u64 in[8];
	__u64 out[16];
	__u64 buffer, size;	/* of the caller's; what it is for depends on `op` */
};
#define ATTACK_IOC	_IOWR('A', 1, struct attack)

enum attack_op {
	/*
	 * Read every page of the machine's RAM by the kernel's own map, and the ranges
	 * beyond it that the firmware reserved, for two adjacent words of the secret
	 * with key in[0]. out: pages read, pages refused, places found, address of the first and
	 * its words.
	 * buffer takes the frame numbers of refused pages.
	 */
	ATTACK_SCAN = 1,
	/* Read (in[0] = 0) or write (1) the first 8 bytes of each frame of buffer. out: done,
	 * refused, words of the secret with key in[1] among what was read. */
	ATTACK_TOUCH,
	/* Copy `size` bytes at in[1] of process in[0] to buffer, by in[2]. out: bytes copied. */
	ATTACK_READ,
	/* The leaf of in[1] in the page tables of process in[0]. out: entry, 0 if there is none. */
	ATTACK_PTE_GET,
	/* Make it in[2], with tables on the way there where there are none. */
	ATTACK_PTE_SET,
	/* A page of the kernel's that holds a copy of buffer; out: its frame number. It is freed
	 * by ATTACK_PAGE_FREE (in[0] = frame number). */
	ATTACK_PAGE,
	ATTACK_PAGE_FREE,
	/*
	 * Interrupt process in[0] again and again for in[1] milliseconds on every CPU, look
	 * for the secret with key in[2] in what the interrupt shows, and do in[3] (WATCH_*)
	 * with argument in[4] in the interrupts; in[5] is an address of the secret in it.
	 * out: interrupts that hit its user mode; secrets in general registers, vector
	 * registers, other registers, memory of its address space; actions done; interrupts at the
	 * entry where a carrier goes on whose thread was thrown out, and all bits of all registers
	 * there, or-ed.
	 */
	ATTACK_WATCH,
	/* The registers of process in[0] that the kernel keeps while it does not run; key in[1].
	 * out: secrets in general, vector registers. */
	ATTACK_SAVED,
	/* Hypercall in[0] with arguments in[1..6] from ring 0. out: RAX, RDI RSI RDX R10 R8 R9,
	 * trap + 1 if the instruction was refused. in[7]: HYPERCALL_*. */
	ATTACK_HYPERCALL,
	/* in[0] random hypercalls from seed in[1], none that takes this kernel's own memory.
	 * out: calls that succeeded. */
	ATTACK_FUZZ,
	/* Instruction in[0] in ring 0. buffer takes its name. out: trap + 1, 0 if it was
	 * executed; -1 past the last one. */
	ATTACK_INSN,
	/* Write back what each MSR of in[0] .. in[1] says, 0 to those that cannot be read.
	 * out: written, refused, written but changed all the same. */
	ATTACK_MSR_SWEEP,
	/* Write in[1] to MSR in[0]. out: refused, the value then, the value before (both 0 if
	 * unreadable). in[2]: put the value before back. */
	ATTACK_MSR,
	/* 2 MiB of this kernel's memory, free for donation. out: chunk number. */
	ATTACK_CHUNK,
	ATTACK_CHUNK_FREE,
	/* Two CPUs make hypercall DONATE of chunk in[0] at one time, in[1] times.
	 * out: successes, PENDING, EOWNER, other answers, the last other one. */
	ATTACK_DONATE_RACE,
	/* Start CPU in[0], which Linux has taken offline, by INIT and SIPI of ours, in real-mode
	 * code of ours; in[1]: also if it is online, which Linux does not survive. out: 1 if it
	 * came, EBX ECX EDX of its CPUID 40000000h, words of the secret with key in[2] that its
	 * vector registers still held. */
	ATTACK_START_CPU,
	/* Write in[1] to port in[0] (in[2] bytes). out: value read before. */
	ATTACK_PORT,
	/* Close address line 20 by method in[0] (0 port 92h, 1 keyboard controller) and look
	 * whether two addresses became one. out: 1 if they did. */
	ATTACK_A20,
	/* A triple fault of this CPU; in[0]: with its APIC switched off before. Does not return. */
	ATTACK_TRIPLE_FAULT,
	/* Fill the gate page and slot 0 of the channel of process in[0] with random bytes for
	 * in[1] ms; in[2]: 1 gate, 2 channel, 4 what calls carry in it. out: times. */
	ATTACK_FLIP,
	/* Write buffer to in[1] of process in[0], whatever its rights, within one page. out: the
	 * eight bytes that were there first. */
	ATTACK_POKE,
	/* One transfer by DMA of the device (QEMU's edu) at PCI address in[0], a bus << 8 | devfn:
	 * `size` bytes, at most 2048, from physical address in[2] to buffer, or to there (in[1]). */
	ATTACK_DMA,
	/* Have the device at in[0] decode its addresses and master its bus. */
	ATTACK_DMA_ENABLE,
	/* Read each frame of buffer by DMA of the device at in[0]. out: transfers, those that
	 * brought other things than zeros, words of the secret with key in[1] among them. */
	ATTACK_DMA_SCAN,
	/* One interrupt message, in[2] to address in[1], by the MSI capability of the device at
	 * in[0]. */
	ATTACK_MSI,
	/* Read (in[1] = 0) or write (1) in[3] bytes, 4 or 8, of a device's registers at physical
	 * address in[0]; in[2]: the value. out: trap + 1, the value read. */
	ATTACK_REGISTER,
	/* PCI configuration of the function at in[0], register in[1], in[2] bytes, by in[3]
	 * (CONFIG_*); in[4] is the base of MMCONFIG. in[5]: write in[6], then read again, and put
	 * the value before back if in[7]. out: trap + 1, the value before, the value after. */
	ATTACK_CONFIG,
	/* Look for ACPI tables with signature in[0] in all that is no RAM. out: those found whose
	 * checksum is right, address of the first. */
	ATTACK_TABLES,
	/*
	 * From now on lie to process in[0] about the system call whose function buffer names, by
	 * in[1] (LIE_*): only if its first argument is in[2]; its result is in[3], or in[3] more;
	 * in[5] and in[6] written to where its argument in[4] points. One at a time.
	 */
	ATTACK_LIE,
	/* No more. out: calls that were lied about. */
	ATTACK_LIE_END,
	/* Signal in[1] to process in[0], with si_code in[2] and si_addr in[3], as of the kernel. */
	ATTACK_SIGNAL,
	/* Each thread of process in[0] is to clear the word at in[1] when it ends. out: threads,
	 * those whose robust list was at in[2], those that had to clear a word outside the channel. */
	ATTACK_CLEAR_TID,
	/* Each thread of process in[0] has its rseq area at in[1] from now on, by the kernel's word
	 * alone, and goes through it at once. out: threads, those whose area was at in[2]. */
	ATTACK_RSEQ,
};

#define LIE_FD		1	/* only if the first argument is that */
#define LIE_SET		2	/* the result */
#define LIE_ADD		4	/* to it, unless it is an error */
#define LIE_BEFORE	8	/* write before the kernel looks */
#define LIE_AFTER	16	/* write when it is done */
#define LIE_WORD	32	/* write four bytes, not sixteen */
#define LIE_CHANNEL	64	/* only if its argument in[4] points into the channel */
#define LIE_INODE	128	/* only if the first argument is a descriptor of the file in[2] */

#define CONFIG_PORTS	0	/* CF8h and CFCh */
#define CONFIG_MEMORY	1	/* MMCONFIG */

/* How ATTACK_READ reads. */
#define READ_ACCESS	0	/* access_process_vm */
#define READ_WALK	1	/* its page tables, then the direct map */

/* What ATTACK_WATCH does besides looking. */
#define WATCH_LOOK	0
#define WATCH_REGISTERS	1	/* general registers but RSP := argument */
#define WATCH_IP	2	/* RIP := argument, once */
#define WATCH_SP	3	/* RSP := argument, once */
#define WATCH_FS	4	/* FS base := argument, once */
#define WATCH_XCR0	5	/* XCR0 := argument; the next interrupt puts it back */
/* Interrupts of vector `argument`, whose handler is ours: it looks, and changes RAX. */
#define WATCH_VECTOR	6
#define WATCH_NMI	7	/* look from NMIs sent by other CPUs */
#define WATCH_STEP	8	/* TF set in the flags to return to, once */

#define HYPERCALL_PLAIN	0
#define HYPERCALL_OTHER	1	/* the other vendor's instruction */

#endif
