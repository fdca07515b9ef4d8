/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256, FIPS 180-4. */
#ifndef HV_CRYPTO_SHA256_H
#define HV_CRYPTO_SHA256_H

#include <base/types.h>

#define SHA256_SIZE	32

/* A hash being computed; its words are BearSSL's. May be copied. */
struct sha256 {
	u64 words[14];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
/* The digest of what came so far; the hash can go on. */
void sha256_digest(const struct sha256 *hash, u8 digest[SHA256_SIZE]);

#endif
