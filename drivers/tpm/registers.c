/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interface a TPM has, its localities, and waiting for it. */
#include "registers.h"

#include <base/x86.h>

#define INTERFACE_TYPE(id)	((id) & 0xF)
#define TYPE_FIFO		0x0
#define TYPE_CRB		0x1
#define TYPE_TIS		0xF	/* before there was the register: see tis_probe() */
#define REG_VALID_STS		0x80	/* of TPM_ACCESS and TPM_LOC_STATE */

/* 4096 cycles: a microsecond or more on any CPU below 4.1 GHz, so that waits last too long rather
 * than too short. A TSC that counts faster shortens them by a third at most. */
static u64 tsc_clock(void)
{
	return rdtsc() >> 12;
}

bool tpm_wait8(const struct tpm *tpm, u32 at, u8 mask, u8 value, u32 timeout)
{
	u64 end = tpm->clock() + timeout;
	bool last;

	do {
		last = tpm->clock() >= end;
		if ((mmio_read8(tpm_register(tpm, at)) & mask) == value)
			return true;
		pause();
	} while (!last);
	return false;
}

bool tpm_wait32(const struct tpm *tpm, u32 at, u32 mask, u32 value, u32 timeout)
{
	u64 end = tpm->clock() + timeout;
	bool last;

	do {
		last = tpm->clock() >= end;
		if ((mmio_read32(tpm_register(tpm, at)) & mask) == value)
			return true;
		pause();
	} while (!last);
	return false;
}

static const struct tpm_transport *transport_of(u32 id)
{
	switch (INTERFACE_TYPE(id)) {
	case TYPE_FIFO:
	case TYPE_TIS:
		return &tpm_tis;
	case TYPE_CRB:
		return &tpm_crb;
	}
	return NULL;
}

/* Nothing there reads as all ones, or as zeros, for which there is no time to wait: a TPM has at
 * least one of the two. */
static bool is_nothing(void)
{
	u8 access = mmio_read8(TPM_BASE);

	return access == 0xFF || (!access && !mmio_read32(TPM_BASE + TPM_INTERFACE_ID));
}

const char *tpm_probe(struct tpm *tpm, u64 (*clock)(void))
{
	const struct tpm_transport *transport;
	const char *error;

	*tpm = (struct tpm){ .clock = clock ? clock : tsc_clock };
	tpm->none = is_nothing();
	if (tpm->none)
		return "no TPM";
	/* within timeout A its registers mean something: PTP 6.5.2.4, 6.5.3.2 */
	if (!tpm_wait8(tpm, 0, REG_VALID_STS, REG_VALID_STS, TIMEOUT_A))
		return "a TPM that does not answer";
	transport = transport_of(mmio_read32(TPM_BASE + TPM_INTERFACE_ID));
	if (!transport)
		return "a TPM with an interface that is not known";
	error = transport->probe(tpm);
	if (!error)
		tpm->transport = transport;
	return error;
}
