/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform key at launch, against swtpm. A launch here is what boot/launch.c does with
 * boot/seal.c; before it PCRs are extended as a launcher would; after it the guest, at locality 0,
 * does what hvreg does, or what an attacker does.
 */
#define _GNU_SOURCE	/* memmem() */
#include "test.h"

#include <stdarg.h>

#include <base/log.h>
#include <boot/seal.h>
#include <carrel/hypercall.h>
#include <core/random.h>
#include <core/withhold.h>
#include <mm/dma.h>
#include <crypto/sha256.h>

#define RECORD_FOR(p)	{ TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | \
			  TPMA_NV_NO_DA, sizeof(struct carrel_record), true, p }
#define ANYBODY		(TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | \
			 TPMA_NV_OWNERWRITE | TPMA_NV_NO_DA)
#define COUNTER		(TPMA_NV_COUNTER | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | \
			 TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA)

struct tpm tpm;			/* the guest's */
unsigned char *phys_base;
static jmp_buf test_jump, cut_jump;

static struct platform platform;
static struct carrel_secret secret;
static const char *why;
static u32 loads, unseals;	/* of the last launch */
static u32 commands, cut_at, hang_at;	/* 0: never */
static u32 refuse, refuse_nth;	/* a command of this code, the n-th from now: the TPM refuses it */
static s64 hide_answer;
static bool resealing, hidden, kept;	/* the page of locality 0: is not the guest's; never again */
static bool cancelled, dma_lost;
static bool taken;			/* the guest takes the TPM in the last moment */
static bool shown_create;		/* the secret stood in the buffer while that was so */
static bool no_random;
static enum interface interface = FIFO;
static bool apart;		/* CRB: commands and responses have each a buffer */

void check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	printf("     %s:%d: %s (%s)\n", file, line, what, why ? why : "no reason");
	longjmp(test_jump, 1);
}

void check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: 0x%lx is not 0x%lx\n", file, line, a, b);
	check(a == b, file, line, what);
}

void log_line(const char *format, ...)
{
	(void)format;
}

int random_get(u8 bytes[RANDOM_SIZE])
{
	static u8 count;

	memset(bytes, ++count, RANDOM_SIZE);
	return no_random ? CARREL_ERANDOM : 0;
}

s64 withhold_begin(void)
{
	CHECK(!hidden && !kept);
	hidden = !hide_answer;
	if (taken)
		model.active = 0;
	return hide_answer;
}

void withhold_cancel(void)
{
	CHECK(!hidden && !kept);
	cancelled = true;
}

enum dma_state dma_state(void)
{
	return dma_lost ? DMA_LOST : DMA_PROTECTED;
}

void withhold_end(bool back)
{
	CHECK(hidden);
	hidden = false;
	kept = !back;
}

static bool in_buffers(void)
{
	return memmem(model.memory, sizeof(model.memory), secret.seed, 8) ||
		memmem(model.memory, sizeof(model.memory), secret.seed + 24, 8);
}

/* Power fails before a command, or the TPM refuses it, or does not answer any more. */
static u32 execute(u32 locality, const u8 *command, u32 size, u8 *response)
{
	u32 code = (u32)command[8] << 8 | command[9], length;

	commands++;
	if (cut_at && commands == cut_at)
		longjmp(cut_jump, 1);
	loads += code == 0x157;
	unseals += code == 0x15E;
	CHECK(!resealing || hidden);
	shown_create |= code == 0x153 && in_buffers();
	if (code == refuse && refuse_nth && !--refuse_nth) {
		memcpy(response, "\x80\x01\0\0\0\x0A\0\0\x01\x01", 10);	/* TPM_RC_FAILURE */
		return 10;
	}
	length = swtpm_execute(locality, command, size, response);
	if (!hang_at || commands < hang_at)
		return length;
	model.busy = interface == CRB;
	return 0;
}

/* --- A machine -------------------------------------------------------------------------------- */

