/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The archives of newlib and BearSSL that the hypervisor and the shim are linked with, run on
 * Linux: tests/hosted/third-party.test links this with them after renaming newlib's functions to
 * tp_*, so that each can be held against the C library of the build machine, or against loops too
 * simple to be wrong. BearSSL is held against published vectors, and calls the renamed functions.
 */
#define _GNU_SOURCE
#include <bearssl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *tp_memcpy(void *, const void *, size_t);
void *tp_memmove(void *, const void *, size_t);
void *tp_memset(void *, int, size_t);
int tp_memcmp(const void *, const void *, size_t);
void *tp_memchr(const void *, int, size_t);
void *tp_memrchr(const void *, int, size_t);
void *tp_memmem(const void *, size_t, const void *, size_t);
void tp_explicit_bzero(void *, size_t);
size_t tp_strlen(const char *);
size_t tp_strnlen(const char *, size_t);
int tp_strcmp(const char *, const char *);
int tp_strncmp(const char *, const char *, size_t);
char *tp_strchr(const char *, int);
char *tp_strrchr(const char *, int);
char *tp_strstr(const char *, const char *);
size_t tp_strlcpy(char *, const char *, size_t);
unsigned long tp_strtoul(const char *, char **, int);
void tp_qsort(void *, size_t, size_t, int (*)(const void *, const void *));
int tp_snprintf(char *, size_t, const char *, ...);

static int failures;

#define CHECK(what) do { \
	if (!(what)) { \
		failures++; \
		printf("     %s:%d: %s\n", __func__, __LINE__, #what); \
	} \
} while (0)

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* Same text, same return value, and not a byte past the size given, at every size. */
#define SAME(...) do { \
	char want[128], got[128]; \
	for (size_t size = 0; size <= 64; size++) { \
		memset(want, '#', sizeof(want)); \
		memset(got, '#', sizeof(got)); \
		int w = snprintf(want, size, __VA_ARGS__); \
		int g = tp_snprintf(got, size, __VA_ARGS__); \
		if (w != g || memcmp(want, got, sizeof(want)) != 0) { \
			failures++; \
			printf("     line %d size %zu: %d '%.40s', wanted %d '%.40s'\n", \
			       __LINE__, size, g, got, w, want); \
			break; \
		} \
	} \
} while (0)

#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"

static void test_snprintf(void)
{
	const char *null = NULL;

	SAME("no conversion, 100%%");
	SAME("%d %d %d", 0, INT_MAX, INT_MIN);
	SAME("%i %u %x %X %o", -7, 7u, 0xbeefu, 0xBEEFu, 0777u);
	SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, 0xfeedfacecafef00dul);
	SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, 0x123456789abcdef0ull);
	SAME("%zu %zx %zd %s", SIZE_MAX, (size_t)4096, (size_t)-1, "after");
	SAME("%jd %ju %td %s", INTMAX_MIN, UINTMAX_MAX, (ptrdiff_t)-5, "after");
	SAME("%hd %hu %hhd %hhx", (short)-3, (unsigned short)65535, (signed char)-1, 0x1ff);
	SAME("%" PRIu64 " %" PRIx64 " %" PRId32, UINT64_MAX, UINT64_MAX, INT32_MIN);
	SAME("%8d|%-8d|%08d|%+d|% d", 42, 42, 42, 42, 42);
	SAME("%#x|%#X|%#o|%#x", 255u, 255u, 8u, 0u);
	SAME("%.5d|%8.5d|%-8.5x|%.0d|", 42, 42, 42u, 0);
	SAME("%*d|%-*d|%.*d", 6, 1, 6, 2, 3, 3);
	SAME("%*d", -6, 1);
	SAME("%016lx %p", 0xfee00000ul, (void *)0x7e0040000000);
	SAME("%s|%10s|%-10s|%.3s|%.0s|", "text", "text", "text", "text", "text");
	SAME("%.4s", "four bytes and no more");
	SAME("%s", null);
	SAME("%c%c%5c|", 'a', 'b', 'c');
	SAME("%'d", 1234567);
	SAME("%70d", 1);
}

