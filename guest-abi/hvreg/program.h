/* SPDX-License-Identifier: BSD-2-Clause */
/* The program to protect: found as execvp(3) finds it, checked, and hashed. */
#ifndef HVREG_PROGRAM_H
#define HVREG_PROGRAM_H

#include <stdint.h>
#include <carrel/identity.h>

struct program {
	char path[CARREL_PATH_MAX];	/* absolute, without symbolic links */
	char name[16];			/* for comm: the last part of the path before they were followed */
	uint64_t size;
	uint64_t filled;		/* bytes of memory, in pages, that the file fills */
	uint8_t sha256[32];
};

/* Exits 127 if there is none, 126 if it cannot be run here, saying why. */
void program_find(struct program *program, const char *name);

#endif
