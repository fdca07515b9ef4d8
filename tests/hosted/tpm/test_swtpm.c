/* SPDX-License-Identifier: BSD-2-Clause */
/* The command layer against swtpm, behind the model's registers. */
#define _GNU_SOURCE	/* memmem() */
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

/* --- Sealed data ------------------------------------------------------------------------------ */

#define COUNTER		0x01C10200U
#define SPACE		0x01C10201U
#define PCR		16U		/* of debugging: any locality resets and extends it */
#define PCRS		(1U << PCR)
#define AT_2		0x04
#define AT_1_OR_2	0x06

static const u8 secret[48] = "a platform key, that nobody else may ever have.";
static struct tpm_blob blob;
static u32 parent;

static void pcr_reset(void)
{
	static const u8 reset[27] = {
		0x80, 2, 0, 0, 0, 27, 0, 0, 1, 0x3D, 0, 0, 0, PCR, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 1,
	};
	u8 response[4096];

	swtpm_execute(2, reset, sizeof(reset), response);
	CHECK_EQ(response[8] << 8 | response[9], 0);
}

/* The three terms of it, in a session; the first error. */
static u32 terms(u32 session, u8 localities, u64 counter)
{
	u32 error = tpm_policy_pcr(&tpm, session, PCRS, NULL);

	if (!error)
		error = tpm_policy_locality(&tpm, session, localities);
	return error ? error : tpm_policy_nv(&tpm, session, COUNTER, counter);
}

static u64 counter_value(void)
{
	u64 value = 0;

	CHECK_EQ(tpm_nv_counter(&tpm, COUNTER, &value), 0);
	return value;
}

static void counter_make(void)
{
	struct tpm_nv_public public = {
		.attributes = TPMA_NV_COUNTER | TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
		.size = 8,
	}, seen;

	tpm_nv_undefine(&tpm, COUNTER);
	CHECK_EQ(tpm_nv_define(&tpm, COUNTER, &public), 0);
	CHECK_EQ(tpm_nv_increment(&tpm, COUNTER, TPM_RS_PW), 0);
	CHECK_EQ(tpm_nv_read_public(&tpm, COUNTER, &seen), 0);
	CHECK_EQ(seen.attributes, public.attributes | TPMA_NV_WRITTEN);
	CHECK_EQ(seen.size, 8);
	CHECK(!seen.has_policy);
}

/* Sealed to now, locality 2. */
static void seal(enum interface interface, u8 localities)
{
	u8 policy[TPM_DIGEST_SIZE];
	u32 session;

	open_swtpm(interface, 2);
	pcr_reset();
	counter_make();
	CHECK_EQ(tpm_start_policy(&tpm, true, &session), 0);
	CHECK_EQ(terms(session, localities, counter_value()), 0);
	CHECK_EQ(tpm_policy_digest(&tpm, session, policy), 0);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent), 0);
	CHECK_EQ(tpm_create(&tpm, parent, policy, secret, sizeof(secret), &blob), 0);
}

/* Its code; all that was made for it is flushed. */
static u32 unseal(u8 localities, u64 counter)
{
	u32 object, session, size = 0, error, loaded;
	u8 data[TPM_SEAL_MAX] = { 0 };

	loaded = tpm_load(&tpm, parent, &blob, &object);
	if (loaded)
		return loaded;
	CHECK_EQ(tpm_start_policy(&tpm, false, &session), 0);
	error = terms(session, localities, counter);
	if (!error)
		error = tpm_unseal(&tpm, object, session, data, sizeof(data), &size);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_flush(&tpm, object), 0);
	CHECK(error || (size == sizeof(secret) && !memcmp(data, secret, size)));
	CHECK(!error || !size);
	return error;
}

static void end_seal(void)
{
	CHECK_EQ(tpm_flush(&tpm, parent), 0);
	CHECK_EQ(tpm_nv_undefine(&tpm, COUNTER), 0);
	CHECK_EQ(model.strays, 0);
	for (u32 i = 0; i < sizeof(tpm.command); i++)
		CHECK_EQ(tpm.command[i] | tpm.response[i], 0);
}

static void seal_and_unseal(void)
{
	for (int i = 0; i < 2; i++) {
		seal(i ? CRB : FIFO, AT_2);
		for (int again = 0; again < 5; again++)
			CHECK_EQ(unseal(AT_2, counter_value()), 0);
		/* The key is the same whenever it is made. */
		CHECK_EQ(tpm_flush(&tpm, parent), 0);
		CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent), 0);
		CHECK_EQ(unseal(AT_2, counter_value()), 0);
		end_seal();
	}
}

static void other_pcr(void)
{
	seal(FIFO, AT_2);
	CHECK_EQ(tpm_pcr_extend(&tpm, PCR, secret), 0);
	CHECK_EQ(unseal(AT_2, counter_value()), TPM_RC_POLICY_FAIL);
	pcr_reset();
	CHECK_EQ(unseal(AT_2, counter_value()), 0);
	end_seal();
}

