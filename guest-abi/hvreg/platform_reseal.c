/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg platform reseal and retire: the key for another measurement, or another value of COUNTER.
 * The hypervisor makes each blob, on the word of the update key alone; nothing of hvreg is trusted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "fail.h"
#include "platform.h"
#include "text.h"

static const char reseal_help[] =
"usage: hvreg platform reseal MEASUREMENT --request FILE\n"
"       hvreg platform reseal MEASUREMENT --signature FILE\n"
"\n"
"Before an update of hypervisor, kernel, initrd or command line: has the running\n"
"hypervisor seal the key once more, for what the new ones will measure. The old ones go\n"
"on to work. Two steps: write what must be signed, sign it where the update key is,\n"
"\n"
"  openssl dgst -sha256 -sign update.key -out SIGNATURE FILE\n"
"\n"
"and give the signature. The new command line of the hypervisor wants the origin= that\n"
"'hvreg platform show' tells; it is part of the measurement.\n"
"\n"
"  --pcrs FILE        MEASUREMENT: lines 'PCR N HEX', as scripts/measure prints them;\n"
"                     - is standard input\n"
"  --pcr17 HEX --pcr18 HEX   the same, for a measured launch\n"
"  --digest HEX       the same, as SHA-256 of the PCRs' values in their order\n"
"  --request FILE     write there what is to be signed, and to FILE.retire what\n"
"                     'hvreg platform retire' will want: both can be signed at once\n"
"  --signature FILE   in DER, as openssl writes it\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

static const char retire_help[] =
"usage: hvreg platform retire --request FILE\n"
"       hvreg platform retire --signature FILE\n"
"\n"
"After an update, when the new system runs and has the key: has the key sealed for it at\n"
"the next value of the TPM's counter, then increments that. Nothing that was sealed\n"
"before opens any more: older systems start without the key.\n"
"\n"
"  --request FILE     write there what is to be signed, unless reseal did\n"
"  --signature FILE   in DER, as openssl writes it\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

#define TO_SIGN	"openssl dgst -sha256 -sign update.key -out SIGNATURE "

/* --- The running key ------------------------------------------------------------------------- */

static void check_told(const struct told *told)
{
	if (told->state == CARREL_LAUNCH_UNMEASURED ||
	    is_zero(told->fingerprint, sizeof(told->fingerprint)))
		fail(EXIT_OWN, "start a system that the key is sealed to, and run this there",
		     "the running hypervisor has no platform key: %s",
		     *told->reason ? told->reason : "it gives no reason");
}

/* What the slots hold may be anything: it is about to be mended. */
static void check_state(const struct nv_state *state)
{
	const struct nv_found *found = state->found;

	if (state->stage != STAGE_KEY || *found[NV_RECORD].problem || *found[NV_COUNTER].problem ||
	    !found[NV_COUNTER].formed || !found[NV_SLOT0].formed || !found[NV_SLOT1].formed)
		fail(EXIT_OWN, "see 'hvreg platform show'",
		     "what is in the TPM is not as it has to be");
}

static void fill(const struct told *told, uint64_t counter, const uint8_t digest[32],
		 struct carrel_reseal *reseal)
{
	struct carrel_update *update = &reseal->update;

	*reseal = (struct carrel_reseal){
		.magic = CARREL_PLATFORM_MAGIC, .version = CARREL_PLATFORM_VERSION,
		.update = { .label = CARREL_UPDATE_LABEL, .counter = counter,
			    .state = told->state },
	};
	memcpy(update->fingerprint, told->fingerprint, sizeof(update->fingerprint));
	memcpy(update->digest, digest, sizeof(update->digest));
}

/* --- What is signed -------------------------------------------------------------------------- */

static void write_request(const char *path, const struct carrel_update *update)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(update, sizeof(*update), 1, file) != 1 || fclose(file))
		fail(EXIT_OWN, NULL, "%s: %s", path, strerror(errno));
}

static void print_request(const char *path, const struct carrel_update *update)
{
	char hex[HEX_IDENTITY];

	text_hex(hex, update->digest);
	printf("%s: key for a %s launch with digest\n  %s\n  at value %" PRIu64 " of the counter; "
	       "sign it: " TO_SIGN "%s\n", path, state_name(update->state), hex, update->counter,
	       path);
}

