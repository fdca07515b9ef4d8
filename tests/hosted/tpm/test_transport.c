/* SPDX-License-Identifier: BSD-2-Clause */
/* Both transports against registers that misbehave. */
#include "test.h"

static const enum interface interfaces[] = { FIFO, CRB };
#define for_each_interface(i) \
	for (const enum interface *i = interfaces; i < interfaces + ARRAY_SIZE(interfaces); i++)

/* --- What answers --------------------------------------------------------------------------- */

static u8 answer[4096];
static u32 answer_size;

static u32 fixed(u32 locality, const u8 *command, u32 size, u8 *response)
{
	(void)locality, (void)command, (void)size;
	memcpy(response, answer, answer_size);
	return answer_size;
}

/* GetRandom's response with n bytes; the size in the header may be another. */
static void answer_random(u32 n, u32 told)
{
	memset(answer, 0x5A, sizeof(answer));
	memcpy(answer, (u8[]){ 0x80, 1, 0, 0, (u8)(told >> 8), (u8)told, 0, 0, 0, 0, 0, (u8)n }, 12);
	answer_size = 12 + n;
	model.execute = fixed;
}

static u32 ask(void)
{
	u8 random[16] = { 0 };
	u32 error = tpm_get_random(&tpm, random, sizeof(random));

	for (u32 i = 0; !error && i < sizeof(random); i++)
		CHECK_EQ(random[i], 0x5A);
	return error;
}

static void open_for_random(enum interface interface)
{
	model_reset(interface);
	answer_random(16, 28);
	tpm_open();
}

/* --- Tests ---------------------------------------------------------------------------------- */

static void well(void)
{
	for_each_interface(i) {
		open_for_random(*i);
		CHECK(!strcmp(tpm_transport_name(&tpm), *i == CRB ? "CRB" : "FIFO"));
		CHECK_EQ(ask(), 0);
		CHECK_EQ(tpm_request(&tpm, 2), 0);
		CHECK_EQ(model.active, 2);
		CHECK_EQ(ask(), 0);
		tpm_relinquish(&tpm);
		CHECK_EQ(model.active, NO_LOCALITY);
		CHECK_EQ(ask(), TPM_E_LOCALITY);
		CHECK_EQ(model.strays, 0);
	}
}

static void absent(void)
{
	for_each_interface(i)
		for (int ones = 0; ones < 2; ones++) {
			model_reset(*i);
			model.all_ones = ones;
			model.all_zeros = !ones;
			CHECK(!strcmp(tpm_probe(&tpm, model_clock), "no TPM"));
			CHECK_EQ(tpm_request(&tpm, 0), TPM_E_ABSENT);
			CHECK_EQ(ask(), TPM_E_ABSENT);
			CHECK(model.now < 1000);	/* most machines have none */
		}
}

/* It goes away while we use it. */
static void vanishes(void)
{
	for_each_interface(i)
		for (int ones = 0; ones < 2; ones++) {
			open_for_random(*i);
			model.all_ones = ones;
			model.all_zeros = !ones;
			CHECK(ask() > 0xFFF);
			CHECK(tpm_request(&tpm, 1) > 0xFFF || ones);
			CHECK(ask() > 0xFFF);
			CHECK(model.now < 30000000);
		}
}

static void tpm_12(void)
{
	static const u32 capabilities[] = { 0, 2U << 28 };	/* TIS 1.21, TIS 1.3 */

	for (u32 i = 0; i < ARRAY_SIZE(capabilities); i++) {
		model_reset(FIFO);
		model.interface_id = 0xFFFFFFFF;
		model.capability = capabilities[i];
		CHECK(strstr(tpm_probe(&tpm, model_clock), "TPM 1.2"));
		CHECK_EQ(tpm_request(&tpm, 0), TPM_E_ABSENT);
	}
	/* One that claims to be a 2.0, and does not know its commands: TPM_BADTAG. */
	open_for_random(FIFO);
	memcpy(answer, (u8[]){ 0, 0xC4, 0, 0, 0, 10, 0, 0, 0, 30 }, 10);
	answer_size = 10;
	CHECK_EQ(ask(), TPM_E_VERSION);
}

