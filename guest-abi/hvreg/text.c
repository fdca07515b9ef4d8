/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "fail.h"
#include "text.h"

void text_hex(char hex[HEX_IDENTITY], const void *bytes32)
{
	const uint8_t *bytes = bytes32;
	unsigned int i;

	for (i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(const char *hex, uint8_t bytes32[32])
{
	unsigned int i;

	if (strlen(hex) != 64)
		return false;
	for (i = 0; i < 32; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes32[i] = high << 4 | low;
	}
	return true;
}

/* A process of the host made the registers' way here: only printable bytes pass. */
void text_of_registers(char *text, const uint64_t *registers, unsigned int count)
{
	unsigned int i;

	memcpy(text, registers, 8 * count);
	text[8 * count] = 0;
	for (i = 0; text[i]; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
}

int text_done(void)
{
	if (ferror(stdout) || fclose(stdout))
		fail(EXIT_OWN, NULL, "cannot write to standard output: %s", strerror(errno));
	return 0;
}
