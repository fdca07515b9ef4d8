/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into and out of a process view, and the flushes of this CPU.
 *
 * CR2, DR0 to DR3 and DR6 are not in a VMCS and need no switch: every exception
 * of a process view exits before it is delivered, and such an exit changes
 * neither CR2 nor DR6 (SDM "Basic VM-Exit Information"); DR7 is 400h there, and
 * at CPL 3 nothing reads them. So the kernel's values lie untouched and unseen.
 */
#include "vmx.h"

#include <base/log.h>
#include <base/x86.h>
#include <carrel/thread.h>

#define MSR_ARCH_CAPABILITIES	0x10A
#define MSR_FLUSH_CMD		0x10B
#define MSR_ARCH_LBR_CTL	0x14CE
#define PRED_CMD_IBPB		1
#define FLUSH_CMD_L1D		1

#define CPUID_RDTSCP		BIT(27)		/* 80000001h EDX */
#define CPUID_XSAVES		BIT(3)		/* Dh.1 EAX */
#define CPUID_MD_CLEAR		BIT(10)		/* 7 EDX */
#define CPUID_ARCH_LBR		BIT(19)
#define CPUID_IBRS_IBPB		BIT(26)
#define CPUID_STIBP		BIT(27)
#define CPUID_L1D_FLUSH		BIT(28)
#define CPUID_ARCH_CAP		BIT(29)
#define CPUID_SSBD		BIT(31)
#define ARCH_CAP_RDCL_NO	BIT(0)
#define ARCH_CAP_SKIP_L1DFL	BIT(3)
#define SPEC_CTRL_IBRS		BIT(0)
#define SPEC_CTRL_STIBP		BIT(1)
#define SPEC_CTRL_SSBD		BIT(2)

/* SYSCALL: CS 10h, SS 18h; SYSRET: CS 33h, SS 2Bh. IF stays set in the bounce page: an
 * interrupt must throw a process out at every instruction of its. */
#define PROCESS_STAR	(0x23ULL << 48 | 0x10ULL << 32)
#define PROCESS_SFMASK	(RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_RF)
#define BOUNCE_CS	0x10
#define BOUNCE_SS	0x18

/* Flags that code at CPL 3 may have changed: status flags, TF, DF, NT, RF, AC, ID. */
#define RFLAGS_STATUS	0x8D5ULL
#define RFLAGS_ID	BIT(21)
#define RFLAGS_PROCESS	(RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | \
			 RFLAGS_AC | RFLAGS_ID)

static void switch_msr(struct vmx_cpu *own, u32 msr, u64 process)
{
	u64 value;

	if (rdmsr_safe(msr, &value))
		return;		/* CPUID promised it, an outer hypervisor does not keep it */
	ASSERT(own->msr_count < VMX_SWITCHED_MSRS);
	own->msrs[own->msr_count++] = (struct vmx_switched_msr){ .msr = msr, .process = process };
}

static u64 process_spec_ctrl(u32 features)
{
	return SPEC_CTRL_IBRS | (features & CPUID_STIBP ? SPEC_CTRL_STIBP : 0) |
		(features & CPUID_SSBD ? SPEC_CTRL_SSBD : 0);
}

static bool needs_l1d_flush(u32 features)
{
	u64 cap = features & CPUID_ARCH_CAP ? rdmsr(MSR_ARCH_CAPABILITIES) : 0;

	return features & CPUID_L1D_FLUSH && !(cap & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL));
}

/* Some emulators announce counters that they lack; there is nothing to switch then. */
static bool has_global_ctrl(void)
{
	u64 value, kept = 0;

	if (cpuid(0, 0).eax < 10 || (cpuid(10, 0).eax & 0xFF) < 2 ||
	    rdmsr_safe(MSR_PERF_GLOBAL_CTRL, &value))
		return false;
	wrmsr_safe(MSR_PERF_GLOBAL_CTRL, value ^ 1);
	rdmsr_safe(MSR_PERF_GLOBAL_CTRL, &kept);
	wrmsr_safe(MSR_PERF_GLOBAL_CTRL, value);
	return kept != value;
}

