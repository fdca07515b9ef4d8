/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4): padding, and who does the blocks. */
#include <string.h>

#include "base/sha256.h"

#define BLOCK		64
#define LEAF_1_SSSE3	(1U << 9)
#define LEAF_1_SSE41	(1U << 19)
#define LEAF_7_SHA	(1U << 29)

static void cpuid(uint32_t leaf, uint32_t *b, uint32_t *c)
{
	uint32_t a = leaf, d;

	*c = 0;
	asm volatile("cpuid" : "+a"(a), "=b"(*b), "+c"(*c), "=d"(d));
}

bool sha256_fast(void)
{
	static uint8_t known;		/* 1 no, 2 yes: an exit each is enough */
	uint32_t b, c, none;

	if (!known) {
		cpuid(1, &none, &c);
		cpuid(7, &b, &none);
		known = c & LEAF_1_SSSE3 && c & LEAF_1_SSE41 && b & LEAF_7_SHA ? 2 : 1;
	}
	return known == 2;
}

static void put_be32(uint8_t *to, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(to, &value, sizeof(value));
}

static void add_fast(struct sha256 *hash, const uint8_t *data, size_t size)
{
	size_t have = hash->fast.size % BLOCK, n;

	hash->fast.size += size;
	if (have) {
		n = size < BLOCK - have ? size : BLOCK - have;
		memcpy(hash->fast.part + have, data, n);
		if (have + n < BLOCK)
			return;
		sha256_blocks(hash->fast.state, hash->fast.part, 1);
		data += n;
		size -= n;
	}
	sha256_blocks(hash->fast.state, data, size / BLOCK);
	memcpy(hash->fast.part, data + size / BLOCK * BLOCK, size % BLOCK);
}

static void end_fast(struct sha256 *hash, uint8_t digest[32])
{
	uint64_t size = hash->fast.size;
	size_t rest = size % BLOCK, blocks = rest < BLOCK - 8 ? 1 : 2;
	uint8_t last[2 * BLOCK] = { 0 };

	memcpy(last, hash->fast.part, rest);
	last[rest] = 0x80;
	put_be32(last + blocks * BLOCK - 8, size >> 29);
	put_be32(last + blocks * BLOCK - 4, size << 3);
	sha256_blocks(hash->fast.state, last, blocks);
	for (int i = 0; i < 8; i++)
		put_be32(digest + 4 * i, hash->fast.state[i]);
}

void sha256_begin(struct sha256 *hash)
{
	static const uint32_t state[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	if (!sha256_fast()) {
		br_sha256_init(&hash->slow);
		return;
	}
	memcpy(hash->fast.state, state, sizeof(state));
	hash->fast.size = 0;
}

void sha256_add(struct sha256 *hash, const void *data, size_t size)
{
	if (sha256_fast())
		add_fast(hash, data, size);
	else
		br_sha256_update(&hash->slow, data, size);
}

void sha256_end(struct sha256 *hash, uint8_t digest[32])
{
	if (sha256_fast())
		end_fast(hash, digest);
	else
		br_sha256_out(&hash->slow, digest);
}

void sha256(const void *data, size_t size, uint8_t digest[32])
{
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, data, size);
	sha256_end(&hash, digest);
}
