/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into Bochs so that every run is the same to the instruction: Bochs draws the guest's
 * random numbers (RDRAND, RDSEED) from rand(), seeded with the time of day.
 */

#include <stdlib.h>
#include <time.h>

enum { START_OF_TIME = 1700000000 }; /* the bochsrc's time0 */

time_t time(time_t *result)
{
	if (result)
		*result = START_OF_TIME;
	return START_OF_TIME;
}

/* Leaves rand() at the C library's own first seed. */
void srand(unsigned int seed)
{
	(void)seed;
}
