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

/* A process view's debts are owed by those inside it, or inside a view of the family. */
static void inside(void)
{
	struct cpu_mask view = { 0 }, other = { 0 }, family = { 0 };
	u64 stamp;

	cpu_mask_set(&view, 7);
	cpu_mask_set(&view, 8);
	cpu_mask_set(&other, 7);
	cpu_mask_set(&family, 7);
	cpu_mask_set(&family, 8);
	stamp = flush_stamp();
	CHECK(!flush_paid(&view, stamp) && flush_paid_inside(&view, stamp));
	CHECK(flush_alone(&view) && flush_alone(&family));
	flush_enter(7, &view, &family);
	CHECK(!flush_paid_inside(&view, stamp) && !flush_paid_inside(&family, stamp));
	CHECK(flush_paid_inside(&other, stamp) && flush_alone(&view));
	flush_enter(8, &view, &family);
	flush(7);
	CHECK(!flush_paid_inside(&view, stamp) && !flush_alone(&view) && !flush_alone(&family));
	flush_leave(8);
	CHECK(flush_paid_inside(&view, stamp) && flush_paid_inside(&family, stamp));
	flush_leave(7);
	stamp = flush_stamp();
	flush_enter(7, &other, &family);		/* its family's, not the view's */
	CHECK(flush_paid_inside(&view, stamp) && !flush_paid_inside(&family, stamp));
	CHECK(!flush_paid_inside(&other, stamp));
	flush_leave(7);
}

const struct test flush_tests[] = {
	{ "CPU masks", masks },
	{ "debts are paid by the CPUs of the mask alone", debts },
	{ "a flush pays only what came before it began", begun_before_change },
	{ "parked CPUs owe nothing until they leave", parked },
	{ "process views: only CPUs inside owe", inside },
	{ 0 }
};
