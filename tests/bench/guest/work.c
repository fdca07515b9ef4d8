/* SPDX-License-Identifier: BSD-2-Clause */
/* work PART [ARGUMENT]... - one part of the benchmark, in the guest, on the CPU it is started on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "work.h"

void die(const char *what)
{
	fprintf(stderr, "work: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void usage(void)
{
	fprintf(stderr, "usage: work operations | leaves | spin N | ticks | calls N | "
		"start PROGRAM... | around PROGRAM... | fetch PORT PATH N | inside | "
		"traced-leaves | traced-calls | traced-spin | traced-inside\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";

	if (!strcmp(part, "operations"))
		return operations();
	if (!strcmp(part, "leaves"))
		return leaves();
	if (!strcmp(part, "spin") && argc == 3)
		return spin((unsigned int)atoi(argv[2]));
	if (!strcmp(part, "ticks"))
		return ticks();
	if (!strcmp(part, "calls") && argc == 3)
		return calls((unsigned int)atoi(argv[2]));
	if (!strcmp(part, "start") && argc > 2)
		return start(argv + 2);
	if (!strcmp(part, "around") && argc > 2)
		return around(argv + 2);
	if (!strcmp(part, "fetch") && argc == 5)
		return fetch((unsigned int)atoi(argv[2]), argv[3], (unsigned int)atoi(argv[4]));
	if (!strcmp(part, "inside"))
		return inside();
	if (!strcmp(part, "traced-leaves"))
		traced_leaves();
	else if (!strcmp(part, "traced-calls"))
		traced_calls();
	else if (!strcmp(part, "traced-spin"))
		traced_spin();
	else if (!strcmp(part, "traced-inside"))
		traced_inside();
	else
		usage();
	return 0;
}
