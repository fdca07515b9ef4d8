/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the manifest. See manifest.h and carrel/identity.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/host.h"
#include "load/manifest.h"

#define HOST_ALWAYS	(CARREL_HOST_CWD | CARREL_HOST_FDS)
#define HOST_START	(CARREL_HOST_ARGV | CARREL_HOST_ENV)

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

	if (e->kind < CARREL_ENTRY_PROGRAM || e->kind > CARREL_ENTRY_SEALED || e->path < strings ||
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

/* Arguments and environment are the host's, and the manifest has none; or the other way. */
static bool start_good(const struct carrel_manifest *m)
{
	const char *at = (const char *)m + m->strings;
	uint64_t strings = 1UL + m->argc + m->envc, found = 0;

	if (m->host_chosen & HOST_START)
		return (m->host_chosen & HOST_START) == HOST_START && !m->strings &&
		       !m->strings_size && !m->argc && !m->envc;
	if (!m->argc || m->strings < sizeof(*m) || m->strings > m->size || !m->strings_size ||
	    m->strings_size > m->size - m->strings || at[m->strings_size - 1])
		return false;
	for (uint32_t i = 0; i < m->strings_size; i++)
		found += !at[i];
	return found == strings;
}

/*
 * The hypervisor gives keys to whom CREATE said that it may ask, which it cannot judge: the shim
 * can. It is measured, so a host that leaves this check out has another identity, and its keys.
 */
static void refuse_keys(const struct carrel_manifest *m)
{
	uint64_t words[4] = { CARREL_SEAL_SYMMETRIC };

	if (m->host_chosen & CARREL_HOST_UNSEALED &&
	    hypercall_words(CARREL_HC_SEAL_KEY, words) != CARREL_EFLAG)
		die(CARREL_DIE_MANIFEST);
}

/* What this shim cannot do, it must not seem to do. */
void manifest_check(void)
{
	const struct carrel_manifest *m = manifest();

	if (m->magic != CARREL_MANIFEST_MAGIC || m->version != 3 ||
	    (m->host_chosen & ~(CARREL_HOST_CODE | HOST_START)) != HOST_ALWAYS || !sizes_good(m) ||
	    !start_good(m))
		die(CARREL_DIE_MANIFEST);
	for (uint32_t i = 0; i < m->entries; i++)
		if (!entry_good(m, &entries()[i]))
			die(CARREL_DIE_MANIFEST);
	if (entries()[0].kind != CARREL_ENTRY_PROGRAM)
		die(CARREL_DIE_MANIFEST);
	refuse_keys(m);
	manifest_learn_names();
}

const char *manifest_strings(void)
{
	return manifest()->strings ? (const char *)manifest() + manifest()->strings : NULL;
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
