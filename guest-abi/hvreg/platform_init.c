/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg platform init and reset. Whoever cuts them off, at whatever command, finds a state that the
 * same command goes on from: init disarms the request first and arms it last, and never touches a
 * RECORD that is written; reset removes what makes a launch act before what it would act on.
 */
#include <stdio.h>
#include <string.h>
#include <bearssl_hash.h>
#include "fail.h"
#include "platform.h"
#include "text.h"

static const char init_help[] =
"usage: hvreg platform init [--update-key FILE] [--yes]\n"
"\n"
"Prepares the TPM, as root, under a Carrel whose launch was checked, so that the next\n"
"launch with the same measurement makes the platform key and has the TPM seal it.\n"
"Start the machine again then, by the same entry of the boot menu.\n"
"\n"
"  --update-key FILE  a public key of P-256 in PEM. Its private half, kept off this\n"
"                     machine, signs updates. Without one, the key is lost with the\n"
"                     first update of hypervisor, kernel, initrd or command line\n"
"  --yes              ask nothing\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

static const char reset_help[] =
"usage: hvreg platform reset [--yes]\n"
"\n"
"Removes all that 'hvreg platform init' and the hypervisor put into the TPM. The\n"
"platform key is lost, and with it whatever was sealed by keys derived from it.\n"
"\n"
"  --yes              ask nothing\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

/* --- init: may it? --------------------------------------------------------------------------- */

static void check_told(const struct told *told)
{
	uint32_t state = state_of_pcrs(told->pcrs);
	uint8_t own[32];

	if (!is_zero(told->fingerprint, sizeof(told->fingerprint)))
		fail(EXIT_OWN, "see 'hvreg platform show'; only 'hvreg platform reset' removes it",
		     "this machine has a platform key already");
	if (!told->checked || state == CARREL_LAUNCH_UNMEASURED)
		fail(EXIT_OWN, "docs/measured-launch.md tells what each reason means",
		     "no key can be sealed to this launch, which is unmeasured: %s",
		     *told->reason ? told->reason : "it gives no reason");
	policy_of(state, told->digest, own);
	if (memcmp(told->policy, own, sizeof(own)))
		fail(EXIT_OWN, "take origin= off its command line, start again, then run init",
		     "the hypervisor was told that its key was made in another state (origin=)");
}

static void check_tpm(struct tpm *tpm)
{
	uint32_t most = platform_tpm_property(tpm, TPM_PT_NV_BUFFER_MAX);

	if (platform_tpm_property(tpm, TPM_PT_PERMANENT) & PERMANENT_OWNER_AUTH_SET)
		fail(EXIT_OWN, "take the password off (tpm2_changeauth -c owner -p OLD)",
		     "the TPM's owner has a password: neither hvreg nor the hypervisor knows it");
	if (most && most < sizeof(struct carrel_nv_blob))
		fail(EXIT_OWN, NULL, "this TPM takes %u bytes at once, a blob has %zu", most,
		     sizeof(struct carrel_nv_blob));
}

static void check_state(const struct nv_state *state, const struct options *options)
{
	unsigned int i;

	if (state->stage == STAGE_KEY)
		fail(EXIT_OWN, "start it as it was when the key was made; 'hvreg platform show' "
		     "tells more; 'hvreg platform reset' gives the key up",
		     "the TPM holds a platform key, which this launch did not get");
	for (i = 0; i < NV_COUNT; i++) {
		const struct nv_found *found = &state->found[i];
		char question[NV_PROBLEM + 96];

		if (!found->there || !*found->problem || (found->formed && i != NV_RECORD))
			continue;
		snprintf(question, sizeof(question), "%s (index %Xh) %s. It will be removed and "
			 "made anew.", nv_forms[i].name, nv_forms[i].index, found->problem);
		ask(options, question);
	}
}

/* --- init: the writes ------------------------------------------------------------------------ */

/* A launch that finds no request makes nothing, whatever else it finds: no key for the RECORD of
 * this init by the request of one before, which may name another update key. */
static void disarm(struct tpm *tpm, const struct nv_found *found)
{
	struct carrel_request none = {
		.magic = CARREL_PLATFORM_MAGIC, .version = CARREL_PLATFORM_VERSION,
		.what = CARREL_REQUEST_NONE,
	};

	if (found->formed && found->written)
		nv_write(tpm, NV_REQUEST, &none);
	else if (found->there && !found->formed)
		nv_undefine(tpm, NV_REQUEST);
}

/* An index that is as it has to be stays. */
static void make(struct tpm *tpm, enum nv which, const struct nv_found *found)
{
	if (found->there && found->formed)
		return;
	if (found->there)
		nv_undefine(tpm, which);
	nv_define(tpm, which, NULL);
}

/* RECORD not being written, no key can come of what a slot holds: it goes, so that no launch tries
 * it. */
static void make_slot(struct tpm *tpm, enum nv which, const struct nv_found *found)
{
	if (found->there && (found->written || !found->formed))
		nv_undefine(tpm, which);
	if (!found->there || found->written || !found->formed)
		nv_define(tpm, which, NULL);
}