static void unknown_interface(void)
{
	for (u32 type = 2; type < 15; type++) {
		model_reset(FIFO);
		model.interface_id = type;
		CHECK(strstr(tpm_probe(&tpm, model_clock), "not known"));
	}
}

/* Every wait ends, within its time and a bit; the next command does not even begin, until the
 * locality is asked for again, and then works. */
static void hang_at(enum interface interface, enum hang hang, u64 limit)
{
	u64 start;

	open_for_random(interface);
	model.hang = hang;
	start = model.now;
	CHECK_EQ(ask(), TPM_E_TIMEOUT);
	CHECK(model.now - start < limit);
	model.hang = NONE;
	model.busy = false;
	start = model.now;
	CHECK_EQ(ask(), TPM_E_TIMEOUT);
	CHECK_EQ(model.now, start);
	CHECK_EQ(tpm_request(&tpm, 0), 0);
	CHECK_EQ(ask(), 0);
}

static void hangs(void)
{
	static const enum hang fifo[] = {
		READY, STS_VALID_NEVER, BURST, EXPECT_NEVER, EXPECT_ALWAYS, DATA, DATA_STOPS,
	};

	for (u32 i = 0; i < ARRAY_SIZE(fifo); i++)
		hang_at(FIFO, fifo[i], 2500000);
	hang_at(CRB, READY, 500000);
	hang_at(CRB, START, 5000000);
	CHECK(model.cancelled);
}

/* The response came; that it does not go idle is the next command's trouble, if it lasts. */
static void never_idle(void)
{
	open_for_random(CRB);
	model.hang = IDLE;
	CHECK_EQ(ask(), 0);
	CHECK(model.now < 1000000);
}

static void hangs_at_request(void)
{
	for_each_interface(i) {
		open_for_random(*i);
		model.hang = REG_VALID;
		CHECK_EQ(tpm_request(&tpm, 1), TPM_E_TIMEOUT);
		model.hang = GRANT;
		CHECK_EQ(tpm_request(&tpm, 1), TPM_E_LOCALITY);
		CHECK_EQ(ask(), TPM_E_LOCALITY);
		CHECK(model.now < 5000000);
	}
}

/* Somebody else holds another locality. */
static void locality_taken(void)
{
	for_each_interface(i) {
		open_for_random(*i);
		tpm_relinquish(&tpm);
		model.active = 3;
		CHECK_EQ(tpm_request(&tpm, 2), TPM_E_LOCALITY);
		CHECK_EQ(model.active, 3);
		CHECK_EQ(tpm_request(&tpm, 5), TPM_E_LOCALITY);
	}
	model_reset(CRB);
	model.interface_id = 1;		/* no localities but 0 */
	tpm_open();
	CHECK_EQ(tpm_request(&tpm, 2), TPM_E_LOCALITY);
	CHECK_EQ(tpm_request(&tpm, 0), 0);
}

static void bursts(void)
{
	static const u32 counts[] = { 1, 3, 7, 12, 65535 };

	for (u32 i = 0; i < ARRAY_SIZE(counts); i++)
		for (int gaps = 0; gaps < 2; gaps++) {
			open_for_random(FIFO);
			model.burst = counts[i];
			model.burst_gaps = gaps;
			CHECK_EQ(ask(), 0);
			CHECK_EQ(model.strays, 0);
		}
}

static void lengths_lie(void)
{
	static const u32 told[] = { 0, 1, 9, 10, 11, 12, 27, 29, 1024, 1025, 0xFFFF };

	for_each_interface(k)
		for (u32 i = 0; i < ARRAY_SIZE(told); i++) {
			u32 error;

			open_for_random(*k);
			answer_random(16, told[i]);
			error = ask();
			CHECK(error == TPM_E_RESPONSE || error == TPM_E_TIMEOUT);
			answer_random(16, 28);
			CHECK_EQ(tpm_request(&tpm, 0), 0);
			CHECK_EQ(ask(), 0);
		}
	open_for_random(FIFO);
	model.extra = 1;
	CHECK_EQ(ask(), TPM_E_RESPONSE);
}

