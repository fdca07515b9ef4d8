/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring in hypervisor memory, echoed to the console once there is
 * one. Lines carry codes, numbers and hypervisor addresses, never guest data.
 */
#ifndef HV_BASE_LOG_H
#define HV_BASE_LOG_H

#include "types.h"

/* What the log asks of a console; drivers implement it, boot/main.c introduces it. */
struct console {
	void (*write)(const char *text, size_t length);
};

void log_add_console(const struct console *console);

/* One line, newline added. Any CPU, any context but NMI. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * For lines that a guest can provoke: at most `LOG_GUEST_BURST` of them between
 * two ticks of the rate limit, the rest is counted and the count is logged.
 */
void log_guest(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what a shim has to say, and for the end of a secure process, each with a limit of its
 * own: refused accesses, which are for nothing, cannot push such a line out, nor notes a kill. */
void log_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_kill(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Copy up to `room` bytes of the log from `*position` (a count of bytes since
 * boot; a position already overwritten moves to the oldest byte kept) and
 * advance it. Returns the bytes copied, 0 at the end.
 */
size_t log_read(u64 *position, char *buffer, size_t room);

/* A fault of the hypervisor: stop every CPU, wipe, reset (invariant 9). */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Assertions stay on in release: a programming error must not be survived. */
#define ASSERT(condition) \
	do { if (__builtin_expect(!(condition), 0)) panic("%s:%d: %s", __FILE__, __LINE__, #condition); } while (0)

#endif