static unsigned char random_byte(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 24;
}

static void fill(unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = random_byte();
}

#define AREA 9000

/* Copies or moves SIZE bytes by FUNCTION and checks the whole area around the target. */
static void try_copy(void *(*function)(void *, const void *, size_t), size_t to, size_t from,
		     size_t size)
{
	static unsigned char area[AREA], before[AREA];
	size_t i;

	fill(area, AREA);
	memcpy(before, area, AREA);
	CHECK(function(area + to, area + from, size) == area + to);
	for (i = 0; i < AREA; i++) {
		size_t source = i >= to && i < to + size ? i - to + from : i;

		if (area[i] != before[source])
			break;
	}
	CHECK(i == AREA);
}

static void test_memory(void)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 15, 16, 17, 31, 64, 127, 128, 255, 256, 257,
					383, 384, 385, 1000, 3999, 4000 };
	static unsigned char area[AREA];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t size = sizes[s];

		for (size_t offset = 0; offset < 9; offset++) {
			try_copy(tp_memcpy, 4500 + offset, 8 - offset, size);
			try_copy(tp_memcpy, offset, 4500, size);
			try_copy(tp_memmove, 100 + offset, 100, size);
			try_copy(tp_memmove, 100, 100 + offset, size);
			try_copy(tp_memmove, 4500, offset, size);

			memset(area, 0x5a, AREA);
			CHECK(tp_memset(area + 64 + offset, 0x1c3, size) == area + 64 + offset);
			for (size_t i = 0; i < AREA; i++) {
				int inside = i >= 64 + offset && i < 64 + offset + size;

				if (area[i] != (inside ? 0xc3 : 0x5a)) {
					CHECK(!"memset kept to its range");
					break;
				}
			}
		}
	}
	memset(area, 7, 100);
	tp_explicit_bzero(area + 1, 98);
	CHECK(area[0] == 7 && area[1] == 0 && area[98] == 0 && area[99] == 7);
}

static void test_search(void)
{
	unsigned char a[80], b[80];

	for (int round = 0; round < 20000; round++) {
		size_t size = random_byte() % 64, offset = random_byte() % 9;
		int wanted = random_byte() & 3;

		for (size_t i = 0; i < sizeof(a); i++) {
			a[i] = random_byte() & 3;
			b[i] = random_byte() % 16 ? a[i] : random_byte();
		}
		a[sizeof(a) - 1] = b[sizeof(b) - 1] = 0;
		CHECK(sign(tp_memcmp(a + offset, b + offset, size)) ==
		      sign(memcmp(a + offset, b + offset, size)));
		CHECK(tp_memchr(a + offset, wanted, size) == memchr(a + offset, wanted, size));
		CHECK(tp_memrchr(a + offset, wanted, size) == memrchr(a + offset, wanted, size));
		CHECK(tp_memmem(a, size, b + offset, size % 7) ==
		      memmem(a, size, b + offset, size % 7));

		char *s = (char *)a + offset, *t = (char *)b + offset;

		CHECK(tp_strlen(s) == strlen(s));
		CHECK(tp_strnlen(s, size) == strnlen(s, size));
		CHECK(sign(tp_strcmp(s, t)) == sign(strcmp(s, t)));
		CHECK(sign(tp_strncmp(s, t, size)) == sign(strncmp(s, t, size)));
		CHECK(tp_strchr(s, wanted) == strchr(s, wanted));
		CHECK(tp_strrchr(s, wanted) == strrchr(s, wanted));
		CHECK(tp_strstr(s, t) == strstr(s, t));
	}
}

