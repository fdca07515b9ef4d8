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
	uint32_t limit;			/* what the process is made with: as in CREATE */
	uint32_t flags;
};

/* What every manifest leaves to the host, for now; CARREL_HOST_CODE may come to it. */
#define MANIFEST_HOST	(CARREL_HOST_ARGV | CARREL_HOST_ENV | CARREL_HOST_CWD | CARREL_HOST_FDS)

/* Adds what is not there yet. */
void manifest_add(struct manifest *manifest, const struct manifest_entry *entry);

/* The same, for the file as it is now. `path` is absolute. */
void manifest_add_file(struct manifest *manifest, uint32_t kind, const char *path);

/* The entry of this kind and path, or NULL. */
const struct manifest_entry *manifest_find(const struct manifest *manifest, uint32_t kind,
					   const char *path);

/* As the shim reads it: whole pages, `size` bytes. */
unsigned char *manifest_binary(const struct manifest *manifest, uint32_t *size);

#endif
