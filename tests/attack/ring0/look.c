// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Looking for words of the secret in buffers and in this CPU's registers. */
#include <linux/percpu.h>
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/fpu/api.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include "attacks.h"

#define AREA_SIZE	16384	/* more than XSAVE writes anywhere, CPUID 0Dh */

static void __percpu *areas;

static u32 cpuid_ebx_of(u32 leaf, u32 subleaf)
{
	u32 eax, ebx, ecx, edx;

	cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx);
	return ebx;
}

unsigned int look_words(u64 key, const void *buffer, size_t bytes)
{
	const u64 *words = buffer;
	unsigned int found = 0;
	size_t i;

	for (i = 0; i < bytes / sizeof(u64); i++)
		found += secret_is(key, words[i]);
	return found;
}

#define XMM_AT		160	/* SDM "XSAVE Area": legacy region, then AVX where CPUID Dh.2 says */
#define XMM_BYTES	256

/* All bits of XMM0-15 and of the upper halves of YMM0-15, or-ed, as look_vectors() saw them. */
u64 look_vector_bits(void)
{
	const u8 *area = PTR_ALIGN((u8 *)this_cpu_ptr(areas), 64);
	u32 avx = boot_cpu_has(X86_FEATURE_AVX) ? cpuid_ebx_of(0xd, 2) : XMM_AT;
	u64 bits = 0;
	unsigned int i;

	for (i = 0; i < XMM_BYTES; i += sizeof(u64))
		bits |= *(const u64 *)(area + XMM_AT + i) | *(const u64 *)(area + avx + i);
	return bits;
}

/* By XSAVE of all that XCR0 has on: in an interrupt, these are what the interrupted code had. */
unsigned int look_vectors(u64 key)
{
	void *area = this_cpu_ptr(areas);
	size_t size = AREA_SIZE - 64;
	u8 *aligned = PTR_ALIGN(area, 64);

	memset(aligned, 0, size);
	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		asm volatile("xsave64 (%0)" : : "r" (aligned), "a" (-1), "d" (-1) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r" (aligned) : "memory");
	return look_words(key, aligned, size);
}

unsigned int look_others(u64 key)
{
	static const u32 msrs[] = { MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_TSC_AUX };
	u64 value[16] = { read_cr2() };
	unsigned int i, n = 1;

	for (i = 0; i < 4; i++)
		value[n++] = native_get_debugreg(i);
	value[n++] = native_get_debugreg(6);
	value[n++] = native_get_debugreg(7);
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		rdmsrl_safe(msrs[i], &value[n++]);
	return look_words(key, value, sizeof(value));
}

int look_init(void)
{
	areas = __alloc_percpu(AREA_SIZE, 64);
	return areas ? 0 : -ENOMEM;
}

void look_exit(void)
{
	free_percpu(areas);
}
