/* SPDX-License-Identifier: BSD-2-Clause */
/* How hvreg ends without success: one line that says what is wrong, one that says what to do. And
 * what it says before it goes on. */
#ifndef HVREG_FAIL_H
#define HVREG_FAIL_H

/* Exit statuses, as env(1) has them. */
enum {
	EXIT_OWN = 125,			/* hvreg itself failed */
	EXIT_NOT_EXECUTABLE = 126,	/* the program was found but cannot be run */
	EXIT_NOT_FOUND = 127,
};

/* "hvreg: WHAT" on standard error, then the advice on a line of its own unless it is NULL. */
_Noreturn void fail(int status, const char *advice, const char *what, ...)
	__attribute__((format(printf, 3, 4)));

/* "hvreg: warning: WHAT" on standard error, if that can be written to. */
void warn(const char *what, ...) __attribute__((format(printf, 1, 2)));

/* A mistake on the command line: the line, and a pointer to COMMAND's --help. */
_Noreturn void fail_usage(const char *command, const char *what, ...)
	__attribute__((format(printf, 2, 3)));

#endif
