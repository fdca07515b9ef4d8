/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor tells of its own launch. Failures exit 125. */
#ifndef HVREG_LAUNCHED_H
#define HVREG_LAUNCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "json.h"
#include "text.h"

#define TOLD_REASON_PARTS	3

struct told {
	bool running;		/* there is one; else the rest is zeros */
	uint32_t state;		/* CARREL_LAUNCH_* */
	uint32_t pcrs;		/* that count, by bits */
	bool checked;		/* the launch's checks passed: a key can be made */
	uint8_t digest[32];	/* SHA-256 of their values; zeros: they were not read */
	uint8_t policy[32];	/* that RECORD must have */
	uint8_t fingerprint[32];	/* of the key; zeros: it has none */
	char reason[TOLD_REASON_PARTS * TEXT_REGISTERS * 8 + 1];	/* why it is not better; may be empty */
};

void launched_read(int device, struct told *told);

/* For hvreg status: lines; and as members of the open object. */
void launched_print(const struct told *told);
void launched_print_json(struct json *json, const struct told *told);

#endif
