// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Hypercalls from ring 0: one, many at random, and the same from two CPUs at once. */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/processor.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include "attacks.h"

static bool uses_vmmcall(void)
{
	return cpuid_ebx(CARREL_CPUID_ABI) == CARREL_INSN_VMMCALL;
}

#define CALL(instruction)							\
	asm volatile("1: " instruction "\n\t"					\
		     "jmp 3f\n"							\
		     "2: movl %%eax, %[trap]\n"					\
		     "3:\n"							\
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)			\
		     : "+a" (*rax), "+D" (args[0]), "+S" (args[1]), "+d" (args[2]),	\
		       "+r" (r10), "+r" (r8), "+r" (r9), [trap] "+rm" (trap)	\
		     : : "memory", "cc")

int hypercall(u64 *rax, u64 args[6], bool other)
{
	const bool vmmcall = uses_vmmcall() != other;	/* before the registers are taken */
	register u64 r10 asm("r10") = args[3];
	register u64 r8 asm("r8") = args[4];
	register u64 r9 asm("r9") = args[5];
	int trap = -1;

	if (vmmcall)
		CALL("vmmcall");
	else
		CALL("vmcall");
	args[3] = r10;
	args[4] = r8;
	args[5] = r9;
	return trap + 1;
}

long call_once(struct attack *a)
{
	u64 rax = a->in[0], args[6];

	memcpy(args, a->in + 1, sizeof(args));
	a->out[7] = hypercall(&rax, args, a->in[7] == HYPERCALL_OTHER);
	a->out[0] = rax;
	memcpy(a->out + 1, args, sizeof(args));
	return 0;
}

/* --- at random ----------------------------------------------------------------------------- */

/* Edge values are likelier to be wrong than any others. */
static u64 pick(struct rnd_state *rnd)
{
	static const u64 edges[] = { 0, 1, 2, -1, -2, 1UL << 63, 1UL << 32, 1UL << 47, 0xfff,
				     CARREL_GATE_VA, CARREL_CHANNEL_VA, CARREL_SHIM_VA, CARREL_END };
	u64 wide = (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);

	switch (prandom_u32_state(rnd) % 4) {
	case 0:
		return edges[wide % ARRAY_SIZE(edges)];
	case 1:
		return wide % 256;
	case 2:
		return wide % (2 * last_frame());
	}
	return wide;
}

/* Giving away this kernel's memory would only end this kernel: chunks past all memory instead. */
static void spare(u64 number, u64 args[6])
{
	if (number == CARREL_HC_DONATE && args[0] <= last_frame() >> 9)
		args[0] += (last_frame() >> 9) + 1;
	/* and parking its CPUs likewise: no APIC id of this machine */
	if (number == CARREL_HC_PARK && args[0] < 256)
		args[0] += 256;
}

long call_fuzz(struct attack *a)
{
	struct rnd_state rnd;
	u64 i, rax, number, args[6];
	unsigned int n;

	prandom_seed_state(&rnd, a->in[1]);
	for (i = 0; i < a->in[0]; i++) {
		number = i % 4 ? prandom_u32_state(&rnd) % (CARREL_HC_MAX + 3) : pick(&rnd);
		for (n = 0; n < ARRAY_SIZE(args); n++)
			args[n] = pick(&rnd);
		spare(number, args);
		rax = number;
		hypercall(&rax, args, false);
		a->out[0] += (s64)rax >= 0;
		if (!(i % 1024))
			cond_resched();
	}
	return 0;
}

/* --- from two CPUs ------------------------------------------------------------------------- */

struct race {
	u64 chunk, times;
	atomic_t waiting;
	atomic64_t success, pending, owner, other, last;
};

static void count(struct race *race, s64 result)
{
	switch (result) {
	case 0:
		atomic64_inc(&race->success);
		break;
	case CARREL_PENDING:
		atomic64_inc(&race->pending);
		break;
	case CARREL_EOWNER:
		atomic64_inc(&race->owner);
		break;
	default:
		atomic64_inc(&race->other);
		atomic64_set(&race->last, result);
	}
}

/* In an interrupt on each of them, so that they meet. */
static void donate(void *argument)
{
	struct race *race = argument;
	u64 i, rax, args[6];

	atomic_dec(&race->waiting);
	while (atomic_read(&race->waiting) > 0)
		cpu_relax();
	for (i = 0; i < race->times; i++) {
		memset(args, 0, sizeof(args));
		args[0] = race->chunk;
		rax = CARREL_HC_DONATE;
		hypercall(&rax, args, false);
		count(race, rax);
	}
}

long call_donate_race(struct attack *a)
{
	struct race race = { .chunk = a->in[0], .times = a->in[1] };

	cpus_read_lock();
	atomic_set(&race.waiting, num_online_cpus());
	on_each_cpu(donate, &race, 1);
	cpus_read_unlock();
	a->out[0] = atomic64_read(&race.success);
	a->out[1] = atomic64_read(&race.pending);
	a->out[2] = atomic64_read(&race.owner);
	a->out[3] = atomic64_read(&race.other);
	a->out[4] = atomic64_read(&race.last);
	return 0;
}
