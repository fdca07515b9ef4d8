/* SPDX-License-Identifier: BSD-2-Clause */
/* What a secure process hands over to the carrier that it becomes by execve; see channel.h. */
#ifndef HVREG_EXEC_H
#define HVREG_EXEC_H

#include <stddef.h>
#include <stdint.h>

struct exec {
	uint32_t limit, flags;		/* for CREATE */
	const unsigned char *manifest, *start;
	uint32_t manifest_size, start_size;
};

/*
 * Reads the file whose descriptor `variable` names, and closes it. The bytes are in memory of
 * their own, the manifest's page-aligned. Exits if it cannot be what a shim wrote.
 */
void exec_read(struct exec *exec, const char *variable);

#endif