void vmx_process_init(struct vmx_cpu *own)
{
	u32 features = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).edx : 0;

	own->msr_count = 0;
	own->bounce = false;
	own->shadow = 0;
	own->tag = 0;
	own->host_rsp = 0;
	if (has_global_ctrl())
		switch_msr(own, MSR_PERF_GLOBAL_CTRL, 0);
	if (features & CPUID_IBRS_IBPB)
		switch_msr(own, MSR_SPEC_CTRL, process_spec_ctrl(features));
	if (features & CPUID_ARCH_LBR)
		switch_msr(own, MSR_ARCH_LBR_CTL, 0);
	if (cpuid(0xD, 1).eax & CPUID_XSAVES)
		switch_msr(own, MSR_XSS, 0);
	own->tsc_aux = cpuid(0x80000001, 0).edx & CPUID_RDTSCP;
	own->ibpb = features & CPUID_IBRS_IBPB;
	own->verw = features & CPUID_MD_CLEAR;
	own->l1d_flush = needs_l1d_flush(features);
}

const u32 vmx_tracked_msrs[] = { MSR_STAR, MSR_LSTAR, MSR_SFMASK, MSR_TSC_AUX, 0 };

static void __attribute__((noinline)) read_msrs(struct vt_cpu *vt)
{
	struct vmx_cpu *own = vmx_cpu(vt);

	own->host_star = rdmsr(MSR_STAR);
	own->host_lstar = rdmsr(MSR_LSTAR);
	own->host_sfmask = rdmsr(MSR_SFMASK);
	own->host_tsc_aux = own->tsc_aux ? rdmsr(MSR_TSC_AUX) : 0;
	vt->msrs_written = false;
}

static void msrs_load(struct vt_cpu *vt)
{
	struct vmx_cpu *own = vmx_cpu(vt);

	if (vt->msrs_written)
		read_msrs(vt);
	if (own->host_star != PROCESS_STAR)	/* Linux has the same */
		wrmsr(MSR_STAR, PROCESS_STAR);
	wrmsr(MSR_LSTAR, CARREL_BOUNCE_VA);
	wrmsr(MSR_SFMASK, PROCESS_SFMASK);
	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, 0);
	if (!own->msr_count)
		return;
	for (struct vmx_switched_msr *m = own->msrs; m < own->msrs + own->msr_count; m++) {
		m->host = rdmsr(m->msr);
		if (m->host != m->process)
			wrmsr(m->msr, m->process);
	}
}

static void msrs_restore(struct vmx_cpu *own)
{
	if (own->host_star != PROCESS_STAR)
		wrmsr(MSR_STAR, own->host_star);
	wrmsr(MSR_LSTAR, own->host_lstar);
	wrmsr(MSR_SFMASK, own->host_sfmask);
	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, own->host_tsc_aux);
	if (!own->msr_count)
		return;
	for (struct vmx_switched_msr *m = own->msrs; m < own->msrs + own->msr_count; m++) {
		if (m->host != m->process)
			wrmsr(m->msr, m->host);
	}
}

/* An exit pushes the registers where they belong: run.S. */
static void set_host_rsp(struct vmx_cpu *own, const struct vt_regs *regs)
{
	u64 end = (u64)(regs + 1);

	if (own->host_rsp == end)
		return;
	own->host_rsp = end;
	vmwrite(VMCS_HOST_RSP, end);
}

/* Code and stack segments are constants of the level: the program's, or the bounce page's. */
static void set_level(struct vmx_cpu *own, bool bounce)
{
	u32 dpl = bounce ? 0 : 3;

	if (own->bounce == bounce)
		return;
	own->bounce = bounce;
	vmwrite(VMCS_GUEST_CS_SELECTOR, bounce ? BOUNCE_CS : CARREL_USER_CS);
	vmwrite(VMCS_GUEST_CS_RIGHTS, RIGHTS_CODE_64(dpl));
	vmwrite(VMCS_GUEST_SS_SELECTOR, bounce ? BOUNCE_SS : CARREL_USER_SS);
	vmwrite(VMCS_GUEST_SS_RIGHTS, RIGHTS_DATA(dpl));
}

static void null_data_segments(void)
{
	vmx_set_segment(SEG_ES, 0, 0, 0, RIGHTS_UNUSABLE);
	vmx_set_segment(SEG_DS, 0, 0, 0, RIGHTS_UNUSABLE);
	vmx_set_segment(SEG_FS, 0, 0, 0, RIGHTS_UNUSABLE);
	vmx_set_segment(SEG_GS, 0, 0, 0, RIGHTS_UNUSABLE);
}

/* Another view than last time. A program may have loaded its flat segment: the next one finds
 * null again. */
