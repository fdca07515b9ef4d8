/* SPDX-License-Identifier: BSD-2-Clause */
#include "flush.h"

#include <base/log.h>

static u64 changes;	/* the counter of changes: the newest stamp drawn */

struct flush_cpu flush_cpus[MAX_CPUS];

void cpu_mask_set(struct cpu_mask *mask, unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	/* a locked instruction, so a full barrier: whoever clears an entry and then does not
	 * find this bit cleared it before the CPU's first walk */
	__atomic_fetch_or(&mask->bits[cpu / 64], BIT(cpu % 64), __ATOMIC_SEQ_CST);
}

u64 flush_stamp(void)
{
	return __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);
}

u64 flush_begin(void)
{
	return __atomic_load_n(&changes, __ATOMIC_SEQ_CST);
}

void flush_done(unsigned int cpu, u64 begun)
{
	ASSERT(cpu < MAX_CPUS);
	/* this CPU alone writes it; an interrupted older flush must not move it back */
	if (begun > flush_cpus[cpu].seen)
		__atomic_store_n(&flush_cpus[cpu].seen, begun, __ATOMIC_SEQ_CST);
}

void flush_park(unsigned int cpu, bool parked)
{
	ASSERT(cpu < MAX_CPUS);
	__atomic_store_n(&flush_cpus[cpu].parked, parked, __ATOMIC_SEQ_CST);
}

static bool cpu_paid(unsigned int cpu, u64 stamp)
{
	return __atomic_load_n(&flush_cpus[cpu].seen, __ATOMIC_SEQ_CST) >= stamp ||
		__atomic_load_n(&flush_cpus[cpu].parked, __ATOMIC_SEQ_CST);
}

/* The family is older than the view: one that is not this CPU's any more belongs to no view. */
static bool is_inside(unsigned int cpu, const struct cpu_mask *mask)
{
	const struct cpu_mask *view = __atomic_load_n(&flush_cpus[cpu].view, __ATOMIC_SEQ_CST);

	return view && (view == mask ||
			__atomic_load_n(&flush_cpus[cpu].family, __ATOMIC_SEQ_CST) == mask);
}

static bool all_paid(const struct cpu_mask *mask, u64 stamp, bool inside)
{
	for (unsigned int word = 0; word < ARRAY_SIZE(mask->bits); word++) {
		u64 bits = __atomic_load_n(&mask->bits[word], __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1) {
			unsigned int cpu = word * 64 + __builtin_ctzll(bits);

			if (!cpu_paid(cpu, stamp) && (!inside || is_inside(cpu, mask)))
				return false;
		}
	}
	return true;
}

bool flush_paid(const struct cpu_mask *mask, u64 stamp)
{
	return all_paid(mask, stamp, false);
}

bool flush_paid_inside(const struct cpu_mask *mask, u64 stamp)
{
	return all_paid(mask, stamp, true);
}

bool flush_alone(const struct cpu_mask *mask)
{
	unsigned int inside = 0;

	for (unsigned int word = 0; word < ARRAY_SIZE(mask->bits); word++) {
		u64 bits = __atomic_load_n(&mask->bits[word], __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1)
			inside += is_inside(word * 64 + __builtin_ctzll(bits), mask);
	}
	return inside <= 1;
}