/* The PCR changes between the term and the unsealing: TPM_RC_PCR_CHANGED. */
static void pcr_changes_late(void)
{
	u32 object, session, size;
	u8 data[TPM_SEAL_MAX];

	seal(FIFO, AT_2);
	CHECK_EQ(tpm_load(&tpm, parent, &blob, &object), 0);
	CHECK_EQ(tpm_start_policy(&tpm, false, &session), 0);
	CHECK_EQ(terms(session, AT_2, counter_value()), 0);
	CHECK_EQ(tpm_pcr_extend(&tpm, 10, secret), 0);
	CHECK_EQ(tpm_unseal(&tpm, object, session, data, sizeof(data), &size), 0x128);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_flush(&tpm, object), 0);
	end_seal();
}

static void other_locality(void)
{
	seal(FIFO, AT_2);
	CHECK_EQ(unseal(AT_1_OR_2, counter_value()), TPM_RC_POLICY_FAIL);
	for (u32 locality = 0; locality < 4; locality++) {
		CHECK_EQ(tpm_request(&tpm, locality), 0);
		CHECK_EQ(unseal(AT_2, counter_value()), locality == 2 ? 0 : TPM_RC_LOCALITY);
	}
	end_seal();
}

static void other_counter(void)
{
	u64 value;

	seal(FIFO, AT_2);
	value = counter_value();
	CHECK_EQ(unseal(AT_2, value + 1), 0x126);		/* TPM_RC_POLICY: not so */
	CHECK_EQ(unseal(AT_2, value - 1), 0x126);
	CHECK_EQ(unseal(AT_2, value), 0);
	CHECK_EQ(tpm_nv_increment(&tpm, COUNTER, TPM_RS_PW), 0);
	CHECK_EQ(counter_value(), value + 1);
	CHECK_EQ(unseal(AT_2, value), 0x126);
	CHECK_EQ(unseal(AT_2, value + 1), TPM_RC_POLICY_FAIL);	/* so, but not the policy */
	end_seal();
}

/* Without a policy, or with less of it. */
static void no_policy(void)
{
	u32 object, session, size;
	u8 data[TPM_SEAL_MAX];

	seal(FIFO, AT_2);
	CHECK_EQ(tpm_load(&tpm, parent, &blob, &object), 0);
	CHECK_EQ(tpm_unseal(&tpm, object, TPM_RS_PW, data, sizeof(data), &size), 0x12F);
	CHECK_EQ(tpm_start_policy(&tpm, false, &session), 0);
	CHECK_EQ(tpm_policy_pcr(&tpm, session, PCRS, NULL), 0);
	CHECK_EQ(tpm_unseal(&tpm, object, session, data, sizeof(data), &size), TPM_RC_POLICY_FAIL);
	CHECK_EQ(tpm_policy_locality(&tpm, session, AT_2), 0);
	CHECK_EQ(tpm_policy_nv(&tpm, session, COUNTER, counter_value()), 0);
	CHECK_EQ(tpm_unseal(&tpm, object, session, data, 47, &size), TPM_E_RESPONSE);
	CHECK_EQ(size, 0);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_flush(&tpm, object), 0);
	end_seal();
}

/* Every byte of the blob counts. */
static void altered_blob(void)
{
	u32 object;

	seal(FIFO, AT_2);
	for (u32 i = 0; i < (u32)blob.private_size + blob.public_size; i++) {
		u8 *byte = i < blob.private_size ? &blob.private[i] :
			&blob.public[i - blob.private_size];
		u32 error;

		*byte ^= 1;
		error = tpm_load(&tpm, parent, &blob, &object);
		CHECK(error && error <= 0xFFF);
		*byte ^= 1;
	}
	blob.private_size--;
	CHECK(tpm_load(&tpm, parent, &blob, &object));
	blob.private_size = TPM_BLOB_PRIVATE + 1;
	CHECK_EQ(tpm_load(&tpm, parent, &blob, &object), TPM_E_COMMAND);
	end_seal();
}

/* Sealed under a key of the null hierarchy: it ends with the TPM's next start. */
static void null_hierarchy(void)
{
	u32 other, object;

	seal(FIFO, AT_2);
	CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_NULL, &other), 0);
	CHECK_EQ(tpm_load(&tpm, other, &blob, &object), 0x1DF);		/* integrity */
	CHECK_EQ(tpm_flush(&tpm, other), 0);
	CHECK_EQ(tpm_flush(&tpm, other), 0x1CB);
	end_seal();
}

/* --- The rest --------------------------------------------------------------------------------- */

