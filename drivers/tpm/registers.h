/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside drivers/tpm: a TPM's registers, by the TCG PC Client Platform TPM Profile (PTP) 1.05. They
 * answer with whatever the TPM, or nothing at all, puts there: each wait ends, and each length is
 * checked before it is used.
 */
#ifndef DRIVERS_TPM_REGISTERS_H
#define DRIVERS_TPM_REGISTERS_H

#include <base/mmio.h>

#include "transport.h"

/* PTP 6.5.1.4 and 6.5.2: what a register may take, in microseconds. */
#define TIMEOUT_A	750000U
#define TIMEOUT_B	2000000U
#define TIMEOUT_C	200000U
#define TIMEOUT_D	30000U

extern const struct tpm_transport tpm_tis, tpm_crb;

static inline u64 tpm_register(const struct tpm *tpm, u32 at)
{
	return TPM_BASE + tpm->locality * TPM_LOCALITY_SIZE + at;
}

/* Until a register of 8 or 32 bits has `value` in `mask`; false: not in time. Looks once more
 * after the time is over: an SMI may have taken all of it. */
bool tpm_wait8(const struct tpm *tpm, u32 at, u8 mask, u8 value, u32 timeout);
bool tpm_wait32(const struct tpm *tpm, u32 at, u32 mask, u32 value, u32 timeout);

#endif