static void start_machine(void)
{
	swtpm_restart();
	model_reset(interface);
	if (apart) {
		model.apart = true;
		model.buffer_size = model.response_size = 0x7C0;
		model.response_at = model.buffer + 0x7C0;
	}
	model.execute = execute;
	commands = loads = unseals = 0;
	hidden = kept = taken = resealing = shown_create = false;
}

static void extend(u32 locality, u32 pcr, u8 what)
{
	u8 digest[32] = { what };

	CHECK_EQ(tpm_request(&tpm, locality), 0);
	CHECK_EQ(tpm_pcr_extend(&tpm, pcr, digest), 0);
	tpm_relinquish(&tpm);
}

/* What a launcher measures: `what` is all of it. */
static void measure(u32 state, u8 what)
{
	CHECK(!tpm_probe(&tpm, model_clock));
	if (state == CARREL_LAUNCH_MEASURED) {
		extend(2, 17, what);
		extend(2, 18, 0x80);
	} else {
		extend(0, 8, what);
		extend(0, 9, what);
	}
}

static const u8 *update_key;	/* of the command line: SHA-256 of the public key */

/* What update-key= says of the key whose first byte is `first`. */
static void name_key(u8 name[32], u8 first)
{
	u8 public[CARREL_UPDATE_KEY] = { first };
	struct sha256 sha256;

	sha256_init(&sha256);
	sha256_update(&sha256, public, sizeof(public));
	sha256_digest(&sha256, name);
}

static void see(u32 state, const u8 *origin)
{
	platform = (struct platform){ 0 };
	secret = (struct carrel_secret){ 0 };
	why = seal_find();
	if (!why)
		why = seal_measure(&platform, state);
	if (!why)
		why = seal_open(&platform, origin, update_key, &secret);
}

/* NULL: the launch has its key. */
static const char *launch(u32 state, u8 what, const u8 *origin)
{
	start_machine();
	measure(state, what);
	commands = 0;
	see(state, origin);
	CHECK(seal_cap(state == CARREL_LAUNCH_MEASURED));
	CHECK_EQ(model.strays, 0);
	CHECK_EQ(model.active, NO_LOCALITY);
	if (why) {
		static const struct carrel_secret none;

		CHECK(!memcmp(&secret, &none, sizeof(none)));
		CHECK(!memcmp(platform.fingerprint, &none, sizeof(platform.fingerprint)));
	}
	return why;
}

static bool says(const char *text)
{
	return why && strstr(why, text);
}

/* --- The guest, as root ----------------------------------------------------------------------- */

static void guest(void)
{
	CHECK(!tpm_probe(&tpm, model_clock));
	CHECK_EQ(tpm_request(&tpm, 0), 0);
}

static void remove_all(void)
{
	start_machine();
	guest();
	for (u32 i = 0; i < 5; i++)
		tpm_nv_undefine(&tpm, CARREL_NV_RECORD + i);
	tpm_relinquish(&tpm);
}

static void define(u32 index, u32 attributes, u16 size)
{
	struct tpm_nv_public public = { .attributes = attributes, .size = size };

	CHECK_EQ(tpm_nv_define(&tpm, index, &public), 0);
}

static void define_record(const u8 policy[32])
{
	struct tpm_nv_public public = RECORD_FOR({ 0 });

	memcpy(public.policy, policy, 32);
	CHECK_EQ(tpm_nv_define(&tpm, CARREL_NV_RECORD, &public), 0);
}

static void ask_for_key(u8 update_key)
{
	struct carrel_request request = {
		CARREL_PLATFORM_MAGIC, CARREL_PLATFORM_VERSION, CARREL_REQUEST_INIT, 0, { update_key },
	};

	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_REQUEST, TPM_RS_PW, 0, (u8 *)&request,
			      sizeof(request)), 0);
}

