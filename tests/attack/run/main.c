/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attack [--brief] [--every N] [NAME]...: runs in the guest as root, with attack.ko loaded. Carries
 * out each attack of the list, or those named, and prints a line for each and for its control.
 * --brief: not those of what is the same on both vendors, and fewer rounds of the others.
 * --every: devices try one page of N, where each transfer takes its time.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <secret.h>
#include "dma.h"
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

/*
 * Against the shim, hvreg, and what the hypervisor does for all machines alike. First, while the log
 * has room: it takes few lines a second that a guest provokes.
 */
static const struct test *const same[] = { change_tests, lie_tests };
/* By way of what each vendor's back end does. */
static const struct test *const lists[] = {
	memory_tests, owner_tests, trace_tests, context_tests, call_tests, many_tests, platform_tests,
};
/* These want devices of their own: they run only when they are named. */
static const struct test *const named[] = {
	ending_tests, dma_tests, device_tests,
};

bool brief;

size_t secret_pairs(uint64_t key, const void *bytes, size_t size)
{
	const uint64_t *words = bytes;
	size_t found = 0;

	for (size_t i = 0; i + 1 < size / sizeof(*words); i++)
		found += secret_is(key, words[i]) && secret_is(key, words[i + 1]);
	return found;
}

static bool wanted(const struct test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc == 1;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What each took is told for those who wonder where the time of a whole list goes. */
static void run(const struct test *list, int argc, char **argv)
{
	for (const struct test *test = list; test->name; test++) {
		double begin = seconds();

		if (!wanted(test, argc, argv))
			continue;
		test->run();
		printf("# %s: %.1f s\n", test->name, seconds() - begin);
	}
}

int main(int argc, char **argv)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &core);
	if (argc > 1 && !strcmp(argv[1], "--brief")) {
		brief = true;
		argc--;
		argv++;
	}
	if (argc > 2 && !strcmp(argv[1], "--every")) {
		dma_every = strtoul(argv[2], NULL, 10);
		if (!dma_every)
			die("--every %s", argv[2]);
		argc -= 2;
		argv += 2;
	}
	run_on(0);
	if (carrel_there())
		carrel_new_log();
	for (size_t list = 0; !brief && list < sizeof(same) / sizeof(*same); list++)
		run(same[list], argc, argv);
	for (size_t list = 0; list < sizeof(lists) / sizeof(*lists); list++)
		run(lists[list], argc, argv);
	for (size_t list = 0; argc > 1 && list < sizeof(named) / sizeof(*named); list++)
		run(named[list], argc, argv);
	return report_sum();
}
