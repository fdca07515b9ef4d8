/* SPDX-License-Identifier: BSD-2-Clause */
/* Unbuffered, so that nothing of it is left behind whoever runs next in this process. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "fail.h"

static void say(const char *prefix, const char *format, va_list arguments)
{
	char text[2048];

	vsnprintf(text, sizeof(text), format, arguments);
	dprintf(STDERR_FILENO, "hvreg: %s%s\n", prefix, text);
}

void fail(int status, const char *advice, const char *what, ...)
{
	va_list arguments;

	va_start(arguments, what);
	say("", what, arguments);
	va_end(arguments);
	if (advice)
		dprintf(STDERR_FILENO, "hvreg: %s\n", advice);
	_exit(status);
}

/* A pipe that nobody reads must not end what would go on. */
void warn(const char *what, ...)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	va_list arguments;

	sigaction(SIGPIPE, &ignore, &before);
	va_start(arguments, what);
	say("warning: ", what, arguments);
	va_end(arguments);
	sigaction(SIGPIPE, &before, NULL);
}

void fail_usage(const char *command, const char *what, ...)
{
	va_list arguments;

	va_start(arguments, what);
	say("", what, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "hvreg: try: hvreg %s%s--help\n", command, *command ? " " : "");
	_exit(EXIT_OWN);
}
