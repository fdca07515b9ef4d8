/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a secure process may run: a list of files with their hashes, and what the host
 * chooses. Made from files as they are now. Failures exit.
 */
#ifndef HVREG_MANIFEST_H
#define HVREG_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <carrel/identity.h>

struct manifest_entry {
	uint32_t kind;			/* CARREL_ENTRY_* */
	char *path;
	uint64_t size;
	uint8_t sha256[32];
};

/* Texts in order. */
struct manifest_texts {
	char **text;
	unsigned int count;
};

struct manifest {
	struct manifest_entry *entries;	/* the first is the program that hvreg run starts */
	unsigned int count;
	uint32_t host_chosen;		/* CARREL_HOST_* */
	struct manifest_texts arguments, environment;	/* where the host does not choose them */
	uint32_t limit;			/* what the process is made with: as in CREATE */
	uint32_t flags;			/* but for CARREL_CREATE_SEAL: manifest_flags() */
};

/* What every manifest leaves to the host, and what it does or does not; CARREL_HOST_CODE is one more. */
#define MANIFEST_HOST	(CARREL_HOST_CWD | CARREL_HOST_FDS)
#define MANIFEST_START	(CARREL_HOST_ARGV | CARREL_HOST_ENV)

/* Adds what is not there yet. */
void manifest_add(struct manifest *manifest, const struct manifest_entry *entry);

/* The same, for the file as it is now. `path` is absolute. */
void manifest_add_file(struct manifest *manifest, uint32_t kind, const char *path);

/* The entry of this kind and path, or NULL. */
const struct manifest_entry *manifest_find(const struct manifest *manifest, uint32_t kind,
					   const char *path);

/* One more text, copied. */
void manifest_add_text(struct manifest_texts *texts, const char *text);

/* What CREATE is given. It may ask for keys if all that it does is fixed. */
uint32_t manifest_flags(const struct manifest *manifest);

/* Has an entry of that kind size and hash of the file? */
static inline bool manifest_hashes(uint32_t kind)
{
	return kind != CARREL_ENTRY_OPEN && kind != CARREL_ENTRY_SEALED;
}

/* As the shim reads it: whole pages, `size` bytes. */
unsigned char *manifest_binary(const struct manifest *manifest, uint32_t *size);

#endif
