/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nv STATE COMMAND [HEX64] - what somebody can do to the TPM whose memory is in the folder STATE,
 * as its owner at locality 0, while Carrel does not run:
 *
 *	init POLICY	ask for a key, as `hvreg platform init` does
 *	retire		count on, which makes older blobs old
 *	stale		the same, and the blob says that it is of now
 *	forge DIGEST	a blob of one's own, for a measured launch with these PCRs
 *	record		a record of one's own
 *	spoil		a byte of the blob is another
 *	reset		nothing is left
 */
#include "test.h"

#include <carrel/platform.h>

#define ANYBODY	(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_OWNERWRITE | \
		 TPMA_NV_NO_DA)

struct tpm tpm;
unsigned char *phys_base;

void check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "nv: %s:%d: %s\n", file, line, what);
	swtpm_stop();
	exit(1);
}

void check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b)
		fprintf(stderr, "nv: 0x%lx is not 0x%lx\n", a, b);
	check(a == b, file, line, what);
}

static void define(u32 index, u32 attributes, u16 size, const u8 *policy)
{
	struct tpm_nv_public public = { .attributes = attributes, .size = size, .has_policy = policy };

	if (policy)
		memcpy(public.policy, policy, sizeof(public.policy));
	CHECK_EQ(tpm_nv_define(&tpm, index, &public), 0);
}

static void increment(void)
{
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
}

static void init(const u8 *policy)
{
	struct carrel_request request = {
		CARREL_PLATFORM_MAGIC, CARREL_PLATFORM_VERSION, CARREL_REQUEST_INIT, 0, { 0 },
	};

	define(CARREL_NV_COUNTER, TPMA_NV_COUNTER | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD |
	       TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA, 8, NULL);
	increment();
	for (u32 slot = 0; slot < CARREL_NV_SLOTS; slot++)
		define(CARREL_NV_BLOB(slot), ANYBODY, sizeof(struct carrel_nv_blob), NULL);
	define(CARREL_NV_REQUEST, ANYBODY, sizeof(request), NULL);
	define(CARREL_NV_RECORD, TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD |
	       TPMA_NV_NO_DA, sizeof(struct carrel_record), policy);
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_REQUEST, TPM_RS_PW, 0, (u8 *)&request,
			      sizeof(request)), 0);
}

static void read_blob(struct carrel_nv_blob *blob)
{
	CHECK_EQ(tpm_nv_read(&tpm, CARREL_NV_BLOB(0), TPM_RS_PW, 0, (u8 *)blob, sizeof(*blob)), 0);
}

static void put_blob(const struct carrel_nv_blob *blob)
{
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_BLOB(0), TPM_RS_PW, 0, (const u8 *)blob,
			      sizeof(*blob)), 0);
}

static void retire(const u8 *none)
{
	(void)none;
	increment();
}

static void stale(const u8 *none)
{
	struct carrel_nv_blob blob;

	(void)none;
	increment();
	read_blob(&blob);
	blob.counter++;
	put_blob(&blob);
}

static void spoil(const u8 *none)
{
	struct carrel_nv_blob blob;

	(void)none;
	read_blob(&blob);
	blob.bytes[40] ^= 1;
	put_blob(&blob);
}

static void forge(const u8 *pcrs)
{
	struct carrel_nv_blob nv = { CARREL_PLATFORM_MAGIC, CARREL_PLATFORM_VERSION, 0, 0, 0, { 0 } };
	struct carrel_secret own = { "known to the attacker", { 0 } };
	struct tpm_blob blob;
	u32 session, parent;
	u8 policy[32];

	CHECK_EQ(tpm_nv_counter(&tpm, CARREL_NV_COUNTER, &nv.counter), 0);
	CHECK_EQ(tpm_start_policy(&tpm, true, &session), 0);
	CHECK_EQ(tpm_policy_pcr(&tpm, session, CARREL_MEASURED_PCRS, pcrs), 0);
	CHECK_EQ(tpm_policy_locality(&tpm, session, 4), 0);
	CHECK_EQ(tpm_policy_nv(&tpm, session, CARREL_NV_COUNTER, nv.counter), 0);
	CHECK_EQ(tpm_policy_digest(&tpm, session, policy), 0);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent), 0);
	CHECK_EQ(tpm_create(&tpm, parent, policy, (u8 *)&own, sizeof(own), &blob), 0);
	nv.private_size = blob.private_size;
	nv.public_size = blob.public_size;
	memcpy(nv.bytes, blob.private, blob.private_size);
	memcpy(nv.bytes + blob.private_size, blob.public, blob.public_size);
	put_blob(&nv);
}

static void record(const u8 *none)
{
	u8 own[32] = { 1 };

	(void)none;
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_RECORD), 0);
	define(CARREL_NV_RECORD, ANYBODY, sizeof(own), NULL);
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_RECORD, TPM_RS_PW, 0, own, sizeof(own)), 0);
}

static void reset(const u8 *none)
{
	(void)none;
	for (u32 index = CARREL_NV_RECORD; index <= CARREL_NV_REQUEST; index++)
		CHECK_EQ(tpm_nv_undefine(&tpm, index), 0);
}

static const struct {
	const char *name;
	void (*run)(const u8 *hash);
	bool wants_hash;
} commands[] = {
	{ "init", init, true }, { "retire", retire, false }, { "stale", stale, false },
	{ "forge", forge, true }, { "record", record, false }, { "spoil", spoil, false },
	{ "reset", reset, false },
};

int main(int argc, char **argv)
{
	u8 hash[32] = { 0 };

	for (u32 i = 0; argc > 2 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[2], commands[i].name) || argc != 3 + commands[i].wants_hash)
			continue;
		for (u32 byte = 0; argc == 4 && byte < sizeof(hash); byte++)
			CHECK_EQ(sscanf(argv[3] + 2 * byte, "%2hhx", &hash[byte]), 1);
		swtpm_keep(argv[1]);
		swtpm_start();
		model_reset(FIFO);
		model.execute = swtpm_execute;
		CHECK(!tpm_probe(&tpm, model_clock));
		CHECK_EQ(tpm_request(&tpm, 0), 0);
		commands[i].run(hash);
		swtpm_stop();
		return 0;
	}
	fprintf(stderr, "usage: nv STATE init|retire|stale|forge|record|spoil|reset [HEX64]\n");
	return 2;
}
