/* SPDX-License-Identifier: BSD-2-Clause */
/* Many protected processes: more than there are tags, and in and out in random order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define TOGETHER	40	/* twice as many as an emulated SVM machine has ASIDs */
#define TOGETHER_BRIEF	8
#define STARTED		(brief ? 20U : 50U)
#define ALIVE		8

/* VMX has more tags than any machine has room for processes. */
static void tags(void)
{
	static struct victim victims[TOGETHER];
	const unsigned int together = brief ? TOGETHER_BRIEF : TOGETHER;
	unsigned int ready = 0, right = 0;

	for (unsigned int i = 0; i < together; i++)
		victim_launch(&victims[i], PROTECTED);
	for (unsigned int i = 0; i < together; i++)
		ready += victim_ready(&victims[i]);
	for (unsigned int i = 0; i < together; i++)
		victim_release(&victims[i]);
	for (unsigned int i = 0; i < together; i++) {
		victim_finish(&victims[i]);
		right += victim_right(&victims[i]);
		if (!victim_right(&victims[i]))
			printf("# process %u: %s, %s\n", i, victims[i].text, victim_fate(&victims[i]));
	}
	judge(ready == together && right == together && !carrel_donated(), "attack-tags",
	      "%u processes at one time: %u started, %u right; chunks left: %" PRIu64, together,
	      ready, right, carrel_donated());
}

static long leaked_pages(void)
{
	FILE *file = fopen("/sys/module/carrel/parameters/leaked_pages", "r");
	long pages = -1;

	if (file && fscanf(file, "%ld", &pages) != 1)
		pages = -1;
	if (file)
		fclose(file);
	return pages;
}

static uint64_t blocks_lent(void)
{
	uint64_t value[6];

	carrel_info(CARREL_INFO_MEMORY, 0, 0, value);
	return value[4];
}

/* Killed anywhere between execve and their end; some are left to finish. */
static void random_order(void)
{
	struct victim victims[ALIVE] = { 0 };
	unsigned int started = 0, killed = 0, ended = 0;
	uint64_t most = 0;

	srandom(1);
	while (started < STARTED) {
		struct victim *victim = &victims[random() % ALIVE];

		if (carrel_donated() > most)
			most = carrel_donated();
		if (!victim->pid) {
			victim_launch(victim, PROTECTED);
			started++;
		} else if (random() % 4) {
			victim_kill(victim);
			victim->pid = 0;
			killed++;
		} else {
			victim_finish(victim);
			victim->pid = 0;
			ended++;
		}
		usleep((useconds_t)(random() % 60000));
	}
	for (unsigned int i = 0; i < ALIVE; i++)
		if (victims[i].pid)
			victim_kill(&victims[i]);
	judge(most && !carrel_donated() && !blocks_lent() && !leaked_pages(), "attack-lifecycle",
	      "%u processes started, %u killed, %u ended, at most %" PRIu64 " chunks: %" PRIu64
	      " chunks, %" PRIu64 " blocks left, %ld pages leaked", started, killed, ended, most,
	      carrel_donated(), blocks_lent(), leaked_pages());
}

const struct test many_tests[] = {
	{ "attack-tags", tags },
	{ "attack-lifecycle", random_order },
	{ 0 },
};
