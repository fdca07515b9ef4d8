/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include <base/log.h>
#include <stdarg.h>
#include <sys/mman.h>

unsigned char *phys_base;
jmp_buf panic_jump;
bool panic_expected;
static jmp_buf test_jump;

void check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	printf("     %s:%d: %s\n", file, line, what);
	longjmp(test_jump, 1);
}

void check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: 0x%lx is not 0x%lx\n", file, line, a, b);
	check(a == b, file, line, what);
}

void check_sound(const char *wrong, const char *file, int line)
{
	check(!wrong, file, line, wrong ? wrong : "");
}

/* The hypervisor's panic, as a failed test or an expected one. */
void panic(const char *format, ...)
{
	va_list arguments;

	if (panic_expected)
		longjmp(panic_jump, 1);
	printf("     panic: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	longjmp(test_jump, 1);
}

void log_line(const char *format, ...)
{
	(void)format;
}

void log_guest(const char *format, ...)
{
	(void)format;
}

static u64 random_state;

u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545F4914F6CDD1D;
}

u64 random_below(u64 bound)
{
	return bound ? (random_u64() >> 11) % bound : 0;
}

static bool run_one(const struct test *test)
{
	if (setjmp(test_jump))
		return false;
	test->run();
	return true;
}

static unsigned int run_all(const struct test *tests, unsigned int *failures)
{
	unsigned int count = 0;

	for (; tests->run; tests++, count++) {
		bool failed;

		random_state = 0x9E3779B97F4A7C15;
		memory_reset();
		failed = !run_one(tests);
		on_scrub = NULL;
		on_stamp = on_alone = on_paid = NULL;
		printf("%s mm: %s\n", failed ? "FAIL" : "ok  ", tests->name);
		fflush(stdout);
		*failures += failed;
	}
	return count;
}

int main(void)
{
	static const struct test *const all[] = { flush_tests, table_tests, frame_tests,
		view_tests, space_tests, dma_tests, model_tests };
	unsigned int count = 0, failures = 0;

	phys_base = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (phys_base == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		count += run_all(all[i], &failures);
	printf("%u passed, %u failed, 0 skipped\n", count - failures, failures);
	return failures != 0;
}
