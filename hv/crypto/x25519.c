/* SPDX-License-Identifier: BSD-2-Clause */
/* X25519 as BearSSL computes it, in constant time. */
#include "x25519.h"

#include <bearssl_ec.h>

void x25519_public(const u8 private[X25519_SIZE], u8 public[X25519_SIZE])
{
	br_ec_c25519_m31.mulgen(public, private, X25519_SIZE, BR_EC_curve25519);
}
