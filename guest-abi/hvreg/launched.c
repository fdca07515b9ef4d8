/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <carrel/hypercall.h>
#include <carrel/platform.h>
#include "device.h"
#include "fail.h"
#include "launched.h"

#define PCRS	24

/* Empty, if there is none. */
static void read_hash(int device, uint64_t index, char hex[HEX_IDENTITY])
{
	static const uint64_t none[4];
	uint64_t value[6];

	hex[0] = '\0';
	if (device_info(device, CARREL_INFO_LAUNCH_HASH, index, 0, value) &&
	    memcmp(value, none, sizeof(none)))
		text_hex(hex, value);
}

void launched_read(int device, struct launched *launched)
{
	uint64_t value[6];
	unsigned int i;

	if (!device_info(device, CARREL_INFO_LAUNCH, 0, 0, value))
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not tell about its launch");
	*launched = (struct launched){ .state = value[0], .pcrs = value[1] };
	read_hash(device, CARREL_HASH_PCRS, launched->digest);
	read_hash(device, CARREL_HASH_POLICY, launched->policy);
	read_hash(device, CARREL_HASH_KEY, launched->fingerprint);
	for (i = 0; i < LAUNCHED_REASON_PARTS; i++) {
		if (!device_info(device, CARREL_INFO_LAUNCH_TEXT, i, 0, value))
			return;
		text_of_registers(launched->reason + i * sizeof(value), value, TEXT_REGISTERS);
	}
}

static const char *state_text(uint64_t state)
{
	static const char *const texts[] = {
		[CARREL_LAUNCH_UNMEASURED] = "unmeasured",
		[CARREL_LAUNCH_STATIC] = "static",
		[CARREL_LAUNCH_MEASURED] = "measured",
	};

	return state < sizeof(texts) / sizeof(*texts) ? texts[state] : "unknown";
}

void launched_print(const struct launched *launched)
{
	unsigned int i;

	printf("launch     %s%s%s\n", state_text(launched->state), *launched->reason ? ": " : "",
	       launched->reason);
	if (*launched->digest) {
		printf("  PCRs    ");
		for (i = 0; i < PCRS; i++)
			if (launched->pcrs >> i & 1)
				printf(" %u", i);
		printf(": SHA-256 %s\n", launched->digest);
	}
	if (*launched->fingerprint)
		printf("  key      %s\n", launched->fingerprint);
}

void launched_print_json(struct json *json, const struct launched *launched)
{
	unsigned int i;

	json_string(json, "launch", state_text(launched->state));
	json_object(json, "launch_detail");
	json_string(json, "reason", launched->reason);
	json_list(json, "pcrs");
	for (i = 0; i < PCRS; i++)
		if (launched->pcrs >> i & 1)
			json_number(json, NULL, i);
	json_list_end(json);
	json_string(json, "pcr_digest", launched->digest);
	json_string(json, "policy", launched->policy);
	json_string(json, "fingerprint", launched->fingerprint);
	json_object_end(json);
}
