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

void manifest_add_text(struct manifest_texts *texts, const char *text)
{
	texts->text = realloc(texts->text, (texts->count + 1) * sizeof(*texts->text));
	if (!texts->text || !(texts->text[texts->count++] = strdup(text)))
		fail(EXIT_OWN, NULL, "out of memory");
}

uint32_t manifest_flags(const struct manifest *manifest)
{
	return manifest->flags |
	       (manifest->host_chosen & CARREL_HOST_UNSEALED ? 0 : CARREL_CREATE_SEAL);
}

static size_t texts_size(const struct manifest_texts *texts)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < texts->count; i++)
		size += strlen(texts->text[i]) + 1;
	return size;
}

/* Path, arguments and environment; 0 if the host chooses them. */
static size_t strings_size(const struct manifest *manifest)
{
	return manifest->host_chosen & MANIFEST_START ? 0 :
	       strlen(manifest->entries[0].path) + 1 + texts_size(&manifest->arguments) +
	       texts_size(&manifest->environment);
}

static size_t whole_size(const struct manifest *manifest)
{
	size_t size = sizeof(struct carrel_manifest) +
		      manifest->count * sizeof(struct carrel_manifest_entry);
	unsigned int i;

	for (i = 0; i < manifest->count; i++)
		size += strlen(manifest->entries[i].path) + 1;
	size += strings_size(manifest);
	size = (size + PAGE - 1) & ~(PAGE - 1);
	if (size > CARREL_MANIFEST_MAX)
		fail(EXIT_OWN, "name fewer files", "%u files, or the arguments, are more than a manifest holds "
		     "(%d KiB)", manifest->count, CARREL_MANIFEST_MAX >> 10);
	return size;
}

static char *put(char *at, const char *text)
{
	return stpcpy(at, text) + 1;
}

/* At the end of all: what a start block would hold. */
static void put_strings(const struct manifest *manifest, struct carrel_manifest *header, uint32_t at)
{
	char *to = (char *)header + at;
	unsigned int i;

	header->strings_size = strings_size(manifest);
	if (!header->strings_size)
		return;
	header->strings = at;
	header->argc = manifest->arguments.count;
	header->envc = manifest->environment.count;
	to = put(to, manifest->entries[0].path);
	for (i = 0; i < header->argc; i++)
		to = put(to, manifest->arguments.text[i]);
	for (i = 0; i < header->envc; i++)
		to = put(to, manifest->environment.text[i]);
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
		.version = 3,
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
		at = put((char *)bytes + at, manifest->entries[i].path) - (char *)bytes;
	}
	put_strings(manifest, header, at);
	return bytes;
}
