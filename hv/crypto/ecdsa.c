/* SPDX-License-Identifier: BSD-2-Clause */
/* ECDSA as BearSSL checks it. */
#include "ecdsa.h"

#include <string.h>

#include <bearssl_ec.h>

#define UNCOMPRESSED	0x04	/* SEC 1, 2.3.3 */

/* BearSSL wants 0 < s and both below the order, and says nothing of r = 0 (FIPS 186-4, 6.4). */
static bool is_zero(const u8 number[ECDSA_SIGNATURE / 2])
{
	u8 any = 0;

	for (unsigned int i = 0; i < ECDSA_SIGNATURE / 2; i++)
		any |= number[i];
	return !any;
}

bool ecdsa_good(const u8 key[ECDSA_KEY], const u8 digest[ECDSA_DIGEST],
		const u8 signature[ECDSA_SIGNATURE])
{
	u8 point[1 + ECDSA_KEY] = { UNCOMPRESSED };
	const br_ec_public_key public = {
		.curve = BR_EC_secp256r1, .q = point, .qlen = sizeof(point),
	};

	memcpy(point + 1, key, ECDSA_KEY);
	return !is_zero(signature) &&
		br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, ECDSA_DIGEST, &public, signature,
				      ECDSA_SIGNATURE) == 1;
}
