/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg measure: the identity that a program would have. Needs no hypervisor. */
#include <stdio.h>
#include "commands.h"
#include "fail.h"
#include "json.h"
#include "launch.h"
#include "libraries.h"
#include "manifest.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg measure [--json] [--memory MiB] [--require dma] [--] PROG\n"
"\n"
"Prints the identity that PROG would have under 'hvreg run' with the same\n"
"--memory and --require: the SHA-256 chain over the process's layout, the shim\n"
"and the manifest, which holds paths and hashes of PROG, its interpreter and its\n"
"libraries. Works on any machine.\n"
"\n"
"  --json         as one line of JSON: identity, program, sha256, size\n"
"  --memory MiB   as for run\n"
"  --require dma  as for run\n";

static void print_json(const struct program *program, const char *identity)
{
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
	static struct manifest manifest;
	static struct launch launch;
	static struct program program;
	uint8_t identity[CARREL_IDENTITY_SIZE];
	char hex[HEX_IDENTITY];
	struct options options;
	const unsigned char *bytes;
	uint32_t size;

	(void)argc;
	options_parse(&options, OPTION_JSON | OPTION_MEMORY | OPTION_REQUIRE, help, argv);
	if (!options.operands[0])
		fail_usage(argv[0], "measure: no program");
	if (options.operands[1])
		fail_usage(argv[0], "measure: unexpected '%s'", options.operands[1]);
	program_find_binary(&program, options.operands[0]);
	libraries_manifest(&manifest, &program);
	bytes = manifest_binary(&manifest, &size);
	launch_build(&launch, bytes, size, options.limit, options.flags);
	launch_identity(&launch, identity);
	text_hex(hex, identity);
	if (options.json)
		print_json(&program, hex);
	else
		puts(hex);
	return text_done();
}
