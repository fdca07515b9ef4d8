/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <carrel/hypercall.h>
#include "device.h"
#include "fail.h"
#include "launched.h"
#include "platform.h"

static void get(int device, uint64_t what, uint64_t index, uint64_t value[6])
{
	if (!device_info(device, what, index, 0, value))
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not tell about its launch");
}

static void get_hash(int device, uint64_t which, uint8_t hash[32])
{
	uint64_t value[6];

	get(device, CARREL_INFO_LAUNCH_HASH, which, value);
	memcpy(hash, value, 32);
}

static void get_reason(int device, char *reason)
{
	uint64_t value[TEXT_REGISTERS];
	unsigned int i;

	for (i = 0; i < TOLD_REASON_PARTS; i++) {
		if (!device_info(device, CARREL_INFO_LAUNCH_TEXT, i, 0, value))
			return;
		text_of_registers(reason + i * sizeof(value), value, TEXT_REGISTERS);
	}
}

void launched_read(int device, struct told *told)
{
	uint64_t value[6];

	get(device, CARREL_INFO_LAUNCH, 0, value);
	*told = (struct told){ .running = true, .state = value[0], .pcrs = value[1],
			       .checked = value[2] == 1 };
	get_hash(device, CARREL_HASH_PCRS, told->digest);
	get_hash(device, CARREL_HASH_POLICY, told->policy);
	get_hash(device, CARREL_HASH_KEY, told->fingerprint);
	get_reason(device, told->reason);
}

void launched_print(const struct told *told)
{
	char hex[HEX_IDENTITY], pcrs[96];

	printf("launch     %s%s%s\n", state_name(told->state), *told->reason ? ": " : "",
	       told->reason);
	if (!is_zero(told->digest, sizeof(told->digest))) {
		text_hex(hex, told->digest);
		pcrs_text(told->pcrs, pcrs);
		printf("  PCRs     %s: SHA-256 %s\n", pcrs, hex);
	}
	if (!is_zero(told->fingerprint, sizeof(told->fingerprint))) {
		text_hex(hex, told->fingerprint);
		printf("  key      %s\n", hex);
	}
}

void launched_print_json(struct json *json, const struct told *told)
{
	json_string(json, "launch", state_name(told->state));
	json_object(json, "launch_detail");
	json_string(json, "reason", told->reason);
	json_pcrs(json, told->pcrs);
	json_hash(json, "pcr_digest", told->digest);
	json_hash(json, "policy", told->policy);
	json_hash(json, "fingerprint", told->fingerprint);
	json_object_end(json);
}
