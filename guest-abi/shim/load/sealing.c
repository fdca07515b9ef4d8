/* SPDX-License-Identifier: BSD-2-Clause */
/* See sealing.h. */
#include <string.h>
#include <strings.h>

#include "load/sealing.h"

#define NONCE_SIZE	12

void sealing_secret(const uint8_t private[32], const uint8_t public[32], uint8_t secret[32])
{
	memcpy(secret, public, 32);
	/* Of a point of low order zeros come, which everybody knows: no worse than a key that is public. */
	br_ec_c25519_m31.mul(secret, 32, private, 32, BR_EC_curve25519);
}

void sealing_public(const uint8_t private[32], uint8_t public[32])
{
	br_ec_c25519_m31.mulgen(public, private, 32, BR_EC_curve25519);
}

void sealing_begin(struct sealing *sealing, const struct carrel_sealed *header,
		   const uint8_t secret[32], const uint8_t public[32])
{
	static const uint8_t nonce[NONCE_SIZE];
	uint8_t info[32 + offsetof(struct carrel_sealed, tag)], key[32];
	br_hkdf_context hkdf;

	memcpy(info, public, 32);
	memcpy(info + 32, header, sizeof(info) - 32);
	br_hkdf_init(&hkdf, &br_sha256_vtable, CARREL_SEALED_SALT, sizeof(CARREL_SEALED_SALT) - 1);
	br_hkdf_inject(&hkdf, secret, 32);
	br_hkdf_flip(&hkdf);
	br_hkdf_produce(&hkdf, info, sizeof(info), key, sizeof(key));
	br_aes_ct64_ctr_init(&sealing->keys, key, sizeof(key));
	br_gcm_init(&sealing->gcm, &sealing->keys.vtable, br_ghash_ctmul64);
	br_gcm_reset(&sealing->gcm, nonce, sizeof(nonce));
	br_gcm_aad_inject(&sealing->gcm, header, offsetof(struct carrel_sealed, tag));
	br_gcm_flip(&sealing->gcm);
	explicit_bzero(&hkdf, sizeof(hkdf));
	explicit_bzero(key, sizeof(key));
}

void sealing_run(struct sealing *sealing, bool encrypt, void *bytes, size_t size)
{
	br_gcm_run(&sealing->gcm, encrypt, bytes, size);
}

void sealing_tag(struct sealing *sealing, uint8_t tag[16])
{
	br_gcm_get_tag(&sealing->gcm, tag);
	explicit_bzero(sealing, sizeof(*sealing));
}

bool sealing_good(struct sealing *sealing, const uint8_t tag[16])
{
	bool good = br_gcm_check_tag(&sealing->gcm, tag);

	explicit_bzero(sealing, sizeof(*sealing));
	return good;
}
