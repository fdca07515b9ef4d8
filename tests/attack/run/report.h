/* SPDX-License-Identifier: BSD-2-Clause */
/* What a test says: one line a test, and a sum at the end. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

/* Lines are "PASS NAME TEXT", "FAIL NAME TEXT" or "SKIP NAME TEXT". */
void pass(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
void skip(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The one or the other; `format` tells what was seen in both cases. */
void judge(bool good, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "N passed, N failed, N skipped"; 0 if nothing failed. */
int report_sum(void);

/* The runner itself cannot go on. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
