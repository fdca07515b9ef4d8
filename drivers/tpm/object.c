/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and sealed data, by fixed templates: Part 3, 12, 18.4 and 24.1; Part 2, 12.2. */
#include "wire.h"

#define TPM_CC_CREATE_PRIMARY	0x131
#define TPM_CC_CREATE		0x153
#define TPM_CC_LOAD		0x157
#define TPM_CC_QUOTE		0x158
#define TPM_CC_UNSEAL		0x15E

/* Part 2, 8.3: TPMA_OBJECT. */
#define FIXED_TPM		(1U << 1)
#define FIXED_PARENT		(1U << 4)
#define SENSITIVE_DATA_ORIGIN	(1U << 5)
#define USER_WITH_AUTH		(1U << 6)
#define NO_DA			(1U << 10)
#define RESTRICTED		(1U << 16)
#define DECRYPT			(1U << 17)
#define SIGN_ENCRYPT		(1U << 18)

#define KEY	(FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | \
		 RESTRICTED)
/* By the policy alone: without USER_WITH_AUTH the empty password opens nothing. */
#define SEALED	(FIXED_TPM | FIXED_PARENT | NO_DA)

#define TPM_ST_CREATION		0x8021
#define TPM_ST_ATTEST_QUOTE	0x8018
#define TPM_GENERATED_VALUE	0xFF544347
#define ANY_SIZE		TPM_BUFFER_SIZE

/* A TPM2B of a structure: its size is known when it is complete. */
static u32 begin_sized(struct tpm *tpm)
{
	tpm_put16(tpm, 0);
	return tpm->length;
}

static void end_sized(struct tpm *tpm, u32 start)
{
	u16 size = __builtin_bswap16((u16)(tpm->length - start));

	if (!tpm->overflow)
		__builtin_memcpy(tpm->command + start - sizeof(size), &size, sizeof(size));
}

static void put_storage_public(struct tpm *tpm)
{
	tpm_put32(tpm, KEY | DECRYPT);
	tpm_put16(tpm, 0);			/* authPolicy */
	tpm_put16(tpm, TPM_ALG_AES);		/* what wraps its children */
	tpm_put16(tpm, 128);
	tpm_put16(tpm, TPM_ALG_CFB);
	tpm_put16(tpm, TPM_ALG_NULL);		/* scheme */
}

static void put_quote_public(struct tpm *tpm)
{
	tpm_put32(tpm, KEY | SIGN_ENCRYPT);
	tpm_put16(tpm, 0);			/* authPolicy */
	tpm_put16(tpm, TPM_ALG_NULL);		/* symmetric */
	tpm_put16(tpm, TPM_ALG_ECDSA);		/* scheme */
	tpm_put16(tpm, TPM_ALG_SHA256);
}

/* TPM2B_PUBLIC of a P-256 key. */
static void put_key(struct tpm *tpm, void (*put_public)(struct tpm *tpm))
{
	u32 start = begin_sized(tpm);

	tpm_put16(tpm, TPM_ALG_ECC);
	tpm_put16(tpm, TPM_ALG_SHA256);		/* nameAlg */
	put_public(tpm);
	tpm_put16(tpm, TPM_ECC_NIST_P256);
	tpm_put16(tpm, TPM_ALG_NULL);		/* kdf */
	tpm_put16(tpm, 0);			/* unique: x, y */
	tpm_put16(tpm, 0);
	end_sized(tpm, start);
}

/* creationData, creationHash, creationTicket: Part 2, 15.2 and 10.7.3. */
static void take_creation(struct tpm_reader *reader)
{
	tpm_take_sized(reader, NULL, ANY_SIZE);
	tpm_take_sized(reader, NULL, TPM_DIGEST_SIZE);
	tpm_expect16(reader, TPM_ST_CREATION);
	tpm_take32(reader);			/* hierarchy */
	tpm_take_sized(reader, NULL, 64);	/* of the TPM's own hash, SHA-512 at most */
}

