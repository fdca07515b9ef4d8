/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which secure process is meant by a command line: the manifest that it names or one made on the
 * fly, and whether the identity is the one that is expected. Failures exit.
 */
#ifndef HVREG_CHOICE_H
#define HVREG_CHOICE_H

#include "launch.h"
#include "manifest.h"
#include "options.h"
#include "program.h"

#define CHOICE_OPTIONS	(OPTION_JSON | OPTION_MEMORY | OPTION_REQUIRE | OPTION_MANIFEST | \
			 OPTION_EXPECT)

struct choice {
	struct manifest manifest;
	struct launch launch;
	uint8_t identity[CARREL_IDENTITY_SIZE];		/* if one is expected; see launch_identity */
};

/*
 * `program` is what shall run. With --manifest it must be that manifest's, and every file must
 * be as it is listed; what differs is said.
 */
void choose(struct choice *choice, const struct options *options, const struct program *program);

/* The same without a program: by --manifest alone, whose files nobody looks at. */
void choose_manifest(struct choice *choice, const struct options *options);

#endif
