/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of the commands, parsed alike. */
#ifndef HVREG_OPTIONS_H
#define HVREG_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	bool json;
	bool follow;
	uint32_t limit;		/* --memory, in chunks of 2 MiB */
	uint32_t flags;		/* --require, as CARREL_CREATE_* */
	char **operands;	/* what follows the options; ends with NULL */
};

enum {
	OPTION_JSON = 1,
	OPTION_FOLLOW = 2,
	OPTION_MEMORY = 4,
	OPTION_REQUIRE = 8,
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