static void ask_hypervisor(const struct carrel_reseal *reseal)
{
	switch (told_reseal(reseal)) {
	case 0:
		return;
	case EBADMSG:
		fail(EXIT_OWN, "sign exactly what --request wrote, for the same measurement and "
		     "value of the counter", "the hypervisor refused: this is no signature of the "
		     "update key that init was given, or there is none");
	case EBUSY:
	case ETIMEDOUT:
		fail(EXIT_OWN, "try again", "the TPM is in use");
	case EPERM:
		fail(EXIT_OWN, "run it as root", "no permission to have the key sealed");
	case EINVAL:
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not understand the request");
	}
	fail(EXIT_OWN, "'hvreg log' says more; what was sealed before is as good as it was",
	     "the hypervisor could not seal the key");
}

/* The TPM is let go meanwhile: the hypervisor wants it for itself. */
static struct tpm *reseal(const struct options *options, struct carrel_reseal *request)
{
	signature_read(options->signature, request->signature);
	platform_tpm_close();
	ask_hypervisor(request);
	return platform_tpm_open(options->tpm);
}

/* Some slot now opens at that value. -1: none does. */
static int slot_of(const struct nv_state *state, uint64_t counter)
{
	int slot;

	for (slot = 0; slot < (int)CARREL_NV_SLOTS; slot++) {
		const struct nv_found *found = &state->found[NV_SLOT0 + slot];

		if (found->written && !*found->problem && found->blob.counter == counter)
			return slot;
	}
	return -1;
}

static void options_check(const struct options *options, const char *command)
{
	options_no_operands(options, command);
	if (!options->request == !options->signature)
		fail_usage(command, "give one of --request and --signature");
}

/* --- reseal ---------------------------------------------------------------------------------- */

static int write_requests(const struct options *options, const struct carrel_update *update)
{
	struct carrel_update next = *update;
	char path[4096];

	next.counter++;
	snprintf(path, sizeof(path), "%s.retire", options->request);
	write_request(options->request, update);
	write_request(path, &next);
	print_request(options->request, update);
	print_request(path, &next);
	return text_done();
}

int platform_reseal(char **argv)
{
	static struct nv_state state;
	struct carrel_reseal request;
	struct options options;
	uint8_t digest[32];
	struct told told;
	struct tpm *tpm;

	options_parse(&options, OPTION_TPM | OPTION_MEASUREMENT | OPTION_REQUEST | OPTION_SIGNATURE,
		      reseal_help, argv);
	options_check(&options, argv[0]);
	told_read(&told, true);
	check_told(&told);
	digest_of_options(&options, argv[0], told.state, digest);
	tpm = platform_tpm_open(options.tpm);
	nv_read(tpm, &told, &state);
	check_state(&state);
	fill(&told, state.found[NV_COUNTER].counter, digest, &request);
	if (options.request)
		return write_requests(&options, &request.update);
	tpm = reseal(&options, &request);
	nv_read(tpm, &told, &state);
	if (!nv_slot_opens(&state, 0) || !nv_slot_opens(&state, 1))
		fail(EXIT_OWN, "see 'hvreg platform show'", "the TPM does not hold both blobs");
	puts("sealed for the new measurement; what runs now can still be started, too\n"
	     "when the new system runs and has the key: hvreg platform retire");
	return text_done();
}

/* --- retire ---------------------------------------------------------------------------------- */

/* After an increment whose answer was lost, too: one blob opens, and it is the newest. */
static bool is_retired(const struct nv_state *state)
{
	const struct nv_found *other = &state->found[NV_SLOT0 + nv_slot_opens(state, 0)];

	if (nv_slot_opens(state, 0) == nv_slot_opens(state, 1))
		return false;
	return !other->written || *other->problem ||
		other->blob.counter < state->found[NV_COUNTER].counter;
}

int platform_retire(char **argv)
{
	static struct nv_state state;
	struct carrel_reseal request;
	struct options options;
	struct told told;
	struct tpm *tpm;

	options_parse(&options, OPTION_TPM | OPTION_REQUEST | OPTION_SIGNATURE, retire_help, argv);
	options_check(&options, argv[0]);
	told_read(&told, true);
	check_told(&told);
	tpm = platform_tpm_open(options.tpm);
	nv_read(tpm, &told, &state);
	check_state(&state);
	if (is_retired(&state)) {
		puts("nothing is left to retire: one blob opens, no other does");
		return text_done();
	}
	fill(&told, state.found[NV_COUNTER].counter + 1, told.digest, &request);
	if (options.request) {
		write_request(options.request, &request.update);
		print_request(options.request, &request.update);
		return text_done();
	}
	tpm = reseal(&options, &request);
	nv_read(tpm, &told, &state);
	if (slot_of(&state, request.update.counter) < 0)
		fail(EXIT_OWN, "see 'hvreg platform show'", "the TPM does not hold the new blob");
	nv_increment(tpm);
	puts("retired: nothing that was sealed before opens any more");
	return text_done();
}
