/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real xstate.c with this CPU's own registers: by XSAVEC, XSAVE and FXSAVE,
 * as far as the CPU has them. Compiled without vector registers, so that what
 * is in them is what the test put there.
 */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#include <core/xstate.h>
#include <base/x86.h>

/* --- the CPU that xstate.c sees -------------------------------------------------------- */

static bool hide_xsave, hide_xsavec, hide_avx512;
static u64 xcr0, xcr0_writes;

struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r = { 0 };

	__cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
	if (leaf == 1 && hide_xsave)
		r.ecx &= ~(u32)BIT(26);
	if (leaf == 0xD && subleaf == 1 && hide_xsavec)
		r.eax &= ~(u32)BIT(1);
	if (leaf == 0xD && subleaf == 0 && hide_avx512)
		r.eax &= ~0xE0U;
	return r;
}

u64 xgetbv(void)
{
	return xcr0;
}

void xsetbv(u64 value)
{
	xcr0 = value;
	xcr0_writes++;
}

static u64 real_xcr0(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

/* --- registers -------------------------------------------------------------------------- */

struct registers {
	u8 ymm[16][32];
	u32 mxcsr;
	struct {
		u32 control, status, tag, fip, fcs, fdp, fds;
	} x87;
	u8 st0[10];
};

static bool avx;
static const u64 operand = 0x3FB999999999999A;	/* 0.1 */

static void put(const struct registers *r)
{
	u16 control = (u16)r->x87.control;

	if (avx)
		asm volatile("vmovdqu 0(%0), %%ymm0\n vmovdqu 32(%0), %%ymm1\n"
			     "vmovdqu 224(%0), %%ymm7\n vmovdqu 480(%0), %%ymm15" : : "r"(r->ymm) : "memory");
	else
		asm volatile("movdqu 0(%0), %%xmm0\n movdqu 32(%0), %%xmm1\n"
			     "movdqu 224(%0), %%xmm7\n movdqu 480(%0), %%xmm15" : : "r"(r->ymm) : "memory");
	asm volatile("ldmxcsr %0" : : "m"(r->mxcsr));
	asm volatile("fninit\n fldcw %0\n fldl %1" : : "m"(control), "m"(operand));
}

static void get(struct registers *r)
{
	memset(r, 0, sizeof(*r));
	if (avx)
		asm volatile("vmovdqu %%ymm0, 0(%0)\n vmovdqu %%ymm1, 32(%0)\n"
			     "vmovdqu %%ymm7, 224(%0)\n vmovdqu %%ymm15, 480(%0)" : : "r"(r->ymm) : "memory");
	else
		asm volatile("movdqu %%xmm0, 0(%0)\n movdqu %%xmm1, 32(%0)\n"
			     "movdqu %%xmm7, 224(%0)\n movdqu %%xmm15, 480(%0)" : : "r"(r->ymm) : "memory");
	asm volatile("stmxcsr %0" : "=m"(r->mxcsr));
	asm volatile("fnstenv %0\n fldenv %0" : "=m"(r->x87));
	if ((r->x87.tag & 0xFFFF) != 0xFFFF)
		asm volatile("fstpt %0" : "=m"(r->st0));
}

/* --- the test --------------------------------------------------------------------------- */

static unsigned int failed;

static void check(bool good, const char *mode, const char *what)
{
	if (good)
		return;
	printf("     %s: %s\n", mode, what);
	failed++;
}

static void fill(struct registers *r)
{
	memset(r, 0, sizeof(*r));
	for (unsigned int i = 0; i < sizeof(r->ymm); i++)
		((u8 *)r->ymm)[i] = (u8)(i * 7 + 1);
	r->mxcsr = 0x7FA0;
	r->x87.control = 0x027F;
}

static const struct registers zero;

static bool same_vectors(const struct registers *a, const struct registers *b)
{
	static const unsigned int used[] = { 0, 1, 7, 15 };
	size_t size = avx ? 32 : 16;

	for (unsigned int i = 0; i < ARRAY_SIZE(used); i++)
		if (memcmp(a->ymm[used[i]], b->ymm[used[i]], size))
			return false;
	return true;
}

/* `host` is what the kernel has in XCR0 meanwhile. */
static void cross(const char *mode, u64 host)
{
	static u8 area[XSTATE_SIZE + 64] __attribute__((aligned(XSTATE_ALIGN)));
	static struct cpu cpu;
	struct registers want, left, got;
	u8 pushed[10];
	u64 ours, writes;

	asm volatile("fldl %1\n fstpt %0" : "=m"(pushed) : "m"(operand));

	xstate_boot();
	xstate_fresh(area);
	memset(area + XSTATE_SIZE, 0x99, 64);
	fill(&want);
	xcr0 = host;
	put(&want);
	xstate_load(&cpu, area);	/* a new thread */
	get(&got);
	check(same_vectors(&got, &zero), mode, "a new thread finds vectors of the host");
	check(got.mxcsr == 0x1F80 && (got.x87.control & 0xFFFF) == 0x37F, mode,
	      "a new thread finds other control words than the initial ones");
	check((got.x87.tag & 0xFFFF) == 0xFFFF, mode, "a new thread finds an x87 stack of the host");
	ours = xcr0;

	put(&want);
	asm volatile("fnstenv %0\n fldenv %0" : "=m"(left.x87));
	xstate_save(&cpu, area);
	get(&got);
	check(same_vectors(&got, &zero), mode, "the host finds vectors of the thread");
	check(got.mxcsr == 0x1F80 && (got.x87.control & 0xFFFF) == 0x37F, mode,
	      "the host finds control words of the thread");
	check((got.x87.tag & 0xFFFF) == 0xFFFF, mode,
	      "the host finds the thread's x87 stack");
	check(got.x87.fip != left.x87.fip, mode, "the host finds where the thread's x87 code is");
	check(!left.x87.fdp || got.x87.fdp != left.x87.fdp, mode, "... and its x87 data");
	check(xcr0 == host, mode, "the host's XCR0 has changed");

	fill(&left);
	memset(left.ymm, 0xEE, sizeof(left.ymm));
	put(&left);			/* the kernel does something else */
	xstate_load(&cpu, area);
	get(&got);
	check(same_vectors(&got, &want), mode, "the thread's vectors have changed");
	check(got.mxcsr == want.mxcsr, mode, "the thread's MXCSR has changed");
	check((got.x87.control & 0xFFFF) == 0x27F && !memcmp(got.st0, pushed, sizeof(pushed)), mode,
	      "the thread's x87 state has changed");
	check(xcr0 == ours, mode, "XCR0 is not the same in every view");
	xstate_drop(&cpu);
	get(&got);
	check(same_vectors(&got, &zero), mode, "vectors are left of a thread that was dropped");
	check(xcr0 == host, mode, "the host's XCR0 has changed after a drop");
	for (unsigned int i = 0; i < 64; i++)
		check(area[XSTATE_SIZE + i] == 0x99, mode, "the area is not as large as it says");

	writes = xcr0_writes;
	xcr0 = ours;
	xstate_load(&cpu, area);
	xstate_drop(&cpu);
	check(xcr0_writes == writes, mode, "XCR0 is written though it is right");
}

int main(void)
{
	u32 ecx = cpuid(1, 0).ecx;
	unsigned int passed = 0, skipped = 0, before;
	const struct {
		const char *name;
		bool has, xsave, xsavec, avx512;
	} modes[] = {
		{ "XSAVEC", ecx & BIT(27) && cpuid(0xD, 1).eax & BIT(1), true, true, true },
		{ "XSAVE", ecx & BIT(27), true, false, true },
		{ "XSAVE without AVX-512", ecx & BIT(27), true, false, false },
		{ "FXSAVE", true, false, false, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!modes[i].has) {
			printf("SKIP xstate: this CPU has no %s\n", modes[i].name);
			skipped++;
			continue;
		}
		hide_xsave = !modes[i].xsave;
		hide_xsavec = !modes[i].xsavec;
		hide_avx512 = !modes[i].avx512;
		avx = modes[i].xsave && (real_xcr0() & BIT(2));
		before = failed;
		cross(modes[i].name, modes[i].xsave ? 3 : 0);
		cross(modes[i].name, modes[i].xsave ? 0x207 : 0);
		printf("%s xstate: %s\n", failed == before ? "ok  " : "FAIL", modes[i].name);
		passed += failed == before;
	}
	printf("%u passed, %u failed, %u skipped\n", passed, (unsigned int)ARRAY_SIZE(modes) - passed - skipped,
	       skipped);
	return failed != 0;
}
