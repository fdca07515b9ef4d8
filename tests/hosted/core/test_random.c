/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator's health checks: they fail closed, and stay so. */
#include "machine.h"

#include <core/random.h>

static u64 script[64];
static unsigned int position;
static u64 base;	/* another for every boot: no word comes twice by itself */
static bool has = true, has_seed = true;

static bool source_has(void)
{
	return has;
}

static bool source_has_seed(void)
{
	return has_seed;
}

static unsigned int dry_from = ~0U;

static bool source_word(u64 *word)
{
	*word = position < 64 && script[position] ? script[position] : base + position;
	return position++ < dry_from;
}

static const struct random_source source = {
	source_has, source_has_seed, source_word, source_word,
};

static int boot(void)
{
	position = 0;
	return random_boot(&source);
}

static void reset(void)
{
	memset(script, 0, sizeof(script));
	base += 0x10001;
	has = has_seed = true;
	dry_from = ~0U;
}

static void good(void)
{
	u8 a[RANDOM_SIZE], b[RANDOM_SIZE], c[RANDOM_SIZE];

	reset();
	CHECK_EQ(boot(), 0);
	CHECK_EQ(random_get(a), 0);
	CHECK_EQ(random_get(b), 0);
	CHECK(memcmp(a, b, sizeof(a)) != 0);
	has_seed = false;
	CHECK_EQ(boot(), 0);
	CHECK_EQ(random_get(c), 0);
	random_boot(&random_cpu);
}

static void no_rdrand(void)
{
	u8 a[RANDOM_SIZE];

	reset();
	has = false;
	CHECK_EQ(boot(), -1);
	CHECK_EQ(random_get(a), CARREL_ERANDOM);
	random_boot(&random_cpu);
}

/* A word that repeats, all ones, all zeros: at boot and later. */
static void stuck(void)
{
	u8 a[RANDOM_SIZE];

	for (unsigned int at = 1; at < 40; at++) {
		for (unsigned int kind = 0; kind < 2; kind++) {
			reset();
			has_seed = false;
			script[at] = kind ? ~0UL : base + at - 1;
			if (boot() == 0)
				CHECK_EQ(random_get(a), CARREL_ERANDOM);
			else
				CHECK(at < 32 && position == at + 1);
			CHECK_EQ(random_get(a), CARREL_ERANDOM);	/* for ever */
		}
	}
	random_boot(&random_cpu);
}

static void dry(void)
{
	u8 a[RANDOM_SIZE], before[RANDOM_SIZE];

	reset();
	CHECK_EQ(boot(), 0);
	dry_from = position + 3;
	memset(a, 0x42, sizeof(a));
	memcpy(before, a, sizeof(a));
	CHECK_EQ(random_get(a), CARREL_ERANDOM);
	CHECK(memcmp(a, before, sizeof(a)) == 0);
	CHECK(strstr(log_last, "random") != NULL);
	dry_from = ~0U;	/* others have had their fill */
	CHECK_EQ(random_get(a), 0);
	random_boot(&random_cpu);
}

const struct test random_tests[] = {
	{ "random: words differ, with and without RDSEED", good },
	{ "random: no RDRAND", no_rdrand },
	{ "random: a stuck generator", stuck },
	{ "random: a dry generator", dry },
	{ 0 },
};
