/* SPDX-License-Identifier: BSD-2-Clause */
/* HMAC as BearSSL computes it. */
#include "hmac.h"

#include <strings.h>

#include <bearssl_hmac.h>

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
		 u8 mac[SHA256_SIZE])
{
	br_hmac_key_context prepared;
	br_hmac_context context;

	br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_size);
	br_hmac_init(&context, &prepared, 0);
	br_hmac_update(&context, data, size);
	br_hmac_out(&context, mac);
	explicit_bzero(&prepared, sizeof(prepared));
	explicit_bzero(&context, sizeof(context));
}
