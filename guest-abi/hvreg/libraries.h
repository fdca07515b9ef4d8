/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program is loaded with, found by its interpreter's own search. The interpreter runs, with
 * this environment, and lists it; the program does not. Failures exit.
 */
#ifndef HVREG_LIBRARIES_H
#define HVREG_LIBRARIES_H

#include "manifest.h"
#include "program.h"

/* Adds the program, its interpreter and its libraries, if it has any. */
void libraries_program(struct manifest *manifest, const struct program *program);

/* Adds the libraries of an ELF file that the program loads while it runs. */
void libraries_of_file(struct manifest *manifest, const struct program *program, const char *file);

#endif
