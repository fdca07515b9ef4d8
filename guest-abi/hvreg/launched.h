/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor tells of its own launch. Failures exit 125. */
#ifndef HVREG_LAUNCHED_H
#define HVREG_LAUNCHED_H

#include <stdint.h>
#include "json.h"
#include "text.h"

#define LAUNCHED_REASON_PARTS	3

struct launched {
	uint64_t state;		/* CARREL_LAUNCH_* */
	uint64_t pcrs;		/* by bits */
	char digest[HEX_IDENTITY], policy[HEX_IDENTITY], fingerprint[HEX_IDENTITY];	/* or empty */
	char reason[LAUNCHED_REASON_PARTS * TEXT_REGISTERS * 8 + 1];	/* why not better; or empty */
};

void launched_read(int device, struct launched *launched);

/* For hvreg status: lines; and as members of the open object. */
void launched_print(const struct launched *launched);
void launched_print_json(struct json *json, const struct launched *launched);

#endif
