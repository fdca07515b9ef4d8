/* SPDX-License-Identifier: BSD-2-Clause */
/* Time from a kernel that may say anything. */
#include <cpuid.h>
#include <unistd.h>

#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/time/time.h"
#include "guest-abi/shim/time/vdso/data.h"
#include "test.h"

#define PLACE	0x300000000000UL

static uint64_t monotonic, real, nanoseconds_too_many;
static struct thread *t;
static uint64_t *answer;		/* in the program's memory */

static int64_t clock_host(const struct ocall *c, uint64_t *flags)
{
	uint64_t ns = c->arg[0] == CLOCK_REALTIME ? real : monotonic, *time = (void *)c->arg[1];

	(void)flags;
	if (c->number != SYS_clock_gettime)
		return 0;
	time[0] = ns / NANOSECONDS;
	time[1] = ns % NANOSECONDS + nanoseconds_too_many;
	return 0;
}

static const struct vdso_data *told(void)
{
	return (const struct vdso_data *)PLACE;
}

static bool invariant(void)
{
	uint32_t a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1U << 8;
}

static void begin(void)
{
	t = fake_reset(2, 4);
	fake.host = clock_host;
	fake.memory = true;
	nanoseconds_too_many = 0;
	time_setup(t, PLACE);
	answer = (uint64_t *)program_block(16, CARREL_R | CARREL_W);
}

static uint64_t ask(uint64_t clock)
{
	const uint64_t arg[6] = { clock, (uint64_t)answer };

	CHECK_EQ(call_clock_gettime(t, arg), 0);
	CHECK(answer[1] < NANOSECONDS);
	return answer[0] * NANOSECONDS + answer[1];
}

static void mapped(void)
{
	begin();
	CHECK(!memcmp((void *)time_vdso(), "\177ELF", 4));
	CHECK_EQ(vm_prefix(time_vdso(), 4096, CARREL_X), 4096);
	CHECK_EQ(vm_prefix(time_vdso(), 1, CARREL_W), 0);
}

/* Whatever the host says, in any order, the monotonic clock does not go back. */
static void never_backwards(void)
{
	uint64_t last = 0, now;

	begin();
	for (int i = 0; i < 5000; i++) {
		monotonic = random_below(3) ? monotonic + random_below(NANOSECONDS)
					    : random_below(1UL << 40);
		real = random_below(1UL << 62);
		now = ask(CLOCK_MONOTONIC);
		CHECK(now >= last);
		last = now;
		if (random_below(2))
			ask(CLOCK_REALTIME);
		CHECK(!(told()->seq & 1));
		if (told()->usable) {
			CHECK(told()->rate > 0 && told()->limit > 0);
			CHECK(vdso_scale(told(), told()->limit) <= NANOSECONDS / 10);
		}
	}
}

/* Steady answers of the host give a line that the vDSO can use; wall time is the host's. */
static void line(void)
{
	uint64_t tsc = __builtin_ia32_rdtsc();

	begin();
	for (int i = 0; i < 20; i++) {
		usleep(1000);
		monotonic = (1UL << 50) + __builtin_ia32_rdtsc() - tsc;
		real = 3 * monotonic;
		ask(CLOCK_MONOTONIC);
	}
	CHECK_EQ(told()->usable, invariant());
	if (told()->usable)
		CHECK_EQ(told()->real - told()->monotonic, real - monotonic);
	CHECK_EQ(ask(CLOCK_REALTIME) >= real, 1);
}

static void lies(void)
{
	begin();
	nanoseconds_too_many = NANOSECONDS;
	CHECK_DIES(CARREL_DIE_IAGO, ask(CLOCK_MONOTONIC));
}

static void other_calls(void)
{
	int64_t *out;

	begin();
	monotonic = 1UL << 55;
	real = 1000 * NANOSECONDS + 5000;
	out = (int64_t *)answer;
	CHECK_EQ(call_gettimeofday(t, (uint64_t[6]){ (uint64_t)out, 0 }), 0);
	CHECK(out[0] >= 1000 && out[1] >= 5 && out[1] < 1000000);
	CHECK(call_time(t, (uint64_t[6]){ 0 }) >= 1000);
	CHECK(call_time(t, (uint64_t[6]){ (uint64_t)out }) >= 1000);
	CHECK_EQ(call_time(t, (uint64_t[6]){ NOWHERE }), -LINUX_EFAULT);
	CHECK_EQ(call_gettimeofday(t, (uint64_t[6]){ NOWHERE, 0 }), -LINUX_EFAULT);
	CHECK_EQ(call_clock_gettime(t, (uint64_t[6]){ 1, NOWHERE }), -LINUX_EFAULT);
}

const struct test time_tests[] = {
	{ "the vDSO is read and run, not written", mapped },
	{ "monotonic time never goes back", never_backwards },
	{ "a line for the vDSO", line },
	{ "gettimeofday, time", other_calls },
	{ "impossible times", lies },
	{ NULL, NULL },
};
