/* SPDX-License-Identifier: BSD-2-Clause */
/* All steps of the model in random order (model.h). */
#include "model.h"

const struct window windows[WINDOWS] = {
	{ 6 * MIB - 60 * PAGE_SIZE, 1400 },		/* whole 2 MiB regions, and edges */
	{ 4 * GIB - 70 * PAGE_SIZE, 140 },
	{ 0x7F8000000000 - 40 * PAGE_SIZE, 80 },	/* the last PML4 entry of the lower half */
};

struct process processes[WORLDS];
struct cpu cpus[CPUS];
struct view host;
bool lent[MEMORY_CHUNKS * 32];

static const struct step *const lists[] = { chunk_steps, cpu_steps, page_steps, life_steps };
static const struct step *steps[32];
static unsigned int step_count, done_of[32];	/* how often each did something */

static void collect_steps(void)
{
	step_count = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct step *step = lists[i]; step->name; step++) {
			CHECK(step_count < ARRAY_SIZE(steps));
			steps[step_count++] = step;
		}
}

static void one_step(void)
{
	unsigned int total = 0, at;

	for (unsigned int i = 0; i < step_count; i++)
		total += steps[i]->weight;
	at = random_below(total);
	for (unsigned int i = 0; i < step_count; i++) {
		if (at < steps[i]->weight) {
			done_of[i] += steps[i]->run();
			return;
		}
		at -= steps[i]->weight;
	}
}

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa;
	*end = ~0UL << PAGE_SHIFT;
	return MEMORY_WB;
}

static void machine_reset(void)
{
	memory_reset();
	memset(processes, 0, sizeof(processes));
	memset(lent, 0, sizeof(lent));
	CHECK_EQ(view_make_host(&host, &svm_nested_format, 3, &pool, HOST_LIMIT,
				HV_FIRST * CHUNK_SIZE, HV_CHUNKS * CHUNK_SIZE, all_wb), 0);
	for (unsigned int i = 0; i < CPUS; i++) {
		cpus[i] = (struct cpu){ .where = HOST_VIEW };
		flush_park(i, false);
		flush_leave(i);
		flush_at_once(i);
		cpu_mask_set(&host.entered, i);
	}
	on_scrub = must_be_out_of_reach;
}

static void whole_machine(void)
{
	collect_steps();
	memset(done_of, 0, sizeof(done_of));
	for (unsigned int round = 0; round < 4; round++) {
		machine_reset();
		for (unsigned int i = 0; i < 5000; i++) {
			one_step();
			check_machine();
		}
	}
	for (unsigned int i = 0; i < step_count; i++) {
		if (done_of[i] < 20)
			printf("     '%s' did something %u times only\n", steps[i]->name,
			       done_of[i]);
		CHECK(done_of[i] >= 20);
	}
}

const struct test model_tests[] = {
	{ "the whole machine against a model, 20000 steps", whole_machine },
	{ 0 }
};
