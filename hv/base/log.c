/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lock.h"
#include "x86.h"

#define LOG_SIZE	16384U		/* power of two */
#define LOG_LINE	160U
#define LOG_CONSOLES	2U
/* Of each kind a guest may make this many lines, then one more for each 2^32 cycles. */
#define LOG_GUEST_BURST	64U

static struct lock log_lock;
static char ring[LOG_SIZE];
static u64 written;		/* bytes since boot */
static const struct console *consoles[LOG_CONSOLES];
static unsigned int console_count;

struct bucket {
	u32 lines;
	u64 dropped, refill;
};

static struct bucket guest_lines, note_lines, kill_lines;

void (*panic_hook)(void);

void log_add_console(const struct console *console)
{
	char text[256];
	size_t n;
	u64 position = 0;

	if (console_count == LOG_CONSOLES)
		return;
	consoles[console_count] = console;
	/* a console that comes late is shown what it missed */
	while ((n = log_read(&position, text, sizeof(text))))
		console->write(text, n);
	console_count++;
}

/* Into the ring and to the consoles; too long a line is cut. */
static void emit(const char *prefix, const char *format, va_list args)
{
	char line[LOG_LINE];
	size_t length = (size_t)snprintf(line, sizeof(line), "%s", prefix);

	length += (size_t)vsnprintf(line + length, sizeof(line) - 1 - length, format, args);
	length = min_u64(length, sizeof(line) - 2);
	line[length++] = '\n';
	for (size_t i = 0; i < length; i++)
		ring[written++ % LOG_SIZE] = line[i];
	for (unsigned int i = 0; i < console_count; i++)
		consoles[i]->write(line, length);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	lock_take(&log_lock);
	emit("carrel: ", format, args);
	lock_release(&log_lock);
	va_end(args);
}

/* Full at boot, one line back for every 2^32 cycles. The log's lock is held. */
static bool may_log(struct bucket *bucket)
{
	u64 now = rdtsc() >> 32;

	if (now > bucket->refill) {
		u64 back = min_u64(now - bucket->refill, bucket->lines);

		bucket->refill = now;
		bucket->lines -= (u32)back;
	}
	if (bucket->lines >= LOG_GUEST_BURST) {
		bucket->dropped++;
		return false;
	}
	bucket->lines++;
	return true;
}

static void log_limited(struct bucket *bucket, const char *format, va_list args)
{
	u64 dropped = 0;

	lock_take(&log_lock);
	if (may_log(bucket)) {
		dropped = bucket->dropped;
		bucket->dropped = 0;
		emit("carrel: ", format, args);
	}
	lock_release(&log_lock);
	if (dropped)
		log_line("(%lu lines like that were not written)", dropped);
}

void log_guest(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_limited(&guest_lines, format, args);
	va_end(args);
}

void log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_limited(&note_lines, format, args);
	va_end(args);
}

void log_kill(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_limited(&kill_lines, format, args);
	va_end(args);
}

size_t log_read(u64 *position, char *buffer, size_t room)
{
	size_t n = 0;

	lock_take(&log_lock);
	if (*position > written)
		*position = written;
	if (written - *position > LOG_SIZE)
		*position = written - LOG_SIZE;
	while (n < room && *position < written)
		buffer[n++] = ring[(*position)++ % LOG_SIZE];
	lock_release(&log_lock);
	return n;
}

void panic(const char *format, ...)
{
	static u32 panicking;
	va_list args;

	/* only the first CPU speaks; the log's lock may be held by whoever was stopped */
	if (__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQ_REL))
		for (;;)
			asm volatile("cli; hlt");
	va_start(args, format);
	emit("carrel: PANIC: ", format, args);
	va_end(args);
	if (panic_hook)
		panic_hook();
	for (;;)
		asm volatile("cli; hlt");
}
