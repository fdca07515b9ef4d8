/* SPDX-License-Identifier: BSD-2-Clause */
#include "flush.h"

#include <base/log.h>

static u64 changes;	/* the counter of changes: the newest stamp drawn */

static struct {
	u64 seen;	/* the stamp up to which this CPU has flushed */
	u32 parked;
} __attribute__((aligned(64))) cpus[MAX_CPUS];

void cpu_mask_set(struct cpu_mask *mask, unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	/* a locked instruction, so a full barrier: whoever clears an entry and then does not
	 * find this bit cleared it before the CPU's first walk */
	__atomic_fetch_or(&mask->bits[cpu / 64], BIT(cpu % 64), __ATOMIC_SEQ_CST);
}

bool cpu_mask_test(const struct cpu_mask *mask, unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	return __atomic_load_n(&mask->bits[cpu / 64], __ATOMIC_SEQ_CST) & BIT(cpu % 64);
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
	if (begun > cpus[cpu].seen)
		__atomic_store_n(&cpus[cpu].seen, begun, __ATOMIC_SEQ_CST);
}

void flush_park(unsigned int cpu, bool parked)
{
	ASSERT(cpu < MAX_CPUS);
	__atomic_store_n(&cpus[cpu].parked, parked, __ATOMIC_SEQ_CST);
}

static bool cpu_paid(unsigned int cpu, u64 stamp)
{
	return __atomic_load_n(&cpus[cpu].seen, __ATOMIC_SEQ_CST) >= stamp ||
		__atomic_load_n(&cpus[cpu].parked, __ATOMIC_SEQ_CST);
}

bool flush_paid(const struct cpu_mask *mask, u64 stamp)
{
	for (unsigned int word = 0; word < ARRAY_SIZE(mask->bits); word++) {
		u64 bits = __atomic_load_n(&mask->bits[word], __ATOMIC_SEQ_CST);

		for (; bits; bits &= bits - 1)
			if (!cpu_paid(word * 64 + __builtin_ctzll(bits), stamp))
				return false;
	}
	return true;
}

u64 flush_seen(unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	return __atomic_load_n(&cpus[cpu].seen, __ATOMIC_RELAXED);
}
