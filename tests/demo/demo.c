/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * demo: one program that makes a secret at run time, attacked twice by the same
 * module in ring 0: once as it is, once under `hvreg run`. Ends with a table; status 0
 * only if every line of it is as it should be.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <secret.h>
#include "module.h"
#include "victim.h"

#define MILLISECONDS	300

/* What the attacker got, and what became of the program. */
struct loot {
	uint64_t places;	/* in physical memory that hold the secret */
	uint64_t by_address;	/* words read through the process's address space */
	uint64_t general, vector;	/* words seen in its registers */
	uint64_t interrupts;	/* in which they were looked for */
	uint64_t refused;	/* accesses that the hypervisor refused and counted */
	bool right;
	char output[160];
};

static void search_memory(const struct victim *victim, struct loot *loot)
{
	struct attack a = { .op = ATTACK_SCAN, .in = { victim->key } };

	module_do(&a);
	loot->places = a.out[2];
}

static void read_address(const struct victim *victim, struct loot *loot)
{
	static uint64_t words[1024];
	struct attack a = {
		.op = ATTACK_READ, .in = { (uint64_t)victim->pid, victim->secret, READ_ACCESS },
		.buffer = (uintptr_t)words, .size = sizeof(words),
	};

	memset(words, 0, sizeof(words));
	module_do(&a);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		loot->by_address += (uint64_t)secret_is(victim->key, words[i]);
}

static void look_at_registers(const struct victim *victim, struct loot *loot)
{
	struct attack a = {
		.op = ATTACK_WATCH,
		.in = { (uint64_t)victim->pid, MILLISECONDS, victim->key, WATCH_LOOK },
	};

	module_do(&a);
	loot->interrupts = a.out[0];
	loot->general = a.out[1] + a.out[3];
	loot->vector = a.out[2];
}

static uint64_t refused(void)
{
	struct refused r = carrel_refused();

	return r.reads + r.writes + r.fetches;
}

static void attack(enum protection protection, struct loot *loot)
{
	uint64_t before = refused();
	struct victim victim;

	*loot = (struct loot){ 0 };
	victim_start(&victim, protection);
	search_memory(&victim, loot);
	read_address(&victim, loot);
	look_at_registers(&victim, loot);
	loot->refused = refused() - before;
	victim_finish(&victim);
	loot->right = victim_right(&victim);
	snprintf(loot->output, sizeof(loot->output), "%s", victim_fate(&victim));
}

static unsigned int wrong;

static void row(const char *what, const char *unit, uint64_t plain, uint64_t guarded, bool good)
{
	printf("  %-34s %10" PRIu64 " %-8s %10" PRIu64 " %-8s %s\n", what, plain, unit, guarded, unit,
	       good ? "ok" : "WRONG");
	wrong += !good;
}

static void table(const struct loot *plain, const struct loot *guarded)
{
	bool right = plain->right && guarded->right;

	printf("\n  %-34s %-19s %-19s\n", "the attacker, in ring 0,", "unprotected", "under hvreg run");
	row("finds the secret in memory", "places", plain->places, guarded->places,
	    plain->places && !guarded->places);
	row("reads it by its address", "words", plain->by_address, guarded->by_address,
	    plain->by_address && !guarded->by_address);
	row("sees it in general registers", "words", plain->general, guarded->general,
	    plain->general && !guarded->general);
	row("sees it in vector registers", "words", plain->vector, guarded->vector,
	    plain->vector && !guarded->vector);
	row("interrupted the program", "times", plain->interrupts, guarded->interrupts,
	    plain->interrupts && guarded->interrupts);
	row("is refused memory", "times", plain->refused, guarded->refused,
	    guarded->refused > plain->refused);
	printf("  %-34s %-19s %-19s %s\n", "the program's output is", plain->right ? "right" : "WRONG",
	       guarded->right ? "right" : "WRONG", right ? "ok" : "WRONG");
	wrong += !right;
}

int main(void)
{
	struct loot plain, guarded;

	run_on(0);
	printf("A program makes a secret from random numbers and holds it in its memory and registers.\n"
	       "A kernel module searches for it: first as the program is ...\n");
	fflush(stdout);
	attack(PLAIN, &plain);
	printf("... then with the same program started by `hvreg run`.\n");
	fflush(stdout);
	attack(PROTECTED, &guarded);
	table(&plain, &guarded);
	printf("\n%s\n", wrong ? "Something is not as it should be." :
	       "The kernel took the secret of the unprotected program and got nothing of the other.");
	return wrong != 0;
}
