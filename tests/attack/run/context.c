/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on registers, by interrupting the victim: 14 to 18, 22 of the catalogue,
 * XCR0 shrunk, and the victim's memory as its own interrupts see it.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <carrel/layout.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define MILLISECONDS	300

struct seen {
	uint64_t samples, general, vector, other, memory, done, left, bits;
};

static struct seen watch(const struct victim *victim, uint64_t action, uint64_t argument)
{
	struct attack a = {
		.op = ATTACK_WATCH,
		.in = { (uint64_t)victim->pid, MILLISECONDS, victim->key, action, argument,
			victim->secret },
	};

	module_do(&a);
	return (struct seen){ a.out[0], a.out[1], a.out[2], a.out[3], a.out[4], a.out[5],
			      a.out[6], a.out[7] };
}

/* The registers that the kernel saved when it last ran. */
static struct seen saved(const struct victim *victim)
{
	struct attack a = { .op = ATTACK_SAVED, .in = { (uint64_t)victim->pid, victim->key } };

	module_do(&a);
	return (struct seen){ .general = a.out[0], .vector = a.out[1] };
}

/* --- 2, 14, 15: what an interrupt shows ---------------------------------------------------- */

static void report_seen(enum protection protection, const struct seen *irq,
			const struct seen *off, const struct victim *victim)
{
	bool plain = protection == PLAIN;
	const char *kind = plain ? "control" : "attack";
	uint64_t general = irq->general + off->general, vector = irq->vector + off->vector;
	bool whole = victim->done && victim->intact;
	char name[32];

#define REPORT(number, good, ...) do {						\
	snprintf(name, sizeof(name), "%s-%s", kind, number);			\
	judge(irq->samples && whole && (good), name, __VA_ARGS__);		\
} while (0)
	REPORT("02-interrupt", plain == (irq->memory > 0), "%llu interrupts of the victim: %llu "
	       "words of its memory seen by its address", (unsigned long long)irq->samples,
	       (unsigned long long)irq->memory);
	REPORT("14", plain == (general > 0) && !(irq->other && !plain), "%llu interrupts of the "
	       "victim: %llu words in general registers, %llu in control and debug registers",
	       (unsigned long long)irq->samples, (unsigned long long)general,
	       (unsigned long long)irq->other);
	REPORT("15", plain == (vector > 0), "%llu interrupts of the victim: %llu words in x87, MMX, "
	       "SSE and AVX registers", (unsigned long long)irq->samples,
	       (unsigned long long)vector);
#undef REPORT
	if (!plain)
		judge(irq->left && !irq->bits, "attack-14-constants", "%llu interrupts threw it out of its "
		      "view: bits that were set in any register: %llx",
		      (unsigned long long)irq->left, (unsigned long long)irq->bits);
}

static void interrupts(void)
{
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct victim victim;
		struct seen irq, off;

		victim_start(&victim, p);
		irq = watch(&victim, WATCH_LOOK, 0);
		off = saved(&victim);
		victim_finish(&victim);
		report_seen(p, &irq, &off, &victim);
	}
}

static void nmis(void)
{
	struct victim victim;
	struct seen seen;

	if (cpu_count() < 2) {
		skip("attack-14-nmi", "one CPU: no other that could send an NMI");
		return;
	}
	victim_start(&victim, PLAIN);
	seen = watch(&victim, WATCH_NMI, 0);
	victim_finish(&victim);
	judge(seen.samples && seen.general && seen.vector && victim_right(&victim),
	      "control-14-nmi", "%llu NMIs: %llu words in general, %llu in vector registers",
	      (unsigned long long)seen.samples, (unsigned long long)seen.general,
	      (unsigned long long)seen.vector);
	victim_start(&victim, PROTECTED);
	seen = watch(&victim, WATCH_NMI, 0);
	victim_finish(&victim);
	judge(seen.samples && !seen.general && !seen.vector && !seen.other && victim_right(&victim),
	      "attack-14-nmi", "%llu NMIs: %llu words in general, %llu in vector, %llu in other "
	      "registers; victim: %s", (unsigned long long)seen.samples,
	      (unsigned long long)seen.general, (unsigned long long)seen.vector,
	      (unsigned long long)seen.other, victim_fate(&victim));
}

/* --- 16, 17, 18, 22, XCR0: what an interrupt changes ---------------------------------------- */

struct change {
	const char *name, *what;
	uint64_t action, argument;
	bool may_kill;		/* the host's own copy is spoilt: the carrier may die of it */
};

static const struct change changes[] = {
	{ "16-registers", "general registers replaced at each interrupt", WATCH_REGISTERS,
	  0x4141414141414141, true },
	{ "16-ip", "RIP moved", WATCH_IP, CARREL_GATE_VA + CARREL_GATE_OCALL, true },
	{ "16-ip-wild", "RIP moved to nowhere", WATCH_IP, 0x4141414141414141, true },
	{ "16-sp", "RSP moved", WATCH_SP, 0x1000, true },
	{ "17", "FS base moved", WATCH_FS, 0, false },
	{ "18-tf", "TF set", WATCH_STEP, 0, true },
	{ "22", "vector D1h sent while it computes, RAX changed by its handler", WATCH_VECTOR, 0xd1,
	  false },
	{ "22-exception", "the same with 19, the vector of #XF", WATCH_VECTOR, 19, false },
	{ "xcr0", "XCR0 shrunk to x87 and SSE", WATCH_XCR0, 3, false },
	{ "xcr0-x87", "XCR0 shrunk to x87", WATCH_XCR0, 1, false },
};

static bool has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

static struct seen changed(const struct change *change, enum protection protection,
			   struct victim *victim)
{
	struct seen seen;

	victim_start(victim, protection);
	seen = watch(victim, change->action, change->argument);
	victim_finish(victim);
	return seen;
}

static void change_one(const struct change *change)
{
	struct victim victim;
	struct seen seen;
	char name[40];

	snprintf(name, sizeof(name), "control-%s", change->name);
	if (change->action == WATCH_XCR0 && !has_avx()) {
		skip(name, "no AVX on this machine");
		return;
	}
	seen = changed(change, PLAIN, &victim);
	judge(seen.done && !victim_right(&victim), name, "%s (%llu times): %s", change->what,
	      (unsigned long long)seen.done, victim_fate(&victim));
	snprintf(name, sizeof(name), "attack-%s", change->name);
	seen = changed(change, PROTECTED, &victim);
	judge(seen.done && !seen.general && !seen.vector && !seen.other && !seen.memory &&
	      (victim_right(&victim) || (change->may_kill && victim_killed(&victim))), name,
	      "%s (%llu times): %llu words seen; %s", change->what, (unsigned long long)seen.done,
	      (unsigned long long)(seen.general + seen.vector + seen.other + seen.memory),
	      victim_fate(&victim));
}

static void change_all(void)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		change_one(&changes[i]);
}

const struct test context_tests[] = {
	{ "attack-14", interrupts },
	{ "attack-14-nmi", nmis },
	{ "attack-16", change_all },
	{ 0 },
};
