/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fail.h"
#include "file.h"
#include "libraries.h"

/* They make the interpreter say other things than where the libraries are. */
static const char *const left_out[] = {
	"LD_DEBUG=", "LD_SHOW_AUXV=", "LD_TRACE_LOADED_OBJECTS=", "LD_TRACE_PRELINKING=", "LD_VERBOSE=",
	"LD_WARN=", "LD_BIND_NOW=", "LD_AUDIT=",
};

static char **environment(void)
{
	unsigned int count = 0, i;
	char **copy, **from, **to;

	while (environ[count])
		count++;
	to = copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		fail(EXIT_OWN, NULL, "out of memory");
	for (from = environ; *from; from++) {
		for (i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
			if (!strncmp(*from, left_out[i], strlen(left_out[i])))
				break;
		if (i == sizeof(left_out) / sizeof(*left_out))
			*to++ = *from;
	}
	return copy;
}

/* What the interpreter writes about the file, the program or another. */
static FILE *begin_list(const struct program *program, const char *file, pid_t *child)
{
	char *arguments[] = { (char *)program->interpreter, "--list", (char *)file, NULL };
	char **variables = environment();
	posix_spawn_file_actions_t actions;
	int ends[2], error;
	FILE *stream;

	if (pipe2(ends, O_CLOEXEC))
		fail(EXIT_OWN, NULL, "cannot make a pipe: %s", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	error = posix_spawn(child, program->interpreter, &actions, NULL, arguments, variables);
	if (error)
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: cannot run its interpreter %s: %s",
		     program->path, program->interpreter, strerror(error));
	posix_spawn_file_actions_destroy(&actions);
	free(variables);
	close(ends[1]);
	stream = fdopen(ends[0], "r");
	if (!stream)
		fail(EXIT_OWN, NULL, "out of memory");
	return stream;
}

static void end_list(const struct program *program, const char *file, FILE *stream, pid_t child)
{
	int status;

	fclose(stream);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail(EXIT_OWN, NULL, "waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail(EXIT_NOT_EXECUTABLE, "install the package that holds what is missing, or set "
		     "LD_LIBRARY_PATH", "%s: its interpreter %s does not find its libraries", file,
		     program->interpreter);
}

/*
 * One line: "\tNAME => PATH (ADDRESS)", "\tPATH (ADDRESS)", or with no path: the
 * kernel's vDSO.
 */
static void take_line(struct manifest *manifest, const struct program *program, char *line)
{
	char *arrow = strstr(line, " => "), *path = arrow ? arrow + 4 : line, *end;
	char *found;

	while (*path == '\t')
		path++;
	end = strstr(path, " (0x");
	if (!end || !memchr(path, '/', end - path))
		return;
	*end = 0;
	if (!strcmp(path, program->interpreter))
		return;
	found = file_path(path);
	if (!found)
		fail(EXIT_NOT_EXECUTABLE, NULL, "%s: its library %s: %s", program->path, path,
		     strerror(errno));
	manifest_add_file(manifest, CARREL_ENTRY_CODE, found);
	free(found);
}

void libraries_of_file(struct manifest *manifest, const struct program *program, const char *file)
{
	size_t room = 0;
	char *line = NULL;
	FILE *stream;
	pid_t child;

	stream = begin_list(program, file, &child);
	while (getline(&line, &room, stream) > 0)
		take_line(manifest, program, line);
	end_list(program, file, stream, child);
	free(line);
}

static void add_all(struct manifest *manifest, const struct program *program)
{
	if (!*program->interpreter)
		return;
	program_check_interpreter(program->interpreter, program->path);
	/* By the name that the program has for it: so the shim looks for it. */
	manifest_add_file(manifest, CARREL_ENTRY_CODE, program->interpreter);
	libraries_of_file(manifest, program, program->path);
}

void libraries_program(struct manifest *manifest, const struct program *program)
{
	struct manifest_entry entry = {
		.kind = CARREL_ENTRY_PROGRAM,
		.path = (char *)program->path,
		.size = program->size,
	};

	memcpy(entry.sha256, program->sha256, sizeof(entry.sha256));
	manifest_add(manifest, &entry);
	add_all(manifest, program);
}
