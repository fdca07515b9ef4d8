/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program has of the platform key: a file of 32 bytes that only a process of this identity
 * can read, and files that were sealed to it (carrel/sealed.h), which the manifest names. Both only
 * where the launch is measured or static, and nothing that the program does is the host's choice.
 * Why there is nothing, hvreg log tells (CARREL_NOTE_SEALED).
 */
#ifndef SHIM_SEALED_H
#define SHIM_SEALED_H

#include "files/file.h"
#include "shim.h"

#define SEALED_KEY	"/dev/carrel/key"

/* The file at `path`, if that is SEALED_KEY; NULL with *error 0 if not. */
struct image *sealed_key(struct thread *t, const char *path, int64_t *error);

/* The content of what was sealed for `path` and is `size` bytes of `fd`; NULL and *error. */
struct image *sealed_read(struct thread *t, uint64_t fd, uint64_t size, const char *path,
			  int64_t *error);

#endif
