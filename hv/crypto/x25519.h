/* SPDX-License-Identifier: BSD-2-Clause */
/* X25519, RFC 7748. */
#ifndef HV_CRYPTO_X25519_H
#define HV_CRYPTO_X25519_H

#include <base/types.h>

#define X25519_SIZE	32

/* The public key of a private one, which may be any 32 bytes: RFC 7748, 5, sets and clears bits. */
void x25519_public(const u8 private[X25519_SIZE], u8 public[X25519_SIZE]);

#endif
