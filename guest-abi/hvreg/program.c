/* SPDX-License-Identifier: BSD-2-Clause */
#include <bearssl_hash.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "fail.h"
#include "program.h"
#include <shim/elf.h>

#define PIECE	65536
#define PHDRS_MAX	64
#define PAGE	4096UL

/* errno of executing `path`, or 0, as far as the file system tells. */
static int try_path(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) ? errno : 0;
}

/* Looks through PATH; errors are those of the last try that tells most, as in execvp. */
static int search_path(const char *name, char found[PATH_MAX])
{
	const char *list = getenv("PATH");
	int error = ENOENT, tried;
	size_t length;

	for (list = list ? list : "/bin:/usr/bin"; list; list = list[length] ? list + length + 1 : NULL) {
		length = strcspn(list, ":");
		if (snprintf(found, PATH_MAX, "%.*s%s%s", (int)length, list, length ? "/" : "",
			     name) >= PATH_MAX)
			continue;
		tried = try_path(found);
		if (!tried)
			return 0;
		if (tried == EACCES)
			error = EACCES;
	}
	return error;
}

static _Noreturn void fail_find(const char *name, const char *path, int error)
{
	struct stat status;

	if (error == ENOENT)
		fail(EXIT_NOT_FOUND, NULL, "%s: %s", name, strerror(error));
	if (!stat(path, &status) && S_ISDIR(status.st_mode))
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: is a directory", name);
	fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", name, strerror(error));
}

/* Finds `name`; sets the program's path and name. */
static void find(struct program *program, const char *name)
{
	char found[PATH_MAX], real[PATH_MAX];
	const char *slash;
	int error;

	if (!*name)
		fail(EXIT_NOT_FOUND, NULL, "'': %s", strerror(ENOENT));
	if (strchr(name, '/')) {
		snprintf(found, sizeof(found), "%s", name);
		error = strlen(name) >= sizeof(found) ? ENAMETOOLONG : try_path(found);
	} else {
		error = search_path(name, found);
	}
	if (error)
		fail_find(name, found, error);
	if (!realpath(found, real))
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", name, strerror(errno));
	if (strlen(real) >= sizeof(program->path))
		fail(EXIT_NOT_EXECUTABLE, "move it to a shorter path",
		     "%s: its path is longer than %d bytes", name, CARREL_PATH_MAX - 1);
	strcpy(program->path, real);
	slash = strrchr(found, '/');
	snprintf(program->name, sizeof(program->name), "%.15s", slash ? slash + 1 : found);
}

static _Noreturn void fail_elf(const struct program *program, const char *advice, const char *what)
{
	fail(EXIT_NOT_EXECUTABLE, advice, "%s: %s", program->path, what);
}

/* exec would give it rights that this process cannot have. */
static void check_privileges(const struct program *program, int file)
{
	struct stat status;

	if (fstat(file, &status))
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", program->path, strerror(errno));
	if ((status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
	    ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	     status.st_gid != getegid()))
		fail_elf(program, "run it as its owner", "is a set-user-ID or set-group-ID program");
	if (geteuid() != 0 && fgetxattr(file, "security.capability", NULL, 0) > 0)
		fail_elf(program, "run it as root", "has file capabilities");
}

static void check_header(const struct program *program, const Elf64_Ehdr *header, ssize_t bytes)
{
	const unsigned char *ident = header->e_ident;

	if (bytes >= 2 && ident[0] == '#' && ident[1] == '!')
		fail_elf(program, "run its interpreter, with the script as the first argument",
			 "is a script");
	if (bytes < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG))
		fail_elf(program, NULL, "is not an ELF file");
	if (ident[EI_CLASS] != ELFCLASS64)
		fail_elf(program, "use a 64-bit build", "is a 32-bit program");
	if (bytes < (ssize_t)sizeof(*header) || ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		fail_elf(program, NULL, "is not a program for x86-64");
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		fail_elf(program, NULL, "is an ELF file but no program");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > PHDRS_MAX)
		fail_elf(program, NULL, "has a malformed ELF header");
}

static void check_segments(const struct program *program, const Elf64_Ehdr *header, int file)
{
	Elf64_Phdr segments[PHDRS_MAX];
	ssize_t size = header->e_phnum * sizeof(*segments);
	struct stat status;
	bool loads = false;
	unsigned int i;

	if (fstat(file, &status))
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", program->path, strerror(errno));
	if (header->e_phoff > INT64_MAX || pread(file, segments, size, header->e_phoff) != size)
		fail_elf(program, NULL, "has a malformed ELF header");
	for (i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_INTERP)
			fail_elf(program, "use a statically linked build (gcc -static)",
				 "is dynamically linked, which is not supported yet");
		if (segments[i].p_type != PT_LOAD)
			continue;
		loads = true;
		if (segments[i].p_offset > (uint64_t)status.st_size ||
		    segments[i].p_filesz > (uint64_t)status.st_size - segments[i].p_offset)
			fail_elf(program, "copy it again", "is cut short: a segment reaches past its end");
	}
	if (!loads || !header->e_entry)
		fail_elf(program, NULL, "is an ELF file but no program");
}

/*
 * The shim's own reader has the last word: what it refuses would be killed there
 * without a word to whoever waits.
 */
static void check_loading(struct program *program, int file)
{
	static unsigned char head[PAGE];
	struct elf_plan plan;
	struct stat status;
	const char *wrong = NULL;
	ssize_t bytes;
	unsigned int i;

	bytes = pread(file, head, sizeof(head), 0);
	if (fstat(file, &status) || bytes < 0)
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", program->path, strerror(errno));
	wrong = elf_read(head, bytes, status.st_size, &plan);
	if (wrong)
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: cannot be loaded: %s", program->path, wrong);
	for (i = 0; i < plan.count; i++) {
		const struct elf_segment *s = &plan.segment[i];

		if (s->file_size)
			program->filled += (s->address % PAGE + s->file_size + PAGE - 1) & ~(PAGE - 1);
	}
}

static void hash(struct program *program, int file)
{
	static unsigned char piece[PIECE];
	br_sha256_context context;
	ssize_t bytes;

	br_sha256_init(&context);
	for (program->size = 0; (bytes = read(file, piece, sizeof(piece))) > 0;
	     program->size += bytes)
		br_sha256_update(&context, piece, bytes);
	if (bytes < 0)
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: %s", program->path, strerror(errno));
	br_sha256_out(&context, program->sha256);
}

void program_find(struct program *program, const char *name)
{
	Elf64_Ehdr header = { 0 };
	int file;

	memset(program, 0, sizeof(*program));
	find(program, name);
	file = open(program->path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		fail(EXIT_NOT_EXECUTABLE, "it must be readable, to be measured", "%s: %s",
		     program->path, strerror(errno));
	check_privileges(program, file);
	check_header(program, &header, pread(file, &header, sizeof(header), 0));
	check_segments(program, &header, file);
	check_loading(program, file);
	hash(program, file);
	close(file);
}
