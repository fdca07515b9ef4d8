/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC of SHA-256, FIPS 198-1. */
#ifndef HV_CRYPTO_HMAC_H
#define HV_CRYPTO_HMAC_H

#include "sha256.h"

/* Nothing of the key stays behind in memory that this function had. */
void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
		 u8 mac[SHA256_SIZE]);

#endif
