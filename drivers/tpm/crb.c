/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command response buffer interface: PTP 6.5.3. Where the buffer lies, the TPM tells; it is
 * believed only within the TPM's own pages, past the registers: elsewhere a TPM could have the
 * hypervisor write over itself. (Firmware TPMs with buffers in RAM want ACPI methods, too.)
 */
#include "registers.h"

#define TPM_LOC_STATE		0x00
#define TPM_LOC_CTRL		0x08
#define TPM_LOC_STS		0x0C
#define TPM_CRB_CTRL_REQ	0x40
#define TPM_CRB_CTRL_STS	0x44
#define TPM_CRB_CTRL_CANCEL	0x48
#define TPM_CRB_CTRL_START	0x4C
#define TPM_CRB_CTRL_CMD_SIZE	0x58
#define TPM_CRB_CTRL_CMD_LADDR	0x5C
#define TPM_CRB_CTRL_CMD_HADDR	0x60
#define TPM_CRB_CTRL_RSP_SIZE	0x64
#define TPM_CRB_CTRL_RSP_ADDR	0x68	/* 64 bits */
#define TPM_CRB_DATA_BUFFER	0x80

#define LOC_STATE_LOC_ASSIGNED	0x02
#define LOC_STATE_REG_VALID_STS	0x80
#define LOC_CTRL_REQUEST_ACCESS	0x01
#define LOC_CTRL_RELINQUISH	0x02
#define LOC_STS_GRANTED		0x01
#define REQ_CMD_READY		0x01
#define REQ_GO_IDLE		0x02
#define CTRL_STS_TPM_STS	0x01	/* a fatal error */
#define CTRL_STS_TPM_IDLE	0x02

#define INTERFACE_CAP_LOCALITY	0x100	/* five of them */

static const char *crb_probe(struct tpm *tpm)
{
	u32 id = mmio_read32(tpm_register(tpm, TPM_INTERFACE_ID));

	tpm->localities = id & INTERFACE_CAP_LOCALITY ? TPM_LOCALITIES : 1;
	return NULL;
}

static bool crb_in_use(void)
{
	return mmio_read32(TPM_BASE + TPM_LOC_STATE) & LOC_STATE_LOC_ASSIGNED;
}

/* A command that still runs is of somebody who has given the locality up since: its response would
 * be taken for one of ours. */
static u32 crb_request(struct tpm *tpm)
{
	u32 valid = LOC_STATE_REG_VALID_STS;

	if (!tpm_wait32(tpm, TPM_LOC_STATE, valid, valid, TIMEOUT_A))
		return TPM_E_TIMEOUT;
	mmio_write32(tpm_register(tpm, TPM_LOC_CTRL), LOC_CTRL_REQUEST_ACCESS);
	return tpm_wait32(tpm, TPM_LOC_STS, LOC_STS_GRANTED, LOC_STS_GRANTED, TIMEOUT_A) &&
		!mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_START)) ? 0 : TPM_E_LOCALITY;
}

static void crb_relinquish(struct tpm *tpm)
{
	mmio_write32(tpm_register(tpm, TPM_LOC_CTRL), LOC_CTRL_RELINQUISH);
	tpm_wait32(tpm, TPM_LOC_STS, LOC_STS_GRANTED, 0, TIMEOUT_A);
}

/* A buffer of `size` bytes at `pa`: in the page of one locality, behind the registers. */
static bool is_buffer(u64 pa, u64 size)
{
	u64 in_page = pa & (TPM_LOCALITY_SIZE - 1);

	return pa >= TPM_BASE && pa < TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE &&
		in_page >= TPM_CRB_DATA_BUFFER && size <= TPM_LOCALITY_SIZE - in_page;
}

static bool request_state(struct tpm *tpm, u32 request)
{
	mmio_write32(tpm_register(tpm, TPM_CRB_CTRL_REQ), request);
	return tpm_wait32(tpm, TPM_CRB_CTRL_REQ, request, 0, TIMEOUT_C);
}

static void go_idle(struct tpm *tpm)
{
	request_state(tpm, REQ_GO_IDLE);
}

/* Not from ready: a second cmdReady there is harmless but need not be answered. */
static bool get_ready(struct tpm *tpm)
{
	u32 status = mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_STS));

	if (status & CTRL_STS_TPM_STS)
		return false;
	return request_state(tpm, REQ_CMD_READY) &&
		tpm_wait32(tpm, TPM_CRB_CTRL_STS, CTRL_STS_TPM_IDLE | CTRL_STS_TPM_STS, 0,
			   TIMEOUT_C);
}

static u32 crb_send(struct tpm *tpm, const u8 *command, u32 size)
{
	u64 pa, room;

	if (!get_ready(tpm)) {
		go_idle(tpm);
		return TPM_E_TIMEOUT;
	}
	pa = mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_CMD_LADDR)) |
		(u64)mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_CMD_HADDR)) << 32;
	room = mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_CMD_SIZE));
	if (!is_buffer(pa, room) || size > room) {
		go_idle(tpm);
		return TPM_E_BUFFER;
	}
	for (u32 i = 0; i < size; i++)
		mmio_store(pa + i, 1, command[i]);
	mmio_write32(tpm_register(tpm, TPM_CRB_CTRL_START), 1);
	return 0;
}

/* A command that takes too long ends early, with TPM_RC_CANCELED or a response too late. */
static void cancel(struct tpm *tpm)
{
	mmio_write32(tpm_register(tpm, TPM_CRB_CTRL_CANCEL), 1);
	tpm_wait32(tpm, TPM_CRB_CTRL_START, 1, 0, TIMEOUT_B);
	mmio_write32(tpm_register(tpm, TPM_CRB_CTRL_CANCEL), 0);
}

static void copy_in(u8 *to, u64 pa, u32 size)
{
	for (u32 i = 0; i < size; i++)
		to[i] = mmio_read8(pa + i);
}

static u32 take_response(struct tpm *tpm, u8 *response, u32 max, u32 *size)
{
	u64 pa = mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_RSP_ADDR)) |
		(u64)mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_RSP_ADDR + 4)) << 32;
	u32 room = mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_RSP_SIZE));

	if (!is_buffer(pa, room) || room < HEADER_SIZE)
		return TPM_E_BUFFER;
	copy_in(response, pa, HEADER_SIZE);
	*size = tpm_response_size(response, max < room ? max : room);
	if (!*size)
		return TPM_E_RESPONSE;
	copy_in(response + HEADER_SIZE, pa + HEADER_SIZE, *size - HEADER_SIZE);
	return 0;
}

static u32 crb_receive(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size)
{
	u32 error = TPM_E_TIMEOUT;

	if (!tpm_wait32(tpm, TPM_CRB_CTRL_START, 1, 0, duration))
		cancel(tpm);
	else if (mmio_read32(tpm_register(tpm, TPM_CRB_CTRL_STS)) & CTRL_STS_TPM_STS)
		error = TPM_E_RESPONSE;
	else
		error = take_response(tpm, response, max, size);
	go_idle(tpm);
	return error;
}

const struct tpm_transport tpm_crb = {
	.name = "CRB",
	.probe = crb_probe,
	.request = crb_request,
	.relinquish = crb_relinquish,
	.in_use = crb_in_use,
	.send = crb_send,
	.receive = crb_receive,
};
