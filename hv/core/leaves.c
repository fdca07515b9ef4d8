/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID in a process view: the leaves listed here, less what a process view
 * does not have or what would tell which CPU it is on; every other leaf is zero.
 */
#include "leaves.h"

#include <carrel/hypercall.h>

#include "cpu.h"
#include "xstate.h"

#define LEAF_MAX	0x1F
#define LEAF_EXTENDED	0x80000000
#define LEAF_EXTENDED_MAX 0x8000001D

/* Leaf 1 ECX: MONITOR, VMX, SMX, PDCM, PCID, DCA, x2APIC; OSXSAVE is ours to say. */
#define HIDE_1_ECX	(BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(17) | BIT(18) | BIT(21) | BIT(27))
#define OSXSAVE		BIT(27)
#define APIC_ID		0xFF000000U	/* leaf 1 EBX */
/* Leaf 7 EBX: SGX, INVPCID, MPX, PT. ECX: PKU, OSPKE, CET_SS, LA57, KL, SGX_LC, PKS. */
#define HIDE_7_EBX	(BIT(2) | BIT(10) | BIT(14) | BIT(25))
#define HIDE_7_ECX	(BIT(3) | BIT(4) | BIT(7) | BIT(16) | BIT(23) | BIT(30) | BIT(31))
/* EDX: UINTR, PCONFIG, LBR, CET_IBT, AMX (three). */
#define HIDE_7_EDX	(BIT(5) | BIT(18) | BIT(19) | BIT(20) | BIT(22) | BIT(24) | BIT(25))
/* Leaf 7.1 EAX: AMX-FP16, LAM. */
#define HIDE_7_1_EAX	(BIT(21) | BIT(26))
#define AVX512_7_EBX	(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define AVX512_7_ECX	(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define AVX512_7_EDX	(BIT(2) | BIT(3) | BIT(8) | BIT(23))
/* Leaf 0Dh.1 EAX: XSAVES, XFD. */
#define HIDE_D_1_EAX	(BIT(3) | BIT(4))
/* Leaf 80000001h ECX: SVM, IBS, SKINIT, LWP, topology and performance extensions, MWAITX. */
#define HIDE_EXT_1_ECX	(BIT(2) | BIT(10) | BIT(12) | BIT(15) | BIT(22) | BIT(23) | BIT(24) | \
			 BIT(28) | BIT(29))

static u32 least(u32 a, u32 b)
{
	return a < b ? a : b;
}

static struct cpuid leaf_1(struct cpuid r)
{
	r.ebx &= ~APIC_ID;
	r.ecx &= ~(u32)HIDE_1_ECX;
	if (xstate_xcr0())
		r.ecx |= OSXSAVE;
	return r;
}

static struct cpuid leaf_7(struct cpuid r, u32 subleaf)
{
	if (subleaf > 1)
		return (struct cpuid){ 0 };
	if (subleaf == 1) {
		r.eax &= ~(u32)HIDE_7_1_EAX;
		r.edx = 0;
		return r;
	}
	r.eax = least(r.eax, 1);
	r.ebx &= ~(u32)HIDE_7_EBX;
	r.ecx &= ~(u32)HIDE_7_ECX;
	r.edx &= ~(u32)HIDE_7_EDX;
	if (!(xstate_xcr0() & BIT(5))) {
		r.ebx &= ~(u32)AVX512_7_EBX;
		r.ecx &= ~(u32)AVX512_7_ECX;
		r.edx &= ~(u32)AVX512_7_EDX;
	}
	return r;
}

/* Sizes are those of the XCR0 in force, which is ours now. */
static struct cpuid leaf_d(struct cpuid r, u32 subleaf)
{
	u64 ours = xstate_xcr0();

	if (subleaf == 0)
		return (struct cpuid){ (u32)ours, r.ebx, r.ebx, (u32)(ours >> 32) };
	if (subleaf == 1)
		return (struct cpuid){ r.eax & ~(u32)HIDE_D_1_EAX, r.ebx, 0, 0 };
	if (subleaf < 63 && ours & BIT(subleaf))
		return r;
	return (struct cpuid){ 0 };
}

struct cpuid leaves_own(u32 leaf)
{
	switch (leaf) {
	case CARREL_CPUID_BASE:
		return (struct cpuid){ CARREL_CPUID_MAX, CARREL_SIG_EBX, CARREL_SIG_ECX,
				       CARREL_SIG_EDX };
	case CARREL_CPUID_ABI:
		return (struct cpuid){ CARREL_ABI_VERSION, machine.vt->insn, 0, 0 };
	}
	return (struct cpuid){ 0 };
}

struct cpuid leaves_process(u32 leaf, u32 subleaf)
{
	struct cpuid r = cpuid(leaf, subleaf);

	switch (leaf) {
	case 0:
		r.eax = least(r.eax, LEAF_MAX);
		return r;
	case 1:
		return leaf_1(r);
	case 7:
		return leaf_7(r, subleaf);
	case 0xD:
		return leaf_d(r, subleaf);
	case 2: case 4: case 0x15: case 0x16:
		return r;
	case CARREL_CPUID_BASE: case CARREL_CPUID_ABI:
		return leaves_own(leaf);
	case LEAF_EXTENDED:
		r.eax = least(r.eax, LEAF_EXTENDED_MAX);
		return r;
	case LEAF_EXTENDED + 1:
		r.ecx &= ~(u32)HIDE_EXT_1_ECX;
		return r;
	case LEAF_EXTENDED + 2: case LEAF_EXTENDED + 3: case LEAF_EXTENDED + 4:
	case LEAF_EXTENDED + 5: case LEAF_EXTENDED + 6: case LEAF_EXTENDED + 7:
	case LEAF_EXTENDED + 8: case LEAF_EXTENDED_MAX:
		return r;
	}
	return (struct cpuid){ 0 };
}
