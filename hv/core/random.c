/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Randomness. Every request draws fresh words and conditions them by SHA-256.
 * The tests watch for the ways in which these instructions were seen to fail:
 * no data for long, and a value that repeats (all ones after resume on some
 * CPUs). 64 good bits repeat by chance once in 2^64 draws.
 */
#include "random.h"

#include <base/lock.h>
#include <base/log.h>
#include <carrel/hypercall.h>
#include <crypto/sha256.h>

#define DRAWS		8	/* words of RDRAND a request: twice what is given */
#define SEED_DRAWS	4
#define RAND_TRIES	10	/* SDM "RDRAND": ten failures in a row mean a fault */
#define SEED_TRIES	1000	/* RDSEED runs dry under load of other CPUs */
#define BOOT_DRAWS	32

static struct {
	struct lock lock;
	const struct random_source *source;
	bool failed;
	bool seeded;		/* the source has RDSEED */
	u64 last_rand, last_seed;
	u64 count;		/* requests: a part of each hash */
} generator = { .failed = true };

static int fail(const char *why)
{
	if (!generator.failed)
		log_line("random: %s; no more secure processes are created", why);
	generator.failed = true;
	return CARREL_ERANDOM;
}

static bool healthy(u64 word, u64 *last)
{
	bool good = word != 0 && word != ~0UL && word != *last;

	*last = word;
	return good;
}

static int draw(bool (*get)(u64 *), unsigned int tries, u64 *last, u64 *word)
{
	while (tries-- > 0) {
		if (get(word))
			return healthy(*word, last) ? 0 : fail("the CPU's generator is stuck");
		__builtin_ia32_pause();
	}
	log_guest("random: the CPU's generator gives no data");
	return CARREL_ERANDOM;	/* other CPUs may have drained it: it may be asked again */
}

static int draw_all(struct sha256 *hash)
{
	const struct random_source *source = generator.source;
	unsigned int i;
	u64 word;

	for (i = 0; i < DRAWS; i++) {
		if (draw(source->rand, RAND_TRIES, &generator.last_rand, &word))
			return CARREL_ERANDOM;
		sha256_update(hash, &word, sizeof(word));
	}
	for (i = 0; generator.seeded && i < SEED_DRAWS; i++) {
		if (draw(source->seed, SEED_TRIES, &generator.last_seed, &word))
			return CARREL_ERANDOM;
		sha256_update(hash, &word, sizeof(word));
	}
	return 0;
}

int random_get(u8 bytes[RANDOM_SIZE])
{
	struct sha256 hash;
	int error = CARREL_ERANDOM;

	sha256_init(&hash);
	lock_take(&generator.lock);
	generator.count++;
	sha256_update(&hash, &generator.count, sizeof(generator.count));
	if (!generator.failed)
		error = draw_all(&hash);
	lock_release(&generator.lock);
	if (error)
		return error;
	sha256_digest(&hash, bytes);
	__builtin_memset(&hash, 0, sizeof(hash));
	asm volatile("" : : "r"(&hash) : "memory");	/* the wipe is not dead code */
	return 0;
}

int random_boot(const struct random_source *source)
{
	u64 word;

	generator.source = source;
	generator.failed = false;
	if (!source->has())
		return fail("the CPU has no RDRAND"), -1;
	generator.seeded = source->has_seed();
	for (unsigned int i = 0; i < BOOT_DRAWS; i++) {
		if (draw(source->rand, RAND_TRIES, &generator.last_rand, &word))
			return -1;
	}
	return 0;
}