static void __attribute__((noinline)) set_view(struct vmx_cpu *own, const struct vt_process *process)
{
	u16 tag = process->view->tag;

	vmwrite(VMCS_EPT_POINTER, vmx_eptp(process->view));
	vmwrite(VMCS_VPID, tag + VMX_VPID_HOST);
	vmwrite(VMCS_GUEST_CR3, process->cr3);
	if (vmread(VMCS_GUEST_ES_SELECTOR) | vmread(VMCS_GUEST_DS_SELECTOR) |
	    vmread(VMCS_GUEST_FS_SELECTOR) | vmread(VMCS_GUEST_GS_SELECTOR))
		null_data_segments();
	own->tag = tag;
}

/*
 * SDM "Checks on Guest Non-Register State": under a shadow, a single step must be
 * pending exactly if TF is set. Without a shadow it is pending only where an
 * exit came between an instruction and its trap.
 */
static void set_shadow(struct vmx_cpu *own, const struct vt_context *context)
{
	u32 shadow = context->shadow & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
	bool step = shadow ? context->rflags & RFLAGS_TF : context->shadow & PENDING_BS;

	if (!(context->shadow | own->shadow))
		return;
	own->shadow = context->shadow;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, shadow);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, step ? PENDING_BS : 0);
}

void vmx_process_load(struct vt_cpu *vt, struct vt_context *context,
		      const struct vt_process *process)
{
	struct vmx_cpu *own = vmx_cpu(vt);

	vt->regs = &context->regs;
	msrs_load(vt);
	if (own->ibpb)
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	vmptrld(&vt->control_pa[VMX_PROCESS]);
	vt->current = VMX_PROCESS;
	if (own->tag != process->view->tag)
		set_view(own, process);
	set_host_rsp(own, &context->regs);
	set_level(own, context->bounce);
	set_shadow(own, context);
	vmwrite(VMCS_GUEST_RIP, context->rip);
	vmwrite(VMCS_GUEST_RSP, context->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, (context->rflags & RFLAGS_PROCESS) | RFLAGS_FIXED | RFLAGS_IF);
	vmwrite(VMCS_GUEST_FS_BASE, context->fs_base);
	vmwrite(VMCS_GUEST_GS_BASE, context->gs_base);
}

void vmx_process_save(struct vt_cpu *vt, struct vt_context *context, u8 length, u64 rip, u64 rsp)
{
	struct vmx_cpu *own = vmx_cpu(vt);

	vt->regs = &vt->host_regs;
	context->rip = vmread(VMCS_GUEST_RIP) + length;
	context->rsp = vmread(VMCS_GUEST_RSP);
	context->rflags = vmread(VMCS_GUEST_RFLAGS);
	context->fs_base = vmread(VMCS_GUEST_FS_BASE);
	context->gs_base = vmread(VMCS_GUEST_GS_BASE);
	own->bounce = RIGHTS_DPL(vmread(VMCS_GUEST_SS_RIGHTS)) == 0;
	context->bounce = own->bounce;
	own->shadow = (u32)(vmread(VMCS_GUEST_INTERRUPTIBILITY) | vmread(VMCS_GUEST_PENDING_DEBUG));
	context->shadow = own->shadow & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS | PENDING_BS);
	if (length) {	/* as the instruction would have ended */
		context->shadow = context->rflags & RFLAGS_TF ? PENDING_BS : 0;
		context->rflags &= ~RFLAGS_RF;
	}
	vmptrld(&vt->control_pa[VMX_HOST]);
	vt->current = VMX_HOST;
	vmx_jump(rip);
	vmwrite(VMCS_GUEST_RSP, rsp);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF));
	msrs_restore(own);
	own->left_process = true;
}

/* After a process view, before the host view: what the program, or the saving of its state,
 * left in buffers and in the first-level cache (design section 10). */
void vmx_barriers(struct vmx_cpu *own)
{
	static const u16 data_selector = 0x10;

	own->left_process = false;
	if (own->l1d_flush)
		wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
	if (own->verw)
		asm volatile("verw %0" : : "m"(data_selector) : "cc", "memory");
}

/* SDM "INVEPT", "INVVPID": type 2 is all contexts. A tag may now name another view. */
void vmx_flush_all(struct vt_cpu *vt)
{
	static const u64 descriptor[2];
	bool failed, failed_too;

	vmx_cpu(vt)->tag = 0;
	asm volatile("invept %1, %2" : "=@ccna"(failed) : "m"(descriptor), "r"(2UL) : "memory");
	asm volatile("invvpid %1, %2" : "=@ccna"(failed_too) : "m"(descriptor), "r"(2UL) : "memory");
	ASSERT(!failed && !failed_too);
}
