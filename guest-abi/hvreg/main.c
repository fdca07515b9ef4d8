/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg: runs programs in private views of the Carrel hypervisor and tells about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "commands.h"
#include "fail.h"

static const char help[] =
"usage: hvreg COMMAND [OPTION]...\n"
"\n"
"  run [OPTION]... [--] PROG [ARG]...\n"
"                      run a program where the kernel cannot read it\n"
"  measure [OPTION]... [--] PROG\n"
"                      print the identity that the program would have\n"
"  manifest [OPTION]... [--] PROG\n"
"                      write down what the program may load and start\n"
"  ps [--json]         list the protected processes\n"
"  status [--json]     tell about the hypervisor\n"
"  log [--follow]      print the hypervisor's log\n"
"  platform init|show|reseal|retire|policy|reset [OPTION]...\n"
"                      the key that the TPM gives to a measured hypervisor alone\n"
"  seal [OPTION]... [FILE]  encrypt a file so that one program alone reads it\n"
"  unseal FILE         write what was sealed, in that program\n"
"  COMMAND --help      tell about one command\n"
"  --version           print hvreg's version\n"
"\n"
"Exit status: the program's; 125 hvreg failed, 126 the program cannot be run,\n"
"127 the program was not found. See hvreg(1).\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", run_command },
	{ "measure", measure_command },
	{ "manifest", manifest_command },
	{ "ps", ps_command },
	{ "status", status_command },
	{ "log", log_command },
	{ "platform", platform_command },
	{ "seal", seal_command },
	{ "unseal", unseal_command },
};

int main(int argc, char **argv)
{
	const char *exec = getenv(CARREL_EXEC_VARIABLE);
	unsigned int i;

	if (exec)
		exec_command(exec, argc ? argv[0] : "");
	if (argc < 2)
		fail_usage("", "no command");
	if (!strcmp(argv[1], "--help")) {
		fputs(help, stdout);
		return fflush(stdout) ? EXIT_OWN : 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("hvreg %s (ABI %d)\n", CARREL_VERSION, CARREL_ABI_VERSION);
		return fflush(stdout) ? EXIT_OWN : 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fail_usage("", "unknown command '%s'", argv[1]);
}
