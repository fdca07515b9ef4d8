/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger of flush debts. Time is a counter of changes: whoever takes
 * something away from a view draws a stamp *after* the entries are cleared. A
 * CPU that flushes everything first reads the counter, then flushes, then
 * publishes what it read. A debt of stamp t is paid by a CPU that published at
 * least t, that never entered the view, or that is parked (it flushes before
 * it next enters any view). A process view is left at every exit, and what a CPU has
 * cached of it is tagged with it: nothing can use that until the CPU enters the view
 * again, for which it flushes first if it owes. So a CPU outside owes it nothing.
 *
 * Interleavings: a CPU may enter the view after the entries were cleared and
 * before the stamp: it is in the view's mask and owes, though it cached nothing:
 * harmless. It may enter after the stamp was drawn: the mask is read after the
 * stamp, so it may be counted; harmless too. A CPU is put into the mask before
 * its first entry, so one that could have cached an old entry is always counted.
 * A CPU that enters again says so first (flush_enter) and reads view->changed second;
 * whoever took something away wrote view->changed first and asks who is inside second.
 * All four are in one total order, so one of the two sees the other.
 */
#ifndef HV_MM_FLUSH_H
#define HV_MM_FLUSH_H

#include <base/log.h>
#include <base/types.h>

/* CPUs that ever entered a view (or one of a family's) since it was made; only grows. */
struct cpu_mask {
	u64 bits[MAX_CPUS / 64];
};

/* One CPU's page of the ledger; written by that CPU alone. */
struct flush_cpu {
	u64 seen;	/* the stamp up to which it has flushed */
	const struct cpu_mask *view, *family;	/* what it is inside of; view NULL: of nothing */
	u32 parked;
} __attribute__((aligned(64)));

extern struct flush_cpu flush_cpus[MAX_CPUS];

void cpu_mask_set(struct cpu_mask *mask, unsigned int cpu);	/* atomic */
static inline bool cpu_mask_test(const struct cpu_mask *mask, unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	return __atomic_load_n(&mask->bits[cpu / 64], __ATOMIC_SEQ_CST) & BIT(cpu % 64);
}

/* Draw a stamp for a change just made. */
u64 flush_stamp(void);

/* A CPU is about to flush everything; give the result to flush_done. */
u64 flush_begin(void);
void flush_done(unsigned int cpu, u64 begun);

/* Parked CPUs owe nothing; leaving the parked state comes before the flush. */
void flush_park(unsigned int cpu, bool parked);

/*
 * This CPU goes into a process view, known by the masks of view and family: a full barrier, to
 * be called before it looks for debts. And it is out: no translation of the view is used any more.
 */
static inline void flush_enter(unsigned int cpu, const struct cpu_mask *view,
			       const struct cpu_mask *family)
{
	__atomic_store_n(&flush_cpus[cpu].family, family, __ATOMIC_RELEASE);
	__atomic_store_n(&flush_cpus[cpu].view, view, __ATOMIC_SEQ_CST);
}

static inline void flush_leave(unsigned int cpu)
{
	__atomic_store_n(&flush_cpus[cpu].view, NULL, __ATOMIC_RELEASE);
}

/* True if no CPU of `mask` owes a debt of `stamp`. For the host view, whose translations a CPU
 * that is in a process view keeps and comes back to. */
bool flush_paid(const struct cpu_mask *mask, u64 stamp);

/* The same of the mask of a process view or a family, of which only CPUs inside can owe. */
bool flush_paid_inside(const struct cpu_mask *mask, u64 stamp);

/* True if at most one CPU is inside. */
bool flush_alone(const struct cpu_mask *mask);

/* What `cpu` last published: a CPU about to enter a view whose last change is newer
 * than this flushes first. */
static inline u64 flush_seen(unsigned int cpu)
{
	ASSERT(cpu < MAX_CPUS);
	return __atomic_load_n(&flush_cpus[cpu].seen, __ATOMIC_RELAXED);
}

#endif
