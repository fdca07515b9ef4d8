/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are measured. What cannot be read exits 126. */
#ifndef HVREG_FILE_H
#define HVREG_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A descriptor of the regular file at `path`. */
int file_open(const char *path, struct stat *status);
void file_close(int file);

/*
 * An absolute path, allocated, in which only the last part may be a symbolic link: by that name the
 * shim knows a file again that a program opens. NULL and errno if there is none.
 */
char *file_path(const char *name);

/* Size and SHA-256 of all of it. */
void file_hash(int file, const char *path, uint64_t *size, uint8_t sha256[32]);

/* All of it, `size` bytes, in memory, to be read only; at least one byte is there. */
const unsigned char *file_map(int file, const char *path, size_t size);

/* SHA-256 of what file_map gave. */
void file_hash_mapped(const unsigned char *bytes, size_t size, const char *path, uint8_t sha256[32]);

void file_unmap(const unsigned char *bytes, size_t size);

#endif
