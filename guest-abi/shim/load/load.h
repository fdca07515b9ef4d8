/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the manifest's program and its interpreter into private memory. */
#ifndef SHIM_LOAD_H
#define SHIM_LOAD_H

#include "load/elf.h"
#include "load/manifest.h"
#include "shim.h"

struct loaded {
	struct elf_plan plan;
	uint64_t base;			/* added to every address of the plan */
};

/*
 * Read the program whole into private memory, compare its hash with the manifest's, map its
 * segments from there, each with its rights. `random` moves a relocatable program. Kills the
 * process (CARREL_DIE_MANIFEST) if the file is not what the manifest says or cannot be loaded.
 */
void load_program(struct thread *t, const struct listed *program, uint64_t random,
		  struct loaded *loaded);

/*
 * The same for the interpreter that a loaded program names: the manifest lists it by that path, or
 * lets the host choose the code. It lies where mmap would place it. False if the program names none.
 */
bool load_interpreter(struct thread *t, const struct loaded *program, struct loaded *loaded);

#endif