/* What hvreg platform init does. */
static void init(void)
{
	guest();
	define(CARREL_NV_COUNTER, COUNTER, 8);
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
	define(CARREL_NV_BLOB(0), ANYBODY, sizeof(struct carrel_nv_blob));
	define(CARREL_NV_BLOB(1), ANYBODY, sizeof(struct carrel_nv_blob));
	define(CARREL_NV_REQUEST, ANYBODY, sizeof(struct carrel_request));
	define_record(platform.policy);
	ask_for_key(7);
	tpm_relinquish(&tpm);
}

static void read_blob(u32 slot, struct carrel_nv_blob *blob)
{
	CHECK_EQ(tpm_nv_read(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)blob, sizeof(*blob)), 0);
}

static void put_blob(u32 slot, const struct carrel_nv_blob *blob)
{
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)blob,
			      sizeof(*blob)), 0);
}

/* A machine whose launch `what` has a key. */
static void provision(u32 state, u8 what)
{
	remove_all();
	launch(state, what, NULL);
	CHECK(says("there is no platform key"));
	init();
	CHECK(!launch(state, what, NULL));
	CHECK_EQ(secret.update_key[0], 7);
}

static void each_state(void (*run)(u32 state))
{
	run(CARREL_LAUNCH_MEASURED);
	run(CARREL_LAUNCH_STATIC);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void life(u32 state)
{
	struct carrel_secret first;
	u8 fingerprint[32];

	provision(state, 1);
	first = secret;
	memcpy(fingerprint, platform.fingerprint, 32);
	CHECK(platform.pcrs == (state == CARREL_LAUNCH_MEASURED ? CARREL_MEASURED_PCRS :
				CARREL_STATIC_PCRS));
	CHECK(!launch(state, 1, NULL));
	CHECK(!memcmp(&first, &secret, sizeof(first)) && !memcmp(fingerprint, platform.fingerprint, 32));
	CHECK_EQ(unseals, 1);
	launch(state, 2, NULL);
	CHECK(says("of another launch"));
	CHECK(!loads && !unseals);
	provision(state, 1);	/* a key made anew is another one */
	CHECK(memcmp(first.seed, secret.seed, sizeof(first.seed)));
}

static void key_of_a_launch(void)
{
	each_state(life);
}

/* PCRs as a reset leaves them: somebody else started us. */
static void nothing_measured(void)
{
	start_machine();
	see(CARREL_LAUNCH_MEASURED, NULL);
	CHECK(says("PCR 17 or 18") && !loads);
	seal_cap(true);
	start_machine();
	see(CARREL_LAUNCH_STATIC, NULL);
	CHECK(says("PCR 8 or 9") && !loads);
	seal_cap(false);
}

/* The guest has what the launch had, but its locality or its PCRs. */
static void try_guest(u32 state)
{
	u8 localities = state == CARREL_LAUNCH_MEASURED ? 4 : 1, data[96];
	struct carrel_nv_blob nv;
	struct tpm_blob blob = { 0 };
	u32 parent, object, session, size, error;
	u64 counter;

	provision(state, 1);
	guest();
	read_blob(0, &nv);
	blob.private_size = nv.private_size;
	blob.public_size = nv.public_size;
	memcpy(blob.private, nv.bytes, nv.private_size);
	memcpy(blob.public, nv.bytes + nv.private_size, nv.public_size);
	CHECK_EQ(tpm_nv_counter(&tpm, CARREL_NV_COUNTER, &counter), 0);
	CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent), 0);
	CHECK_EQ(tpm_load(&tpm, parent, &blob, &object), 0);
	CHECK_EQ(tpm_start_policy(&tpm, false, &session), 0);
	CHECK_EQ(tpm_policy_pcr(&tpm, session, platform.pcrs, NULL), 0);
	CHECK_EQ(tpm_policy_locality(&tpm, session, localities), 0);
	CHECK_EQ(tpm_policy_nv(&tpm, session, CARREL_NV_COUNTER, counter), 0);
	error = tpm_unseal(&tpm, object, session, data, sizeof(data), &size);
	CHECK(error == TPM_RC_POLICY_FAIL || error == TPM_RC_LOCALITY);
	tpm_flush(&tpm, session);
	tpm_flush(&tpm, object);
	tpm_flush(&tpm, parent);
	tpm_relinquish(&tpm);
}

