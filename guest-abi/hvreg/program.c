/* SPDX-License-Identifier: BSD-2-Clause */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <fcntl.h>
#include "fail.h"
#include "file.h"
#include "program.h"
#include <load/elf.h>

#define SCRIPT_LINE	256	/* Linux: BINPRM_BUF_SIZE */
#define SCRIPTS_MAX	4	/* as many as Linux has */
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
		fail(EXIT_NOT_FOUND, "look at the spelling and at PATH", "%s: %s", name,
		     strerror(error));
	if (!stat(path, &status) && S_ISDIR(status.st_mode))
		fail(EXIT_NOT_EXECUTABLE, "name a program in it", "%s: is a directory", name);
	fail(EXIT_NOT_EXECUTABLE, error == EACCES ? "make it executable (chmod +x)" : NULL, "%s: %s", name,
	     strerror(error));
}

/* Finds `name`; sets the program's path and name. */
static void find(struct program *program, const char *name)
{
	char found[PATH_MAX], real[PATH_MAX];
	const char *slash, *last;
	int error;

	if (!*name)
		fail(EXIT_NOT_FOUND, NULL, "'': %s", strerror(ENOENT));
	if (strchr(name, '/')) {
		if (strlen(name) >= sizeof(found))
			fail_find(name, name, ENAMETOOLONG);
		error = try_path(strcpy(found, name));
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
	program->found = strdup(found);
	if (!program->found)
		fail(EXIT_OWN, NULL, "out of memory");
	slash = strrchr(found, '/');
	last = slash ? slash + 1 : found;
	memcpy(program->name, last, strnlen(last, sizeof(program->name) - 1));
}

static _Noreturn void fail_elf(const char *path, const char *advice, const char *what)
{
	fail(EXIT_NOT_EXECUTABLE, advice, "%s: %s", path, what);
}

/* exec would give it rights that this process cannot have. */
static void check_privileges(const struct program *program, int file, const struct stat *status)
{
	if ((status->st_mode & S_ISUID && status->st_uid != geteuid()) ||
	    ((status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	     status->st_gid != getegid()))
		fail_elf(program->path, "run it as its owner", "is a set-user-ID or set-group-ID program");
	if (geteuid() != 0 && fgetxattr(file, "security.capability", NULL, 0) > 0)
		fail_elf(program->path, "run it as root", "has file capabilities");
}

static void check_header(const char *path, const unsigned char *bytes, size_t size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;

	if (size < EI_NIDENT || memcmp(bytes, ELFMAG, SELFMAG))
		fail_elf(path, "only ELF files and scripts that begin with #! can be run",
			 "is not an ELF file");
	if (bytes[EI_CLASS] != ELFCLASS64)
		fail_elf(path, "use a 64-bit build", "is a 32-bit program");
	if (size < sizeof(*header) || bytes[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		fail_elf(path, "use a build for amd64", "is not a program for x86-64");
	if ((header->e_type != ET_EXEC && header->e_type != ET_DYN) || !header->e_entry)
		fail_elf(path, "an object file must be linked first", "is an ELF file but no program");
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phoff > size || header->e_phoff % 8 ||
	    header->e_phnum * sizeof(Elf64_Phdr) > size - header->e_phoff)
		fail_elf(path, "build or copy it again", "has a malformed ELF header");
}

static void check_segments(const char *path, const unsigned char *bytes, size_t size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(bytes + header->e_phoff);
	unsigned int i, loads = 0;

	for (i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type != PT_LOAD)
			continue;
		loads++;
		if (segments[i].p_offset > size || segments[i].p_filesz > size - segments[i].p_offset)
			fail_elf(path, "copy it again", "is cut short: a segment reaches past its end");
	}
	if (!loads)
		fail_elf(path, "an object file must be linked first", "is an ELF file but no program");
}

/*
 * The shim's own reader has the last word: what it refuses would be killed there
 * without a word to whoever waits.
 */
static void plan_loading(const char *path, const unsigned char *bytes, size_t size,
			 struct elf_plan *plan)
{
	const char *wrong;

	check_header(path, bytes, size);
	check_segments(path, bytes, size);
	wrong = elf_read(bytes, size, size, plan);
	if (wrong)
		fail(EXIT_NOT_EXECUTABLE, "build or copy it again", "%s: cannot be loaded: %s", path,
		     wrong);
}

static void take_interpreter(struct program *program, const unsigned char *bytes,
			     const struct elf_plan *plan)
{
	const struct elf_segment *s = plan->segment;
	const char *name;

	if (!plan->interpreter_size)
		return;
	while (plan->interpreter - s->address >= s->file_size)
		s++;
	name = (const char *)bytes + s->offset + (plan->interpreter - s->address);
	if (plan->interpreter_size > sizeof(program->interpreter) ||
	    strnlen(name, plan->interpreter_size) + 1 != plan->interpreter_size || *name != '/')
		fail_elf(program->path, "build or copy it again", "names no interpreter that can be");
	strcpy(program->interpreter, name);
}

/* The first line of a script: a path, and the rest as one argument. */
static void take_script(struct program *program, const char *line, size_t size)
{
	char *text = strndup(line, size), *end;

	if (!text)
		fail(EXIT_OWN, NULL, "out of memory");
	text[strcspn(text, "\n")] = 0;
	for (end = text + strlen(text); end > text && strchr(" \t", end[-1]); end--)
		;
	*end = 0;
	program->script = text + strspn(text, " \t");
	if (!*program->script)
		fail_elf(program->path, "write its interpreter behind #! in the first line",
			 "is a script without an interpreter");
	end = strpbrk(program->script, " \t");
	if (!end)
		return;
	*end++ = 0;
	program->argument = end + strspn(end, " \t");
}

static void look_at(struct program *program, const unsigned char *bytes, size_t size)
{
	struct elf_plan plan;
	unsigned int i;

	if (size >= 2 && bytes[0] == '#' && bytes[1] == '!') {
		take_script(program, (const char *)bytes + 2,
			    (size < SCRIPT_LINE ? size : SCRIPT_LINE) - 2);
		return;
	}
	plan_loading(program->path, bytes, size, &plan);
	take_interpreter(program, bytes, &plan);
	for (i = 0; i < plan.count; i++) {
		const struct elf_segment *s = &plan.segment[i];

		if (s->file_size)
			program->filled += (s->address % PAGE + s->file_size + PAGE - 1) & ~(PAGE - 1);
	}
}

void program_find(struct program *program, const char *name)
{
	const unsigned char *bytes;
	struct stat status;
	int file;

	memset(program, 0, sizeof(*program));
	find(program, name);
	file = file_open(program->path, &status);
	bytes = file_map(file, program->path, status.st_size);
	look_at(program, bytes, status.st_size);
	if (!program->script)
		check_privileges(program, file, &status);
	program->size = status.st_size;
	file_hash_mapped(bytes, program->size, program->path, program->sha256);
	/* It stays mapped, as a program that runs: to unmap it is a good part of a small one's start. */
	file_close(file);
}

void program_find_binary(struct program *program, const char *name)
{
	unsigned int scripts;

	program_find(program, name);
	for (scripts = 0; program->script; scripts++) {
		if (scripts == SCRIPTS_MAX)
			fail_elf(program->path, "name a program in its first line",
				 "is a script whose interpreter is a script, and so on");
		program_find(program, program->script);
	}
}

char **program_script_words(const struct program *program, char **words)
{
	unsigned int count = 0;
	char **all, **to;

	while (words[count])
		count++;
	to = all = calloc(count + 4, sizeof(*all));
	if (!all)
		fail(EXIT_OWN, NULL, "out of memory");
	*to++ = program->script;
	if (program->argument)
		*to++ = program->argument;
	*to++ = program->found;
	while (*++words)
		*to++ = *words;
	return all;
}

void program_check_interpreter(const char *path, const char *of)
{
	const unsigned char *bytes;
	struct elf_plan plan;
	struct stat status;
	int file, error = try_path(path);

	if (error)
		fail(EXIT_NOT_EXECUTABLE, "install the package that holds it", "%s: its interpreter %s: %s",
		     of, path, strerror(error));
	file = file_open(path, &status);
	bytes = file_map(file, path, status.st_size);
	plan_loading(path, bytes, status.st_size, &plan);
	if (!plan.relocatable || plan.interpreter_size)
		fail_elf(path, "use a program for Debian's libc6", "is no interpreter that can be loaded");
	file_unmap(bytes, status.st_size);
	file_close(file);
}
