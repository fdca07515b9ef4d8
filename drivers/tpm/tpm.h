/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TPM 2.0 behind its registers at FED40000h. Names and numbers are those of the TCG's TPM 2.0
 * Library, Parts 2 and 3. Firmware has started the TPM (TPM2_Startup).
 *
 * Each command returns 0, or the TPM's response code (below 10000h), or a TPM_E_*. On any error
 * outputs hold nothing that may be used. A TPM may answer anything: outputs are checked for
 * form, never believed in content.
 *
 * One user at a time: callers hold a lock if they need one.
 */
#ifndef DRIVERS_TPM_TPM_H
#define DRIVERS_TPM_TPM_H

#include <base/types.h>

#define TPM_BASE		0xFED40000UL
#define TPM_LOCALITY_SIZE	0x1000UL
#define TPM_LOCALITIES		5U
#define TPM_INTERFACE_ID	0x30

enum tpm_error {		/* no response code of a TPM */
	TPM_E_ABSENT = 0x10000,	/* tpm_probe() found nothing of use */
	TPM_E_TIMEOUT,		/* a register did not change, a command did not end */
	TPM_E_LOCALITY,		/* not granted, or there is no such one */
	TPM_E_BUFFER,		/* the CRB buffer is not where one may be, or too small */
	TPM_E_COMMAND,		/* arguments do not fit a command */
	TPM_E_RESPONSE,		/* not a response to this command */
	TPM_E_VERSION,		/* answers as a TPM 1.2 does */
};

/* Part 2, 6.6: response codes that callers tell apart. */
#define TPM_RC_SUCCESS		0
#define TPM_RC_LOCALITY		0x907
#define TPM_RC_POLICY_FAIL	0x99D	/* of the first session */
#define TPM_RC_NV_RATE		0x920
#define TPM_RC_RETRY		0x922
#define TPM_RC_YIELDED		0x908
#define TPM_RC_TESTING		0x90A

#define TPM_DIGEST_SIZE		32	/* SHA-256, the only bank and name algorithm used */
#define TPM_BUFFER_SIZE		1024U	/* more than any command here, or response to it */
#define TPM_RANDOM_MAX		32U	/* at once: what every TPM gives */
#define TPM_PCRS		24U

struct tpm_transport;

struct tpm {
	const struct tpm_transport *transport;	/* NULL: none */
	u64 (*clock)(void);		/* in microseconds or slower units */
	u32 locality, localities;
	bool held;			/* the locality is ours */
	u32 length;			/* of the command; */
	bool overflow;			/* it did not fit */
	u8 command[TPM_BUFFER_SIZE], response[TPM_BUFFER_SIZE];
};

/* Looks for a TPM, asks nothing of it. Text: why there is none. Without a clock: the TSC. */
const char *tpm_probe(struct tpm *tpm, u64 (*clock)(void));
/* "FIFO", "CRB". */
const char *tpm_transport_name(const struct tpm *tpm);
/* Every command is given at the locality that was requested last; without one they fail. */
u32 tpm_request(struct tpm *tpm, u32 locality);
void tpm_relinquish(struct tpm *tpm);

u32 tpm_get_random(struct tpm *tpm, u8 *to, u32 size);
u32 tpm_pcr_read(struct tpm *tpm, u32 pcr, u8 digest[TPM_DIGEST_SIZE]);
u32 tpm_pcr_extend(struct tpm *tpm, u32 pcr, const u8 digest[TPM_DIGEST_SIZE]);

#endif