static void guest_cannot(void)
{
	each_state(try_guest);
}

/* Everything of a policy is public: a blob of the attacker's own opens as ours does. */
static void forged_blob(void)
{
	struct carrel_nv_blob nv = { .magic = CARREL_PLATFORM_MAGIC, .version = 1 };
	u8 policy[32], own[96] = "known to the attacker", pcrs[32];
	struct tpm_blob blob;
	u32 session, parent;

	provision(CARREL_LAUNCH_MEASURED, 1);
	memcpy(pcrs, platform.pcr_digest, 32);
	guest();
	CHECK_EQ(tpm_nv_counter(&tpm, CARREL_NV_COUNTER, &nv.counter), 0);
	CHECK_EQ(tpm_start_policy(&tpm, true, &session), 0);
	CHECK_EQ(tpm_policy_pcr(&tpm, session, CARREL_MEASURED_PCRS, pcrs), 0);
	CHECK_EQ(tpm_policy_locality(&tpm, session, 4), 0);
	CHECK_EQ(tpm_policy_nv(&tpm, session, CARREL_NV_COUNTER, nv.counter), 0);
	CHECK_EQ(tpm_policy_digest(&tpm, session, policy), 0);
	tpm_flush(&tpm, session);
	CHECK_EQ(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent), 0);
	CHECK_EQ(tpm_create(&tpm, parent, policy, own, sizeof(own), &blob), 0);
	tpm_flush(&tpm, parent);
	nv.private_size = blob.private_size;
	nv.public_size = blob.public_size;
	memcpy(nv.bytes, blob.private, blob.private_size);
	memcpy(nv.bytes + blob.private_size, blob.public, blob.public_size);
	put_blob(0, &nv);
	put_blob(1, &nv);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("another key") && unseals == 2);

	/* and he makes the record himself: but that one can only be a launch's */
	guest();
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_RECORD), 0);
	define(CARREL_NV_RECORD, ANYBODY, sizeof(struct carrel_record));
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_RECORD, TPM_RS_PW, 0, own, 32), 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("not one that a launch alone could write") && !loads);

	guest();
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_RECORD), 0);
	define_record(platform.policy);
	CHECK(tpm_nv_write(&tpm, CARREL_NV_RECORD, TPM_RS_PW, 0, own, 32) != 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("none is asked for") && !loads);
}

/* Each bit of what a record has to be, but WRITTEN, which is the TPM's own. */
static void record_attributes(void)
{
	static const u32 others[] = {
		TPMA_NV_OWNERWRITE, TPMA_NV_AUTHWRITE, TPMA_NV_POLICYREAD, BIT(0), BIT(14), BIT(27),
		BIT(31),
	};

	provision(CARREL_LAUNCH_MEASURED, 1);
	for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
		struct tpm_nv_public public = RECORD_FOR({ 0 });

		guest();
		tpm_nv_undefine(&tpm, CARREL_NV_RECORD);
		memcpy(public.policy, platform.policy, 32);
		public.attributes |= others[i];
		if (tpm_nv_define(&tpm, CARREL_NV_RECORD, &public))
			continue;	/* not by the owner */
		launch(CARREL_LAUNCH_MEASURED, 1, NULL);
		CHECK(says("not one that a launch alone could write") && !loads);
	}
	guest();
	tpm_nv_undefine(&tpm, CARREL_NV_RECORD);
	define(CARREL_NV_RECORD, TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD |
	       TPMA_NV_NO_DA, 32);	/* no policy */
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("not one that a launch alone could write"));
}

