/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg platform show. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "fail.h"
#include "json.h"
#include "platform.h"
#include "text.h"

static const char help[] =
"usage: hvreg platform show [--json]\n"
"\n"
"Tells how this launch was measured and what of a platform key is in the TPM, all of\n"
"which is public. Works without a hypervisor, too.\n"
"\n"
"  --json             one object\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

struct shown {
	struct told told;
	struct nv_state nv;
	uint32_t counters;	/* more that the TPM has room for; not told: 0 */
	bool owner_password;
};

static const char *stage_name(enum stage stage)
{
	static const char *const names[] = {
		[STAGE_NONE] = "none", [STAGE_PARTIAL] = "incomplete",
		[STAGE_PREPARED] = "prepared", [STAGE_KEY] = "key",
	};

	return names[stage];
}

static const char *stage_text(const struct shown *shown)
{
	bool got = !is_zero(shown->told.fingerprint, sizeof(shown->told.fingerprint));

	switch (shown->nv.stage) {
	case STAGE_NONE:
		return "nothing is prepared: hvreg platform init";
	case STAGE_PARTIAL:
		return "not complete, or not as it has to be: hvreg platform init";
	case STAGE_PREPARED:
		return "prepared: the next launch like the one that init ran in makes the key";
	case STAGE_KEY:
		break;
	}
	if (!shown->told.running)
		return "there is a key; no hypervisor runs that could have it";
	return got ? "there is a key, and this launch has it" :
		"there is a key, and this launch did not get it";
}

/* --- Text ------------------------------------------------------------------------------------ */

static void print_hash(const char *name, const uint8_t hash[32])
{
	char hex[HEX_IDENTITY];

	text_hex(hex, hash);
	printf("%-11s%s\n", name, is_zero(hash, 32) ? "none" : hex);
}

static void print_told(const struct told *told)
{
	char pcrs[96];

	if (!told->running) {
		puts("launch     no hypervisor, or carrel.ko is not loaded");
		return;
	}
	printf("launch     %s%s%s\n", state_name(told->state), *told->reason ? ": " : "",
	       told->reason);
	if (told->state == CARREL_LAUNCH_STATIC)
		puts("           weaker than measured: who controls firmware or boot loader has "
		     "the key");
	pcrs_text(told->pcrs, pcrs);
	printf("PCRs       %s\n", *pcrs ? pcrs : "none");
	print_hash("digest", told->digest);
	print_hash("policy", told->policy);
	print_hash("key", told->fingerprint);
}

static void print_content(const struct nv_state *nv, enum nv which)
{
	const struct nv_found *found = &nv->found[which];
	char hex[HEX_IDENTITY];

	switch (which) {
	case NV_RECORD:
		text_hex(hex, found->record.fingerprint);
		printf("written\n           key %s\n", hex);
		text_hex(hex, found->policy);
		printf("           origin=%s\n", hex);
		return;
	case NV_COUNTER:
		printf("%" PRIu64 "\n", found->counter);
		return;
	case NV_REQUEST:
		puts(found->request.what != CARREL_REQUEST_INIT ? "nothing is asked for" :
		     is_zero(found->request.update_key, CARREL_UPDATE_KEY) ?
		     "make a key; nobody can sign updates" : "make a key; updates are signed");
		return;
	case NV_SLOT0:
	case NV_SLOT1:
	case NV_COUNT:
		break;
	}
	printf("opens at %" PRIu64 "%s\n", found->blob.counter,
	       nv_slot_opens(nv, which - NV_SLOT0) ? ", which is now" : "");
}

static void print_index(const struct nv_state *nv, enum nv which)
{
	const struct nv_found *found = &nv->found[which];

	printf("%-10s %Xh  ", nv_forms[which].name, nv_forms[which].index);
	if (!found->there)
		puts("not there");
	else if (*found->problem)
		printf("WRONG: %s\n", found->problem);
	else if (!found->written)
		puts("not written");
	else
		print_content(nv, which);
}

