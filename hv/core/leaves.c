/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID in a process view: the rows below, less what a process view does not
 * have or what would tell which CPU it is on. Every other leaf is zero.
 */
#include "leaves.h"

#include <carrel/hypercall.h>

#include "cpu.h"

#define ALL		0xFFFFFFFFU
#define ANY		ALL		/* whatever the subleaf */
#define XSAVE		BIT(26)		/* leaf 1 ECX; OSXSAVE is the next bit */
#define XCR0_OURS	0xE7U		/* x87, SSE, AVX, AVX-512: xstate.c */

static const struct row {
	u32 first, last, subleaf;
	u32 keep[4];			/* of EAX EBX ECX EDX */
} rows[] = {
	{ 0x00, 0x00, ANY, { ALL, ALL, ALL, ALL } },
	/* no APIC id; no MONITOR, VMX, SMX, PDCM, PCID, DCA, x2APIC, OSXSAVE */
	{ 0x01, 0x01, ANY, { ALL, 0x00FFFFFF, ~0x08268068U, ALL } },
	{ 0x02, 0x02, ANY, { ALL, ALL, ALL, ALL } },
	{ 0x04, 0x04, ANY, { ALL, ALL, ALL, ALL } },
	/* no SGX, INVPCID, MPX, PT; PKU, OSPKE, CET_SS, LA57, KL, SGX_LC, PKS; UINTR, PCONFIG,
	 * LBR, CET_IBT, AMX */
	{ 0x07, 0x07, 0, { ALL, ~0x02004404U, ~0xC0810098U, ~0x035C0020U } },
	/* no AMX-FP16, LAM */
	{ 0x07, 0x07, 1, { ~0x04200000U, 0, 0, 0 } },
	{ 0x0D, 0x0D, 0, { XCR0_OURS, ALL, ALL, 0 } },
	/* no XSAVES, XFD */
	{ 0x0D, 0x0D, 1, { ~0x18U, ALL, 0, 0 } },
	{ 0x0D, 0x0D, 2, { ALL, ALL, ALL, 0 } },
	{ 0x0D, 0x0D, 5, { ALL, ALL, ALL, 0 } },
	{ 0x0D, 0x0D, 6, { ALL, ALL, ALL, 0 } },
	{ 0x0D, 0x0D, 7, { ALL, ALL, ALL, 0 } },
	{ 0x15, 0x16, ANY, { ALL, ALL, ALL, ALL } },
	{ 0x80000000, 0x80000000, ANY, { ALL, ALL, ALL, ALL } },
	/* no SVM, IBS, SKINIT, LWP, topology and performance extensions, MWAITX */
	{ 0x80000001, 0x80000001, ANY, { ALL, ALL, ~0x31C09404U, ALL } },
	{ 0x80000002, 0x80000008, ANY, { ALL, ALL, ALL, ALL } },
	{ 0x8000001D, 0x8000001D, ANY, { ALL, ALL, ALL, ALL } },
};

struct cpuid leaves_own(u32 leaf)
{
	if (leaf == CARREL_CPUID_BASE)
		return (struct cpuid){ CARREL_CPUID_MAX, CARREL_SIG_EBX, CARREL_SIG_ECX,
				       CARREL_SIG_EDX };
	if (leaf == CARREL_CPUID_ABI)
		return (struct cpuid){ CARREL_ABI_VERSION, machine.vt->insn, 0, 0 };
	return (struct cpuid){ 0 };
}

static struct cpuid filtered(const struct row *row, u32 leaf, u32 subleaf)
{
	struct cpuid r = cpuid(leaf, subleaf);

	r = (struct cpuid){ r.eax & row->keep[0], r.ebx & row->keep[1], r.ecx & row->keep[2],
			    r.edx & row->keep[3] };
	if (leaf == 1 && r.ecx & XSAVE)
		r.ecx |= XSAVE << 1;
	return r;
}

struct cpuid leaves_process(u32 leaf, u32 subleaf)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		if (row->first <= leaf && leaf <= row->last &&
		    (row->subleaf == subleaf || row->subleaf == ANY))
			return filtered(row, leaf, subleaf);
	}
	return leaves_own(leaf);
}