static void rolled_back(void)
{
	struct carrel_nv_blob nv, ordinary;
	u64 big_endian;

	provision(CARREL_LAUNCH_MEASURED, 1);
	guest();
	read_blob(0, &nv);
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("of another time") && !loads);

	ordinary = nv;
	ordinary.counter++;
	guest();
	put_blob(0, &ordinary);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("does not open") && unseals == 1);

	/* a counter that can be set */
	guest();
	put_blob(0, &nv);
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_COUNTER), 0);
	define(CARREL_NV_COUNTER, ANYBODY, 8);
	big_endian = __builtin_bswap64(nv.counter);
	CHECK_EQ(tpm_nv_write(&tpm, CARREL_NV_COUNTER, TPM_RS_PW, 0, (u8 *)&big_endian, 8), 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("counts up alone") && !loads);

	/* a new one never begins below an old one */
	guest();
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_COUNTER), 0);
	define(CARREL_NV_COUNTER, COUNTER, 8);
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("of another time") && !loads);
}

static void hostile_blobs(void)
{
	struct carrel_nv_blob good, bad;

	provision(CARREL_LAUNCH_MEASURED, 1);
	guest();
	read_blob(0, &good);
	for (u32 i = 0; i < 7; i++) {
		bad = good;
		switch (i) {
		case 0: bad.magic ^= 1; break;
		case 1: bad.version++; break;
		case 2: bad.private_size = 0; break;
		case 3: bad.private_size = 257; break;
		case 4: bad.public_size = 129; break;
		case 5: bad.private_size = 0xFFFF; break;
		case 6: bad.public_size = 0; break;
		}
		guest();
		put_blob(0, &bad);
		launch(CARREL_LAUNCH_MEASURED, 1, NULL);
		CHECK(says("no blob of Carrel's") && !loads);
	}
	for (u32 at = 0; at < (u32)good.private_size + good.public_size; at += 13) {
		bad = good;
		bad.bytes[at] ^= 4;
		guest();
		put_blob(0, &bad);
		launch(CARREL_LAUNCH_MEASURED, 1, NULL);
		CHECK(says("does not take the blob") && !unseals);
	}
	guest();
	put_blob(0, &bad);
	put_blob(1, &good);	/* whichever of the two is good */
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
	guest();
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_BLOB(0)), 0);
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
	guest();
	CHECK_EQ(tpm_nv_undefine(&tpm, CARREL_NV_BLOB(1)), 0);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("there is no blob"));
}

/* Power fails before each command of the launch that makes the key: the next launch that is not
 * cut has one, and it stays. */
static void cut_launches(void)
{
	u32 total;

	remove_all();
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	init();
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
	total = commands;
	CHECK(total > 30);
	for (volatile u32 at = 1; at <= total; at++) {
		struct carrel_secret made;

		remove_all();
		launch(CARREL_LAUNCH_MEASURED, 1, NULL);
		init();
		start_machine();
		measure(CARREL_LAUNCH_MEASURED, 1);
		commands = 0;
		cut_at = at;
		if (!setjmp(cut_jump)) {
			see(CARREL_LAUNCH_MEASURED, NULL);
			seal_cap(true);
		}
		cut_at = 0;
		CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
		made = secret;
		CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
		CHECK(!memcmp(&made, &secret, sizeof(made)));
	}
}

/* A TPM that does not answer any more from a command on: each launch ends, soon, without a key,
 * and says that the cap is missing. */
static void hanging(void)
{
	provision(CARREL_LAUNCH_MEASURED, 1);
	for (u32 at = 1; at < 20; at += 3) {
		static const struct carrel_secret none;
		u32 given;

		start_machine();
		measure(CARREL_LAUNCH_MEASURED, 1);
		commands = 0;
		hang_at = at;
		see(CARREL_LAUNCH_MEASURED, NULL);
		given = commands;
		CHECK(says("TPM") && !memcmp(&secret, &none, sizeof(none)));
		CHECK_EQ(given, at);
		CHECK(!seal_cap(true));
		CHECK(commands <= at + 2);
		hang_at = 0;
		model.busy = false;
		CHECK_EQ(seal_error(), TPM_E_TIMEOUT);
	}
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
}

