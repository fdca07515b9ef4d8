/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every test, or those whose name holds the argument. */
#include "test.h"

struct tpm tpm;
unsigned char *phys_base;	/* nothing here goes to memory */
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

void tpm_open(void)
{
	const char *error = tpm_probe(&tpm, model_clock);

	if (error)
		printf("     %s\n", error);
	CHECK(!error);
	CHECK_EQ(tpm_request(&tpm, 0), 0);
}

static bool run_one(const struct test *test)
{
	if (setjmp(test_jump))
		return false;
	test->run();
	return true;
}

int main(int argc, char **argv)
{
	const struct test *lists[] = { transport_tests, swtpm_tests };
	unsigned int passed = 0, failed = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct test *test = lists[i]; test->name; test++) {
			bool good;

			if (argc > 1 && !strstr(test->name, argv[1]))
				continue;
			good = run_one(test);
			printf("%s %s\n", good ? "ok  " : "FAIL", test->name);
			*(good ? &passed : &failed) += 1;
		}
	swtpm_stop();
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed || !passed;
}
