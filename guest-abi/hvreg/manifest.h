/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a secure process may run: a list of files with their hashes, and what the host
 * chooses. Made from files as they are now. Failures exit.
 */
#ifndef HVREG_MANIFEST_H
#define HVREG_MANIFEST_H

#include <stddef.h>
#include <stdint.h>
#include <carrel/identity.h>

struct manifest_entry {
	uint32_t kind;			/* CARREL_ENTRY_* */
	char *path;
	uint64_t size;
	uint8_t sha256[32];
};

struct manifest {
	struct manifest_entry *entries;	/* the first is the program that hvreg run starts */
	unsigned int count;
	uint32_t host_chosen;		/* CARREL_HOST_* */
};

/* Adds what is not there yet. */
void manifest_add(struct manifest *manifest, const struct manifest_entry *entry);

/* The same, for the file as it is now. `path` is absolute. */
void manifest_add_file(struct manifest *manifest, uint32_t kind, const char *path);

/* As the shim reads it: whole pages, `size` bytes. */
unsigned char *manifest_binary(const struct manifest *manifest, uint32_t *size);

#endif
