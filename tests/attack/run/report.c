/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "report.h"

enum outcome { PASSED, FAILED, SKIPPED };

static unsigned int counts[3];

static void say(enum outcome outcome, const char *name, const char *format, va_list arguments)
{
	static const char *const words[] = { "PASS", "FAIL", "SKIP" };

	counts[outcome]++;
	printf("%s %s ", words[outcome], name);
	vprintf(format, arguments);
	putchar('\n');
	fflush(stdout);
}

#define SAY(outcome) do {			\
	va_list arguments;			\
	va_start(arguments, format);		\
	say(outcome, name, format, arguments);	\
	va_end(arguments);			\
} while (0)

void pass(const char *name, const char *format, ...)
{
	SAY(PASSED);
}

void fail(const char *name, const char *format, ...)
{
	SAY(FAILED);
}

void skip(const char *name, const char *format, ...)
{
	SAY(SKIPPED);
}

void judge(bool good, const char *name, const char *format, ...)
{
	SAY(good ? PASSED : FAILED);
}

int report_sum(void)
{
	printf("%u passed, %u failed, %u skipped\n", counts[PASSED], counts[FAILED],
	       counts[SKIPPED]);
	return counts[FAILED] != 0;
}

void die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fflush(stdout);
	fprintf(stderr, "attack: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(125);
}
