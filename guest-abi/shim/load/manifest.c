/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the manifest. See manifest.h and carrel/identity.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/host.h"
#include "load/manifest.h"

#define HOST_FIXED_SO_FAR	(CARREL_HOST_ARGV | CARREL_HOST_ENV | CARREL_HOST_CWD | CARREL_HOST_FDS)

const struct carrel_manifest *manifest(void)
{
	return (const struct carrel_manifest *)CARREL_MANIFEST_VA;
}

static const struct carrel_manifest_entry *entries(void)
{
	return (const struct carrel_manifest_entry *)(manifest() + 1);
}

static const char *path_of(const struct carrel_manifest_entry *entry)
{
	return (const char *)manifest() + entry->path;
}

static bool sizes_good(const struct carrel_manifest *m)
{
	uint64_t slot_blocks = (m->slots * CARREL_SLOT_STRIDE + CARREL_BLOCK_SIZE - 1) /
			       CARREL_BLOCK_SIZE;

	return m->slots && m->slots <= CARREL_SLOTS_MAX && m->blocks <= CARREL_BLOCKS_MAX &&
	       m->blocks > slot_blocks && m->size <= CARREL_MANIFEST_MAX &&
	       m->size % PAGE_SIZE == 0 && m->size >= PAGE_SIZE && m->entries &&
	       m->entries <= (m->size - sizeof(*m)) / sizeof(struct carrel_manifest_entry);
}

static bool entry_good(const struct carrel_manifest *m, const struct carrel_manifest_entry *e)
{
	uint64_t strings = sizeof(*m) + m->entries * sizeof(*e), room;

	if (e->kind < CARREL_ENTRY_PROGRAM || e->kind > CARREL_ENTRY_OPEN || e->path < strings ||
	    e->path >= m->size)
		return false;
	room = m->size - e->path;
	return string_size(path_of(e), room < CARREL_PATH_MAX ? room : CARREL_PATH_MAX) > 1;
}

/* --- Names --------------------------------------------------------------------------------- */

/* A bit for each name that an entry's path ends in, by a sum of its letters. */
static uint64_t names[4];

const char *last_name(const char *path)
{
	const char *name = path;

	while (*path)
		if (*path++ == '/')
			name = path;
	return name;
}

static uint8_t sum_of(const char *name)
{
	uint8_t sum = 0;

	while (*name)
		sum = 31 * sum + *name++;
	return sum;
}

void manifest_learn_names(void)
{
	memset(names, 0, sizeof(names));
	for (uint32_t i = 0; i < manifest()->entries; i++) {
		uint8_t sum = sum_of(last_name(path_of(&entries()[i])));

		names[sum / 64] |= 1UL << sum % 64;
	}
}

bool manifest_may_list(const char *name)
{
	uint8_t sum = sum_of(name);

	return names[sum / 64] >> sum % 64 & 1;
}

/* ------------------------------------------------------------------------------------------- */

/* What this shim cannot do, it must not seem to do. */
void manifest_check(void)
{
	const struct carrel_manifest *m = manifest();

	if (m->magic != CARREL_MANIFEST_MAGIC || m->version != 2 ||
	    (m->host_chosen & ~CARREL_HOST_CODE) != HOST_FIXED_SO_FAR || !sizes_good(m))
		die(CARREL_DIE_MANIFEST);
	for (uint32_t i = 0; i < m->entries; i++)
		if (!entry_good(m, &entries()[i]))
			die(CARREL_DIE_MANIFEST);
	if (entries()[0].kind != CARREL_ENTRY_PROGRAM)
		die(CARREL_DIE_MANIFEST);
	manifest_learn_names();
}

struct listed manifest_listed(const struct carrel_manifest_entry *entry)
{
	return (struct listed){ path_of(entry), entry->size, entry->sha256 };
}

struct listed manifest_program(void)
{
	return manifest_listed(&entries()[0]);
}

const struct carrel_manifest_entry *manifest_find(uint32_t kinds, const char *path)
{
	for (uint32_t i = 0; i < manifest()->entries; i++) {
		const struct carrel_manifest_entry *e = &entries()[i];

		if (kinds & KIND_BIT(e->kind) && !strcmp(path_of(e), path))
			return e;
	}
	return NULL;
}

const struct carrel_manifest_entry *manifest_find_name(uint32_t kinds, const char *name)
{
	for (uint32_t i = 0; i < manifest()->entries; i++) {
		const struct carrel_manifest_entry *e = &entries()[i];

		if (kinds & KIND_BIT(e->kind) && !strcmp(last_name(path_of(e)), name))
			return e;
	}
	return NULL;
}

const struct carrel_manifest_entry *manifest_find_hash(uint32_t kinds, const uint8_t sha256[32],
							uint64_t size)
{
	for (uint32_t i = 0; i < manifest()->entries; i++) {
		const struct carrel_manifest_entry *e = &entries()[i];

		if (kinds & KIND_BIT(e->kind) && e->size == size && !memcmp(e->sha256, sha256, 32))
			return e;
	}
	return NULL;
}
