/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every test, or those whose name holds the argument. */
#include "machine.h"

int main(int argc, char **argv)
{
	static const struct test *const lists[] = {
		legality_tests, owner_tests, life_tests, crossing_tests, thread_tests, fork_tests,
		family_tests, order_tests, random_tests,
		crypto_tests, platform_tests, race_tests,
	};
	unsigned int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (const struct test *t = lists[l]; t->name; t++) {
			if (argc > 1 && !strstr(t->name, argv[1]))
				continue;
			test_failed = false;
			random_seed(1);
			machine_reset();
			t->run();
			printf("%s core: %s\n", test_failed ? "FAIL" : "ok  ", t->name);
			test_failed ? failed++ : passed++;
		}
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
