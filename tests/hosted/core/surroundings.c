/* SPDX-License-Identifier: BSD-2-Clause */
/* What the sources under test call that lies outside of them: log, panic, randomness, and answers. */
#include "parts.h"

#include <pthread.h>
#include <stdarg.h>

#include <base/log.h>
#include <core/apic.h>
#include <core/exit.h>
#include <core/policy.h>
#include <core/random.h>

unsigned int log_lines;
char log_last[256];
bool generator_dry, generator_stuck;
bool test_failed;

bool check(bool good, const char *file, int line, const char *what)
{
	if (!good) {
		printf("     %s:%d: %s\n", file, line, what);
		test_failed = true;
	}
	return good;
}

bool check_eq(s64 a, s64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: %ld (0x%lx) is not %ld (0x%lx)\n", file, line, a, a, b, b);
	return check(a == b, file, line, what);
}

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void take_line(const char *format, va_list args)
{
	pthread_mutex_lock(&log_mutex);
	vsnprintf(log_last, sizeof(log_last), format, args);
	log_lines++;
	pthread_mutex_unlock(&log_mutex);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_guest(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_kill(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

/* A log of 100 bytes that says where it is. */
size_t log_read(u64 *position, char *buffer, size_t room)
{
	size_t n = 0;

	for (; n < room && *position < 100; n++)
		buffer[n] = (char)('0' + (*position)++ % 10);
	return n;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\npanic: the test ends\n");
	fflush(stdout);
	abort();
}

static _Thread_local u64 random_state = 0x9E3779B97F4A7C15;

void random_seed(u64 seed)
{
	random_state = seed * 0x9E3779B97F4A7C15 + 1;
}

u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

u64 random_below(u64 bound)
{
	return random_u64() % bound;
}

static bool yes(void)
{
	return true;
}

static bool give(u64 *word)
{
	static u64 counter;

	*word = generator_stuck ? 7 : __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED) * 0x9E3779B97F4A7C15;
	return !generator_dry;
}

const struct random_source random_cpu = { yes, yes, give, give };

const char *exit_name(enum vt_reason reason)
{
	return reason == VT_CPUID ? "cpuid" : "other";
}

void policy_perf(struct cpu *cpu, bool run)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK_EQ(c->counters_stopped, run);
	c->counters_stopped = !run;
	c->counter_switches++;
}

bool apic_trap_armed(void)
{
	return true;
}

enum apic_mode apic_mode(void)
{
	return APIC_TRAP;
}

/* hv/core/apic.c is not either: every CPU but the caller's can be parked. */
int apic_park(u32 apic_id)
{
	return apic_id < CPUS ? 0 : CARREL_EARG;
}
