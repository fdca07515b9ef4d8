/* SPDX-License-Identifier: BSD-2-Clause */
#include <bearssl_hash.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fail.h"
#include "file.h"

#define PIECE	65536

static _Noreturn void fail_file(const char *path, const char *advice)
{
	fail(EXIT_NOT_EXECUTABLE, advice, "%s: %s", path, strerror(errno));
}

/* O_NONBLOCK: a pipe that nobody writes to must not hold us up. */
int file_open(const char *path, struct stat *status)
{
	int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (file < 0)
		fail_file(path, errno == EACCES ? "it must be readable, to be measured" : NULL);
	if (fstat(file, status))
		fail_file(path, NULL);
	if (!S_ISREG(status->st_mode))
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: is no regular file", path);
	return file;
}

char *file_path(const char *name)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
	char *folder, *real, *path = NULL;

	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return realpath(name, NULL);
	if (access(name, F_OK))
		return NULL;
	folder = slash ? strndup(name, slash - name + 1) : strdup(".");
	real = folder ? realpath(folder, NULL) : NULL;
	if (real && asprintf(&path, "%s/%s", strcmp(real, "/") ? real : "", last) < 0)
		path = NULL;
	free(folder);
	free(real);
	return path;
}

void file_close(int file)
{
	close(file);
}

void file_hash(int file, const char *path, uint64_t *size, uint8_t sha256[32])
{
	unsigned char piece[PIECE];
	br_sha256_context context;
	ssize_t bytes;

	br_sha256_init(&context);
	for (*size = 0; (bytes = pread(file, piece, sizeof(piece), *size)) > 0; *size += bytes)
		br_sha256_update(&context, piece, bytes);
	if (bytes < 0)
		fail_file(path, NULL);
	br_sha256_out(&context, sha256);
}

const unsigned char *file_map(int file, const char *path, size_t size)
{
	void *bytes;

	if (!size)
		return (const unsigned char *)"";
	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
	if (bytes == MAP_FAILED)
		fail_file(path, NULL);
	return bytes;
}

static const char *being_read;

static void cut_short(int signal)
{
	(void)signal;
	fail(EXIT_NOT_EXECUTABLE, "copy it again", "%s: was cut short, or cannot be read", being_read);
}

void file_hash_mapped(const unsigned char *bytes, size_t size, const char *path, uint8_t sha256[32])
{
	const struct sigaction action = { .sa_handler = cut_short };
	br_sha256_context context;
	struct sigaction old;

	being_read = path;
	sigaction(SIGBUS, &action, &old);
	br_sha256_init(&context);
	br_sha256_update(&context, bytes, size);
	br_sha256_out(&context, sha256);
	sigaction(SIGBUS, &old, NULL);
}

void file_unmap(const unsigned char *bytes, size_t size)
{
	if (size)
		munmap((void *)bytes, size);
}
