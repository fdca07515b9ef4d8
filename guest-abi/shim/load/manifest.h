/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest in this process: measured, so it is what the identity says, but
 * written by hvreg, so it is checked before it is used.
 */
#ifndef SHIM_MANIFEST_H
#define SHIM_MANIFEST_H

#include <carrel/identity.h>
#include "shim.h"

/* What a file must be. `sha256` is NULL where the host chooses the code. */
struct listed {
	const char *path;
	uint64_t size;
	const uint8_t *sha256;
};

/* Kills the process (CARREL_DIE_MANIFEST) if it is malformed. Before anything else of it. */
void manifest_check(void);

const struct carrel_manifest *manifest(void);

/* What a start block holds behind its header, `strings_size` bytes of it; NULL: the host chooses. */
const char *manifest_strings(void);

/* Entry 0: what hvreg run starts. */
struct listed manifest_program(void);

/* The entry of one of `kinds` (a bit each) with this path, or NULL. */
const struct carrel_manifest_entry *manifest_find(uint32_t kinds, const char *path);

/* One of `kinds` whose path ends in this name, or NULL. */
const struct carrel_manifest_entry *manifest_find_name(uint32_t kinds, const char *name);

/* For the next function; manifest_check does it. */
void manifest_learn_names(void);

/* False: no entry's path ends in this name. */
bool manifest_may_list(const char *name);

/* What follows the last slash, or all. */
const char *last_name(const char *path);

/* The entry of one of `kinds` with this hash and size, whatever its path, or NULL. */
const struct carrel_manifest_entry *manifest_find_hash(uint32_t kinds, const uint8_t sha256[32],
							uint64_t size);

struct listed manifest_listed(const struct carrel_manifest_entry *entry);

#define KIND_BIT(kind)	(1U << (kind))

#endif
