/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the commands, parsed alike. */
#ifndef HVREG_OPTIONS_H
#define HVREG_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* A file that an option names for the manifest. */
struct option_file {
	unsigned int option;	/* OPTION_EXEC, OPTION_CODE, OPTION_FILE, OPTION_OPEN or OPTION_SEALED */
	const char *name;
};

struct options {
	bool json;
	bool follow;
	bool host_code;
	bool fix;
	unsigned int given;	/* OPTION_*: the command line has it */
	uint32_t limit;		/* --memory, in chunks of 2 MiB */
	uint32_t flags;		/* --require, as CARREL_CREATE_* */
	const char *manifest;	/* --manifest, or NULL */
	uint8_t expect[32];	/* --expect, if given */
	struct option_file *files;
	unsigned int file_count;
	const char **variables;	/* --env, as given */
	unsigned int variable_count;
	bool yes, show_key;
	/* As given, or NULL: */
	const char *tpm, *update_key, *digest, *pcr17, *pcr18, *pcrs, *request, *signature,
		   *to, *as, *key;
	char **operands;	/* what follows the options; ends with NULL */
};

enum {
	OPTION_JSON = 1,
	OPTION_FOLLOW = 2,
	OPTION_MEMORY = 4,
	OPTION_REQUIRE = 8,
	OPTION_MANIFEST = 0x10,
	OPTION_EXPECT = 0x20,
	OPTION_EXEC = 0x40,
	OPTION_CODE = 0x80,
	OPTION_FILE = 0x100,
	OPTION_OPEN = 0x200,
	OPTION_HOST_CODE = 0x400,
	OPTION_YES = 0x800,
	OPTION_TPM = 0x1000,
	OPTION_UPDATE_KEY = 0x2000,
	OPTION_MEASUREMENT = 0x4000,	/* --digest, --pcr17, --pcr18 and --pcrs */
	OPTION_REQUEST = 0x8000,
	OPTION_SIGNATURE = 0x10000,
	OPTION_FIX = 0x20000,
	OPTION_ENV = 0x40000,
	OPTION_SEALED = 0x80000,
	OPTION_TO = 0x100000,
	OPTION_AS = 0x200000,
	OPTION_KEY = 0x400000,
	OPTION_SHOW_KEY = 0x800000,
};

/*
 * Parses what follows argv[0], the command's name, up to the first word that is
 * no option or to --. Only options in `allowed` (OPTION_*) exist; --help prints
 * `help` and exits 0; any mistake exits 125.
 */
void options_parse(struct options *options, unsigned int allowed, const char *help, char **argv);

/* Exits 125 unless there are no operands. */
void options_no_operands(const struct options *options, const char *command);

#endif
