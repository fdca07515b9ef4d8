/* SPDX-License-Identifier: BSD-2-Clause */
/* What an SVM CPU must have, the permission maps, and the controls of both VMCBs. */
#include "svm.h"

#include <string.h>

#include <base/x86.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>

#define CPUID_XSAVE		BIT(26)		/* 1 ECX */
#define CPUID_SVM		BIT(2)		/* 80000001h ECX */
#define CPUID_NX		BIT(20)		/* 80000001h EDX */
#define CPUID_PAGE1GB		BIT(26)
#define CPUID_NP		BIT(0)		/* 8000000Ah EDX */
#define VM_CR_SVMDIS		BIT(4)

const char *svm_missing(void)
{
	if (cpuid(0x80000000, 0).eax < 0x8000000A || !(cpuid(0x80000001, 0).ecx & CPUID_SVM))
		return "AMD SVM (CPUID 80000001h ECX[2])";
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		return "AMD SVM: switched off by the firmware (VM_CR.SVMDIS)";
	if (!(cpuid(0x8000000A, 0).edx & CPUID_NP))
		return "AMD SVM nested paging (CPUID 8000000Ah EDX[0])";
	if (!(cpuid(0x80000001, 0).edx & CPUID_NX))
		return "no-execute pages (CPUID 80000001h EDX[20])";
	if (cpuid(0x8000000A, 0).ebx < 3)
		return "at least three ASIDs (CPUID 8000000Ah EBX)";
	return NULL;
}

u8 svm_largest_leaf(void)
{
	return cpuid(0x80000001, 0).edx & CPUID_PAGE1GB ? 3 : 2;
}

/* APM "MSR Intercepts": two bits an MSR, three ranges of 2000h MSRs. */
void svm_msr_intercept(void *bitmap, u32 msr, bool read, bool write)
{
	static const u32 first[3] = { 0, 0xC0000000, 0xC0010000 };
	u8 *map = bitmap;

	for (unsigned int range = 0; range < 3; range++) {
		u32 bit = (msr - first[range]) * 2;
		u8 *byte = map + range * 0x800 + bit / 8;

		if (msr < first[range] || msr >= first[range] + 0x2000)
			continue;
		*byte &= (u8)~(3U << bit % 8);
		*byte |= (u8)(((read ? 1U : 0U) | (write ? 2U : 0U)) << bit % 8);
	}
}

static void host_control(struct vmcb *v, const struct vt_machine *machine)
{
	v->intercept1 = SVM_INIT | SVM_CPUID | SVM_INVD | SVM_INVLPGA | SVM_IOIO_PROT | SVM_MSR_PROT |
		(u32)SVM_SHUTDOWN;
	v->intercept2 = SVM_SVM_INSNS;
	v->iopm_base = machine->io_bitmap_pa;
	v->msrpm_base = machine->msr_bitmap_pa;
	v->asid = SVM_ASID_HOST;
	v->n_cr3 = machine->host_view->table.root;
	v->tlb_control = SVM_TLB_FLUSH_ALL;
}

/*
 * A process view: everything intercepted but what its own code may do. IRET is
 * not: the shim returns to the program with it. The constants are design
 * section 4, "Crossing". The permission maps are two pages of ones each; the
 * host's bitmap pages lie behind them (start.c).
 */
static void process_control(struct vmcb *v, u64 ones_pa)
{
	v->intercept_cr = 0xFFFFFFFF;
	v->intercept_dr = 0xFFFFFFFF;
	v->intercept_exceptions = 0xFFFFFFFF;
	v->intercept1 = ~(u32)SVM_PROCESS_MAY;
	v->intercept2 = SVM_SVM_INSNS | SVM_PROCESS_INSNS;	/* RDTSCP passes: TSC_AUX is 0 */
	v->v_intr = SVM_V_INTR_MASKING;
	v->iopm_base = ones_pa;
	v->msrpm_base = ones_pa;
	v->tlb_control = SVM_TLB_FLUSH_ALL;
}

static void process_state(struct vmcb *v)
{
	u32 optional = cpuid(1, 0).ecx & CPUID_XSAVE ? CR4_OSXSAVE : 0;

	optional |= cpuid(7, 0).ebx & 1 ? CR4_FSGSBASE : 0;
	optional |= cpuid(7, 0).ecx & BIT(2) ? CR4_UMIP : 0;
	v->cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	v->cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | optional;
	v->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME;
	v->g_pat = PAT_RESET;
	v->dr7 = 0x400;
	v->dr6 = DR6_RESET;
	v->gdtr = (struct svm_segment){ .limit = 0x37, .base = CARREL_DESC_VA };
	v->idtr = (struct svm_segment){ .limit = 0 };
	v->tr = (struct svm_segment){ .attributes = 0x08B };
	v->ldtr = (struct svm_segment){ .attributes = 0x002 };	/* not present */
	svm_process_level(v, false);
	v->star = (u64)0x23 << 48 | (u64)0x10 << 32;
	v->lstar = CARREL_BOUNCE_VA;
	v->sfmask = RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_RF;
}

void svm_control_init(struct vt_cpu *vt, const struct vt_machine *machine)
{
	struct vmcb *host = vt->control[SVM_HOST], *process = vt->control[SVM_PROCESS];

	host->np_enable = SVM_NP_ENABLE;
	process->np_enable = SVM_NP_ENABLE;
	host_control(host, machine);
	process_control(process, machine->ones_pa);
	process_state(process);
}

const struct vt_ops svm_ops = {
	.name = "SVM",
	.insn = CARREL_INSN_VMMCALL,
	.call_bytes = { 0x0F, 0x01, 0xD9 },
	.nested = &svm_nested_format,
	.tracked_msrs = svm_tracked_msrs,
	VT_FUNCTIONS(VT_OP, svm)
};
