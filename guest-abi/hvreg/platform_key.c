/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg platform: update keys and signatures as openssl writes them, and measurements as text. Each
 * has one form only; whatever differs from it is refused.
 */
#include <bearssl_ec.h>
#include <bearssl_hash.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "fail.h"
#include "platform.h"
#include "text.h"

/* --- A public key ---------------------------------------------------------------------------- */

#define PEM_BEGIN	"-----BEGIN PUBLIC KEY-----"
#define PEM_END		"-----END PUBLIC KEY-----"
#define MAKE_KEY	"openssl ecparam -name prime256v1 -genkey -noout -out update.key; " \
			"openssl ec -in update.key -pubout -out update.pem"

/* RFC 5480: SubjectPublicKeyInfo of id-ecPublicKey with the named curve secp256r1, and the first
 * bytes of an uncompressed point. */
static const uint8_t spki[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08,
	0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};
#define SPKI_SIZE	(sizeof(spki) + CARREL_UPDATE_KEY)

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* SPKI_SIZE bytes leave a rest of one: it ends with two '='. False: it is no such text. */
static bool from_base64(const char *text, size_t size, uint8_t bytes[SPKI_SIZE])
{
	unsigned int bits = 0, have = 0;
	size_t done = 0, i;

	while (size && isspace((unsigned char)text[size - 1]))
		size--;
	for (i = 0; i < size && text[i] != '='; i++) {
		int value = base64_value(text[i]);

		if (isspace((unsigned char)text[i]))
			continue;
		if (value < 0)
			return false;
		bits = bits << 6 | value;
		have += 6;
		if (have < 8)
			continue;
		if (done == SPKI_SIZE)
			return false;
		have -= 8;
		bytes[done++] = bits >> have;
		bits &= (1 << have) - 1;
	}
	return done == SPKI_SIZE && have == 4 && !bits && size - i == 2 && text[i + 1] == '=';
}

static bool is_on_curve(const uint8_t key[CARREL_UPDATE_KEY])
{
	const br_ec_impl *ec = &br_ec_p256_m31;
	uint8_t point[1 + CARREL_UPDATE_KEY] = { 4 };
	const uint8_t one = 1;

	memcpy(point + 1, key, CARREL_UPDATE_KEY);
	return ec->mul(point, sizeof(point), &one, 1, BR_EC_secp256r1);
}

void key_read(const char *path, uint8_t key[CARREL_UPDATE_KEY])
{
	uint8_t bytes[SPKI_SIZE];
	size_t size;
	char *text = read_small(path, &size), *begin, *end;

	begin = strstr(text, PEM_BEGIN);
	end = begin ? strstr(begin, PEM_END) : NULL;
	if (strlen(text) != size || !end)
		fail(EXIT_OWN, "make one: " MAKE_KEY, "%s: holds no public key in PEM%s", path,
		     strstr(text, "PRIVATE KEY") ?
		     " but a private one, which must not be here" : "");
	begin += strlen(PEM_BEGIN);
	if (!from_base64(begin, end - begin, bytes) || memcmp(bytes, spki, sizeof(spki)))
		fail(EXIT_OWN, "make one: " MAKE_KEY,
		     "%s: is no uncompressed key of the named curve P-256", path);
	memcpy(key, bytes + sizeof(spki), CARREL_UPDATE_KEY);
	if (!is_on_curve(key))
		fail(EXIT_OWN, "make one: " MAKE_KEY, "%s: is no point of P-256", path);
	free(text);
}

/* --- A signature ----------------------------------------------------------------------------- */

/* X.690, 8.3 and 10.1: a positive INTEGER of at most 256 bits, shortest form, to 32 bytes. */
static const uint8_t *take_integer(const uint8_t *at, const uint8_t *end, uint8_t to[32])
{
	size_t size;

	if (end - at < 3 || at[0] != 0x02 || at[1] > 33 || end - at - 2 < at[1] || !at[1])
		return NULL;
	size = at[1];
	at += 2;
	if (at[0] & 0x80 || (size > 1 && !at[0] && !(at[1] & 0x80)))
		return NULL;
	if (!at[0]) {
		at++;
		size--;
	}
	if (!size || size > 32)
		return NULL;
	memset(to, 0, 32);
	memcpy(to + 32 - size, at, size);
	return at + size;
}

