/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <carrel/hypercall.h>
#include "fail.h"
#include "manifest_text.h"
#include "text.h"

#define FIRST_LINE	"carrel manifest 1"
#define MIB_OF_CHUNK	(CARREL_CHUNK_SIZE >> 20)
#define CHUNKS_MAX	(1U << 19)	/* 1 TiB, as for --memory */

static const char *const kinds[] = {
	[CARREL_ENTRY_PROGRAM] = "program", [CARREL_ENTRY_CODE] = "code",
	[CARREL_ENTRY_FILE] = "file", [CARREL_ENTRY_OPEN] = "open",
	[CARREL_ENTRY_SEALED] = "sealed",
};

static const struct {
	const char *word;
	uint32_t bit;
} choices[] = {
	{ "arguments", CARREL_HOST_ARGV }, { "environment", CARREL_HOST_ENV },
	{ "folder", CARREL_HOST_CWD }, { "descriptors", CARREL_HOST_FDS },
	{ "code", CARREL_HOST_CODE },
};

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

const char *manifest_kind(uint32_t kind)
{
	return kinds[kind];
}

/* --- Writing ---------------------------------------------------------------------------- */

static void write_entry(const struct manifest_entry *entry, FILE *stream)
{
	char hex[HEX_IDENTITY];

	if (strpbrk(entry->path, "\n\r"))
		fail(EXIT_OWN, "rename it", "a path with a line's end in it cannot be listed");
	if (!manifest_hashes(entry->kind)) {
		fprintf(stream, "%s %s\n", kinds[entry->kind], entry->path);
		return;
	}
	text_hex(hex, entry->sha256);
	fprintf(stream, "%s %s %lu %s\n", kinds[entry->kind], hex, entry->size, entry->path);
}

static void write_texts(const char *word, const struct manifest_texts *texts, FILE *stream)
{
	unsigned int i;

	for (i = 0; i < texts->count; i++) {
		if (strpbrk(texts->text[i], "\n\r"))
			fail(EXIT_OWN, "put it into a file", "%s %u has a line's end in it, which "
			     "cannot be listed", word, i);
		fprintf(stream, "%s %s\n", word, texts->text[i]);
	}
}

void manifest_write(const struct manifest *manifest, FILE *stream)
{
	unsigned int i;

	fprintf(stream, FIRST_LINE "\nmemory %lu\n", manifest->limit * MIB_OF_CHUNK);
	if (manifest->flags & CARREL_CREATE_DMA)
		fputs("require dma\n", stream);
	fputs("host", stream);
	for (i = 0; i < COUNT(choices); i++)
		if (manifest->host_chosen & choices[i].bit)
			fprintf(stream, " %s", choices[i].word);
	fputc('\n', stream);
	write_texts("argument", &manifest->arguments, stream);
	write_texts("environment", &manifest->environment, stream);
	for (i = 0; i < manifest->count; i++)
		write_entry(&manifest->entries[i], stream);
}

/* --- Reading ---------------------------------------------------------------------------- */

struct reader {
	const char *name;
	unsigned int line;
	struct manifest *manifest;
};

static _Noreturn void fail_line(const struct reader *reader, const char *advice, const char *what)
{
	fail(EXIT_OWN, advice, "%s:%u: %s", reader->name, reader->line, what);
}

static const char *const format = "see docs/manifest.md, or have 'hvreg manifest' write it";

/* The next word of a line, or NULL. */
static char *word(char **rest)
{
	char *found = *rest + strspn(*rest, " \t");
	size_t length = strcspn(found, " \t");

	if (!length)
		return NULL;
	*rest = found + length;
	if (**rest)
		*(*rest)++ = 0;
	return found;
}

static uint64_t number(const struct reader *reader, const char *text)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = text ? strtoull(text, &end, 10) : 0;
	if (!text || *text < '0' || *text > '9' || *end || errno)
		fail_line(reader, format, "wants a number here");
	return value;
}

static void read_memory(struct reader *reader, char *rest)
{
	uint64_t mib = number(reader, word(&rest));

	if (mib == 0 || mib % MIB_OF_CHUNK || mib / MIB_OF_CHUNK > CHUNKS_MAX || word(&rest))
		fail_line(reader, format, "memory wants a number of MiB that two divides");
	reader->manifest->limit = mib / MIB_OF_CHUNK;
}

static void read_require(struct reader *reader, char *rest)
{
	const char *what = word(&rest);

	if (!what || strcmp(what, "dma") || word(&rest))
		fail_line(reader, format, "the only thing to require is: dma");
	reader->manifest->flags |= CARREL_CREATE_DMA;
}

static void read_host(struct reader *reader, char *rest)
{
	const char *what;
	unsigned int i;

	while ((what = word(&rest))) {
		for (i = 0; i < COUNT(choices); i++)
			if (!strcmp(what, choices[i].word))
				break;
		if (i == COUNT(choices))
			fail_line(reader, format, "the host chooses: arguments environment folder "
				  "descriptors code");
		reader->manifest->host_chosen |= choices[i].bit;
	}
}

static void read_variable(const struct reader *reader, const char *text)
{
	if (*text == '=' || !strchr(text, '='))
		fail_line(reader, format, "environment wants NAME=VALUE");
	manifest_add_text(&reader->manifest->environment, text);
}

