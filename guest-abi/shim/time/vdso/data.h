/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the shim tells the program's vDSO: a straight line from TSC to time, good
 * for a while. A writer makes `seq` odd, then reads the TSC at which the new line
 * begins; a reader takes `seq`, reads the TSC, and takes `seq` again. So no reader
 * uses an old line behind the beginning of a new one, and since a new line begins
 * where the old one was or later, no time is earlier than one that was told.
 */
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdint.h>

struct vdso_data {
	uint32_t seq;
	uint32_t usable;		/* 0: every call goes to the shim */
	uint64_t tsc;			/* where the line begins */
	uint64_t limit;			/* cycles behind that, it is too old */
	uint64_t rate;			/* nanoseconds a cycle, 2^-32 */
	uint64_t monotonic, real;	/* nanoseconds at `tsc` */
};

/* Nanoseconds of `cycles`. */
static inline uint64_t vdso_scale(const struct vdso_data *data, uint64_t cycles)
{
	return (unsigned __int128)cycles * data->rate >> 32;
}

#define CLOCK_REALTIME		0
#define CLOCK_MONOTONIC		1
#define CLOCK_REALTIME_COARSE	5
#define CLOCK_MONOTONIC_COARSE	6
#define NANOSECONDS		1000000000UL

#endif
