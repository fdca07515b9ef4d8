/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Randomness from the CPU's generator, with health checks of our own. It fails
 * closed: once a check has failed, no byte is given until the next boot.
 */
#ifndef HV_CORE_RANDOM_H
#define HV_CORE_RANDOM_H

#include <base/types.h>

#define RANDOM_SIZE	32

/* Where words come from. rdrand.c has the CPU's. */
struct random_source {
	bool (*has)(void);		/* RDRAND is there */
	bool (*has_seed)(void);		/* RDSEED is there */
	bool (*rand)(u64 *word);	/* one RDRAND or RDSEED: false when it had nothing */
	bool (*seed)(u64 *word);
};
extern const struct random_source random_cpu;

/* Choose the source and test it. 0, or -1 (logged): random_get then always fails. */
int random_boot(const struct random_source *source);

/* 32 bytes. 0, or CARREL_ERANDOM: the generator is missing, dry or stuck. Any CPU. */
int random_get(u8 bytes[RANDOM_SIZE]);

#endif