static void test_strings(void)
{
	char text[8], *end;

	CHECK(tp_strlcpy(text, "0123456789", sizeof(text)) == 10 && !strcmp(text, "0123456"));
	CHECK(tp_strtoul("  0x1fz", &end, 0) == 0x1f && *end == 'z');
	CHECK(tp_strtoul("18446744073709551615", &end, 10) == ULONG_MAX && *end == 0);
	CHECK(tp_strtoul("18446744073709551616", &end, 10) == ULONG_MAX && *end == 0);
	CHECK(tp_strtoul("none", &end, 10) == 0 && *end == 'n');
}

static int by_value(const void *a, const void *b)
{
	unsigned int x = *(const unsigned int *)a, y = *(const unsigned int *)b;

	return (x > y) - (x < y);
}

static void test_qsort(void)
{
	enum { COUNT = 1000, PATTERNS = 5 };
	static unsigned int mine[COUNT], theirs[COUNT];

	for (int pattern = 0; pattern < PATTERNS; pattern++) {
		for (unsigned int i = 0; i < COUNT; i++) {
			unsigned int noise = random_byte() << 8 | random_byte();
			const unsigned int value[PATTERNS] = { noise, i, COUNT - i, 7, noise & 3 };

			mine[i] = theirs[i] = value[pattern];
		}
		tp_qsort(mine, COUNT, sizeof(mine[0]), by_value);
		qsort(theirs, COUNT, sizeof(theirs[0]), by_value);
		CHECK(memcmp(mine, theirs, sizeof(mine)) == 0);
	}
}

static int is_hex(const void *bytes, const char *hex)
{
	const unsigned char *b = bytes;

	for (; *hex != '\0'; hex += 2, b++) {
		unsigned int value;

		if (sscanf(hex, "%2x", &value) != 1 || value != *b)
			return 0;
	}
	return 1;
}

/* FIPS 180-4 examples: one block, many blocks, and in pieces of every size. */
static void test_sha256(void)
{
	br_sha256_context context;
	unsigned char digest[br_sha256_SIZE], message[200];
	unsigned char whole[br_sha256_SIZE];

	br_sha256_init(&context);
	br_sha256_update(&context, "abc", 3);
	br_sha256_out(&context, digest);
	CHECK(is_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));

	br_sha256_init(&context);
	for (int i = 0; i < 1000000 / 8; i++)
		br_sha256_update(&context, "aaaaaaaa", 8);
	br_sha256_out(&context, digest);
	CHECK(is_hex(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));

	fill(message, sizeof(message));
	br_sha256_init(&context);
	br_sha256_update(&context, message, sizeof(message));
	br_sha256_out(&context, whole);
	for (size_t piece = 1; piece < sizeof(message); piece++) {
		br_sha256_init(&context);
		for (size_t at = 0; at < sizeof(message); at += piece)
			br_sha256_update(&context, message + at,
					 piece < sizeof(message) - at ? piece : sizeof(message) - at);
		br_sha256_out(&context, digest);
		CHECK(memcmp(digest, whole, sizeof(whole)) == 0);
	}
}

/* RFC 4231 case 2, RFC 5869 case 1, and case 2 of the GCM specification. */
static void test_keyed(void)
{
	unsigned char key[22], salt[13], info[10], out[42], block[16] = { 0 }, tag[16];
	unsigned char zero_key[16] = { 0 }, iv[12] = { 0 };
	br_hmac_key_context hmac_key;
	br_hmac_context hmac;
	br_hkdf_context hkdf;
	br_aes_ct64_ctr_keys aes;
	br_gcm_context gcm;

	br_hmac_key_init(&hmac_key, &br_sha256_vtable, "Jefe", 4);
	br_hmac_init(&hmac, &hmac_key, 0);
	br_hmac_update(&hmac, "what do ya want for nothing?", 28);
	CHECK(br_hmac_out(&hmac, out) == 32);
	CHECK(is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));

	memset(key, 0x0b, sizeof(key));
	for (unsigned int i = 0; i < sizeof(salt); i++)
		salt[i] = i;
	for (unsigned int i = 0; i < sizeof(info); i++)
		info[i] = 0xf0 + i;
	br_hkdf_init(&hkdf, &br_sha256_vtable, salt, sizeof(salt));
	br_hkdf_inject(&hkdf, key, sizeof(key));
	br_hkdf_flip(&hkdf);
	CHECK(br_hkdf_produce(&hkdf, info, sizeof(info), out, sizeof(out)) == sizeof(out));
	CHECK(is_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			  "34007208d5b887185865"));

	br_aes_ct64_ctr_init(&aes, zero_key, sizeof(zero_key));
	br_gcm_init(&gcm, &aes.vtable, br_ghash_ctmul64);
	br_gcm_reset(&gcm, iv, sizeof(iv));
	br_gcm_flip(&gcm);
	br_gcm_run(&gcm, 1, block, sizeof(block));
	br_gcm_get_tag(&gcm, tag);
	CHECK(is_hex(block, "0388dace60b6a392f328c2b971b2fe78"));
	CHECK(is_hex(tag, "ab6e47d42cec13bdf53a67b21257bddf"));
}

