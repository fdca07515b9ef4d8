/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger of flush debts. Time is a counter of changes: whoever takes
 * something away from a view draws a stamp *after* the entries are cleared. A
 * CPU that flushes everything first reads the counter, then flushes, then
 * publishes what it read. A debt of stamp t is paid by a CPU that published at
 * least t, that never entered the view, or that is parked (it flushes before
 * it next enters any view).
 *
 * Interleavings: a CPU may enter the view after the entries were cleared and
 * before the stamp: it is in the view's mask and owes, though it cached nothing:
 * harmless. It may enter after the stamp was drawn: the mask is read after the
 * stamp, so it may be counted; harmless too. A CPU is put into the mask before
 * its first entry, so one that could have cached an old entry is always counted.
 */
#ifndef HV_MM_FLUSH_H
#define HV_MM_FLUSH_H

#include <base/types.h>

/* CPUs that ever entered a view since it was made; only grows. */
struct cpu_mask {
	u64 bits[MAX_CPUS / 64];
};

void cpu_mask_set(struct cpu_mask *mask, unsigned int cpu);	/* atomic */
bool cpu_mask_test(const struct cpu_mask *mask, unsigned int cpu);

/* Draw a stamp for a change just made. */
u64 flush_stamp(void);

/* A CPU is about to flush everything; give the result to flush_done. */
u64 flush_begin(void);
void flush_done(unsigned int cpu, u64 begun);

/* Parked CPUs owe nothing; leaving the parked state comes before the flush. */
void flush_park(unsigned int cpu, bool parked);

/* True if no CPU of `mask` owes a debt of `stamp`. */
bool flush_paid(const struct cpu_mask *mask, u64 stamp);

/* What `cpu` last published: a CPU about to enter a view whose last change is newer
 * than this flushes first. */
u64 flush_seen(unsigned int cpu);

#endif
