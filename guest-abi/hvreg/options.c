/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include "fail.h"
#include "options.h"
#include "text.h"

#define MIB	(1UL << 20)
/* 1 TiB: above what any table of the hypervisor can hold. */
#define MEMORY_MAX_MIB	(1UL << 20)

#define MEMORY_LEAST_MIB	128UL

/* A quarter of the machine's, so that some such processes fit; in whole chunks. */
static uint32_t default_limit(void)
{
	unsigned long mib = sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024) / 1024 / 4;

	if (mib < MEMORY_LEAST_MIB)
		mib = MEMORY_LEAST_MIB;
	return mib / (CARREL_CHUNK_SIZE / MIB);
}

static uint32_t parse_memory(const char *command, const char *text)
{
	unsigned long mib;
	char *end;

	if (!text)
		fail_usage(command, "--memory wants a number of MiB");
	errno = 0;
	mib = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || mib == 0 || mib > MEMORY_MAX_MIB)
		fail_usage(command, "--memory: '%s' is not a number of MiB from 1 to %lu", text,
			   MEMORY_MAX_MIB);
	return (mib * MIB + CARREL_CHUNK_SIZE - 1) / CARREL_CHUNK_SIZE;
}

static uint32_t parse_require(const char *command, const char *text)
{
	if (!text)
		fail_usage(command, "--require wants a word: dma");
	if (strcmp(text, "dma"))
		fail_usage(command, "--require: '%s' is not known; the only choice is: dma", text);
	return CARREL_CREATE_DMA;
}

static void parse_expect(const char *command, const char *text, uint8_t expect[32])
{
	if (!text || !text_unhex(text, expect))
		fail_usage(command, "--expect wants an identity of 64 hexadecimal digits, as "
			   "'hvreg measure' prints it");
}

static void add_file(struct options *options, const char *command, unsigned int option,
		     const char *name)
{
	if (!name || !*name)
		fail_usage(command, "--exec, --code, --file, --open and --sealed want the name of a file");
	options->files = realloc(options->files, (options->file_count + 1) * sizeof(*options->files));
	if (!options->files)
		fail(EXIT_OWN, NULL, "out of memory");
	options->files[options->file_count++] = (struct option_file){ option, name };
}

static void add_variable(struct options *options, const char *command, const char *text)
{
	if (!text || *text == '=' || !strchr(text, '='))
		fail_usage(command, "--env wants NAME=VALUE");
	options->variables = realloc(options->variables,
				     (options->variable_count + 1) * sizeof(*options->variables));
	if (!options->variables)
		fail(EXIT_OWN, NULL, "out of memory");
	options->variables[options->variable_count++] = text;
}

/* `word`: where in struct options the value is kept as it is given. */
#define WORD(name)	true, offsetof(struct options, name)

static const struct entry {
	const char *name;
	unsigned int option;
	bool valued;
	size_t word;
} table[] = {
	{ "--json", OPTION_JSON, false, 0 },
	{ "--follow", OPTION_FOLLOW, false, 0 },
	{ "--memory", OPTION_MEMORY, true, 0 },
	{ "--require", OPTION_REQUIRE, true, 0 },
	{ "--manifest", OPTION_MANIFEST, true, 0 },
	{ "--expect", OPTION_EXPECT, true, 0 },
	{ "--exec", OPTION_EXEC, true, 0 },
	{ "--code", OPTION_CODE, true, 0 },
	{ "--file", OPTION_FILE, true, 0 },
	{ "--open", OPTION_OPEN, true, 0 },
	{ "--host-code", OPTION_HOST_CODE, false, 0 },
	{ "--fix", OPTION_FIX, false, 0 },
	{ "--env", OPTION_ENV, true, 0 },
	{ "--yes", OPTION_YES, false, 0 },
	{ "--tpm", OPTION_TPM, WORD(tpm) },
	{ "--update-key", OPTION_UPDATE_KEY, WORD(update_key) },
	{ "--digest", OPTION_MEASUREMENT, WORD(digest) },
	{ "--pcr17", OPTION_MEASUREMENT, WORD(pcr17) },
	{ "--pcr18", OPTION_MEASUREMENT, WORD(pcr18) },
	{ "--pcrs", OPTION_MEASUREMENT, WORD(pcrs) },
	{ "--request", OPTION_REQUEST, WORD(request) },
	{ "--signature", OPTION_SIGNATURE, WORD(signature) },
	{ "--sealed", OPTION_SEALED, true, 0 },
	{ "--to", OPTION_TO, WORD(to) },
	{ "--as", OPTION_AS, WORD(as) },
	{ "--key", OPTION_KEY, WORD(key) },
	{ "--show-key", OPTION_SHOW_KEY, false, 0 },
};

static void take_word(struct options *options, const char *command, const struct entry *entry,
		      const char *value)
{
	if (!value || !*value)
		fail_usage(command, "%s wants a value", entry->name);
	options->given |= entry->option;
	*(const char **)((char *)options + entry->word) = value;
}

static void take(struct options *options, const char *command, unsigned int option,
		 const char *value)
{
	options->given |= option;
	switch (option) {
	case OPTION_JSON:
		options->json = true;
		break;
	case OPTION_FOLLOW:
		options->follow = true;
		break;
	case OPTION_HOST_CODE:
		options->host_code = true;
		break;
	case OPTION_FIX:
		options->fix = true;
		break;
	case OPTION_SHOW_KEY:
		options->show_key = true;
		break;
	case OPTION_ENV:
		add_variable(options, command, value);
		break;
	case OPTION_YES:
		options->yes = true;
		break;
	case OPTION_MEMORY:
		options->limit = parse_memory(command, value);
		break;
	case OPTION_REQUIRE:
		options->flags |= parse_require(command, value);
		break;
	case OPTION_EXPECT:
		parse_expect(command, value, options->expect);
		break;
	case OPTION_MANIFEST:
		if (!value || !*value)
			fail_usage(command, "--manifest wants the name of a file");
		options->manifest = value;
		break;
	default:
		add_file(options, command, option, value);
	}
}

/* One option, with its value as --name=VALUE or in the next word, to which *argv then moves. */
static bool parse_one(struct options *options, unsigned int allowed, const char *command,
		      char ***argv)
{
	const char *value = NULL, *text = **argv;
	size_t length = strcspn(text, "=");
	unsigned int i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (allowed & table[i].option && !strncmp(text, table[i].name, length) &&
		    !table[i].name[length] && (table[i].valued || !text[length]))
			break;
	if (i == sizeof(table) / sizeof(*table))
		return false;
	if (text[length])
		value = text + length + 1;
	else if (table[i].valued && (*argv)[1])
		value = *++*argv;
	if (table[i].word)
		take_word(options, command, &table[i], value);
	else
		take(options, command, table[i].option, value);
	return true;
}

void options_parse(struct options *options, unsigned int allowed, const char *help, char **argv)
{
	const char *command = *argv;

	*options = (struct options){ .limit = default_limit() };
	for (argv++; *argv && **argv == '-' && (*argv)[1]; argv++) {
		if (!strcmp(*argv, "--")) {
			argv++;
			break;
		}
		if (!strcmp(*argv, "--help")) {
			fputs(help, stdout);
			exit(fflush(stdout) ? EXIT_OWN : 0);
		}
		if (!parse_one(options, allowed, command, &argv))
			fail_usage(command, "%s: unknown option '%s'", command, *argv);
	}
	options->operands = argv;
}

void options_no_operands(const struct options *options, const char *command)
{
	if (*options->operands)
		fail_usage(command, "%s: unexpected '%s'", command, *options->operands);
}
