/* SPDX-License-Identifier: BSD-2-Clause */
/* The hash of what runs against BearSSL's, and the program's vector registers after it. */
#include <bearssl_hash.h>

#include "guest-abi/shim/base/sha256.h"
#include "test.h"

#define MAX	70000

static uint8_t data[MAX];

static void compare(const uint8_t *from, size_t size)
{
	uint8_t ours[32], theirs[32];
	br_sha256_context hash;

	sha256(from, size, ours);
	br_sha256_init(&hash);
	br_sha256_update(&hash, from, size);
	br_sha256_out(&hash, theirs);
	CHECK(!memcmp(ours, theirs, 32));
}

/* The same in parts, some of them empty. */
static void parts(void)
{
	for (int i = 0; i < 200; i++) {
		uint8_t ours[32], theirs[32];
		size_t size = random_below(MAX), at, n;
		struct sha256 hash;

		sha256_begin(&hash);
		for (at = 0; at < size; at += n) {
			n = random_below(i % 2 ? 150 : 9000);
			n = n < size - at ? n : size - at;
			sha256_add(&hash, data + at, n);
		}
		sha256_end(&hash, ours);
		sha256(data, size, theirs);
		CHECK(!memcmp(ours, theirs, 32));
	}
}

static void hashes(void)
{
	for (size_t i = 0; i < MAX; i++)
		data[i] = random_u64();
	for (size_t size = 0; size < 400; size++)
		compare(data + size % 3, size);
	for (int i = 0; i < 100; i++)
		compare(data + i % 5, random_below(MAX - 5));
}

/* FIPS 180-4's first example: both could be wrong in the same way. */
static void known(void)
{
	static const uint8_t abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea };
	uint8_t digest[32];

	sha256("abc", 3, digest);
	CHECK(!memcmp(digest, abc, sizeof(abc)));
}

#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) \
	do(13) do(14) do(15)
#define LOAD(n) "movdqu 16*" #n "(%[in]), %%xmm" #n "\n\t"
#define STORE(n) "movdqu %%xmm" #n ", 16*" #n "(%[out])\n\t"

static void registers(void)
{
	uint8_t in[256], out[256];
	uint32_t state[8] = { 0 };

	if (!sha256_fast())
		return;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = random_u64();
	asm volatile(EACH(LOAD)
		     "movq %%rsp, %%rbx\n\tsubq $256, %%rsp\n\tandq $-16, %%rsp\n\t"
		     "call sha256_blocks\n\tmovq %%rbx, %%rsp\n\t"
		     EACH(STORE)
		     : : [in] "r"(in), [out] "r"(out), "D"(state), "S"(data), "d"(100UL)
		     : "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "cc", "memory",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
		       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	CHECK(!memcmp(in, out, sizeof(in)));
}

const struct test sha256_tests[] = {
	{ "the hash of what runs", hashes },
	{ "the same in parts", parts },
	{ "a hash that is known", known },
	{ "vector registers outlive it", registers },
	{ NULL, NULL },
};
