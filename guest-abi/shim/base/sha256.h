/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 of what is to run: most of what a program's start costs, so the CPU's own
 * instructions do it where there are some, and BearSSL elsewhere.
 */
#ifndef SHIM_SHA256_H
#define SHIM_SHA256_H

#include <bearssl_hash.h>

#include "shim.h"

void sha256(const void *data, size_t size, uint8_t digest[32]);

/* The same of what comes in parts: begin, add each of them, end. */
struct sha256 {
	union {
		br_sha256_context slow;
		struct {
			uint32_t state[8];
			uint64_t size;		/* so far */
			uint8_t part[64];	/* the last of it, not yet a block */
		} fast;
	};
};

void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[32]);

/* sha256ni.S: whole blocks of 64 bytes. Leaves the vector registers as they were. */
void sha256_blocks(uint32_t state[8], const void *data, size_t blocks);

/* Has this CPU what that needs? */
bool sha256_fast(void);

#endif
