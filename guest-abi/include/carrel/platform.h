/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What of the platform key lies in the TPM's NV memory, where hvreg prepares it and the
 * hypervisor finds it at the next launch: docs/measured-launch.md tells the protocol. Whatever is
 * written here is public; all of it may have been written by an attacker.
 *
 * Leaf header: C; hvreg and the hypervisor include it. Numbers are little-endian.
 */
#ifndef CARREL_PLATFORM_H
#define CARREL_PLATFORM_H

#include <stdint.h>

/*
 * NV indices, of the range that the TCG's registry leaves to the owner. RECORD proves where the
 * key came from: its policy lets nobody write but a hypervisor in the state that the policy names,
 * before it caps that state. The blobs prove nothing: what comes out of them is held against RECORD.
 */
#define CARREL_NV_RECORD	0x0181CA00u	/* struct carrel_record */
#define CARREL_NV_BLOB(slot)	(0x0181CA01u + (slot))	/* struct carrel_nv_blob; slots 0 and 1 */
#define CARREL_NV_SLOTS		2u
#define CARREL_NV_COUNTER	0x0181CA03u	/* a blob opens at one value of it only */
#define CARREL_NV_REQUEST	0x0181CA04u	/* struct carrel_request: what the next launch shall do */

#define CARREL_PLATFORM_MAGIC	0x4C505243u	/* "CRPL" */
#define CARREL_PLATFORM_VERSION	1u

/* How far the launch can be trusted; part of every key that is derived. */
#define CARREL_LAUNCH_UNMEASURED	0
#define CARREL_LAUNCH_STATIC	1	/* PCRs of firmware and boot loader: CARREL_STATIC_PCRS */
#define CARREL_LAUNCH_MEASURED	2	/* TXT: PCRs 17 and 18, locality 2 */

#define CARREL_MEASURED_PCRS	0x060000u	/* 17, 18 */
#define CARREL_STATIC_PCRS	0x000395u	/* 0, 2, 4, 7, 8, 9 */

/* Points of P-256, of the key that must sign each update: X and Y, big-endian; zeros: none. */
#define CARREL_UPDATE_KEY	64

struct carrel_record {
	uint8_t fingerprint[32];	/* SHA-256 of "carrel platform key" and struct carrel_secret */
};

/* What is sealed. Never outside the hypervisor and the TPM. */
struct carrel_secret {
	uint8_t seed[32];
	uint8_t update_key[CARREL_UPDATE_KEY];
};

/* TPM2B_PRIVATE's and TPM2B_PUBLIC's contents, one after the other in bytes[]. */
struct carrel_nv_blob {
	uint32_t magic, version;
	uint64_t counter;		/* its policy's PolicyNV operand */
	uint16_t private_size, public_size;
	uint8_t bytes[364];
};

#define CARREL_REQUEST_NONE	0
#define CARREL_REQUEST_INIT	1	/* make a key, write RECORD and a blob */

struct carrel_request {
	uint32_t magic, version, what, reserved;
	uint8_t update_key[CARREL_UPDATE_KEY];
};

/*
 * What must be signed (ECDSA on P-256 of the SHA-256 of these bytes) so that the key is sealed once
 * more: the kernel that asks may want a hypervisor with a hole in it, an old one or even that which
 * runs. `counter` ties the signature to one value of COUNTER: when that has gone on, an update that
 * was right once cannot be asked for again. An update from value v on takes two: for v, so that the
 * new system starts while the old one still can; and, when it has, for v + 1 and its own
 * measurement, after which COUNTER is incremented and the old one can start no more.
 */
#define CARREL_UPDATE_LABEL	"carrel update"

struct carrel_update {
	uint8_t label[16];		/* CARREL_UPDATE_LABEL, then zeros */
	uint8_t fingerprint[32];	/* of this machine's key: struct carrel_record */
	uint64_t counter;		/* the new blob opens at this value of COUNTER */
	uint32_t state, reserved;	/* CARREL_LAUNCH_* of this launch and the new one; 0 */
	uint8_t digest[32];		/* SHA-256 of the values that the PCRs of `state` will have */
};

/* What hypercall RESEAL reads. */
struct carrel_reseal {
	uint32_t magic, version;
	struct carrel_update update;
	uint8_t signature[64];		/* r, s, big-endian */
};

#define CARREL_NV_ASSERT(name, type, size) \
	typedef char carrel_nv_assert_##name[sizeof(type) == (size) ? 1 : -1]

CARREL_NV_ASSERT(record, struct carrel_record, 32);
CARREL_NV_ASSERT(secret, struct carrel_secret, 96);
CARREL_NV_ASSERT(blob, struct carrel_nv_blob, 384);
CARREL_NV_ASSERT(request, struct carrel_request, 80);
CARREL_NV_ASSERT(update, struct carrel_update, 96);
CARREL_NV_ASSERT(reseal, struct carrel_reseal, 168);

#endif
