/* SPDX-License-Identifier: BSD-2-Clause */
/* Policy sessions: Part 3, 11.1 and 23. */
#include "wire.h"

#define TPM_CC_POLICY_NV		0x149
#define TPM_CC_FLUSH_CONTEXT		0x165
#define TPM_CC_POLICY_LOCALITY		0x16F
#define TPM_CC_START_AUTH_SESSION	0x176
#define TPM_CC_POLICY_PCR		0x17F
#define TPM_CC_POLICY_GET_DIGEST	0x189

#define TPM_SE_POLICY		1
#define TPM_SE_TRIAL		3
#define TPM_EO_EQ		0	/* Part 2, 6.8 */
#define NONCE_SIZE		16	/* the least; it serves HMACs, of which there are none */

u32 tpm_start_policy(struct tpm *tpm, bool trial, u32 *session)
{
	static const u8 nonce[NONCE_SIZE];
	struct tpm_reader reader;
	u32 error;

	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_START_AUTH_SESSION);
	tpm_put32(tpm, TPM_RH_NULL);		/* tpmKey */
	tpm_put32(tpm, TPM_RH_NULL);		/* bind */
	tpm_put_sized(tpm, nonce, sizeof(nonce));
	tpm_put16(tpm, 0);			/* encryptedSalt */
	tpm_put8(tpm, trial ? TPM_SE_TRIAL : TPM_SE_POLICY);
	tpm_put16(tpm, TPM_ALG_NULL);		/* symmetric */
	tpm_put16(tpm, TPM_ALG_SHA256);
	error = tpm_run(tpm, DURATION, session, &reader);
	if (error)
		return error;
	tpm_take_sized(&reader, NULL, TPM_DIGEST_SIZE);	/* nonceTPM */
	if ((*session & TPM_HT_MASK) != TPM_HT_POLICY_SESSION)
		reader.failed = true;
	return tpm_end(tpm, &reader);
}

u32 tpm_policy_pcr(struct tpm *tpm, u32 session, u32 pcrs, const u8 *digest)
{
	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_POLICY_PCR);
	tpm_put32(tpm, session);
	tpm_put_sized(tpm, digest, digest ? TPM_DIGEST_SIZE : 0);
	tpm_put_pcrs(tpm, pcrs);
	return tpm_run_plain(tpm);
}

u32 tpm_policy_locality(struct tpm *tpm, u32 session, u8 localities)
{
	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_POLICY_LOCALITY);
	tpm_put32(tpm, session);
	tpm_put8(tpm, localities);
	return tpm_run_plain(tpm);
}

u32 tpm_policy_nv(struct tpm *tpm, u32 session, u32 index, u64 value)
{
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_POLICY_NV);
	tpm_put32(tpm, index);			/* authHandle: the index itself */
	tpm_put32(tpm, index);
	tpm_put32(tpm, session);
	tpm_put_auth(tpm, TPM_RS_PW);
	value = __builtin_bswap64(value);
	tpm_put_sized(tpm, &value, sizeof(value));
	tpm_put16(tpm, 0);			/* offset */
	tpm_put16(tpm, TPM_EO_EQ);
	return tpm_run_plain(tpm);
}

u32 tpm_policy_digest(struct tpm *tpm, u32 session, u8 digest[TPM_DIGEST_SIZE])
{
	struct tpm_reader reader;
	u32 error;

	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_POLICY_GET_DIGEST);
	tpm_put32(tpm, session);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	tpm_expect16(&reader, TPM_DIGEST_SIZE);
	tpm_take_bytes(&reader, digest, TPM_DIGEST_SIZE);
	return tpm_end(tpm, &reader);
}

/* A parameter, not a handle, though it is one (Part 3, 28.4). */
u32 tpm_flush(struct tpm *tpm, u32 handle)
{
	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_FLUSH_CONTEXT);
	tpm_put32(tpm, handle);
	return tpm_run_plain(tpm);
}
