/* SPDX-License-Identifier: BSD-2-Clause */
/* What start.c tells the rest of the shim about the program. */
#ifndef SHIM_PROGRAM_H
#define SHIM_PROGRAM_H

#include "shim.h"

struct carrel_start;

/* Of the program that runs: the path in the manifest, or the one that the host chose. */
const char *program_path(void);

/* The header of the start block; limit and flags are what the identity says, if it came sealed. */
const struct carrel_start *program_start(void);

/* Where memory.c places things; set once, before the program runs. */
struct memory_layout {
	uint64_t brk_start;		/* page-aligned */
	uint64_t map_high;		/* mmap goes downwards from here */
	uint64_t limit;			/* bytes that the process may have, as its carrier says; 0: unknown */
};
void memory_setup(const struct memory_layout *layout);

/* Map private memory for the program and record it. 0 or -LINUX_ENOMEM. */
int64_t memory_map(struct thread *t, uint64_t start, uint64_t size, uint64_t rights, bool demand);

/* Change rights of memory that is mapped throughout. 0 or -LINUX_ENOMEM. */
int64_t memory_protect(struct thread *t, uint64_t start, uint64_t size, uint64_t rights);

#endif
