/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A sealed file: for one identity on one machine, and for one name there. The header, then the
 * content, encrypted by AES-256-GCM with a nonce of zero (a key seals one file), what stands before
 * the tag as additional data. The key is HKDF-SHA256 (RFC 5869), with the salt CARREL_SEALED_SALT, of
 * the secret that `ephemeral` and the identity's X25519 key have in common (RFC 7748); its info are
 * the 32 bytes of the identity's public key and the header up to the tag.
 *
 * Whoever has the public key can make one. So it keeps its content secret, but does not say who
 * wrote it.
 *
 * Leaf header. Little-endian.
 */
#ifndef CARREL_SEALED_H
#define CARREL_SEALED_H

#include <carrel/channel.h>

#define CARREL_SEALED_MAGIC	CARREL_UL(0x31444c4145535243)	/* "CRSEALD1" */
#define CARREL_SEALED_SALT	"carrel sealed file"
#define CARREL_SEALED_MAX	CARREL_UL(0x40000000)	/* bytes of content: it is held in memory */

struct carrel_sealed {
	carrel_u64 magic;
	carrel_u64 reserved;		/* 0 */
	carrel_u8 identity[32];		/* who may read it */
	carrel_u8 path[32];		/* SHA-256 of the absolute path by which it is opened */
	carrel_u8 ephemeral[32];	/* X25519 public key */
	carrel_u8 tag[16];
};
_Static_assert(sizeof(struct carrel_sealed) == 128, "sealed file");

#endif
