/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may give commands, whatever way they go. */
#include "transport.h"

u32 tpm_response_size(const u8 header[HEADER_SIZE], u32 max)
{
	u32 size = (u32)header[2] << 24 | header[3] << 16 | header[4] << 8 | header[5];

	return size >= HEADER_SIZE && size <= max ? size : 0;
}

const char *tpm_transport_name(const struct tpm *tpm)
{
	return tpm->transport ? tpm->transport->name : "none";
}

bool tpm_in_use(const struct tpm *tpm)
{
	return tpm->transport && tpm->transport->in_use();
}

u32 tpm_request(struct tpm *tpm, u32 locality)
{
	u32 error;

	if (!tpm->transport)
		return TPM_E_ABSENT;
	tpm_relinquish(tpm);
	if (locality >= tpm->localities)
		return TPM_E_LOCALITY;
	tpm->locality = locality;
	tpm->hung = false;
	error = tpm->transport->request(tpm);
	if (error)
		tpm->transport->relinquish(tpm);
	tpm->held = !error;
	return error;
}

void tpm_relinquish(struct tpm *tpm)
{
	if (tpm->held)
		tpm->transport->relinquish(tpm);
	tpm->held = false;
}
