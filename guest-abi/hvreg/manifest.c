/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <carrel/hypercall.h>
#include "fail.h"
#include "file.h"
#include "launch.h"
#include "manifest.h"

#define PAGE	4096UL

const struct manifest_entry *manifest_find(const struct manifest *manifest, uint32_t kind,
					   const char *path)
{
	unsigned int i;

	for (i = 0; i < manifest->count; i++)
		if (manifest->entries[i].kind == kind && !strcmp(manifest->entries[i].path, path))
			return &manifest->entries[i];
	return NULL;
}

void manifest_add(struct manifest *manifest, const struct manifest_entry *entry)
{
	struct manifest_entry *to;

	if (manifest_find(manifest, entry->kind, entry->path))
		return;
	if (strlen(entry->path) >= CARREL_PATH_MAX)
		fail(EXIT_OWN, "move it to a shorter path", "%s: its path is longer than %d bytes",
		     entry->path, CARREL_PATH_MAX - 1);
	manifest->entries = realloc(manifest->entries,
				    (manifest->count + 1) * sizeof(*manifest->entries));
	if (!manifest->entries)
		fail(EXIT_OWN, NULL, "out of memory");
	to = &manifest->entries[manifest->count++];
	*to = *entry;
	to->path = strdup(entry->path);
	if (!to->path)
		fail(EXIT_OWN, NULL, "out of memory");
}

void manifest_add_file(struct manifest *manifest, uint32_t kind, const char *path)
{
	struct manifest_entry entry = { .kind = kind, .path = (char *)path };
	struct stat status;
	int file;

	if (manifest_find(manifest, kind, path))
		return;
	file = file_open(path, &status);
	file_hash(file, path, &entry.size, entry.sha256);
	file_close(file);
	manifest_add(manifest, &entry);
}

static size_t whole_size(const struct manifest *manifest)
{
	size_t size = sizeof(struct carrel_manifest) +
		      manifest->count * sizeof(struct carrel_manifest_entry);
	unsigned int i;

	for (i = 0; i < manifest->count; i++)
		size += strlen(manifest->entries[i].path) + 1;
	size = (size + PAGE - 1) & ~(PAGE - 1);
	if (size > CARREL_MANIFEST_MAX)
		fail(EXIT_OWN, "name fewer files", "%u files are more than a manifest holds (%d KiB)",
		     manifest->count, CARREL_MANIFEST_MAX >> 10);
	return size;
}

unsigned char *manifest_binary(const struct manifest *manifest, uint32_t *size)
{
	struct carrel_manifest *header;
	struct carrel_manifest_entry *entries;
	unsigned char *bytes;
	uint32_t at;
	unsigned int i;

	*size = whole_size(manifest);
	bytes = calloc(1, *size);
	if (!bytes)
		fail(EXIT_OWN, NULL, "out of memory");
	header = (struct carrel_manifest *)bytes;
	*header = (struct carrel_manifest){
		.magic = CARREL_MANIFEST_MAGIC,
		.version = 2,
		.host_chosen = manifest->host_chosen,
		.slots = LAUNCH_SLOTS,
		.blocks = LAUNCH_BLOCKS,
		.size = *size,
		.entries = manifest->count,
	};
	entries = (struct carrel_manifest_entry *)(header + 1);
	at = sizeof(*header) + manifest->count * sizeof(*entries);
	for (i = 0; i < manifest->count; i++) {
		entries[i].kind = manifest->entries[i].kind;
		entries[i].path = at;
		entries[i].size = manifest->entries[i].size;
		memcpy(entries[i].sha256, manifest->entries[i].sha256, sizeof(entries[i].sha256));
		at += stpcpy((char *)bytes + at, manifest->entries[i].path) - ((char *)bytes + at) + 1;
	}
	return bytes;
}
