/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vDSO of a secure process: the kernel's has no place in private memory, and its
 * data page is the kernel's to write. Names, version and meaning as vdso(7) has them.
 * Runs as the program; what it cannot answer, it asks the shim by the system call.
 */
#include "data.h"

#define SYS_gettimeofday	96
#define SYS_time		201
#define SYS_clock_gettime	228
#define SYS_clock_getres	229
#define TRIES			100	/* whoever changes the line may have lost the CPU */

struct timespec {
	int64_t seconds, nanoseconds;
};
struct timeval {
	int64_t seconds, microseconds;
};

/* One page before the code: see vdso.lds. */
extern struct vdso_data data __attribute__((visibility("hidden")));

long __vdso_clock_gettime(int clock, struct timespec *time);
int __vdso_clock_getres(int clock, struct timespec *resolution);
int __vdso_gettimeofday(struct timeval *time, void *zone);
long __vdso_time(long *time);
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused);

static long call2(long number, long a, long b)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b)
		     : "rcx", "r11", "memory");
	return result;
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	/* not before what stands before it: SDM, RDTSC; APM 3, RDTSC */
	asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Nanoseconds, or 0: ask the shim. */
static uint64_t now(int clock)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = __atomic_load_n(&data.seq, __ATOMIC_ACQUIRE);
		uint64_t cycles, time;

		if (!data.usable)
			return 0;
		cycles = rdtsc() - data.tsc;
		time = (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ? data.real
			: data.monotonic) + vdso_scale(&data, cycles);
		if (cycles > data.limit)
			time = 0;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(seq & 1) && __atomic_load_n(&data.seq, __ATOMIC_RELAXED) == seq)
			return time;
		__builtin_ia32_pause();
	}
	return 0;
}

static int is_ours(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC ||
	       clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
}

long __vdso_clock_gettime(int clock, struct timespec *time)
{
	uint64_t ns = is_ours(clock) ? now(clock) : 0;

	if (!ns)
		return call2(SYS_clock_gettime, clock, (long)time);
	time->seconds = ns / NANOSECONDS;
	time->nanoseconds = ns % NANOSECONDS;
	return 0;
}

int __vdso_clock_getres(int clock, struct timespec *resolution)
{
	return call2(SYS_clock_getres, clock, (long)resolution);
}

int __vdso_gettimeofday(struct timeval *time, void *zone)
{
	uint64_t ns = time && !zone ? now(CLOCK_REALTIME) : 0;

	if (!ns)
		return call2(SYS_gettimeofday, (long)time, (long)zone);
	time->seconds = ns / NANOSECONDS;
	time->microseconds = ns % NANOSECONDS / 1000;
	return 0;
}

long __vdso_time(long *time)
{
	uint64_t ns = now(CLOCK_REALTIME);

	if (!ns)
		return call2(SYS_time, (long)time, 0);
	if (time)
		*time = ns / NANOSECONDS;
	return ns / NANOSECONDS;
}

/* Which CPU it is, only the kernel knows, and it changes it when it likes: the first. */
long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	(void)unused;
	if (cpu)
		*cpu = 0;
	if (node)
		*node = 0;
	return 0;
}

#define WEAK(name) __typeof__(__vdso_##name) name __attribute__((weak, alias("__vdso_" #name)))
WEAK(clock_gettime);
WEAK(clock_getres);
WEAK(gettimeofday);
WEAK(time);
WEAK(getcpu);
