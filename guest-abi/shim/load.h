/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the manifest's program into private memory. */
#ifndef SHIM_LOAD_H
#define SHIM_LOAD_H

#include "elf.h"
#include "manifest.h"
#include "shim.h"

struct loaded {
	struct elf_plan plan;
	uint64_t base;			/* added to every address of the plan */
};

/*
 * Read the program through the arena, hash the private copy, compare with the
 * manifest, give every segment its rights. `random` moves a relocatable program.
 * Kills the process (CARREL_DIE_MANIFEST) if the file is not what the manifest
 * says or cannot be loaded.
 */
void load_program(struct thread *t, const struct listed *program, uint64_t random,
		  struct loaded *loaded);

#endif
