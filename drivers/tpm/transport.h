/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside drivers/tpm: how bytes go to a TPM and come back, by the TCG PC Client Platform TPM
 * Profile (PTP) 1.05. Registers answer with whatever the TPM, or nothing at all, puts there: each
 * wait ends, and each length is checked before it is used.
 */
#ifndef DRIVERS_TPM_TRANSPORT_H
#define DRIVERS_TPM_TRANSPORT_H

#include <base/mmio.h>
#include <drivers/tpm/tpm.h>

/* PTP 6.5.1.4 and 6.5.2: what a register may take, in microseconds. */
#define TIMEOUT_A	750000U
#define TIMEOUT_B	2000000U
#define TIMEOUT_C	200000U
#define TIMEOUT_D	30000U

#define HEADER_SIZE	10U	/* tag, size, code */

struct tpm_transport {
	const char *name;
	/* What is there? Text: why it is of no use. */
	const char *(*probe)(struct tpm *tpm);
	/* 0 or TPM_E_*. The locality is tpm->locality. */
	u32 (*request)(struct tpm *tpm);
	void (*relinquish)(struct tpm *tpm);
	/* A whole command, which then runs. */
	u32 (*send)(struct tpm *tpm, const u8 *command, u32 size);
	/* Its response, at most `max` bytes, *size of them. The TPM is idle again in any case. */
	u32 (*receive)(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size);
};
extern const struct tpm_transport tpm_tis, tpm_crb;

static inline u64 tpm_register(const struct tpm *tpm, u32 at)
{
	return TPM_BASE + tpm->locality * TPM_LOCALITY_SIZE + at;
}

/* Until a register of 8 or 32 bits has `value` in `mask`; false: not in time. Looks once more
 * after the time is over: an SMI may have taken all of it. */
bool tpm_wait8(const struct tpm *tpm, u32 at, u8 mask, u8 value, u32 timeout);
bool tpm_wait32(const struct tpm *tpm, u32 at, u32 mask, u32 value, u32 timeout);

/* The size that a response's header tells, if it can be: 0 otherwise. */
u32 tpm_response_size(const u8 header[HEADER_SIZE], u32 max);

#endif
