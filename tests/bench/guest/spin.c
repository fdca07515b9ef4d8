/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that only reads the TSC sees each interruption as a gap. Prints one line:
 *	spin exits E cycles GAP ...
 */
#include <stdio.h>
#include <stdlib.h>
#include "work.h"

#define GAP		100		/* instructions; a round takes a few */

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

		if (now - last > GAP)
			gaps[i++] = now - last;
		last = now;
	}
	MARK_HERE(MARK_END);
	exits = exits_now() - before;
	printf("spin exits %lu cycles", exits);
	for (unsigned int i = 0; i < interruptions; i++)
		printf(" %lu", gaps[i]);
	putchar('\n');
	return 0;
}
