/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg manifest: writes down what a program is and what it may load and start. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <carrel/hypercall.h>
#include "commands.h"
#include "fail.h"
#include "file.h"
#include "libraries.h"
#include "manifest_text.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg manifest [OPTION]... [--] PROG >FILE\n"
"       hvreg manifest --fix [OPTION]... [--] PROG [ARG]... >FILE\n"
"\n"
"Writes what PROG is and is loaded with, for 'hvreg run --manifest FILE': the\n"
"program, its interpreter, and the libraries that the interpreter finds, with\n"
"their SHA-256. PROG may be a script; its interpreter is the program then.\n"
"\n"
"  --exec PROG      PROG may start this program, protected too\n"
"  --open PROG      PROG may start this program without protection\n"
"  --code FILE      PROG may load this library; of a folder, all in and below it\n"
"  --file FILE      this file must be as it is now; of a folder, all in and below\n"
"  --fix            PROG gets these arguments and no others, and the variables of\n"
"                   --env and no others; so it may have keys (hvreg seal)\n"
"  --env NAME=VALUE one of them\n"
"  --sealed PATH    when PROG opens this path, it reads what was sealed for it\n"
"  --host-code      the host may choose other code and other programs\n"
"  --memory MiB     the most memory it may use (a quarter of this machine's, at\n"
"                   least 128)\n"
"  --require dma    it must not run where devices can reach its memory\n";

struct making {
	struct manifest manifest;
	struct program program;
};

static char *real(const char *name)
{
	char *path = file_path(name);

	if (!path)
		fail(EXIT_NOT_FOUND, NULL, "%s: %s", name, strerror(errno));
	return path;
}

/* A program; or the interpreter of a script and the script, by the name by which it opens that. */
static void add_program(struct manifest *manifest, struct program *program, const char *name)
{
	struct program found;
	char *script;

	program_find(&found, name);
	program_find_binary(program, name);
	libraries_program(manifest, program);
	if (!found.script)
		return;
	script = real(found.found);
	manifest_add_file(manifest, CARREL_ENTRY_FILE, script);
	free(script);
}

static bool is_elf(const char *path)
{
	const unsigned char *bytes;
	struct stat status;
	int file = file_open(path, &status);
	bool elf;

	bytes = file_map(file, path, status.st_size);
	elf = status.st_size >= 4 && !memcmp(bytes, "\177ELF", 4);
	file_unmap(bytes, status.st_size);
	file_close(file);
	return elf;
}

/* A library and what it needs itself; what is no ELF file becomes code as it is. */
static void add_code(struct making *making, const char *path)
{
	manifest_add_file(&making->manifest, CARREL_ENTRY_CODE, path);
	if (*making->program.interpreter && is_elf(path))
		libraries_of_file(&making->manifest, &making->program, path);
}

static void add_path(struct making *making, unsigned int option, const char *path, bool named);

static void add_folder(struct making *making, unsigned int option, const char *path)
{
	struct dirent **names;
	char child[PATH_MAX];
	int count = scandir(path, &names, NULL, alphasort), i;

	if (count < 0)
		fail(EXIT_OWN, NULL, "%s: %s", path, strerror(errno));
	for (i = 0; i < count; i++) {
		if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..") &&
		    snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name) < PATH_MAX)
			add_path(making, option, child, false);
		free(names[i]);
	}
	free(names);
}

/* Below a folder, links are left out: what they lead to may be anywhere. */
static void add_path(struct making *making, unsigned int option, const char *path, bool named)
{
	struct stat status;

	if (named ? stat(path, &status) : lstat(path, &status))
		fail(EXIT_OWN, NULL, "%s: %s", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		add_folder(making, option, path);
	else if (!S_ISREG(status.st_mode) && !named)
		return;
	else if (option == OPTION_FILE)
		manifest_add_file(&making->manifest, CARREL_ENTRY_FILE, path);
	else if (named || is_elf(path))
		add_code(making, path);
}

static void add_open(struct manifest *manifest, const char *name)
{
	struct manifest_entry entry = { .kind = CARREL_ENTRY_OPEN };
	struct program program;

	program_find(&program, name);
	entry.path = program.path;
	manifest_add(manifest, &entry);
}

/* Of no file that is there yet: it is sealed to the identity of this very manifest. */
static void add_sealed(struct manifest *manifest, const char *path)
{
	struct manifest_entry entry = { .kind = CARREL_ENTRY_SEALED, .path = (char *)path };

	if (*path != '/')
		fail(EXIT_OWN, "give it as the program opens it, from / on",
		     "--sealed %s: is no absolute path", path);
	manifest_add(manifest, &entry);
}

static void add_option(struct making *making, const struct option_file *file)
{
	struct program program;
	char *path;

	switch (file->option) {
	case OPTION_EXEC:
		add_program(&making->manifest, &program, file->name);
		break;
	case OPTION_SEALED:
		add_sealed(&making->manifest, file->name);
		break;
	case OPTION_OPEN:
		add_open(&making->manifest, file->name);
		break;
	default:
		path = real(file->name);
		add_path(making, file->option, path, true);
		free(path);
	}
}

/* As exec would have them, so that those of a script begin with its interpreter. */
static void fix_start(struct manifest *manifest, const struct options *options)
{
	char **words = options->operands;
	struct program program;
	unsigned int i;

	for (program_find(&program, *words); program.script; program_find(&program, *words))
		words = program_script_words(&program, words);
	for (; *words; words++)
		manifest_add_text(&manifest->arguments, *words);
	for (i = 0; i < options->variable_count; i++)
		manifest_add_text(&manifest->environment, options->variables[i]);
}

int manifest_command(int argc, char **argv)
{
	static struct making making;
	struct options options;
	unsigned int i;

	(void)argc;
	options_parse(&options, OPTION_MEMORY | OPTION_REQUIRE | OPTION_EXEC | OPTION_CODE |
		      OPTION_FILE | OPTION_OPEN | OPTION_HOST_CODE | OPTION_FIX | OPTION_ENV | OPTION_SEALED, help, argv);
	if (!options.operands[0])
		fail_usage(argv[0], "manifest: no program");
	if (options.operands[1] && !options.fix)
		fail_usage(argv[0], "manifest: unexpected '%s' (--fix makes it PROG's argument)",
			   options.operands[1]);
	if (options.variable_count && !options.fix)
		fail_usage(argv[0], "manifest: --env wants --fix");
	making.manifest.limit = options.limit;
	making.manifest.flags = options.flags;
	making.manifest.host_chosen = MANIFEST_HOST | (options.host_code ? CARREL_HOST_CODE : 0) |
				      (options.fix ? 0 : MANIFEST_START);
	add_program(&making.manifest, &making.program, options.operands[0]);
	if (options.fix)
		fix_start(&making.manifest, &options);
	for (i = 0; i < options.file_count; i++)
		add_option(&making, &options.files[i]);
	for (i = 0; i < making.manifest.count; i++)
		if (making.manifest.entries[i].kind == CARREL_ENTRY_SEALED &&
		    !(manifest_flags(&making.manifest) & CARREL_CREATE_SEAL))
			fail_usage(argv[0], "manifest: --sealed wants --fix, and no --host-code");
	manifest_write(&making.manifest, stdout);
	return text_done();
}