static void read_sha256(const struct reader *reader, const char *text, uint8_t sha256[32])
{
	if (!text || !text_unhex(text, sha256))
		fail_line(reader, format, "wants a SHA-256 of 64 hexadecimal digits here");
}

static void read_entry(struct reader *reader, uint32_t kind, char *rest)
{
	struct manifest_entry entry = { .kind = kind };

	if (manifest_hashes(kind)) {
		read_sha256(reader, word(&rest), entry.sha256);
		entry.size = number(reader, word(&rest));
	}
	/* The rest of the line, blanks and all. */
	entry.path = rest;
	if (*rest != '/' || strlen(rest) >= CARREL_PATH_MAX)
		fail_line(reader, format, "wants an absolute path here, of less than 1024 bytes");
	if (manifest_find(reader->manifest, kind, rest))
		fail_line(reader, "leave it out", "lists what was listed before");
	manifest_add(reader->manifest, &entry);
}

static void read_line(struct reader *reader, char *line)
{
	char *rest = line, *first;
	uint32_t kind;

	line[strcspn(line, "\n")] = 0;
	first = word(&rest);
	if (reader->line == 1) {
		if (!first || strcmp(first, "carrel") || strcmp(rest, "manifest 1"))
			fail_line(reader, format, "is no manifest: its first line is not '" FIRST_LINE "'");
		return;
	}
	if (!first || *first == '#')
		return;
	if (!strcmp(first, "memory"))
		return read_memory(reader, rest);
	if (!strcmp(first, "require"))
		return read_require(reader, rest);
	if (!strcmp(first, "host"))
		return read_host(reader, rest);
	if (!strcmp(first, "argument"))
		return manifest_add_text(&reader->manifest->arguments, rest);
	if (!strcmp(first, "environment"))
		return read_variable(reader, rest);
	for (kind = CARREL_ENTRY_PROGRAM; kind < COUNT(kinds); kind++)
		if (!strcmp(first, kinds[kind]))
			return read_entry(reader, kind, rest);
	fail_line(reader, format, "begins with no word that is known");
}

/* Arguments and environment are the host's, or listed: both of them. */
static void check_start(const struct reader *reader)
{
	const struct manifest *manifest = reader->manifest;
	uint32_t host = manifest->host_chosen & MANIFEST_START;

	if (host && host != MANIFEST_START)
		fail(EXIT_OWN, "leave both words out of the line 'host', or none",
		     "%s: arguments and environment are fixed together", reader->name);
	if (host && (manifest->arguments.count || manifest->environment.count))
		fail(EXIT_OWN, "take 'arguments environment' out of the line 'host'",
		     "%s: fixes what the host is to choose", reader->name);
	if (!host && !manifest->arguments.count)
		fail(EXIT_OWN, "the first line 'argument' is the program's name",
		     "%s: has no line 'argument', and the host is not to choose", reader->name);
}

/* A line that could not do what it says. */
static void check_sealed(const struct reader *reader)
{
	const struct manifest *manifest = reader->manifest;
	unsigned int i;

	for (i = 0; i < manifest->count; i++)
		if (manifest->entries[i].kind == CARREL_ENTRY_SEALED &&
		    !(manifest_flags(manifest) & CARREL_CREATE_SEAL))
			fail(EXIT_OWN, "write: host folder descriptors",
			     "%s: a sealed file, and the host chooses arguments, environment or code",
			     reader->name);
}

/* What the whole must have. */
static void check(const struct reader *reader)
{
	const struct manifest *manifest = reader->manifest;

	if (!reader->line)
		fail(EXIT_OWN, format, "%s: is empty", reader->name);
	if (!manifest->limit)
		fail(EXIT_OWN, format, "%s: has no line 'memory'", reader->name);
	if ((manifest->host_chosen & MANIFEST_HOST) != MANIFEST_HOST)
		fail(EXIT_OWN, "write: host arguments environment folder descriptors",
		     "%s: the host always chooses folder and descriptors", reader->name);
	check_start(reader);
	check_sealed(reader);
	if (!manifest->count || manifest->entries[0].kind != CARREL_ENTRY_PROGRAM)
		fail(EXIT_OWN, format, "%s: the first file that it lists is no program", reader->name);
}

void manifest_read(struct manifest *manifest, const char *name)
{
	struct reader reader = { .name = name, .manifest = manifest };
	FILE *stream = strcmp(name, "-") ? fopen(name, "re") : stdin;
	size_t room = 0;
	char *line = NULL;
	ssize_t length;

	memset(manifest, 0, sizeof(*manifest));
	if (!stream)
		fail(EXIT_OWN, "'hvreg manifest PROG >FILE' writes one", "%s: %s", name, strerror(errno));
	while ((length = getline(&line, &room, stream)) > 0) {
		reader.line++;
		if (strlen(line) != (size_t)length)
			fail_line(&reader, format, "is no text");
		read_line(&reader, line);
	}
	if (ferror(stream))
		fail(EXIT_OWN, NULL, "%s: %s", name, strerror(errno));
	check(&reader);
	if (stream != stdin)
		fclose(stream);
	free(line);
}
