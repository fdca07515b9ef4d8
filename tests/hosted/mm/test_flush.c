/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

static void masks(void)
{
	struct cpu_mask mask = { 0 };

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu += 3)
		cpu_mask_set(&mask, cpu);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		CHECK_EQ(cpu_mask_test(&mask, cpu), cpu % 3 == 0);
	CHECK_PANICS(cpu_mask_set(&mask, MAX_CPUS));
	CHECK_PANICS(cpu_mask_test(&mask, MAX_CPUS));
	CHECK_PANICS(flush_done(MAX_CPUS, 0));
	CHECK_PANICS(flush_park(MAX_CPUS, true));
	CHECK_PANICS(flush_seen(MAX_CPUS));
}

static void flush(unsigned int cpu)
{
	flush_done(cpu, flush_begin());
}

static void debts(void)
{
	struct cpu_mask mask = { 0 };
	u64 first, second;

	CHECK(flush_paid(&mask, flush_stamp()));	/* nobody ever entered */
	cpu_mask_set(&mask, 1);
	cpu_mask_set(&mask, MAX_CPUS - 1);
	CHECK(flush_paid(&mask, 0));			/* nothing ever changed */
	first = flush_stamp();
	second = flush_stamp();
	CHECK(second > first);
	flush(2);					/* not in the mask */
	CHECK(!flush_paid(&mask, first));
	flush(1);
	CHECK(flush_seen(1) >= second);
	CHECK(!flush_paid(&mask, first));		/* the other still owes */
	flush(MAX_CPUS - 1);
	CHECK(flush_paid(&mask, first) && flush_paid(&mask, second));
	CHECK(!flush_paid(&mask, flush_stamp()));	/* a newer debt */
}

/* A change that comes between reading the counter and the end of the flush stays owed. */
static void begun_before_change(void)
{
	struct cpu_mask mask = { 0 };
	u64 begun, stamp;

	cpu_mask_set(&mask, 0);
	begun = flush_begin();
	stamp = flush_stamp();
	flush_done(0, begun);
	CHECK(!flush_paid(&mask, stamp));
	CHECK(flush_seen(0) < stamp);
	flush(0);
	CHECK(flush_paid(&mask, stamp));
	flush_done(0, begun);				/* an interrupted older flush ends late */
	CHECK(flush_paid(&mask, stamp));
}

static void parked(void)
{
	struct cpu_mask mask = { 0 };
	u64 stamp;

	cpu_mask_set(&mask, 5);
	flush_park(5, true);
	stamp = flush_stamp();
	CHECK(flush_paid(&mask, stamp));
	flush_park(5, false);
	CHECK(!flush_paid(&mask, stamp));
	flush(5);
	CHECK(flush_paid(&mask, stamp));
}

const struct test flush_tests[] = {
	{ "CPU masks", masks },
	{ "debts are paid by the CPUs of the mask alone", debts },
	{ "a flush pays only what came before it began", begun_before_change },
	{ "parked CPUs owe nothing until they leave", parked },
	{ 0 }
};
