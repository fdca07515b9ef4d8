/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs each test in a process of its own: what is guarded once stays so. */
#include "model.h"

#include <sys/wait.h>
#include <unistd.h>

bool test_failed;

void check(bool good, const char *file, int line, const char *what)
{
	if (!good) {
		printf("     %s:%d: %s\n", file, line, what);
		test_failed = true;
	}
}

void check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: 0x%lx is not 0x%lx\n", file, line, a, b);
	check(a == b, file, line, what);
}

static bool run(const struct test *test)
{
	int status;
	pid_t child = fork();

	if (!child) {
		test->run();
		fflush(stdout);
		_exit(test_failed);
	}
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

int main(void)
{
	static const struct test *const lists[] = { ports_tests, ecam_tests, store_tests };
	unsigned int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (const struct test *t = lists[l]; t->name; t++) {
			bool good = run(t);

			printf("%s pci: %s\n", good ? "ok  " : "FAIL", t->name);
			good ? passed++ : failed++;
		}
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
