/* SPDX-License-Identifier: BSD-2-Clause */
/* Time as libc asks for it: through the vDSO. Prints the calls that it made. */
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CALLS	300000

static int64_t ns(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) ? -1 : t.tv_sec * 1000000000L + t.tv_nsec;
}

static void say(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "FAIL");
}

int main(void)
{
	int64_t last = 0, first, now, back = 0;
	struct timeval tv;

	say("a vDSO", getauxval(AT_SYSINFO_EHDR) != 0);
	for (int i = 0; i < 5; i++)
		usleep(20000), ns(CLOCK_MONOTONIC);
	first = ns(CLOCK_MONOTONIC);
	for (int i = 0; i < CALLS; i++) {
		now = ns(i % 2 ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE);
		back += now < last;
		last = now;
	}
	say("never back", back == 0);
	usleep(250000);
	now = ns(CLOCK_MONOTONIC);
	say("and forward", now - last >= 250000000 && now - first < 60 * 1000000000L);
	gettimeofday(&tv, NULL);
	say("one wall clock", time(NULL) - tv.tv_sec <= 1 &&
	    ns(CLOCK_REALTIME) / 1000000000L - tv.tv_sec <= 1);
	say("other clocks", ns(CLOCK_PROCESS_CPUTIME_ID) > 0 && ns(CLOCK_BOOTTIME) > 0);
	say("no clock", ns(77) == -1);
	return 0;
}
