/* SPDX-License-Identifier: BSD-2-Clause */
/* A static program that tells when its main began, in 8 bytes. */
#include <unistd.h>
#include "mark.h"
#include "tsc.h"

int main(void)
{
	uint64_t now;

	MARK_HERE(MARK_MAIN);
	now = tsc();
	return write(STDOUT_FILENO, &now, sizeof(now)) != sizeof(now);
}