static void no_randomness(void)
{
	remove_all();
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	init();
	no_random = true;
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	no_random = false;
	CHECK(says("random") && !loads);
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
}

static u64 now(void)
{
	u64 counter;

	guest();
	CHECK_EQ(tpm_nv_counter(&tpm, CARREL_NV_COUNTER, &counter), 0);
	tpm_relinquish(&tpm);
	return counter;
}

static s64 reseal(const u8 digest[32], u64 counter)
{
	s64 result;

	resealing = true;
	result = seal_again(&secret, digest, counter);
	resealing = false;
	CHECK(!hidden);
	return result;
}

/* From launch 1 to launch 2, whose command line names the first; then the old blob's end. */
static void update(u32 state)
{
	u8 origin[32], next[32];
	struct carrel_secret first;

	remove_all();
	launch(state, 2, NULL);
	memcpy(next, platform.pcr_digest, 32);	/* what launch 2 will be */
	provision(state, 1);
	first = secret;
	memcpy(origin, platform.policy, 32);
	CHECK_EQ(reseal(next, now() - 1), CARREL_ESTATE);
	CHECK_EQ(reseal(next, now() + 2), CARREL_ESTATE);
	CHECK_EQ(reseal(next, now()), 0);
	CHECK_EQ(model.active, NO_LOCALITY);
	CHECK(!kept && !in_buffers() && shown_create == (interface == CRB));

	launch(state, 2, NULL);
	CHECK(says("of another launch") && !loads);	/* without its word */
	CHECK(!launch(state, 2, origin));
	CHECK(!memcmp(&first, &secret, sizeof(first)));
	CHECK(!launch(state, 1, NULL));		/* the old one still does */

	CHECK(!launch(state, 2, origin));
	CHECK_EQ(reseal(platform.pcr_digest, now() + 1), 0);
	CHECK(!launch(state, 2, origin));	/* cut before the counter went on */
	guest();
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
	CHECK(!launch(state, 2, origin));
	CHECK(!memcmp(&first, &secret, sizeof(first)));
	launch(state, 1, NULL);
	CHECK(says("of another time") || says("does not open"));	/* slot 1, slot 0 */
}

/* After retire, without another start: an update must not take the one blob that opens. */
static void update_after_retire(u32 state)
{
	remove_all();
	provision(state, 1);
	CHECK_EQ(reseal(platform.pcr_digest, now() + 1), 0);
	guest();
	CHECK_EQ(tpm_nv_increment(&tpm, CARREL_NV_COUNTER, TPM_RS_PW), 0);
	tpm_relinquish(&tpm);
	CHECK_EQ(reseal((const u8[32]){ 1 }, now()), 0);
	CHECK(!launch(state, 1, NULL));
}

static void updates_after_retire(void)
{
	each_state(update_after_retire);
}

static void updates(void)
{
	each_state(update);
	interface = CRB;
	each_state(update);
	apart = true;
	update(CARREL_LAUNCH_STATIC);
}

/* Root asks for a key that he could update; the command line, which is measured, names another. */
static void named_update_key(void)
{
	const u8 *seven = update_key;
	u8 eight[32];

	remove_all();
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	init();
	guest();
	ask_for_key(8);
	tpm_relinquish(&tpm);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not that") && !loads);
	update_key = NULL;
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not named") && !loads);
	name_key(eight, 8);
	update_key = eight;			/* the control */
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
	/* nor is one used that was made before */
	update_key = seven;
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not that"));
	update_key = NULL;
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not named"));
}