/* A signature by a generated P-256 key is good, and is not for another digest. */
static void test_ecdsa(void)
{
	unsigned char private[BR_EC_KBUF_PRIV_MAX_SIZE], public[BR_EC_KBUF_PUB_MAX_SIZE];
	unsigned char signature[64], digest[32];
	br_hmac_drbg_context drbg;
	br_ec_private_key sk;
	br_ec_public_key pk;

	br_hmac_drbg_init(&drbg, &br_sha256_vtable, "seed", 4);
	fill(digest, sizeof(digest));
	CHECK(br_ec_keygen(&drbg.vtable, &br_ec_p256_m31, &sk, private, BR_EC_secp256r1) != 0);
	CHECK(br_ec_compute_pub(&br_ec_p256_m31, &pk, public, &sk) != 0);
	CHECK(br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, digest, &sk,
				    signature) == sizeof(signature));
	CHECK(br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, sizeof(digest), &pk, signature,
				    sizeof(signature)) == 1);
	digest[31] ^= 1;
	CHECK(br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, sizeof(digest), &pk, signature,
				    sizeof(signature)) == 0);
}

/* RFC 7748, 6.1: Alice's public key, and the secret that both have. */
static void test_x25519(void)
{
	static const unsigned char alice[32] = {
		0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
		0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a,
	}, bob[32] = {
		0x5d, 0xab, 0x08, 0x7e, 0x62, 0x4a, 0x8a, 0x4b, 0x79, 0xe1, 0x7f, 0x8b, 0x83, 0x80, 0x0e, 0xe6,
		0x6f, 0x3b, 0xb1, 0x29, 0x26, 0x18, 0xb6, 0xfd, 0x1c, 0x2f, 0x8b, 0x27, 0xff, 0x88, 0xe0, 0xeb,
	};
	unsigned char public[32];

	CHECK(br_ec_c25519_m31.mulgen(public, alice, sizeof(alice), BR_EC_curve25519) == 32);
	CHECK(is_hex(public, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
	CHECK(br_ec_c25519_m31.mul(public, sizeof(public), bob, sizeof(bob), BR_EC_curve25519) == 1);
	CHECK(is_hex(public, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
}

static void run(const char *name, void (*test)(void))
{
	int before = failures;

	test();
	printf("%s %s\n", failures == before ? "ok  " : "FAIL", name);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	run("newlib: snprintf", test_snprintf);
	run("newlib: memcpy, memmove, memset", test_memory);
	run("newlib: comparing and searching", test_search);
	run("newlib: strlcpy, strtoul", test_strings);
	run("newlib: qsort", test_qsort);
	run("BearSSL: SHA-256", test_sha256);
	run("BearSSL: HMAC, HKDF, AES-GCM", test_keyed);
	run("BearSSL: ECDSA on P-256", test_ecdsa);
	run("BearSSL: X25519", test_x25519);
	return failures != 0;
}
