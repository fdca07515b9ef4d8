/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that only reads the TSC sees each interruption as a gap. Prints one line:
 *	spin exits E cycles GAP ...
 * ticks() needs no such clock: it asks the kernel how many ticks came, and prints
 *	ticks N exits E
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "work.h"

#define TICKS_NS	400000000L	/* 100 ticks at 250 Hz */
#define GAP		100		/* instructions; a round takes a few */

/* Each interruption lies between a pair of marks. Returns where the next gap may begin. */
static uint64_t note_gap(uint64_t *to, uint64_t gap, bool more)
{
	*to = gap;
	MARK_HERE(MARK_END);
	if (more)
		MARK_HERE(MARK_BEGIN);
	return tsc();
}

int spin(unsigned int interruptions)
{
	uint64_t *gaps = calloc(interruptions, sizeof(*gaps));
	uint64_t before, last, exits;

	if (!gaps)
		die("calloc");
	for (unsigned int i = 0; i < interruptions; i++)
		((volatile uint64_t *)gaps)[i] = 0;
	exits_open();
	before = exits_now();
	MARK_HERE(MARK_BEGIN);
	last = tsc();
	for (unsigned int i = 0; i < interruptions; ) {
		uint64_t now = tsc();

		if (now - last > GAP) {
			last = note_gap(&gaps[i], now - last, i + 1 < interruptions);
			i++;
		} else {
			last = now;
		}
	}
	exits = exits_now() - before;
	printf("spin exits %lu cycles", exits);
	for (unsigned int i = 0; i < interruptions; i++)
		printf(" %lu", gaps[i]);
	putchar('\n');
	return 0;
}

/* Interrupts of the local timers so far, of all CPUs. */
static unsigned long timer_interrupts(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long sum = 0;
	char line[1024];

	if (!file)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), file)) {
		char *word = strtok(line, " \n");

		if (word && !strcmp(word, "LOC:"))
			while ((word = strtok(NULL, " \n")))
				sum += strtoul(word, NULL, 10);
	}
	fclose(file);
	return sum;
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

int ticks(void)
{
	unsigned long interrupts;
	uint64_t before, exits;
	long end;

	exits_open();
	interrupts = timer_interrupts();
	before = exits_now();
	for (end = now_ns() + TICKS_NS; now_ns() < end; )
		;
	exits = exits_now() - before;
	printf("ticks %lu exits %lu\n", timer_interrupts() - interrupts, exits);
	return 0;
}