/* A key that nobody can update needs no name, and has none. */
static void no_update_key(void)
{
	const u8 *seven = update_key;

	remove_all();
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	init();
	guest();
	ask_for_key(0);
	tpm_relinquish(&tpm);
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not that") && !loads);
	update_key = NULL;
	CHECK(!launch(CARREL_LAUNCH_MEASURED, 1, NULL));
	update_key = seven;
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	CHECK(says("update key is not that"));
}

/* A key's origin cannot make one. */
static void origin_makes_none(void)
{
	u8 origin[32];

	remove_all();
	launch(CARREL_LAUNCH_MEASURED, 1, NULL);
	memcpy(origin, platform.policy, 32);
	init();
	launch(CARREL_LAUNCH_MEASURED, 2, origin);
	CHECK(says("never made") && !loads);
}

/* The guest's driver is at work: nothing is sent, and the guest has its page back. */
static void again_in_use(void)
{
	for (u32 i = 0; i < 9; i++) {
		s64 expected = i == 6 ? CARREL_PENDING : i == 8 ? CARREL_ESTATE : CARREL_EBUSY;

		interface = i < 2 ? FIFO : CRB;
		if (i % 2 == 0)
			provision(CARREL_LAUNCH_STATIC, 1);
		else	/* two localities have nothing to do with each other but who is active */
			provision(CARREL_LAUNCH_MEASURED, 1);
		commands = 0;
		switch (i) {
		case 0: case 1: case 2: case 3:
			model.active = i % 2 ? 0 : 3;
			break;
		case 4: case 5:
			taken = true;
			break;
		case 6:
			hide_answer = CARREL_PENDING;
			break;
		case 7:		/* has given it up, but its command still runs */
			model.busy = true;
			break;
		case 8:
			dma_lost = true;
			break;
		}
		cancelled = false;
		CHECK_EQ(reseal(platform.pcr_digest, 1), expected);
		CHECK(!commands && !kept && !model.strays && cancelled == (i > 0 && i < 4));
		CHECK_EQ(model.active, i < 4 ? (i % 2 ? 0 : 3) : i < 6 ? 0 : NO_LOCALITY);
		hide_answer = 0;
		model.busy = taken = dma_lost = false;
		model.active = NO_LOCALITY;
		CHECK_EQ(reseal(platform.pcr_digest, now()), 0);
	}
}

/* What happens to each command of a reseal: the guest has its page again only when nothing of the
 * secret is in it; and it has it again when the TPM is well. */
static void spoilt_reseal(void)
{
	u32 total, exposures = 0;

	interface = CRB;
	provision(CARREL_LAUNCH_STATIC, 1);
	commands = 0;
	CHECK_EQ(reseal(platform.pcr_digest, now()), 0);
	total = commands;
	CHECK(total > 10);
	for (u32 at = 1; at <= total; at++) {
		u64 counter;

		CHECK(!launch(CARREL_LAUNCH_STATIC, 1, NULL));
		counter = now();
		commands = 0;
		hang_at = at;
		resealing = true;
		CHECK(seal_again(&secret, platform.pcr_digest, counter) != 0 || at == total);
		hang_at = 0;
		model.busy = false;
		CHECK(!hidden && (kept || !in_buffers()));
		CHECK(!kept || shown_create);
		exposures += in_buffers();
	}
	CHECK(exposures);
	for (u32 i = 0; i < 2; i++) {	/* Create, NV_Write */
		CHECK(!launch(CARREL_LAUNCH_STATIC, 1, NULL));
		refuse = i ? 0x137 : 0x153;
		refuse_nth = 1;
		CHECK_EQ(reseal(platform.pcr_digest, now()), CARREL_ESTATE);
		CHECK(shown_create && !kept && !in_buffers());
		refuse = 0;
		CHECK_EQ(reseal(platform.pcr_digest, now()), 0);
	}
	CHECK(!launch(CARREL_LAUNCH_STATIC, 1, NULL));
}