/* No outsideInfo, no creationPCR. */
static void put_no_creation(struct tpm *tpm)
{
	tpm_put16(tpm, 0);
	tpm_put32(tpm, 0);
}

static void begin_primary(struct tpm *tpm, u32 hierarchy)
{
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_CREATE_PRIMARY);
	tpm_put32(tpm, hierarchy);
	tpm_put_auth(tpm, TPM_RS_PW);
	tpm_put16(tpm, 4);			/* inSensitive: no password, no data */
	tpm_put32(tpm, 0);
}

/* A number that may have lost its leading zeros. */
static void take_coordinate(struct tpm_reader *reader, u8 to[TPM_COORDINATE])
{
	u8 bytes[TPM_COORDINATE];
	u32 size = tpm_take_sized(reader, bytes, sizeof(bytes));

	__builtin_memset(to, 0, TPM_COORDINATE);
	__builtin_memcpy(to + TPM_COORDINATE - size, bytes, size);
}

/* TPM2B_PUBLIC of a quote key: the template, with the point. */
static void take_quote_public(struct tpm_reader *reader, struct tpm_point *point)
{
	u32 size = tpm_take16(reader), before = reader->left;

	tpm_expect16(reader, TPM_ALG_ECC);
	tpm_expect16(reader, TPM_ALG_SHA256);
	tpm_expect32(reader, KEY | SIGN_ENCRYPT);
	tpm_expect16(reader, 0);
	tpm_expect16(reader, TPM_ALG_NULL);
	tpm_expect16(reader, TPM_ALG_ECDSA);
	tpm_expect16(reader, TPM_ALG_SHA256);
	tpm_expect16(reader, TPM_ECC_NIST_P256);
	tpm_expect16(reader, TPM_ALG_NULL);
	take_coordinate(reader, point->x);
	take_coordinate(reader, point->y);
	if (before - reader->left != size)
		reader->failed = true;
}

/* The rest of a response that made an object; a handle of any other kind is none. */
static u32 end_object(struct tpm *tpm, u32 handle, struct tpm_reader *reader)
{
	tpm_take_sized(reader, NULL, 2 + 64);	/* name */
	if ((handle & TPM_HT_MASK) != TPM_HT_TRANSIENT)
		reader->failed = true;
	return tpm_end(tpm, reader);
}

u32 tpm_create_storage_key(struct tpm *tpm, u32 hierarchy, u32 *handle)
{
	struct tpm_reader reader;
	u32 error;

	begin_primary(tpm, hierarchy);
	put_key(tpm, put_storage_public);
	put_no_creation(tpm);
	error = tpm_run(tpm, DURATION_KEY, handle, &reader);
	if (error)
		return error;
	tpm_take_sized(&reader, NULL, ANY_SIZE);
	take_creation(&reader);
	return end_object(tpm, *handle, &reader);
}

u32 tpm_create_quote_key(struct tpm *tpm, u32 hierarchy, u32 *handle, struct tpm_point *point)
{
	struct tpm_reader reader;
	u32 error;

	begin_primary(tpm, hierarchy);
	put_key(tpm, put_quote_public);
	put_no_creation(tpm);
	error = tpm_run(tpm, DURATION_KEY, handle, &reader);
	if (error)
		return error;
	take_quote_public(&reader, point);
	take_creation(&reader);
	return end_object(tpm, *handle, &reader);
}

/* TPM2B_PUBLIC of sealed data. */
static void put_sealed(struct tpm *tpm, const u8 policy[TPM_DIGEST_SIZE])
{
	u32 start = begin_sized(tpm);

	tpm_put16(tpm, TPM_ALG_KEYEDHASH);
	tpm_put16(tpm, TPM_ALG_SHA256);		/* nameAlg */
	tpm_put32(tpm, SEALED);
	tpm_put_sized(tpm, policy, TPM_DIGEST_SIZE);
	tpm_put16(tpm, TPM_ALG_NULL);		/* scheme */
	tpm_put16(tpm, 0);			/* unique */
	end_sized(tpm, start);
}

