/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/crypto against published vectors; what is no signature. */
#include "machine.h"

#include <crypto/ecdsa.h>
#include <crypto/hmac.h>
#include <crypto/x25519.h>

static bool is(const u8 *bytes, const char *hex)
{
	char text[2 * 64 + 1] = "";

	for (size_t i = 0; i < strlen(hex) / 2; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	return !strcmp(text, hex);
}

static void from_hex(u8 *bytes, const char *hex)
{
	for (; *hex; hex += 2) {
		unsigned int value;

		CHECK_EQ(sscanf(hex, "%2x", &value), 1);
		*bytes++ = (u8)value;
	}
}

/* RFC 4231, test cases 1, 2, 3 and 6. */
static void hmac(void)
{
	u8 key[131], data[50], mac[32];

	memset(key, 0x0b, 20);
	hmac_sha256(key, 20, "Hi There", 8, mac);
	CHECK(is(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
	CHECK(is(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	hmac_sha256(key, 20, data, sizeof(data), mac);
	CHECK(is(mac, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"));
	hmac_sha256(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54, mac);
	CHECK(is(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

/* RFC 7748, 6.1. */
static void x25519(void)
{
	u8 private[32], public[32];

	from_hex(private, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	x25519_public(private, public);
	CHECK(is(public, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
	from_hex(private, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	x25519_public(private, public);
	CHECK(is(public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
	/* RFC 7748, 5: bits that do not count */
	private[0] ^= 7;
	private[31] ^= 0x80;
	x25519_public(private, public);
	CHECK(is(public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
}

/* RFC 6979, A.2.5: SHA-256 of "sample" and "test". */
static const char key_hex[] =
	"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char sample[] = "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf";
static const char sample_signed[] =
	"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
static const char test[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
static const char test_signed[] =
	"f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
	"019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
/* FIPS 186-4, D.1.2.3 */
static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
static const char prime[] = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

static u8 key[64], digest[32], signature[64];

static void good_one(void)
{
	from_hex(key, key_hex);
	from_hex(digest, sample);
	from_hex(signature, sample_signed);
}

static void signatures(void)
{
	good_one();
	CHECK(ecdsa_good(key, digest, signature));
	from_hex(digest, test);
	CHECK(!ecdsa_good(key, digest, signature));
	from_hex(signature, test_signed);
	CHECK(ecdsa_good(key, digest, signature));
	/* every byte counts */
	for (unsigned int i = 0; i < 64; i += 7) {
		good_one();
		signature[i] ^= 1;
		CHECK(!ecdsa_good(key, digest, signature));
		good_one();
		digest[i / 2] ^= 0x80;
		CHECK(!ecdsa_good(key, digest, signature));
	}
}

/* FIPS 186-4, 6.4: r and s from 1 to the order less 1. */
static void numbers(void)
{
	for (unsigned int half = 0; half < 64; half += 32) {
		good_one();
		memset(signature + half, 0, 32);
		CHECK(!ecdsa_good(key, digest, signature));
		from_hex(signature + half, order);
		CHECK(!ecdsa_good(key, digest, signature));
		memset(signature + half, 0xff, 32);
		CHECK(!ecdsa_good(key, digest, signature));
	}
	memset(signature, 0, sizeof(signature));
	CHECK(!ecdsa_good(key, digest, signature));
	/* and with a digest that makes both factors zero, so that the sum is the point at infinity */
	memset(digest, 0, sizeof(digest));
	CHECK(!ecdsa_good(key, digest, signature));
	memset(signature + 32, 1, 32);
	CHECK(!ecdsa_good(key, digest, signature));
	from_hex(digest, order);
	CHECK(!ecdsa_good(key, digest, signature));
}

/* A key that is no point of the curve, or written as none is. */
static void points(void)
{
	u8 x[32];

	good_one();
	for (unsigned int i = 0; i < 64; i += 9) {
		key[i] ^= 1;
		CHECK(!ecdsa_good(key, digest, signature));
		key[i] ^= 1;
	}
	CHECK(ecdsa_good(key, digest, signature));
	memset(key, 0, sizeof(key));
	CHECK(!ecdsa_good(key, digest, signature));
	memset(key, 0xff, sizeof(key));
	CHECK(!ecdsa_good(key, digest, signature));
	from_hex(key, prime);
	from_hex(key + 32, prime);
	CHECK(!ecdsa_good(key, digest, signature));
	/* X and Y swapped */
	good_one();
	memcpy(x, key, 32);
	memcpy(key, key + 32, 32);
	memcpy(key + 32, x, 32);
	CHECK(!ecdsa_good(key, digest, signature));
}

const struct test crypto_tests[] = {
	{ "HMAC: RFC 4231", hmac },
	{ "X25519: RFC 7748", x25519 },
	{ "ECDSA: RFC 6979, and with any byte changed", signatures },
	{ "ECDSA: r and s out of range", numbers },
	{ "ECDSA: keys that are no points", points },
	{ 0 },
};
