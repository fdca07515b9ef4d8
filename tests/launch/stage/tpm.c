/* SPDX-License-Identifier: BSD-2-Clause */
/* PCR_Extend through the FIFO interface at locality 2 (PTP, "FIFO Interface"). */
#include "stage.h"

#define LOCALITIES	4U
#define TICKS_MAX	(60ULL << 30)	/* more than ten seconds on any machine */

#define TPM_BASE	0xFED40000U
#define TPM_ACCESS	0x00U
#define TPM_STS		0x18U
#define TPM_DATA_FIFO	0x24U
#define ACCESS_REQUEST_USE	0x02
#define ACCESS_ACTIVE		0x20
#define ACCESS_VALID		0x80
#define STS_DATA_AVAIL		0x10
#define STS_GO			0x20
#define STS_COMMAND_READY	0x40
#define STS_VALID		0x80

static volatile u8 *at(u32 locality, u32 offset)
{
	return (volatile u8 *)(TPM_BASE + locality * 0x1000 + offset);
}

static void wait_for(volatile u8 *reg, u8 bits, const char *what)
{
	u64 begin = now();

	while ((*reg & bits) != bits)
		if (now() - begin > TICKS_MAX)
			fail(what);
}

/* TPM2 "TPM2_PCR_Extend", with an empty password for the PCR. */
static const u8 extend_head[33] = {
	0x80, 0x02, 0, 0, 0, 65, 0, 0, 0x01, 0x82, 0, 0, 0, 0 /* PCR */,
	0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0,
	0, 0, 0, 1, 0, 0x0B,
};

void pcr_extend(u32 pcr, const u8 digest[32])
{
	u8 command[65], answer[10] = { 0 };

	copy(command, extend_head, sizeof(extend_head));
	copy(command + sizeof(extend_head), digest, 32);
	command[13] = (u8)pcr;
	/* firmware may have left its own active */
	for (u32 i = 0; i < LOCALITIES; i++)
		*at(i, TPM_ACCESS) = ACCESS_ACTIVE;
	*at(2, TPM_ACCESS) = ACCESS_REQUEST_USE;
	wait_for(at(2, TPM_ACCESS), ACCESS_ACTIVE | ACCESS_VALID, "locality 2 is not granted");
	*at(2, TPM_STS) = STS_COMMAND_READY;
	wait_for(at(2, TPM_STS), STS_COMMAND_READY, "the TPM takes no command");
	for (u32 i = 0; i < sizeof(command); i++)
		*at(2, TPM_DATA_FIFO) = command[i];
	*at(2, TPM_STS) = STS_GO;
	wait_for(at(2, TPM_STS), STS_VALID | STS_DATA_AVAIL, "the TPM does not answer");
	for (u32 i = 0; *at(2, TPM_STS) & STS_DATA_AVAIL; i++) {
		u8 byte = *at(2, TPM_DATA_FIFO);

		if (i < sizeof(answer))
			answer[i] = byte;
	}
	*at(2, TPM_STS) = STS_COMMAND_READY;
	*at(2, TPM_ACCESS) = ACCESS_ACTIVE;
	if (get32((u32)answer + 6))
		fail("a PCR cannot be extended");
}
