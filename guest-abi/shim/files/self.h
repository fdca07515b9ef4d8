/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc tells a process of itself. The host's files are those of the carrier, and would
 * have to be told the program's addresses; the program reads these instead: maps, cmdline,
 * environ, auxv. (Ranges have no file names.) exe is the program's own file, by readlink and for
 * calls that follow it.
 */
#ifndef SHIM_SELF_H
#define SHIM_SELF_H

#include "files/file.h"
#include "shim.h"

/* Where the program's start put what it may be asked for; addresses. */
struct self_places {
	uint64_t args, env, strings_end;
	uint64_t auxv, auxv_end;
	uint64_t stack_top;
};
void self_setup(const struct self_places *places);

#define SELF_PATH_MAX	32		/* names of what is served here are shorter */

/* Does this path name the running program? Then it is the file program_path() to all who follow it. */
bool self_is_exe(struct thread *t, const char *path);

/* What the host opens, or is asked about, in place of this path; NULL: the path. */
const char *self_stand_in(struct thread *t, const char *path);

/* What the file at `path` shows; NULL with *error 0 if it is none of these. */
struct image *self_image(struct thread *t, const char *path, int64_t *error);

#endif
