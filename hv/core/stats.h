/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters that INFO tells; each is only ever added to, with relaxed atomics. */
#ifndef HV_CORE_STATS_H
#define HV_CORE_STATS_H

#include <base/types.h>

struct stats {
	u64 refused_reads, refused_writes, refused_fetches;	/* of memory not the host's */
	u64 refused_registers;		/* MSRs, ports, control registers */
	u64 refused_calls;		/* hypercalls answered ECALL, ECALLER or ETICKET */
	u64 chunks_donated, blocks_lent;
};
extern struct stats stats;

static inline void stats_add(u64 *counter, s64 n)
{
	__atomic_fetch_add(counter, (u64)n, __ATOMIC_RELAXED);
}

#endif
