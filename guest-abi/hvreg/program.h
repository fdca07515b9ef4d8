/* SPDX-License-Identifier: BSD-2-Clause */
/* The program to protect: found as execvp(3) finds it, checked, and hashed. */
#ifndef HVREG_PROGRAM_H
#define HVREG_PROGRAM_H

#include <stdint.h>
#include <carrel/identity.h>

struct program {
	char path[CARREL_PATH_MAX];	/* absolute, without symbolic links */
	char name[16];			/* for comm: the last part of the path before they were followed */
	char interpreter[CARREL_PATH_MAX];	/* as the program names it; empty: it needs none */
	char *found;			/* the path under which it was found */
	char *script;			/* of a script: the path of its interpreter; else NULL */
	char *argument;			/* what the script gives its interpreter, or NULL */
	uint64_t size;
	uint64_t filled;		/* bytes of memory, in pages, that the file fills */
	uint8_t sha256[32];
};

/*
 * Exits 127 if there is none, 126 if it cannot be run here, saying why. A script is found, but it
 * is its interpreter that can be run.
 */
void program_find(struct program *program, const char *name);

/* The same, or the interpreter of a script, or of that. */
void program_find_binary(struct program *program, const char *name);

/*
 * What exec makes of a command whose first word is that script: its interpreter, what that is given,
 * the script, and the other words. In memory of its own.
 */
char **program_script_words(const struct program *program, char **words);

/* An interpreter that the shim can load; else exits 126. `of` names it. */
void program_check_interpreter(const char *path, const char *of);

#endif
