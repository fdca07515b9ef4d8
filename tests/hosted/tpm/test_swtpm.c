/* SPDX-License-Identifier: BSD-2-Clause */
/* The command layer against swtpm, behind the model's registers. */
#include "test.h"

static void open_swtpm(enum interface interface, u32 locality)
{
	model_reset(interface);
	model.execute = swtpm_execute;
	swtpm_start();
	tpm_open();
	CHECK_EQ(tpm_request(&tpm, locality), 0);
}

static void random_differs(void)
{
	u8 a[100] = { 0 }, b[100] = { 0 };

	for (int i = 0; i < 2; i++) {
		open_swtpm(i ? CRB : FIFO, 0);
		CHECK_EQ(tpm_get_random(&tpm, a, sizeof(a)), 0);
		CHECK_EQ(tpm_get_random(&tpm, b, sizeof(b)), 0);
		CHECK(memcmp(a, b, 32) && memcmp(a + 68, b + 68, 32) && memcmp(a, a + 32, 32));
		CHECK_EQ(model.strays, 0);
	}
}

static void pcrs(void)
{
	static const u8 one[TPM_DIGEST_SIZE] = { 1 };
	u8 before[TPM_DIGEST_SIZE], after[TPM_DIGEST_SIZE];

	open_swtpm(FIFO, 0);
	CHECK_EQ(tpm_pcr_read(&tpm, 17, before), 0);
	for (u32 i = 0; i < TPM_DIGEST_SIZE; i++)
		CHECK_EQ(before[i], 0xFF);
	CHECK_EQ(tpm_pcr_extend(&tpm, 17, one), TPM_RC_LOCALITY);
	CHECK_EQ(tpm_pcr_read(&tpm, 10, before), 0);
	CHECK_EQ(tpm_pcr_extend(&tpm, 10, one), 0);
	CHECK_EQ(tpm_pcr_read(&tpm, 10, after), 0);
	CHECK(memcmp(before, after, sizeof(after)));
	CHECK_EQ(tpm_pcr_read(&tpm, 24, after), TPM_E_COMMAND);
	CHECK_EQ(tpm_pcr_extend(&tpm, 24, one), TPM_E_COMMAND);
}

const struct test swtpm_tests[] = {
	{ "swtpm: random", random_differs },
	{ "swtpm: PCRs", pcrs },
	{ 0 },
};
