/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that no compiler makes. All arguments of the hypercalls are 0. */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stdint.h>

int64_t raw_hypercall(bool vmmcall, uint64_t number);
/* In 32-bit code. */
int64_t raw_hypercall_compat(bool vmmcall, uint32_t number);
/* Right after MOV SS from `selector`. */
int64_t raw_shadow_hypercall(bool vmmcall, const uint32_t *selector, uint64_t number);

struct raw_instruction {
	const char *name;
	void (*execute)(void);
};
/* Of the virtualization extensions; the last has no name. */
extern const struct raw_instruction raw_instructions[];

#endif