static void contents_lie(void)
{
	for_each_interface(k) {
		open_for_random(*k);
		for (u32 n = 0; n < 12; n++) {
			if (n == 4)	/* of 64 KiB and more: never comes in time */
				continue;
			answer_random(16, 28);
			answer[n] ^= 0x81;
			CHECK(ask() != 0);
			CHECK_EQ(tpm_request(&tpm, 0), 0);
		}
		answer_random(17, 29);		/* more than asked for */
		CHECK_EQ(ask(), TPM_E_RESPONSE);
		answer_random(0, 12);		/* for ever nothing */
		CHECK_EQ(ask(), TPM_E_RESPONSE);
		answer_random(16, 28);
		answer[8] = 9;			/* an error with parameters */
		CHECK_EQ(ask(), TPM_E_RESPONSE);
		answer_random(0, 10);
		answer_size = 10;
		answer[8] = 1, answer[9] = 1;
		CHECK_EQ(ask(), 0x101);
	}
}

static void try_again_later(void)
{
	for_each_interface(k) {
		open_for_random(*k);
		memcpy(answer, (u8[]){ 0x80, 1, 0, 0, 0, 10, 0, 0, 9, 0x22 }, 10);
		answer_size = 10;
		CHECK_EQ(ask(), TPM_RC_RETRY);
		CHECK(model.commands > 10 && model.commands < 100);
		CHECK(model.now > 500000 && model.now < 5000000);
	}
}

static void crb_buffers(void)
{
	static const struct { u64 at; u32 size; } bad[] = {
		/* The last two are bad for a command only. */
		{ 0, 0xF80 }, { 0x1000, 0xF80 }, { TPM_BASE, 0xF80 }, { TPM_BASE + 0x7F, 0xF80 },
		{ TPM_BASE + 0x80, 0xF81 }, { TPM_BASE + 0x80, 0xFFFFFFFF },
		{ TPM_BASE + 0xFFF, 2 }, { TPM_BASE + 0x5080, 0x80 }, { TPM_BASE - 0x80, 0x80 },
		{ TPM_BASE | 1ULL << 32, 0xF80 }, { ~0ULL, ~0U }, { TPM_BASE + 0x80, 11 },
		{ TPM_BASE + 0x80, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		open_for_random(CRB);
		model.buffer = bad[i].at;
		model.buffer_size = bad[i].size;
		CHECK_EQ(ask(), TPM_E_BUFFER);
		CHECK_EQ(model.commands, 0);
		if (i >= ARRAY_SIZE(bad) - 2)
			continue;
		open_for_random(CRB);
		model.response_at = bad[i].at ? bad[i].at : 8;
		model.response_size = bad[i].size;
		CHECK_EQ(ask(), TPM_E_BUFFER);
		CHECK_EQ(model.commands, 1);
	}
	open_for_random(CRB);
	model.buffer_size = 27;		/* one less than the response */
	CHECK_EQ(ask(), TPM_E_RESPONSE);
	open_for_random(CRB);
	model.fatal = 1;
	CHECK_EQ(ask(), TPM_E_TIMEOUT);
}

const struct test transport_tests[] = {
	{ "transport: well", well },
	{ "transport: absent", absent },
	{ "transport: vanishes", vanishes },
	{ "transport: TPM 1.2", tpm_12 },
	{ "transport: unknown interface", unknown_interface },
	{ "transport: hangs", hangs },
	{ "transport: never idle", never_idle },
	{ "transport: hangs at a request", hangs_at_request },
	{ "transport: locality taken", locality_taken },
	{ "transport: burst counts", bursts },
	{ "transport: lengths lie", lengths_lie },
	{ "transport: contents lie", contents_lie },
	{ "transport: try again later", try_again_later },
	{ "transport: CRB buffers", crb_buffers },
	{ 0 },
};
