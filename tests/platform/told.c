/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In place of guest-abi/hvreg/platform_told.c: the running hypervisor is a file that TOLD names, a
 * struct told as it is (none: nothing runs), and its reseal a program that RESEAL names, which gets
 * the request on its standard input and ends with an errno.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "fail.h"
#include "platform.h"

void told_read(struct told *told, bool needed)
{
	const char *name = getenv("TOLD");
	FILE *file = name ? fopen(name, "re") : NULL;

	*told = (struct told){ 0 };
	if (!file && needed)
		fail(EXIT_OWN, NULL, "no hypervisor");
	if (file && (fread(told, sizeof(*told), 1, file) != 1 || fclose(file)))
		fail(EXIT_OWN, NULL, "a broken test: %s is no struct told", name);
}

int told_reseal(const struct carrel_reseal *request)
{
	FILE *program = popen(getenv("RESEAL"), "we");
	int status;

	if (!program || fwrite(request, sizeof(*request), 1, program) != 1)
		fail(EXIT_OWN, NULL, "a broken test: RESEAL");
	status = pclose(program);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
