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
#define CARREL_SLOT_SHADOW	0x28
#define CARREL_SLOT_ALIVE	0x2c
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
	carrel_u32 shadow;		/* what the thread sleeps on in a futex: 0 asleep, 1 woken */
	carrel_u32 alive;		/* the host's tid; the kernel clears it when that thread is gone */
	carrel_u8 reserved1[0x80 - 0x30];
	carrel_u8 siginfo[128];		/* of the noted signal, as the kernel gave it */
};

_Static_assert(offsetof(struct carrel_slot, thread) == CARREL_SLOT_THREAD, "slot layout");
_Static_assert(offsetof(struct carrel_slot, process) == CARREL_SLOT_PROCESS, "slot layout");
_Static_assert(offsetof(struct carrel_slot, ticket) == CARREL_SLOT_TICKET0, "slot layout");
_Static_assert(offsetof(struct carrel_slot, shadow) == CARREL_SLOT_SHADOW, "slot layout");
_Static_assert(offsetof(struct carrel_slot, alive) == CARREL_SLOT_ALIVE, "slot layout");
_Static_assert(offsetof(struct carrel_slot, siginfo) == CARREL_SLOT_SIGINFO, "slot layout");
_Static_assert(sizeof(struct carrel_slot) <= CARREL_SLOT_DATA, "slot header");

/*
 * Start block: at the first byte of the arena (the first channel block that
 * holds no slot), written by the carrier before ENTER of thread 0. What follows
 * the header: the path of the program, then argv, then envp, back to back, each
 * NUL-terminated.
 *
 * In the clear it is host-chosen. From a secure process that called exec it is sealed:
 * AES-256-GCM under the 32 bytes that CLAIM gives for `ticket`, nonce zero (a key
 * seals one block), what stands before the tag as additional data.
 */
#define CARREL_START_MAGIC	CARREL_UL(0x3254524154534843)	/* "CHSTART2" */
struct carrel_start {
	carrel_u64 magic;
	carrel_u32 size;		/* bytes of header and strings */
	carrel_u32 argc;
	carrel_u32 envc;
	carrel_u32 secure;		/* AT_SECURE of the carrier: must be 0 */
	carrel_u64 arena_size;		/* bytes of the arena, for the shim to hold against the manifest */
	carrel_u64 ticket[2];		/* of CLAIM; 0: in the clear */
	carrel_u8 tag[16];
	/* claims of the host: what the kernel would put into the auxiliary vector, what CREATE got */
	carrel_u32 uid, euid, gid, egid;
	carrel_u32 limit, flags;
};
_Static_assert(sizeof(struct carrel_start) == 88, "start block");

/*
 * What the carrier of an exec finds in the file whose descriptor CARREL_EXEC in
 * its environment names: this header, the manifest, the start block (whose claims the carrier
 * fills in; they are not sealed).
 */
#define CARREL_EXEC_MAGIC	CARREL_UL(0x3143455845484344)
#define CARREL_EXEC_VARIABLE	"CARREL_EXEC"
struct carrel_exec {
	carrel_u64 magic;
	carrel_u32 manifest_size;	/* whole pages */
	carrel_u32 start_size;
	carrel_u32 limit, flags;	/* as given to CREATE */
};
_Static_assert(sizeof(struct carrel_exec) == 24, "exec header");
#endif
#endif