/* RFC 3279, 2.2.3: SEQUENCE of r and s. */
void signature_read(const char *path, uint8_t signature[64])
{
	const uint8_t *at, *end;
	size_t size;
	char *bytes = read_small(path, &size);

	at = (const uint8_t *)bytes;
	end = at + size;
	if (size < 8 || size > 72 || at[0] != 0x30 || at[1] != size - 2)
		at = NULL;
	else
		at = take_integer(at + 2, end, signature);
	if (at)
		at = take_integer(at, end, signature + 32);
	if (at != end)
		fail(EXIT_OWN, "sign the request: openssl dgst -sha256 -sign update.key "
		     "-out SIGNATURE REQUEST", "%s: is no signature of P-256 in DER", path);
	free(bytes);
}

/* --- A measurement --------------------------------------------------------------------------- */

static void unhex(const char *command, const char *option, const char *text, uint8_t bytes[32])
{
	if (!text_unhex(text, bytes))
		fail_usage(command, "%s wants 64 hexadecimal digits", option);
}

/* "PCR 17  HEX", in any case, with or without a blank, '=' or ':' in between. */
static bool parse_line(char *line, unsigned int *pcr, uint8_t value[32])
{
	size_t length;

	line += strspn(line, " \t");
	if (strncasecmp(line, "pcr", 3))
		return false;
	line += 3 + strspn(line + 3, " \t-");
	if (!isdigit((unsigned char)*line))
		return false;
	*pcr = strtoul(line, &line, 10);
	line += strspn(line, " \t:=");
	length = strcspn(line, " \t\r");
	line[length] = 0;
	return *pcr < TPM_PCRS && text_unhex(line, value);
}

static uint32_t read_pcrs(const char *path, uint8_t values[TPM_PCRS][32])
{
	char *text, *line, *rest;
	uint8_t value[32];
	uint32_t have = 0;
	unsigned int pcr;
	size_t size;

	text = read_small(path, &size);
	for (rest = text; (line = strsep(&rest, "\n")); ) {
		if (!parse_line(line, &pcr, value))
			continue;
		if (have >> pcr & 1)
			fail(EXIT_OWN, NULL, "%s: tells PCR %u twice", path, pcr);
		memcpy(values[pcr], value, 32);
		have |= 1U << pcr;
	}
	free(text);
	return have;
}

static void digest_of(uint32_t pcrs, uint8_t values[TPM_PCRS][32], uint8_t digest[32])
{
	br_sha256_context context;
	unsigned int i;

	br_sha256_init(&context);
	for (i = 0; i < TPM_PCRS; i++)
		if (pcrs >> i & 1)
			br_sha256_update(&context, values[i], 32);
	br_sha256_out(&context, digest);
}

void digest_of_options(const struct options *options, const char *command, uint32_t state,
		       uint8_t digest[32])
{
	uint32_t want = state == CARREL_LAUNCH_MEASURED ? CARREL_MEASURED_PCRS : CARREL_STATIC_PCRS;
	uint8_t values[TPM_PCRS][32];
	uint32_t have = 0;
	char text[96];

	if (!!options->digest + !!options->pcrs + (options->pcr17 || options->pcr18) != 1)
		fail_usage(command, "give one of --digest, --pcrs, and --pcr17 with --pcr18");
	if (options->digest) {
		unhex(command, "--digest", options->digest, digest);
		return;
	}
	if (options->pcrs)
		have = read_pcrs(options->pcrs, values);
	if (options->pcr17) {
		unhex(command, "--pcr17", options->pcr17, values[17]);
		have |= 1U << 17;
	}
	if (options->pcr18) {
		unhex(command, "--pcr18", options->pcr18, values[18]);
		have |= 1U << 18;
	}
	pcrs_text(want, text);
	if ((have & want) != want)
		fail(EXIT_OWN, NULL,
		     "a %s launch is sealed to the PCRs %s: not all of them are given",
		     state_name(state), text);
	digest_of(want, values, digest);
}