/* The policy is part of an index's name: it cannot be changed. */
static void make_record(struct tpm *tpm, const struct nv_found *found, const uint8_t policy[32])
{
	if (found->formed && !memcmp(found->policy, policy, 32))
		return;
	if (found->there)
		nv_undefine(tpm, NV_RECORD);
	nv_define(tpm, NV_RECORD, policy);
}

static void arm(struct tpm *tpm, const struct nv_found *found,
		const uint8_t update_key[CARREL_UPDATE_KEY])
{
	struct carrel_request request = {
		.magic = CARREL_PLATFORM_MAGIC, .version = CARREL_PLATFORM_VERSION,
		.what = CARREL_REQUEST_INIT,
	};

	memcpy(request.update_key, update_key, CARREL_UPDATE_KEY);
	if (!found->formed)
		nv_define(tpm, NV_REQUEST, NULL);
	nv_write(tpm, NV_REQUEST, &request);
}

static void prepare(struct tpm *tpm, const struct told *told, const struct nv_state *state,
		    const uint8_t update_key[CARREL_UPDATE_KEY])
{
	const struct nv_found *found = state->found;

	disarm(tpm, &found[NV_REQUEST]);
	make(tpm, NV_COUNTER, &found[NV_COUNTER]);
	/* It has no value before. */
	if (!found[NV_COUNTER].formed || !found[NV_COUNTER].written)
		nv_increment(tpm);
	make_slot(tpm, NV_SLOT0, &found[NV_SLOT0]);
	make_slot(tpm, NV_SLOT1, &found[NV_SLOT1]);
	make_record(tpm, &found[NV_RECORD], told->policy);
	arm(tpm, &found[NV_REQUEST], update_key);
}

/* What was written is read again: the TPM may be anything. */
static void check_prepared(struct tpm *tpm, const struct told *told)
{
	static struct nv_state state;

	nv_read(tpm, told, &state);
	if (state.stage != STAGE_PREPARED)
		fail(EXIT_OWN, "see 'hvreg platform show'",
		     "the TPM does not hold what was written");
}

/* The launch obeys an update key only if what was measured names it: root could ask for his own. */
static void tell_name(const uint8_t update_key[CARREL_UPDATE_KEY])
{
	char hex[HEX_IDENTITY];
	uint8_t sha256[32];
	br_sha256_context context;

	br_sha256_init(&context);
	br_sha256_update(&context, update_key, CARREL_UPDATE_KEY);
	br_sha256_out(&context, sha256);
	text_hex(hex, sha256);
	printf("Carrel's command line must name the update key, at this launch and the next:\n"
	       "  update-key=%s\n", hex);
}

int platform_init(char **argv)
{
	uint8_t update_key[CARREL_UPDATE_KEY] = { 0 };
	static struct nv_state state;
	struct options options;
	struct told told;
	struct tpm *tpm;

	options_parse(&options, OPTION_TPM | OPTION_YES | OPTION_UPDATE_KEY, init_help, argv);
	options_no_operands(&options, argv[0]);
	if (options.update_key)
		key_read(options.update_key, update_key);
	told_read(&told, true);
	check_told(&told);
	tpm = platform_tpm_open(options.tpm);
	check_tpm(tpm);
	nv_read(tpm, &told, &state);
	check_state(&state, &options);
	if (!options.update_key)
		warn("no --update-key: an update of hypervisor, kernel, initrd or command line "
		     "will lose the key");
	prepare(tpm, &told, &state, update_key);
	check_prepared(tpm, &told);
	printf("prepared for a %s launch with PCRs as they were at this one\n"
	       "start the machine again by the same boot entry: it makes the key then\n",
	       state_name(state_of_pcrs(told.pcrs)));
	if (options.update_key)
		tell_name(update_key);
	return text_done();
}

/* --- reset ----------------------------------------------------------------------------------- */

int platform_reset(char **argv)
{
	static const enum nv order[] = { NV_REQUEST, NV_RECORD, NV_SLOT0, NV_SLOT1, NV_COUNTER };
	static struct nv_state state;
	struct options options;
	struct told told = { 0 };
	struct tpm *tpm;
	unsigned int i;

	options_parse(&options, OPTION_TPM | OPTION_YES, reset_help, argv);
	options_no_operands(&options, argv[0]);
	tpm = platform_tpm_open(options.tpm);
	nv_read(tpm, &told, &state);
	if (state.stage == STAGE_NONE) {
		puts("nothing of a platform key is in the TPM");
		return text_done();
	}
	if (state.stage == STAGE_KEY)
		ask(&options, "The platform key will be lost, with all that was sealed by it.");
	else
		ask(&options, "What is prepared for a platform key will be removed.");
	for (i = 0; i < NV_COUNT; i++)
		if (state.found[order[i]].there)
			nv_undefine(tpm, order[i]);
	puts("removed; a hypervisor that runs keeps its key until the machine is started again");
	return text_done();
}