u32 tpm_create(struct tpm *tpm, u32 parent, const u8 policy[TPM_DIGEST_SIZE], const u8 *data,
	       u32 size, struct tpm_blob *blob)
{
	struct tpm_reader reader;
	u32 start, error;

	if (size > TPM_SEAL_MAX)
		return TPM_E_COMMAND;
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_CREATE);
	tpm_put32(tpm, parent);
	tpm_put_auth(tpm, TPM_RS_PW);
	start = begin_sized(tpm);
	tpm_put16(tpm, 0);			/* userAuth */
	tpm_put_sized(tpm, data, size);
	end_sized(tpm, start);
	put_sealed(tpm, policy);
	put_no_creation(tpm);
	error = tpm_run(tpm, DURATION_KEY, NULL, &reader);
	if (error)
		return error;
	*blob = (struct tpm_blob){ 0 };
	blob->private_size = (u16)tpm_take_sized(&reader, blob->private, TPM_BLOB_PRIVATE);
	blob->public_size = (u16)tpm_take_sized(&reader, blob->public, TPM_BLOB_PUBLIC);
	take_creation(&reader);
	return tpm_end(tpm, &reader);
}

u32 tpm_load(struct tpm *tpm, u32 parent, const struct tpm_blob *blob, u32 *handle)
{
	struct tpm_reader reader;
	u32 error;

	if (blob->private_size > TPM_BLOB_PRIVATE || blob->public_size > TPM_BLOB_PUBLIC)
		return TPM_E_COMMAND;
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_LOAD);
	tpm_put32(tpm, parent);
	tpm_put_auth(tpm, TPM_RS_PW);
	tpm_put_sized(tpm, blob->private, blob->private_size);
	tpm_put_sized(tpm, blob->public, blob->public_size);
	error = tpm_run(tpm, DURATION, handle, &reader);
	return error ? error : end_object(tpm, *handle, &reader);
}

u32 tpm_unseal(struct tpm *tpm, u32 handle, u32 session, u8 *data, u32 max, u32 *size)
{
	struct tpm_reader reader;
	u32 error;

	*size = 0;
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_UNSEAL);
	tpm_put32(tpm, handle);
	tpm_put_auth(tpm, session);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	*size = tpm_take_sized(&reader, data, max);
	return tpm_end(tpm, &reader);
}

/* What is in it is for the verifier to judge; it has to be a quote at all. */
u32 tpm_make_quote(struct tpm *tpm, u32 key, u32 pcrs, const u8 *qualifying, u32 size,
		   struct tpm_quote *quote)
{
	static const u8 magic[] = {
		TPM_GENERATED_VALUE >> 24, TPM_GENERATED_VALUE >> 16 & 0xFF,
		TPM_GENERATED_VALUE >> 8 & 0xFF, TPM_GENERATED_VALUE & 0xFF,
		TPM_ST_ATTEST_QUOTE >> 8, TPM_ST_ATTEST_QUOTE & 0xFF,
	};
	struct tpm_reader reader;
	u32 error;

	if (size > TPM_QUALIFYING_MAX)
		return TPM_E_COMMAND;
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_QUOTE);
	tpm_put32(tpm, key);
	tpm_put_auth(tpm, TPM_RS_PW);
	tpm_put_sized(tpm, qualifying, size);
	tpm_put16(tpm, TPM_ALG_NULL);		/* inScheme: the key's own */
	tpm_put_pcrs(tpm, pcrs);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	quote->attest_size = tpm_take_sized(&reader, quote->attest, TPM_ATTEST_MAX);
	if (quote->attest_size < sizeof(magic) ||
	    __builtin_memcmp(quote->attest, magic, sizeof(magic)))
		reader.failed = true;
	tpm_expect16(&reader, TPM_ALG_ECDSA);
	tpm_expect16(&reader, TPM_ALG_SHA256);
	take_coordinate(&reader, quote->r);
	take_coordinate(&reader, quote->s);
	return tpm_end(tpm, &reader);
}
