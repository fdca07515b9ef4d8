/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "choice.h"
#include "fail.h"
#include "file.h"
#include "libraries.h"
#include "manifest_text.h"
#include "text.h"

/* --- What differs ----------------------------------------------------------------------- */

static void say_changed(const struct manifest_entry *listed, const uint8_t sha256[32])
{
	char is[HEX_IDENTITY], was[HEX_IDENTITY];

	text_hex(is, sha256);
	text_hex(was, listed->sha256);
	dprintf(STDERR_FILENO, "hvreg: %s %s is another file: its SHA-256 is\nhvreg:   %s, listed is\n"
		"hvreg:   %s\n", manifest_kind(listed->kind), listed->path, is, was);
}

/* Is the file as it is listed? */
static bool unchanged(const struct manifest_entry *listed)
{
	struct stat status;
	uint8_t sha256[32];
	uint64_t size;
	int file;

	if (!manifest_hashes(listed->kind))
		return true;
	if (access(listed->path, R_OK)) {
		dprintf(STDERR_FILENO, "hvreg: %s %s is not there\n", manifest_kind(listed->kind),
			listed->path);
		return false;
	}
	file = file_open(listed->path, &status);
	file_hash(file, listed->path, &size, sha256);
	file_close(file);
	if (size == listed->size && !memcmp(sha256, listed->sha256, sizeof(sha256)))
		return true;
	say_changed(listed, sha256);
	return false;
}

static bool lists_hash(const struct manifest *manifest, const struct manifest_entry *entry)
{
	unsigned int i;

	for (i = 0; i < manifest->count; i++)
		if (manifest->entries[i].kind <= CARREL_ENTRY_CODE &&
		    !memcmp(manifest->entries[i].sha256, entry->sha256, sizeof(entry->sha256)))
			return true;
	return false;
}

/* Would the program be loaded with code that is not listed? The number of such files. */
static unsigned int unlisted(const struct manifest *manifest, const struct program *program)
{
	struct manifest needed = { 0 };
	unsigned int i, count = 0;

	if (manifest->host_chosen & CARREL_HOST_CODE)
		return 0;
	libraries_program(&needed, program);
	for (i = 1; i < needed.count; i++) {
		if (lists_hash(manifest, &needed.entries[i]))
			continue;
		dprintf(STDERR_FILENO, "hvreg: the program is loaded with %s, which is not listed\n",
			needed.entries[i].path);
		count++;
	}
	return count;
}

/* --- The manifest ----------------------------------------------------------------------- */

static void check_options(const struct options *options)
{
	if (options->given & (OPTION_MEMORY | OPTION_REQUIRE))
		fail(EXIT_OWN, "change its lines 'memory' and 'require'",
		     "--memory and --require are the manifest's to say (%s)", options->manifest);
}

/* Those that were given, if any: the program gets the manifest's. */
static void check_arguments(const struct manifest *manifest, const struct options *options)
{
	const struct manifest_texts *fixed = &manifest->arguments;
	unsigned int i;

	if (manifest->host_chosen & CARREL_HOST_ARGV || !options->operands[0])
		return;
	for (i = 1; options->operands[i]; i++)
		if (i >= fixed->count || strcmp(options->operands[i], fixed->text[i]))
			fail(EXIT_OWN, "leave the arguments out, or make another manifest",
			     "%s: argument %u is not '%s' there: refused", options->manifest, i,
			     options->operands[i]);
}

static void check_files(const struct manifest *manifest, const struct options *options,
			const struct program *program)
{
	unsigned int i, bad = 0;

	if (strcmp(manifest->entries[0].path, program->path))
		fail(EXIT_OWN, "give the manifest that 'hvreg manifest' made of the program",
		     "%s is the manifest of %s, not of %s", options->manifest,
		     manifest->entries[0].path, program->path);
	for (i = 0; i < manifest->count; i++)
		bad += !unchanged(&manifest->entries[i]);
	if (!bad)
		bad = unlisted(manifest, program);
	if (bad)
		fail(EXIT_OWN, "if that is meant, make the manifest anew by 'hvreg manifest'",
		     "%s: %u file%s not as listed: refused", options->manifest, bad,
		     bad == 1 ? " is" : "s are");
}

static void build(const struct manifest *manifest, struct launch *launch)
{
	uint32_t size;
	unsigned char *bytes = manifest_binary(manifest, &size);

	launch_build(launch, bytes, size, manifest->limit, manifest_flags(manifest));
}

/* --- The identity ----------------------------------------------------------------------- */

/* Would it be the one that is expected with another of the options that are few? */
static const char *other_option(const struct manifest *manifest, const uint8_t expect[32])
{
	static const struct {
		uint32_t flags, host;
		const char *text;
	} others[] = {
		{ CARREL_CREATE_DMA, 0, "option 'require dma' differs" },
		{ 0, CARREL_HOST_CODE, "option 'host code' differs" },
		{ CARREL_CREATE_DMA, CARREL_HOST_CODE, "options 'require dma' and 'host code' differ" },
	};
	static struct launch launch;
	uint8_t identity[CARREL_IDENTITY_SIZE];
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct manifest other = *manifest;

		other.flags ^= others[i].flags;
		other.host_chosen ^= others[i].host;
		build(&other, &launch);
		launch_identity(&launch, identity);
		if (!memcmp(identity, expect, sizeof(identity)))
			return others[i].text;
	}
	return NULL;
}

/* An identity tells nothing of what it was made of; so all is said that this one is made of. */
static _Noreturn void fail_expected(const struct choice *choice, const struct options *options)
{
	const char *other = other_option(&choice->manifest, options->expect);
	char is[HEX_IDENTITY], expected[HEX_IDENTITY];

	text_hex(is, choice->identity);
	text_hex(expected, options->expect);
	if (!other) {
		FILE *stream = fdopen(dup(STDERR_FILENO), "w");

		dprintf(STDERR_FILENO, "hvreg: what would run is this, with the shim in %s:\n",
			"hvreg " CARREL_VERSION);
		if (stream) {
			manifest_write(&choice->manifest, stream);
			fclose(stream);
		}
	}
	fail(EXIT_OWN, other ? other : "compare it with the manifest of what is expected (diff); a program, "
	     "a library, memory, an option or hvreg itself is another",
	     "the identity is %s, expected is %s: refused", is, expected);
}

static void finish(struct choice *choice, const struct options *options)
{
	build(&choice->manifest, &choice->launch);
	if (!(options->given & OPTION_EXPECT))
		return;
	launch_identity(&choice->launch, choice->identity);
	if (memcmp(choice->identity, options->expect, sizeof(options->expect)))
		fail_expected(choice, options);
}

void choose(struct choice *choice, const struct options *options, const struct program *program)
{
	if (options->manifest) {
		check_options(options);
		manifest_read(&choice->manifest, options->manifest);
		check_arguments(&choice->manifest, options);
		check_files(&choice->manifest, options, program);
	} else {
		/* Whoever lists files on the host's word keeps nothing out: it may choose more. */
		choice->manifest = (struct manifest){
			.host_chosen = MANIFEST_HOST | MANIFEST_START | CARREL_HOST_CODE,
			.limit = options->limit, .flags = options->flags,
		};
		libraries_program(&choice->manifest, program);
	}
	finish(choice, options);
}

void choose_manifest(struct choice *choice, const struct options *options)
{
	check_options(options);
	manifest_read(&choice->manifest, options->manifest);
	finish(choice, options);
}
