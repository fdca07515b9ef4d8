// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Model-specific registers, written from ring 0. */
#include <linux/sched.h>
#include <asm/msr.h>
#include "attacks.h"

/* Counters move by themselves. */
static bool counts(u32 msr)
{
	return msr == MSR_IA32_TSC || msr == MSR_IA32_MPERF || msr == MSR_IA32_APERF;
}

static void write_one(struct attack *a, u32 msr)
{
	u64 before = 0, after = 0;
	bool readable = !rdmsrl_safe(msr, &before);

	a->out[0]++;
	if (wrmsrl_safe(msr, before))
		a->out[1]++;
	else if (readable && !counts(msr) && !rdmsrl_safe(msr, &after) && after != before)
		a->out[2]++;
}

long msr_sweep(struct attack *a)
{
	u64 msr;

	for (msr = a->in[0]; msr <= a->in[1]; msr++) {
		write_one(a, msr);
		if (!(msr & 0xff))
			cond_resched();
	}
	return 0;
}

long msr_write(struct attack *a)
{
	u32 msr = a->in[0];
	u64 before = 0, after = 0;
	bool readable;

	preempt_disable();
	readable = !rdmsrl_safe(msr, &before);
	a->out[0] = wrmsrl_safe(msr, a->in[1]) != 0;
	if (readable)
		rdmsrl_safe(msr, &after);
	if (a->in[2] && readable && after != before)
		wrmsrl_safe(msr, before);
	preempt_enable();
	a->out[1] = after;
	a->out[2] = before;
	return 0;
}
