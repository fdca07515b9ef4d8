/* SPDX-License-Identifier: BSD-2-Clause */
/* See seal.h. */
#include <strings.h>

#include "processes/seal.h"

#define NONCE_SIZE	12

void seal_begin(struct seal *seal, const uint8_t key[SEAL_KEY_SIZE],
		const struct carrel_start *start)
{
	static const uint8_t nonce[NONCE_SIZE];

	br_aes_ct64_ctr_init(&seal->keys, key, SEAL_KEY_SIZE);
	br_gcm_init(&seal->gcm, &seal->keys.vtable, br_ghash_ctmul64);
	br_gcm_reset(&seal->gcm, nonce, sizeof(nonce));
	br_gcm_aad_inject(&seal->gcm, start, offsetof(struct carrel_start, tag));
	br_gcm_flip(&seal->gcm);
}

void seal_encrypt(struct seal *seal, void *bytes, size_t size)
{
	br_gcm_run(&seal->gcm, 1, bytes, size);
}

void seal_decrypt(struct seal *seal, void *bytes, size_t size)
{
	br_gcm_run(&seal->gcm, 0, bytes, size);
}

void seal_tag(struct seal *seal, uint8_t tag[SEAL_TAG_SIZE])
{
	br_gcm_get_tag(&seal->gcm, tag);
	explicit_bzero(seal, sizeof(*seal));
}

bool seal_good(struct seal *seal, const uint8_t tag[SEAL_TAG_SIZE])
{
	bool good = br_gcm_check_tag(&seal->gcm, tag);

	explicit_bzero(seal, sizeof(*seal));
	return good;
}
