/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 as BearSSL computes it. */
#include "sha256.h"

#include <bearssl_hash.h>

static_assert(sizeof(struct sha256) >= sizeof(br_sha256_context), "BearSSL's context fits");
static_assert(_Alignof(struct sha256) >= _Alignof(br_sha256_context), "BearSSL's context fits");
static_assert(SHA256_SIZE == br_sha256_SIZE, "FIPS 180-4");

static br_sha256_context *context(struct sha256 *hash)
{
	return (br_sha256_context *)(void *)hash->words;
}

void sha256_init(struct sha256 *hash)
{
	br_sha256_init(context(hash));
}

void sha256_update(struct sha256 *hash, const void *data, size_t size)
{
	br_sha256_update(context(hash), data, size);
}

void sha256_digest(const struct sha256 *hash, u8 digest[SHA256_SIZE])
{
	br_sha256_out((const br_sha256_context *)(const void *)hash->words, digest);
}