static void print(const struct shown *shown)
{
	unsigned int i;

	print_told(&shown->told);
	printf("TPM        %s", stage_text(shown));
	printf("%s\n", shown->owner_password ? "; its owner has a PASSWORD" : "");
	for (i = 0; i < NV_COUNT; i++)
		print_index(&shown->nv, i);
	if (shown->counters)
		printf("room       %u more counters\n", shown->counters);
}

/* --- JSON ------------------------------------------------------------------------------------ */

void json_hash(struct json *json, const char *name, const uint8_t hash[32])
{
	char hex[HEX_IDENTITY];

	text_hex(hex, hash);
	json_string(json, name, is_zero(hash, 32) ? "" : hex);
}

void json_pcrs(struct json *json, uint32_t pcrs)
{
	unsigned int i;

	json_list(json, "pcrs");
	for (i = 0; i < TPM_PCRS; i++)
		if (pcrs >> i & 1)
			json_number(json, NULL, i);
	json_list_end(json);
}

static void print_told_json(struct json *json, const struct told *told)
{
	json_object(json, "launch");
	json_bool(json, "running", told->running);
	json_string(json, "state", state_name(told->state));
	json_string(json, "reason", told->reason);
	json_bool(json, "checked", told->checked);
	json_pcrs(json, told->pcrs);
	json_hash(json, "digest", told->digest);
	json_hash(json, "policy", told->policy);
	json_hash(json, "fingerprint", told->fingerprint);
	json_object_end(json);
}

static void print_content_json(struct json *json, const struct nv_state *nv, enum nv which)
{
	const struct nv_found *found = &nv->found[which];

	switch (which) {
	case NV_RECORD:
		json_hash(json, "fingerprint", found->record.fingerprint);
		return;
	case NV_COUNTER:
		json_number(json, "value", found->counter);
		return;
	case NV_REQUEST:
		json_bool(json, "init", found->request.what == CARREL_REQUEST_INIT);
		json_bool(json, "update_key",
			  !is_zero(found->request.update_key, CARREL_UPDATE_KEY));
		return;
	case NV_SLOT0:
	case NV_SLOT1:
	case NV_COUNT:
		break;
	}
	json_number(json, "opens_at", found->blob.counter);
	json_bool(json, "opens", nv_slot_opens(nv, which - NV_SLOT0));
}

static void print_index_json(struct json *json, const struct nv_state *nv, enum nv which)
{
	const struct nv_found *found = &nv->found[which];

	json_object(json, NULL);
	json_string(json, "name", nv_forms[which].name);
	json_number(json, "index", nv_forms[which].index);
	json_bool(json, "defined", found->there);
	json_bool(json, "written", found->written);
	json_string(json, "problem", found->problem);
	if (which == NV_RECORD && found->there)
		json_hash(json, "policy", found->policy);
	if (found->formed && found->written)
		print_content_json(json, nv, which);
	json_object_end(json);
}

static void print_json(const struct shown *shown)
{
	struct json json = { .stream = stdout };
	unsigned int i;

	json_object(&json, NULL);
	print_told_json(&json, &shown->told);
	json_string(&json, "stage", stage_name(shown->nv.stage));
	json_bool(&json, "good", !shown->nv.wrong);
	json_list(&json, "indices");
	for (i = 0; i < NV_COUNT; i++)
		print_index_json(&json, &shown->nv, i);
	json_list_end(&json);
	json_bool(&json, "owner_password", shown->owner_password);
	json_number(&json, "counters_left", shown->counters);
	json_object_end(&json);
	putchar('\n');
}

int platform_show(char **argv)
{
	static struct shown shown;
	struct options options;
	struct tpm *tpm;

	options_parse(&options, OPTION_TPM | OPTION_JSON, help, argv);
	options_no_operands(&options, argv[0]);
	told_read(&shown.told, false);
	tpm = platform_tpm_open(options.tpm);
	nv_read(tpm, &shown.told, &shown.nv);
	shown.counters = platform_tpm_property(tpm, TPM_PT_NV_COUNTERS_AVAIL);
	shown.owner_password = platform_tpm_property(tpm, TPM_PT_PERMANENT) &
		PERMANENT_OWNER_AUTH_SET;
	if (options.json)
		print_json(&shown);
	else
		print(&shown);
	return text_done();
}
