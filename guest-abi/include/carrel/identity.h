/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What a process's identity is made of. The identity is SHA-256 over: the
 * create record; for every ADD, in order, its record and the 4096 bytes of the
 * page; the init record. The hypervisor hashes from its own copy; hvreg
 * measure computes the same. Little-endian, fixed-width, no padding. Leaf header.
 */
#ifndef CARREL_IDENTITY_H
#define CARREL_IDENTITY_H

#include <carrel/channel.h>

#define CARREL_IDENTITY_SIZE	32

#define CARREL_MEASURE_CREATE	CARREL_UL(0x3143455241455243)	/* "CREAREC1" */
#define CARREL_MEASURE_ADD	CARREL_UL(0x3143455250444441)	/* "ADDPREC1" */
#define CARREL_MEASURE_INIT	CARREL_UL(0x31434552494e4946)	/* "FINIREC1" */

struct carrel_measure_create {
	carrel_u64 magic;
	carrel_u32 abi;
	carrel_u32 limit;		/* chunks of 2 MiB */
	carrel_u32 slots;
	carrel_u32 blocks;
	carrel_u64 entry;		/* CARREL_SHIM_START */
	carrel_u64 threads;		/* CARREL_THREADS_VA */
	carrel_u64 gate;		/* CARREL_GATE_VA */
	carrel_u64 channel;		/* CARREL_CHANNEL_VA */
	carrel_u64 flags;		/* CARREL_CREATE_* */
};
_Static_assert(sizeof(struct carrel_measure_create) == 64, "measured record");

struct carrel_measure_add {
	carrel_u64 magic;
	carrel_u64 address;
	carrel_u32 type;		/* type | rights, as in ADD */
	carrel_u32 reserved;
};
_Static_assert(sizeof(struct carrel_measure_add) == 24, "measured record");

struct carrel_measure_init {
	carrel_u64 magic;
};

/*
 * The manifest, added at CARREL_MANIFEST_VA (read-only) and so a part of the
 * identity: a header, entries, strings, padded with zeros to whole pages. Entry 0
 * is the program that `hvreg run` starts. Whatever is not fixed is
 * marked host-chosen. Arguments and environment are fixed both or neither: they are then what a
 * start block (channel.h) holds behind its header, and the host's is not looked at. Only a process
 * whose arguments, environment and code are fixed may have keys (CARREL_CREATE_SEAL); the shim ends
 * any other that was created as if it could.
 */
#define CARREL_MANIFEST_MAGIC	CARREL_UL(0x3346494e414d4843)	/* "CHMANIF3" */
#define CARREL_MANIFEST_MAX	0x100000
#define CARREL_HOST_ARGV	1
#define CARREL_HOST_ENV		2
#define CARREL_HOST_CWD		4
#define CARREL_HOST_FDS		8
#define CARREL_HOST_CODE	16	/* files that no entry lists may run, in this process and by exec */
#define CARREL_PATH_MAX		1024	/* of a path in it, with its NUL */

struct carrel_manifest {
	carrel_u64 magic;
	carrel_u32 version;		/* 3 */
	carrel_u32 host_chosen;		/* CARREL_HOST_* */
	carrel_u32 slots;		/* as given to CREATE */
	carrel_u32 blocks;
	carrel_u32 size;		/* all of it, in bytes; whole pages */
	carrel_u32 entries;
	carrel_u32 strings;		/* offset of path, argv and envp, each NUL-terminated; 0: host's */
	carrel_u32 strings_size;
	carrel_u32 argc, envc;
	carrel_u8 reserved[16];		/* 0 */
};
_Static_assert(sizeof(struct carrel_manifest) == 64, "manifest header");

/* What keeps a key away. */
#define CARREL_HOST_UNSEALED	(CARREL_HOST_ARGV | CARREL_HOST_ENV | CARREL_HOST_CODE)

/* Kinds of entry. */
#define CARREL_ENTRY_PROGRAM	1	/* may be started, and exec'd by a program of this manifest */
#define CARREL_ENTRY_CODE	2	/* interpreter or library: may be mapped executable */
#define CARREL_ENTRY_FILE	3	/* data: reads as the hash says, or not at all */
#define CARREL_ENTRY_OPEN	4	/* a program that may be exec'd without protection; no hash */
#define CARREL_ENTRY_SEALED	5	/* data: reads as what was sealed for it (sealed.h); no hash */

struct carrel_manifest_entry {
	carrel_u32 kind;
	carrel_u32 path;		/* offset in the manifest of a NUL-terminated absolute path */
	carrel_u64 size;		/* of the file */
	carrel_u8 sha256[32];
};
_Static_assert(sizeof(struct carrel_manifest_entry) == 48, "manifest entry");
#endif
