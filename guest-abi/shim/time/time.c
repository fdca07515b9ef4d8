/* SPDX-License-Identifier: BSD-2-Clause */
/* The vDSO's data, and the calls that renew it. See time.h and vdso/data.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "base/host.h"
#include "base/lock.h"
#include "calls/marshal.h"
#include "load/program.h"
#include "time/time.h"
#include "memory/user.h"
#include "time/vdso/data.h"

#define LINE_NS		(NANOSECONDS / 10)	/* how long a line is good for */
#define LEAST_NS	(NANOSECONDS / 100)	/* between two samples that give a rate */
#define MOST_NS		(4 * NANOSECONDS)	/* after that the rate is measured anew; below 2^32 */
#define RATE_ONE	(1UL << 32)
#define RATE_LEAST	(RATE_ONE / 20)		/* 20 GHz */
#define RATE_MOST	(RATE_ONE * 100)	/* 10 MHz */
#define SECONDS_MAX	(1L << 33)

extern const uint8_t vdso_start[], vdso_end[];

struct timespec {
	int64_t seconds, nanoseconds;
};

struct sample {
	uint64_t tsc, monotonic, real;
};

struct lock time_lock;
static struct vdso_data *data;	/* in the program's memory: its to spoil, for itself */
static struct vdso_data line;	/* what was written there */
static struct sample first;	/* of a measurement of the rate */
static uint64_t told;		/* the latest monotonic time where there is no line */

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* CPUID.80000007H:EDX[8]: the TSC counts at one speed. Costs exits: asked once. */
static bool tsc_invariant(void)
{
	static int known;
	uint32_t a = 0x80000007, b, c = 0, d;

	if (!known) {
		asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		known = d & 1U << 8 ? 1 : -1;
	}
	return known > 0;
}

static uint64_t host_time(struct thread *t, uint64_t clock)
{
	struct timespec time;

	if (host_call_own(t, SYS_clock_gettime, clock, (uint64_t)SLOT_DATA(t), 0, 0))
		die(CARREL_DIE_IAGO);
	channel_get(&time, SLOT_DATA(t), sizeof(time));
	if (time.seconds < 0 || time.seconds > SECONDS_MAX || time.nanoseconds < 0 ||
	    time.nanoseconds >= (int64_t)NANOSECONDS)
		die(CARREL_DIE_IAGO);
	return time.seconds * NANOSECONDS + time.nanoseconds;
}

/* The rate since the first sample, or 0 if that cannot be told yet. */
static uint64_t measure_rate(const struct sample *now)
{
	uint64_t ns = now->monotonic - first.monotonic, cycles = now->tsc - first.tsc, rate;

	if (!first.tsc || now->monotonic < first.monotonic || ns > MOST_NS || cycles >> 63) {
		first = *now;
		return line.rate;
	}
	if (ns < LEAST_NS || !cycles)
		return line.rate;
	rate = (ns << 32) / cycles;
	return rate >= RATE_LEAST && rate <= RATE_MOST ? rate : 0;
}

/*
 * Begin a new line, no earlier than where the old one has come to. A clock that is
 * behind that is caught up with slowly.
 */
static void draw(const struct sample *sample)
{
	uint64_t rate = measure_rate(sample), old, new, tsc;

	__atomic_store_n(&data->seq, line.seq + 1, __ATOMIC_SEQ_CST);
	tsc = rdtsc();
	old = line.usable ? line.monotonic + vdso_scale(&line, tsc - line.tsc) : told;
	line.rate = rate;
	new = sample->monotonic + vdso_scale(&line, tsc - sample->tsc);
	if (new < old) {
		line.rate -= line.rate / 8;
		new = old;
	}
	line.usable = rate != 0;
	line.tsc = tsc;
	line.monotonic = told = new;
	line.real = sample->real + (new - sample->monotonic);
	line.limit = rate ? (LINE_NS << 32) / rate : 0;
	line.seq += 2;
	data->usable = line.usable;
	data->tsc = line.tsc;
	data->limit = line.limit;
	data->rate = line.rate;
	data->monotonic = line.monotonic;
	data->real = line.real;
	__atomic_store_n(&data->seq, line.seq, __ATOMIC_RELEASE);
}

/* Nanoseconds of a clock that the vDSO knows, by asking the host. */
static uint64_t ask(struct thread *t, uint64_t clock)
{
	bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
	struct sample sample;
	uint64_t before, ns;

	if (!tsc_invariant() && real)
		return host_time(t, CLOCK_REALTIME);
	lock_take(&time_lock);
	before = rdtsc();
	sample.monotonic = host_time(t, CLOCK_MONOTONIC);
	if (tsc_invariant()) {
		sample.tsc = before + (rdtsc() - before) / 2;
		sample.real = host_time(t, CLOCK_REALTIME);
		draw(&sample);
	} else if (sample.monotonic > told) {
		told = sample.monotonic;
	}
	ns = real ? line.real : told;
	lock_release(&time_lock);
	return ns;
}

EMULATED(call_clock_gettime)
{
	static const struct call row = {
		.arg = { KIND_INT, ARG_FIX(KIND_FIX_OUT, 16) },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};
	uint32_t clock = arg[0];
	struct timespec time;
	uint64_t ns;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_REALTIME_COARSE && clock != CLOCK_MONOTONIC_COARSE)
		return marshal(t, &row, SYS_clock_gettime, arg);
	ns = ask(t, clock);
	time = (struct timespec){ ns / NANOSECONDS, ns % NANOSECONDS };
	return user_put(arg[1], &time, sizeof(time)) ? 0 : -LINUX_EFAULT;
}

/* The zone is the kernel's, and long obsolete: UTC. */
EMULATED(call_gettimeofday)
{
	static const uint32_t utc[2];
	uint64_t ns = ask(t, CLOCK_REALTIME);
	struct timespec time = { ns / NANOSECONDS, ns % NANOSECONDS / 1000 };

	if (arg[0] && !user_put(arg[0], &time, sizeof(time)))
		return -LINUX_EFAULT;
	if (arg[1] && !user_put(arg[1], utc, sizeof(utc)))
		return -LINUX_EFAULT;
	return 0;
}

EMULATED(call_time)
{
	int64_t seconds = ask(t, CLOCK_REALTIME) / NANOSECONDS;

	if (arg[0] && !user_put(arg[0], &seconds, sizeof(seconds)))
		return -LINUX_EFAULT;
	return seconds;
}

void time_setup(struct thread *t, uint64_t address)
{
	uint64_t code = address + PAGE_SIZE;

	if (memory_map(t, address, TIME_SIZE, CARREL_R | CARREL_W, false))
		die(CARREL_DIE_START);
	memcpy((void *)code, vdso_start, vdso_end - vdso_start);
	if (memory_protect(t, code, PAGE_SIZE, CARREL_R | CARREL_X))
		die(CARREL_DIE_START);
	data = (struct vdso_data *)address;
}

uint64_t time_vdso(void)
{
	return (uint64_t)data + PAGE_SIZE;
}
