/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the hosted tests of the shim. Last line: N passed, N failed, 0 skipped. */
#include "test.h"

static const char *running;
static jmp_buf failed_jump;
static unsigned int passed, failed;
static uint64_t random_state;

void check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	printf("FAIL shim: %s\n     %s:%d: %s\n", running, file, line, what);
	longjmp(failed_jump, 1);
}

void check_eq(uint64_t a, uint64_t b, const char *file, int line, const char *what)
{
	char text[512];

	if (a == b)
		return;
	snprintf(text, sizeof(text), "%s: %llx, not %llx", what, (unsigned long long)a,
		 (unsigned long long)b);
	check(false, file, line, text);
}

/* xorshift64*: any generator will do that is the same everywhere. */
uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dUL;
}

uint64_t random_below(uint64_t bound)
{
	return random_u64() % bound;
}

void run_test(const char *name, void (*run)(void), bool loud)
{
	const char *outer = running;
	jmp_buf outer_jump;

	memcpy(outer_jump, failed_jump, sizeof(outer_jump));
	running = name;
	random_state = 0x9e3779b97f4a7c15UL;
	if (setjmp(failed_jump)) {
		failed++;
	} else {
		run();
		passed++;
		if (loud)
			printf("ok   shim: %s\n", name);
	}
	running = outer;
	memcpy(failed_jump, outer_jump, sizeof(outer_jump));
}

int main(void)
{
	const struct test *const lists[] = {
		table_tests, marshal_tests, vm_tests, memory_tests, time_tests, elf_tests, load_tests,
		file_tests, sealed_tests, sha256_tests, channel_tests, exec_tests, fork_tests, socket_tests, event_tests,
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct test *t = lists[i]; t->name; t++)
			run_test(t->name, t->run, true);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