/* The TPM takes the cap, but may still show the key: it is not to be the guest's. */
static void spoilt_launch(void)
{
	interface = CRB;
	apart = true;
	provision(CARREL_LAUNCH_STATIC, 1);
	for (u32 nth = 0; nth < 20; nth++) {
		bool exposed;

		start_machine();
		measure(CARREL_LAUNCH_STATIC, 1);
		refuse = 0x14E;
		refuse_nth = nth;
		see(CARREL_LAUNCH_STATIC, NULL);
		exposed = nth && !refuse_nth && says("may still show the key");
		refuse = 0;
		CHECK(seal_cap(false) == !exposed);
		CHECK(!nth || refuse_nth || why);
		if (exposed)
			return;
	}
	CHECK(!"no launch was exposed");
}

/* What the guest finds in the buffers that it shares with the hypervisor. */
static void nothing_in_buffer(void)
{
	interface = CRB;
	for (u32 i = 0; i < 4; i++) {
		apart = i >= 2;
		if (i % 2 == 0) {
			remove_all();
			launch(CARREL_LAUNCH_STATIC, 1, NULL);
			init();
		}
		CHECK(!launch(CARREL_LAUNCH_STATIC, 1, NULL));
		CHECK(!in_buffers());
	}
	interface = FIFO;
	apart = false;
}

static void no_tpm(void)
{
	swtpm_start();
	model_reset(FIFO);
	model.all_ones = true;
	CHECK(seal_find());
	CHECK(!seal_cap(true) && seal_cap(false));
	/* one that this launch cannot use, though Linux might later */
	model_reset(FIFO);
	model.interface_id = 2;
	CHECK(seal_find() && !seal_cap(false));
	/* a TPM 1.2 has no policies */
	model_reset(FIFO);
	model.interface_id = 0xFFFFFFFF;
	model.capability = 2U << 28;
	CHECK(seal_find() && seal_cap(false));
}

static const struct test tests[] = {
	{ "seal: a key is a launch's", key_of_a_launch },
	{ "seal: nothing was measured", nothing_measured },
	{ "seal: the guest cannot unseal", guest_cannot },
	{ "seal: a blob, and a record, of an attacker's own", forged_blob },
	{ "seal: a record that others could write", record_attributes },
	{ "seal: rolled back", rolled_back },
	{ "seal: blobs of any content", hostile_blobs },
	{ "seal: power fails before each command", cut_launches },
	{ "seal: a TPM that hangs", hanging },
	{ "seal: no random numbers", no_randomness },
	{ "seal: updates", updates },
	{ "seal: an update after another was retired", updates_after_retire },
	{ "seal: an update key that the command line does not name", named_update_key },
	{ "seal: no update key", no_update_key },
	{ "seal: an origin cannot make a key", origin_makes_none },
	{ "seal: for another launch, while the TPM is in use", again_in_use },
	{ "seal: a reseal that something happens to", spoilt_reseal },
	{ "seal: a launch that leaves the key in a CRB buffer", spoilt_launch },
	{ "seal: no secret in a CRB buffer", nothing_in_buffer },
	{ "seal: no TPM", no_tpm },
};

int main(int argc, char **argv)
{
	volatile unsigned int passed = 0, failed = 0;
	static u8 seven[32];

	for (volatile unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		if (argc > 1 && !strstr(tests[i].name, argv[1]))
			continue;
		why = NULL;
		name_key(seven, 7);
		update_key = seven;
		interface = FIFO;
		apart = false;
		cut_at = hang_at = refuse = 0;
		hide_answer = 0;
		if (setjmp(test_jump)) {
			printf("FAIL %s\n", tests[i].name);
			failed++;
			continue;
		}
		tests[i].run();
		printf("ok   %s\n", tests[i].name);
		passed++;
	}
	swtpm_stop();
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed || !passed;
}
