/* SPDX-License-Identifier: BSD-2-Clause */
/* ECDSA on P-256, FIPS 186-4: signatures are checked, none is made. */
#ifndef HV_CRYPTO_ECDSA_H
#define HV_CRYPTO_ECDSA_H

#include <base/types.h>

#define ECDSA_KEY	64	/* X and Y of a point, big-endian */
#define ECDSA_SIGNATURE	64	/* r and s, big-endian */
#define ECDSA_DIGEST	32	/* SHA-256 */

/* Did the owner of `key` sign `digest`? False too if the key is no point of the curve. */
bool ecdsa_good(const u8 key[ECDSA_KEY], const u8 digest[ECDSA_DIGEST],
		const u8 signature[ECDSA_SIGNATURE]);

#endif