static void nv_space(void)
{
	struct tpm_nv_public public = { .attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE |
		TPMA_NV_NO_DA, .size = 600 };
	u8 out[600], in[600];

	open_swtpm(CRB, 0);
	for (u32 i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7 + 1);
	CHECK_EQ(tpm_nv_read_public(&tpm, SPACE, &public), 0x18B);
	CHECK_EQ(tpm_nv_define(&tpm, SPACE, &public), 0);
	CHECK_EQ(tpm_nv_define(&tpm, SPACE, &public), 0x14C);
	CHECK_EQ(tpm_nv_read(&tpm, SPACE, TPM_RS_PW, 0, in, 1), 0x14A);
	CHECK_EQ(tpm_nv_write(&tpm, SPACE, TPM_RS_PW, 0, out, TPM_NV_MAX), 0);
	CHECK_EQ(tpm_nv_write(&tpm, SPACE, TPM_RS_PW, TPM_NV_MAX, out + TPM_NV_MAX, 88), 0);
	CHECK_EQ(tpm_nv_write(&tpm, SPACE, TPM_RS_PW, TPM_NV_MAX, out, 89), 0x146);
	CHECK_EQ(tpm_nv_read(&tpm, SPACE, TPM_RS_PW, 0, in, TPM_NV_MAX), 0);
	CHECK_EQ(tpm_nv_read(&tpm, SPACE, TPM_RS_PW, TPM_NV_MAX, in + TPM_NV_MAX, 88), 0);
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(tpm_nv_read(&tpm, SPACE, TPM_RS_PW, 0, in, TPM_NV_MAX + 1), TPM_E_COMMAND);
	CHECK(tpm_nv_increment(&tpm, SPACE, TPM_RS_PW));
	CHECK_EQ(tpm_nv_undefine(&tpm, SPACE), 0);
	CHECK_EQ(tpm_nv_undefine(&tpm, SPACE), 0x28B);
}

/* A counter that only locality 2 may count up, as the rollback counter shall be. */
static void guarded_counter(void)
{
	struct tpm_nv_public public = { .attributes = TPMA_NV_COUNTER | TPMA_NV_AUTHREAD |
		TPMA_NV_POLICYWRITE | TPMA_NV_NO_DA, .size = 8, .has_policy = true }, seen;
	u32 session;

	open_swtpm(FIFO, 2);
	CHECK_EQ(tpm_start_policy(&tpm, true, &session), 0);
	CHECK_EQ(tpm_policy_locality(&tpm, session, AT_2), 0);
	CHECK_EQ(tpm_policy_digest(&tpm, session, public.policy), 0);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_nv_define(&tpm, SPACE, &public), 0);
	CHECK_EQ(tpm_nv_read_public(&tpm, SPACE, &seen), 0);
	CHECK(seen.has_policy && !memcmp(seen.policy, public.policy, TPM_DIGEST_SIZE));
	CHECK(tpm_nv_increment(&tpm, SPACE, TPM_RS_PW));
	CHECK_EQ(tpm_start_policy(&tpm, false, &session), 0);
	CHECK_EQ(tpm_policy_locality(&tpm, session, AT_2), 0);
	CHECK_EQ(tpm_request(&tpm, 0), 0);
	CHECK_EQ(tpm_nv_increment(&tpm, SPACE, session), TPM_RC_LOCALITY);
	CHECK_EQ(tpm_request(&tpm, 2), 0);
	CHECK_EQ(tpm_nv_increment(&tpm, SPACE, session), 0);
	CHECK_EQ(tpm_flush(&tpm, session), 0);
	CHECK_EQ(tpm_nv_undefine(&tpm, SPACE), 0);
}

static void quotes(void)
{
	static const u8 nonce[20] = "freshness, freshness";
	static struct tpm_quote quote;
	struct tpm_point point, again;
	u32 key;

	open_swtpm(FIFO, 2);
	CHECK_EQ(tpm_create_quote_key(&tpm, TPM_RH_OWNER, &key, &point), 0);
	CHECK_EQ(tpm_flush(&tpm, key), 0);
	CHECK_EQ(tpm_create_quote_key(&tpm, TPM_RH_OWNER, &key, &again), 0);
	CHECK(!memcmp(&point, &again, sizeof(point)));
	CHECK_EQ(tpm_make_quote(&tpm, key, 1U << 17 | 1U << 18, nonce, sizeof(nonce), &quote), 0);
	CHECK(memmem(quote.attest, quote.attest_size, nonce, sizeof(nonce)));
	CHECK(memmem(quote.attest, quote.attest_size, (u8[]){ 0, 0xB, 3, 0, 0, 6 }, 6));
	CHECK_EQ(tpm_make_quote(&tpm, key, 1U << 24, nonce, 20, &quote), TPM_E_COMMAND);
	CHECK_EQ(tpm_make_quote(&tpm, key, 1, nonce, 33, &quote), TPM_E_COMMAND);
	CHECK_EQ(tpm_flush(&tpm, key), 0);
}

const struct test swtpm_tests[] = {
	{ "swtpm: random", random_differs },
	{ "swtpm: PCRs", pcrs },
	{ "swtpm: seal and unseal", seal_and_unseal },
	{ "swtpm: another PCR value", other_pcr },
	{ "swtpm: a PCR changes late", pcr_changes_late },
	{ "swtpm: another locality", other_locality },
	{ "swtpm: counted up", other_counter },
	{ "swtpm: without the policy", no_policy },
	{ "swtpm: altered blob", altered_blob },
	{ "swtpm: null hierarchy", null_hierarchy },
	{ "swtpm: NV space", nv_space },
	{ "swtpm: guarded counter", guarded_counter },
	{ "swtpm: quotes", quotes },
	{ 0 },
};
