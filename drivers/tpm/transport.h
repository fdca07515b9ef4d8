/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside drivers/tpm: how bytes go to a TPM and come back. What is above it knows of no registers,
 * so that hvreg has the same commands behind the kernel's driver.
 */
#ifndef DRIVERS_TPM_TRANSPORT_H
#define DRIVERS_TPM_TRANSPORT_H

#include <drivers/tpm/tpm.h>

#define HEADER_SIZE	10U	/* tag, size, code */

struct tpm_transport {
	const char *name;
	/* What is there? Text: why it is of no use. */
	const char *(*probe)(struct tpm *tpm);
	/* 0 or TPM_E_*. The locality is tpm->locality. */
	u32 (*request)(struct tpm *tpm);
	void (*relinquish)(struct tpm *tpm);
	bool (*in_use)(void);
	/* A whole command, which then runs. */
	u32 (*send)(struct tpm *tpm, const u8 *command, u32 size);
	/* Its response, at most `max` bytes, *size of them. The TPM is idle again in any case. */
	u32 (*receive)(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size);
};

/* The size that a response's header tells, if it can be: 0 otherwise. */
u32 tpm_response_size(const u8 header[HEADER_SIZE], u32 max);

#endif
