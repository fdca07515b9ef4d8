/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that goes to people and programs. */
#ifndef HVREG_TEXT_H
#define HVREG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define TEXT_REGISTERS	6	/* the most that one INFO gives */
#define HEX_IDENTITY	65	/* 32 bytes as hexadecimal digits, and the NUL */

void text_hex(char hex[HEX_IDENTITY], const void *bytes32);

/* 64 digits, and nothing else, to 32 bytes; false: they are no such thing. */
bool text_unhex(const char *hex, uint8_t bytes32[32]);

/* Text in registers: up to 8 bytes each, NUL-padded. `text` has room for count * 8 + 1. */
void text_of_registers(char *text, const uint64_t *registers, unsigned int count);

/* Ends what was written to standard output. The command's exit status: 0, or 125 if it failed. */
int text_done(void);

#endif
