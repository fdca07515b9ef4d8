/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers and PCRs: Part 3, 16.1 and 22. */
#include "wire.h"

#define TPM_CC_GET_RANDOM	0x17B
#define TPM_CC_PCR_READ		0x17E
#define TPM_CC_PCR_EXTEND	0x182

/* A TPM gives what it likes, at least a byte of it (16.1.1). */
static u32 some_random(struct tpm *tpm, u8 *to, u32 want, u32 *got)
{
	struct tpm_reader reader;
	u32 error;

	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_GET_RANDOM);
	tpm_put16(tpm, (u16)want);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	*got = tpm_take_sized(&reader, to, want);
	error = tpm_end(tpm, &reader);
	return error ? error : *got ? 0 : TPM_E_RESPONSE;
}

u32 tpm_get_random(struct tpm *tpm, u8 *to, u32 size)
{
	u32 error = 0, got = 0;

	for (; size && !error; to += got, size -= got) {
		u32 want = size < TPM_RANDOM_MAX ? size : TPM_RANDOM_MAX;

		got = 0;
		error = some_random(tpm, to, want, &got);
	}
	return error;
}

u32 tpm_pcr_read(struct tpm *tpm, u32 pcr, u8 digest[TPM_DIGEST_SIZE])
{
	struct tpm_reader reader;
	u32 error;

	if (pcr >= TPM_PCRS)
		return TPM_E_COMMAND;
	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_PCR_READ);
	tpm_put_pcrs(tpm, 1U << pcr);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	tpm_take32(&reader);			/* pcrUpdateCounter */
	tpm_expect_pcrs(&reader, 1U << pcr);	/* none: there is no such bank */
	tpm_expect32(&reader, 1);
	tpm_expect16(&reader, TPM_DIGEST_SIZE);
	tpm_take_bytes(&reader, digest, TPM_DIGEST_SIZE);
	return tpm_end(tpm, &reader);
}

u32 tpm_pcr_extend(struct tpm *tpm, u32 pcr, const u8 digest[TPM_DIGEST_SIZE])
{
	if (pcr >= TPM_PCRS)
		return TPM_E_COMMAND;
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_PCR_EXTEND);
	tpm_put32(tpm, pcr);
	tpm_put_auth(tpm, TPM_RS_PW);
	tpm_put32(tpm, 1);
	tpm_put16(tpm, TPM_ALG_SHA256);
	tpm_put_bytes(tpm, digest, TPM_DIGEST_SIZE);
	return tpm_run_plain(tpm);
}
