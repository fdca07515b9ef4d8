/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include "fail.h"
#include "options.h"

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

/* The value of option `name` in argv[0], as --name=VALUE or --name VALUE; moves *argv to it. */
static const char *value_of(const char *name, char ***argv)
{
	size_t length = strlen(name);
	char *word = **argv;

	if (word[length] == '=')
		return word + length + 1;
	if ((*argv)[1])
		++*argv;
	else
		return NULL;
	return **argv;
}

static bool is_option(const char *word, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(word, name, length) && (word[length] == 0 || word[length] == '=');
}

void options_parse(struct options *options, unsigned int allowed, const char *help, char **argv)
{
	const char *command = *argv;

	*options = (struct options){ .limit = default_limit() };
	for (argv++; *argv && **argv == '-' && (*argv)[1]; argv++) {
		if (!strcmp(*argv, "--")) {
			argv++;
			break;
		} else if (!strcmp(*argv, "--help")) {
			fputs(help, stdout);
			exit(fflush(stdout) ? EXIT_OWN : 0);
		} else if (allowed & OPTION_JSON && !strcmp(*argv, "--json")) {
			options->json = true;
		} else if (allowed & OPTION_FOLLOW && !strcmp(*argv, "--follow")) {
			options->follow = true;
		} else if (allowed & OPTION_MEMORY && is_option(*argv, "--memory")) {
			options->limit = parse_memory(command, value_of("--memory", &argv));
		} else if (allowed & OPTION_REQUIRE && is_option(*argv, "--require")) {
			options->flags |= parse_require(command, value_of("--require", &argv));
		} else {
			fail_usage(command, "%s: unknown option '%s'", command, *argv);
		}
	}
	options->operands = argv;
}

void options_no_operands(const struct options *options, const char *command)
{
	if (*options->operands)
		fail_usage(command, "%s: unexpected '%s'", command, *options->operands);
}
