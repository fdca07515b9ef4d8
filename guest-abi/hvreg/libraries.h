/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program needs to be loaded with, found by its interpreter's own search. Failures exit. */
#ifndef HVREG_LIBRARIES_H
#define HVREG_LIBRARIES_H

#include "manifest.h"
#include "program.h"

/*
 * Adds the program's interpreter and libraries, if it has any. The interpreter runs, with this
 * environment, and lists them; the program does not.
 */
void libraries_add(struct manifest *manifest, const struct program *program);

/*
 * The manifest of a program for which none was given: what it is loaded with, and the host may choose
 * more, for whoever lists files on the host's word keeps nothing out.
 */
void libraries_manifest(struct manifest *manifest, const struct program *program);

#endif
