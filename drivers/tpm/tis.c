/* SPDX-License-Identifier: BSD-2-Clause */
/* The FIFO interface, called TIS in its days of TPM 1.2: PTP 6.5.2. */
#include "registers.h"

#define TPM_ACCESS		0x00	/* 8 bits */
#define TPM_INTF_CAPABILITY	0x14
#define TPM_STS			0x18
#define TPM_DATA_FIFO		0x24

#define ACCESS_REQUEST_USE	0x02
#define ACCESS_ACTIVE_LOCALITY	0x20
#define ACCESS_REG_VALID_STS	0x80

#define STS_EXPECT		0x08
#define STS_DATA_AVAIL		0x10
#define STS_TPM_GO		0x20
#define STS_COMMAND_READY	0x40
#define STS_VALID		0x80

#define INTERFACE_VERSION(capability)	((capability) >> 28 & 7)
#define VERSION_TPM2		3	/* TIS 1.3 for TPM 2.0, and PTP */

static const char *tis_probe(struct tpm *tpm)
{
	u32 capability = mmio_read32(tpm_register(tpm, TPM_INTF_CAPABILITY));

	tpm->none = INTERFACE_VERSION(capability) != VERSION_TPM2;
	if (tpm->none)
		return "a TPM 1.2, which is not supported";
	tpm->localities = TPM_LOCALITIES;
	/* firmware may have left one active, which nobody uses any more; the last is the CPU's own */
	for (u32 locality = 0; locality < TPM_LOCALITIES - 1; locality++)
		mmio_store(TPM_BASE + locality * TPM_LOCALITY_SIZE + TPM_ACCESS, 1,
			   ACCESS_ACTIVE_LOCALITY);
	return NULL;
}

static bool tis_in_use(void)
{
	return mmio_read8(TPM_BASE + TPM_ACCESS) & ACCESS_ACTIVE_LOCALITY;
}

static u32 tis_request(struct tpm *tpm)
{
	u8 both = ACCESS_REG_VALID_STS | ACCESS_ACTIVE_LOCALITY;

	if (!tpm_wait8(tpm, TPM_ACCESS, ACCESS_REG_VALID_STS, ACCESS_REG_VALID_STS, TIMEOUT_A))
		return TPM_E_TIMEOUT;
	mmio_store(tpm_register(tpm, TPM_ACCESS), 1, ACCESS_REQUEST_USE);
	return tpm_wait8(tpm, TPM_ACCESS, both, both, TIMEOUT_A) ? 0 : TPM_E_LOCALITY;
}

/* Writing the bit gives the locality up, or takes a request back that is still pending. */
static void tis_relinquish(struct tpm *tpm)
{
	mmio_store(tpm_register(tpm, TPM_ACCESS), 1, ACCESS_ACTIVE_LOCALITY);
	tpm_wait8(tpm, TPM_ACCESS, ACCESS_ACTIVE_LOCALITY, 0, TIMEOUT_A);
}

/* Idle, from any state: ends a command that runs and drops a response. */
static void abort_command(struct tpm *tpm)
{
	mmio_store(tpm_register(tpm, TPM_STS), 1, STS_COMMAND_READY);
}

/* How many bytes the FIFO takes or has at once; 0: none in time. Read as 32 bits: the count's
 * two bytes belong together. */
static u32 burst_count(const struct tpm *tpm)
{
	u64 end = tpm->clock() + TIMEOUT_D;
	bool last;
	u32 count;

	do {
		last = tpm->clock() >= end;
		count = mmio_read32(tpm_register(tpm, TPM_STS)) >> 8 & 0xFFFF;
	} while (!count && !last);
	return count;
}

static bool put_bytes(struct tpm *tpm, const u8 *bytes, u32 size)
{
	while (size) {
		u32 burst = burst_count(tpm);

		if (!burst)
			return false;
		for (; burst && size; burst--, size--)
			mmio_store(tpm_register(tpm, TPM_DATA_FIFO), 1, *bytes++);
	}
	return true;
}

static bool wait_status(struct tpm *tpm, u8 mask, u8 value, u32 timeout)
{
	return tpm_wait8(tpm, TPM_STS, STS_VALID | mask, STS_VALID | value, timeout);
}

/* The TPM expects more until it has the last byte that the header tells. */
static bool put_command(struct tpm *tpm, const u8 *command, u32 size)
{
	mmio_store(tpm_register(tpm, TPM_STS), 1, STS_COMMAND_READY);
	return tpm_wait8(tpm, TPM_STS, STS_COMMAND_READY, STS_COMMAND_READY, TIMEOUT_B) &&
		put_bytes(tpm, command, size - 1) &&
		wait_status(tpm, STS_EXPECT, STS_EXPECT, TIMEOUT_C) &&
		put_bytes(tpm, command + size - 1, 1) &&
		wait_status(tpm, STS_EXPECT, 0, TIMEOUT_C);
}

static u32 tis_send(struct tpm *tpm, const u8 *command, u32 size)
{
	if (!put_command(tpm, command, size)) {
		abort_command(tpm);
		return TPM_E_TIMEOUT;
	}
	mmio_store(tpm_register(tpm, TPM_STS), 1, STS_TPM_GO);
	return 0;
}

static bool take_bytes(struct tpm *tpm, u8 *bytes, u32 size)
{
	while (size) {
		u32 burst;

		if (!wait_status(tpm, STS_DATA_AVAIL, STS_DATA_AVAIL, TIMEOUT_C))
			return false;
		burst = burst_count(tpm);
		if (!burst)
			return false;
		for (; burst && size; burst--, size--)
			*bytes++ = mmio_read8(tpm_register(tpm, TPM_DATA_FIFO));
	}
	return true;
}

/* More, or less, than the header tells is no response. */
static u32 take_response(struct tpm *tpm, u8 *response, u32 max, u32 *size)
{
	if (!take_bytes(tpm, response, HEADER_SIZE))
		return TPM_E_TIMEOUT;
	*size = tpm_response_size(response, max);
	if (!*size)
		return TPM_E_RESPONSE;
	if (!take_bytes(tpm, response + HEADER_SIZE, *size - HEADER_SIZE))
		return TPM_E_TIMEOUT;
	return wait_status(tpm, STS_DATA_AVAIL, 0, TIMEOUT_C) ? 0 : TPM_E_RESPONSE;
}

static u32 tis_receive(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size)
{
	u32 error = TPM_E_TIMEOUT;

	if (wait_status(tpm, STS_DATA_AVAIL, STS_DATA_AVAIL, duration))
		error = take_response(tpm, response, max, size);
	abort_command(tpm);
	return error;
}

const struct tpm_transport tpm_tis = {
	.name = "FIFO",
	.probe = tis_probe,
	.request = tis_request,
	.relinquish = tis_relinquish,
	.in_use = tis_in_use,
	.send = tis_send,
	.receive = tis_receive,
};
