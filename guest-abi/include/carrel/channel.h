/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The channel: the only memory that the host and a secure process share.
 * Everything in it is public to the host and hostile to the shim: the shim
 * copies once, then checks. Leaf header for kernel, user and hypervisor.
 */
#ifndef CARREL_CHANNEL_H
#define CARREL_CHANNEL_H

#include <carrel/layout.h>

/* Offsets in a slot's header; assembly uses them, C asserts them. */
#define CARREL_SLOT_PENDING	0x00
#define CARREL_SLOT_THREAD	0x08
#define CARREL_SLOT_PROCESS	0x10
#define CARREL_SLOT_TICKET0	0x18
#define CARREL_SLOT_TICKET1	0x20
#define CARREL_SLOT_SIGINFO	0x80

#ifndef __ASSEMBLER__
#ifdef __KERNEL__
#include <linux/types.h>
typedef __u8 carrel_u8;
typedef __u32 carrel_u32;
typedef __u64 carrel_u64;
#else
#include <stdint.h>
#include <stddef.h>
typedef uint8_t carrel_u8;
typedef uint32_t carrel_u32;
typedef uint64_t carrel_u64;
#endif

/* Header of a slot, written by the carrier. 4 KiB with its padding. */
struct carrel_slot {
	carrel_u32 pending;		/* number of the signal noted in siginfo, 0 none */
	carrel_u32 reserved0;
	carrel_u64 thread;		/* index of this slot's thread */
	carrel_u64 process;
	carrel_u64 ticket[2];
	carrel_u8 reserved1[0x80 - 0x28];
	carrel_u8 siginfo[128];		/* of the noted signal, as the kernel gave it */
};

_Static_assert(offsetof(struct carrel_slot, thread) == CARREL_SLOT_THREAD, "slot layout");
_Static_assert(offsetof(struct carrel_slot, process) == CARREL_SLOT_PROCESS, "slot layout");
_Static_assert(offsetof(struct carrel_slot, ticket) == CARREL_SLOT_TICKET0, "slot layout");
_Static_assert(offsetof(struct carrel_slot, siginfo) == CARREL_SLOT_SIGINFO, "slot layout");
_Static_assert(sizeof(struct carrel_slot) <= CARREL_SLOT_DATA, "slot header");

/*
 * Start block: at the first byte of the arena (the first channel block that
 * holds no slot), written by the carrier before ENTER of thread 0. Host-chosen.
 * Strings follow the header back to back, each NUL-terminated: argv, then envp.
 */
#define CARREL_START_MAGIC	CARREL_UL(0x3154524154534843)	/* "CHSTART1" */
struct carrel_start {
	carrel_u64 magic;
	carrel_u32 size;		/* bytes of header and strings */
	carrel_u32 argc;
	carrel_u32 envc;
	carrel_u32 reserved;
	carrel_u64 arena_size;		/* bytes of the arena, for the shim to hold against the manifest */
	/* facts the kernel would put into the auxiliary vector; claims of the host */
	carrel_u32 uid, euid, gid, egid;
	carrel_u32 secure;		/* AT_SECURE of the carrier: must be 0 */
	carrel_u32 reserved2;
};
_Static_assert(sizeof(struct carrel_start) == 56, "start block");
#endif
#endif
