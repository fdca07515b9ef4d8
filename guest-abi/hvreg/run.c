/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg run: this process becomes the program, protected. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "carrier.h"
#include "choice.h"
#include "commands.h"
#include "dma.h"
#include "fail.h"
#include "json.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg run [OPTION]... [--] PROG [ARG]...\n"
"\n"
"Runs PROG where neither the kernel nor another process can read or change its\n"
"memory and registers. PROG is found as execvp(3) finds it and must be a program\n"
"for x86-64, or a script (#!), whose interpreter is run.\n"
"\n"
"  --json         before the start, one line of JSON on standard error: pid,\n"
"                 process (as in 'hvreg ps'), identity, program, sha256, dma,\n"
"                 dma_reason\n"
"  --manifest FILE    run exactly what 'hvreg manifest' wrote there, or nothing\n"
"  --expect IDENTITY  run it only if this is its identity\n"
"  --memory MiB   the most memory it may use (a quarter of the machine's, at\n"
"                 least 128)\n"
"  --require dma  refuse to run it where devices can reach its memory; without\n"
"                 this, a warning\n"
"\n"
"Exit status: PROG's; 125 hvreg failed, 126 PROG cannot be run, 127 no PROG.\n";

/* Composed first, so that it is one write. */
static void print_json(const struct carrier *carrier, const struct program *program,
		       const struct dma *dma)
{
	char line[8 * CARREL_PATH_MAX], hex[HEX_IDENTITY];
	struct json json = { .stream = fmemopen(line, sizeof(line), "w") };

	if (!json.stream)
		fail(EXIT_OWN, NULL, "out of memory");
	json_object(&json, NULL);
	json_number(&json, "pid", getpid());
	json_number(&json, "process", carrier->process);
	text_hex(hex, carrier->identity);
	json_string(&json, "identity", hex);
	json_string(&json, "program", program->path);
	text_hex(hex, program->sha256);
	json_string(&json, "sha256", hex);
	json_string(&json, "dma", dma_state(dma));
	json_string(&json, "dma_reason", dma->reason);
	json_object_end(&json);
	fputc('\n', json.stream);
	fclose(json.stream);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		fail(EXIT_OWN, NULL, "cannot write to standard error");
}

/*
 * The same command for the script's interpreter, with the arguments that exec would
 * give it. Anew, so that they lie where the kernel puts them. What comes between argv[0] and the
 * operands is kept.
 */
static _Noreturn void run_interpreter(const struct program *program, char **argv, char **operands)
{
	static struct program last;
	char **script = program_script_words(program, operands), **words, **to;
	unsigned int count = 0;

	program_find_binary(&last, program->found);	/* there is one, not too far away */
	while (argv[count])
		count++;
	to = words = calloc(count + 6, sizeof(*words));
	if (!words)
		fail(EXIT_OWN, NULL, "out of memory");
	*to++ = program_invocation_name;
	while (argv < operands && strcmp(*argv, "--"))
		*to++ = *argv++;
	*to++ = "--";
	while (*script)
		*to++ = *script++;
	execv("/proc/self/exe", words);
	fail(EXIT_OWN, "mount /proc, or run the interpreter with the script as an argument",
	     "%s: cannot start hvreg anew for its interpreter: %s", program->path, strerror(errno));
}

int run_command(int argc, char **argv)
{
	static struct choice choice;
	static struct program program;
	struct carrier carrier;
	struct options options;
	struct dma dma;

	(void)argc;
	options_parse(&options, CHOICE_OPTIONS, help, argv);
	if (!options.operands[0])
		fail_usage(argv[0], "run: no program");
	if (getauxval(AT_SECURE))
		fail(EXIT_OWN, "remove its set-user-ID bit and capabilities",
		     "hvreg must not run with more rights than its caller");
	program_find(&program, options.operands[0]);
	if (program.script)
		run_interpreter(&program, argv, options.operands);
	choose(&choice, &options, &program);
	if (program.filled >= choice.manifest.limit * CARREL_CHUNK_SIZE)
		fail(EXIT_OWN, "give it more by --memory", "%s: %lu MiB are too little to load it",
		     program.path, choice.manifest.limit * (CARREL_CHUNK_SIZE >> 20));
	carrier_create(&carrier, &choice.launch);
	dma_read(carrier.device, &dma);
	if (options.json)
		print_json(&carrier, &program, &dma);
	else if (dma.state == CARREL_DMA_UNPROTECTED)
		warn("DMA unprotected: %s; devices reach this program's memory "
		     "(hvreg run --require dma refuses)", dma.reason);
	carrier_start(&carrier, &program, options.operands);
}
