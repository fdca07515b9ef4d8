/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg measure: the identity that a program would have. Needs no hypervisor. */
#include <stdio.h>
#include "choice.h"
#include "commands.h"
#include "fail.h"
#include "json.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg measure [OPTION]... [--] PROG\n"
"       hvreg measure --manifest FILE [OPTION]...\n"
"\n"
"Prints the identity that PROG would have under 'hvreg run' with the same\n"
"options: the SHA-256 chain over the process's layout, the shim and the manifest,\n"
"which holds paths and hashes of PROG, its interpreter and its libraries. Works on\n"
"any machine.\n"
"\n"
"  --json             as one line of JSON: identity, program, sha256, size\n"
"  --manifest FILE    of what 'hvreg manifest' wrote there; without PROG, whether\n"
"                     the files are there or not\n"
"  --expect IDENTITY  fail, and say why, if it is another\n"
"  --memory MiB       as for run\n"
"  --require dma      as for run\n";

static void print_json(const struct choice *choice, const char *identity)
{
	const struct manifest_entry *program = choice->manifest.entries;
	struct json json = { .stream = stdout };
	char sha256[HEX_IDENTITY];

	text_hex(sha256, program->sha256);
	json_object(&json, NULL);
	json_string(&json, "identity", identity);
	json_string(&json, "program", program->path);
	json_string(&json, "sha256", sha256);
	json_number(&json, "size", program->size);
	json_object_end(&json);
	putchar('\n');
}

int measure_command(int argc, char **argv)
{
	static struct choice choice;
	static struct program program;
	char hex[HEX_IDENTITY];
	struct options options;

	(void)argc;
	options_parse(&options, CHOICE_OPTIONS, help, argv);
	if (!options.operands[0] && !options.manifest)
		fail_usage(argv[0], "measure: no program");
	if (options.operands[0] && options.operands[1])
		fail_usage(argv[0], "measure: unexpected '%s'", options.operands[1]);
	if (options.operands[0]) {
		program_find_binary(&program, options.operands[0]);
		choose(&choice, &options, &program);
	} else {
		choose_manifest(&choice, &options);
	}
	launch_identity(&choice.launch, choice.identity);
	text_hex(hex, choice.identity);
	if (options.json)
		print_json(&choice, hex);
	else
		puts(hex);
	return text_done();
}
