/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector state, by XSAVEC, XSAVE or FXSAVE, whichever is the best that the CPU has. */
#include "xstate.h"

#include <string.h>

#include <base/log.h>
#include <base/x86.h>

#define XCR0_X87	BIT(0)
#define XCR0_SSE	BIT(1)
#define XCR0_AVX	BIT(2)
#define XCR0_AVX512	(BIT(5) | BIT(6) | BIT(7))

#define INITIAL_FCW	0x037F
#define INITIAL_MXCSR	0x1F80
#define LEGACY_MXCSR	24	/* offset in the legacy region */
#define INITIAL_SIZE	576	/* legacy region and XSAVE header: components not in XSTATE_BV
				   are not read */

static enum { USE_FXSAVE, USE_XSAVE, USE_XSAVEC } use;
static u32 components;			/* our XCR0; its upper half is 0 */
static u8 initial[INITIAL_SIZE] __attribute__((aligned(XSTATE_ALIGN)));

/* AVX-512 only if all three components lie where the area has room for them. */
static bool avx512_fits(void)
{
	for (unsigned int i = 5; i <= 7; i++) {
		struct cpuid part = cpuid(0xD, i);

		if (part.eax == 0 || (u64)part.ebx + part.eax > XSTATE_SIZE)
			return false;
	}
	return true;
}

void xstate_boot(void)
{
	u64 supported;

	memset(initial, 0, sizeof(initial));
	initial[0] = (u8)INITIAL_FCW;
	initial[1] = INITIAL_FCW >> 8;
	initial[LEGACY_MXCSR] = (u8)INITIAL_MXCSR;
	initial[LEGACY_MXCSR + 1] = INITIAL_MXCSR >> 8;
	use = USE_FXSAVE;
	components = 0;
	if (!(cpuid(1, 0).ecx & BIT(26)) || cpuid(0, 0).eax < 0xD)
		return;
	use = cpuid(0xD, 1).eax & BIT(1) ? USE_XSAVEC : USE_XSAVE;
	supported = (u64)cpuid(0xD, 0).edx << 32 | cpuid(0xD, 0).eax;
	components = (u32)supported & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
	if ((supported & XCR0_AVX512) == XCR0_AVX512 && avx512_fits())
		components |= XCR0_AVX512;
}

void xstate_fresh(void *area)
{
	memset(area, 0, XSTATE_SIZE);
	memcpy(area, initial, sizeof(initial));
}

/*
 * Where FXSAVE and XSAVE keep the last x87 instruction's addresses only while
 * an exception is pending (CPUID 80000008h EBX[2] clear), neither restores
 * them: they would show the process's code and data addresses to whoever comes
 * next. A load of our own puts constants of ours in their place; the
 * state restored afterwards takes back everything else that it changed.
 */
static __attribute__((noinline)) void clear_x87_pointers(void)
{
	static const u32 zero;

	asm volatile("fnclex\n\temms\n\tfildl %0" : : "m"(zero));
}

static void save(void *area)
{
	switch (use) {
	case USE_XSAVEC:
		asm volatile("xsavec64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
		break;
	case USE_XSAVE:
		asm volatile("xsave64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
		break;
	case USE_FXSAVE:
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		break;
	}
}

static void restore(const void *area)
{
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
}

static void restore_legacy(const void *area)
{
	asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* The kernel may have changed XCR0 since the last crossing, unseen by us. XSS and XFD it cannot
 * set at all (policy.c): they are zero. */
void xstate_load(struct cpu *cpu, const void *area)
{
	if (use == USE_FXSAVE) {
		restore_legacy(area);
		return;
	}
	cpu->host_xcr0 = xgetbv();
	if (cpu->host_xcr0 != components)
		xsetbv(components);
	restore(area);
}

void xstate_save(struct cpu *cpu, void *area)
{
	save(area);
	xstate_drop(cpu);
}

void xstate_drop(struct cpu *cpu)
{
	clear_x87_pointers();
	if (use == USE_FXSAVE) {
		restore_legacy(initial);
		return;
	}
	restore(initial);
	if (cpu->host_xcr0 != components)
		xsetbv(cpu->host_xcr0);
}
