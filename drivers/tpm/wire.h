/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside drivers/tpm: commands are built, and responses taken apart, from left to right and
 * big-endian (Part 1, 27). What does not fit a command marks it, and it is never sent; what is
 * not in a response reads as zeros and marks the reader.
 */
#ifndef DRIVERS_TPM_WIRE_H
#define DRIVERS_TPM_WIRE_H

#include <drivers/tpm/tpm.h>

#define TPM_ST_NO_SESSIONS	0x8001
#define TPM_ST_SESSIONS		0x8002
#define TPM_ST_RSP_COMMAND	0x00C4	/* TPM 1.2: TPM_TAG_RSP_COMMAND */

#define TPM_HT_MASK		0xFF000000	/* the handle's type: */
#define TPM_HT_POLICY_SESSION	0x03000000
#define TPM_HT_TRANSIENT	0x80000000

#define TPM_ALG_AES		0x0006
#define TPM_ALG_KEYEDHASH	0x0008
#define TPM_ALG_SHA256		0x000B
#define TPM_ALG_NULL		0x0010
#define TPM_ALG_ECDSA		0x0018
#define TPM_ALG_ECC		0x0023
#define TPM_ALG_CFB		0x0043
#define TPM_ECC_NIST_P256	0x0003

/* How long a command may take, in microseconds: PTP's table of durations, with room. Keys here are
 * of P-256, which TPMs make in a second or two (it is RSA that takes minutes): a TPM that hangs then
 * holds the start of the machine up for that long. */
#define DURATION		2000000U
#define DURATION_KEY		8000000U

struct tpm_reader {
	const u8 *at;
	u32 left;
	bool failed;		/* sticky: something was not there, or not as it has to be */
};

/* A command: begin, handles, tpm_put_auth() if it has sessions, parameters. */
void tpm_begin(struct tpm *tpm, u16 tag, u32 code);
void tpm_put8(struct tpm *tpm, u8 value);
void tpm_put16(struct tpm *tpm, u16 value);
void tpm_put32(struct tpm *tpm, u32 value);
void tpm_put_bytes(struct tpm *tpm, const void *bytes, u32 size);
/* A TPM2B: the size, then the bytes. */
void tpm_put_sized(struct tpm *tpm, const void *bytes, u32 size);
void tpm_put_auth(struct tpm *tpm, u32 session);
/* TPML_PCR_SELECTION of the SHA-256 bank. */
void tpm_put_pcrs(struct tpm *tpm, u32 mask);

/* Sends it; `handle`: where the response has one; the reader then has its parameters. */
u32 tpm_run(struct tpm *tpm, u32 duration, u32 *handle, struct tpm_reader *reader);
/* The same for a response without parameters. */
u32 tpm_run_plain(struct tpm *tpm);
/* 0 if all was there and nothing is left. Wipes both buffers: they may have held secrets. */
u32 tpm_end(struct tpm *tpm, const struct tpm_reader *reader);

u8 tpm_take8(struct tpm_reader *reader);
u16 tpm_take16(struct tpm_reader *reader);
u32 tpm_take32(struct tpm_reader *reader);
void tpm_take_bytes(struct tpm_reader *reader, void *to, u32 size);
/* A TPM2B of at most `max` bytes, copied unless `to` is NULL; its size. */
u32 tpm_take_sized(struct tpm_reader *reader, void *to, u32 max);
/* A number that can only be this one. */
void tpm_expect16(struct tpm_reader *reader, u16 value);
void tpm_expect32(struct tpm_reader *reader, u32 value);
/* TPML_PCR_SELECTION of these PCRs, and no others. */
void tpm_expect_pcrs(struct tpm_reader *reader, u32 mask);

#endif
