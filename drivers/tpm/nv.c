/* SPDX-License-Identifier: BSD-2-Clause */
/* NV indices, each authorized by itself but for making and removing them: Part 3, 31. */
#include "wire.h"

#define TPM_CC_NV_UNDEFINE_SPACE 0x122
#define TPM_CC_NV_DEFINE_SPACE	0x12A
#define TPM_CC_NV_INCREMENT	0x134
#define TPM_CC_NV_WRITE		0x137
#define TPM_CC_NV_READ		0x14E
#define TPM_CC_NV_READ_PUBLIC	0x169

u32 tpm_nv_define(struct tpm *tpm, u32 index, const struct tpm_nv_public *public)
{
	u32 policy = public->has_policy ? TPM_DIGEST_SIZE : 0;

	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_NV_DEFINE_SPACE);
	tpm_put32(tpm, TPM_RH_OWNER);
	tpm_put_auth(tpm, TPM_RS_PW);
	tpm_put16(tpm, 0);			/* its password */
	tpm_put16(tpm, (u16)(4 + 2 + 4 + 2 + policy + 2));
	tpm_put32(tpm, index);
	tpm_put16(tpm, TPM_ALG_SHA256);		/* nameAlg */
	tpm_put32(tpm, public->attributes);
	tpm_put_sized(tpm, public->policy, policy);
	tpm_put16(tpm, public->size);
	return tpm_run_plain(tpm);
}

u32 tpm_nv_undefine(struct tpm *tpm, u32 index)
{
	tpm_begin(tpm, TPM_ST_SESSIONS, TPM_CC_NV_UNDEFINE_SPACE);
	tpm_put32(tpm, TPM_RH_OWNER);
	tpm_put32(tpm, index);
	tpm_put_auth(tpm, TPM_RS_PW);
	return tpm_run_plain(tpm);
}

/* An index of another name algorithm than SHA-256 is none of ours. */
u32 tpm_nv_read_public(struct tpm *tpm, u32 index, struct tpm_nv_public *public)
{
	struct tpm_reader reader;
	u32 error, size, before;

	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_NV_READ_PUBLIC);
	tpm_put32(tpm, index);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	*public = (struct tpm_nv_public){ 0 };
	size = tpm_take16(&reader);
	before = reader.left;
	tpm_expect32(&reader, index);
	tpm_expect16(&reader, TPM_ALG_SHA256);
	public->attributes = tpm_take32(&reader);
	public->has_policy = tpm_take_sized(&reader, public->policy, TPM_DIGEST_SIZE) != 0;
	public->size = tpm_take16(&reader);
	if (before - reader.left != size)
		reader.failed = true;
	tpm_take_sized(&reader, NULL, 2 + TPM_DIGEST_SIZE);	/* name */
	return tpm_end(tpm, &reader);
}

static void begin(struct tpm *tpm, u32 code, u32 index, u32 session)
{
	tpm_begin(tpm, TPM_ST_SESSIONS, code);
	tpm_put32(tpm, index);			/* authHandle */
	tpm_put32(tpm, index);
	tpm_put_auth(tpm, session);
}

u32 tpm_nv_read(struct tpm *tpm, u32 index, u32 session, u32 offset, u8 *to, u32 size)
{
	struct tpm_reader reader;
	u32 error;

	if (size > TPM_NV_MAX || offset > 0xFFFF)
		return TPM_E_COMMAND;
	begin(tpm, TPM_CC_NV_READ, index, session);
	tpm_put16(tpm, (u16)size);
	tpm_put16(tpm, (u16)offset);
	error = tpm_run(tpm, DURATION, NULL, &reader);
	if (error)
		return error;
	tpm_expect16(&reader, (u16)size);
	tpm_take_bytes(&reader, to, size);
	return tpm_end(tpm, &reader);
}

u32 tpm_nv_write(struct tpm *tpm, u32 index, u32 session, u32 offset, const u8 *from, u32 size)
{
	if (size > TPM_NV_MAX || offset > 0xFFFF)
		return TPM_E_COMMAND;
	begin(tpm, TPM_CC_NV_WRITE, index, session);
	tpm_put_sized(tpm, from, size);
	tpm_put16(tpm, (u16)offset);
	return tpm_run_plain(tpm);
}

u32 tpm_nv_increment(struct tpm *tpm, u32 index, u32 session)
{
	begin(tpm, TPM_CC_NV_INCREMENT, index, session);
	return tpm_run_plain(tpm);
}

u32 tpm_nv_counter(struct tpm *tpm, u32 index, u64 *value)
{
	u64 big_endian;
	u32 error = tpm_nv_read(tpm, index, TPM_RS_PW, 0, (u8 *)&big_endian, sizeof(big_endian));

	if (!error)
		*value = __builtin_bswap64(big_endian);
	return error;
}
