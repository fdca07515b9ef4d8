/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VMX CPU must have, the permission maps, and the controls and constants of both VMCSs. */
#include "vmx.h"

#include <string.h>

#include <base/log.h>
#include <base/x86.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>

#define CPUID_VMX		BIT(5)		/* 1 ECX */
#define CPUID_XSAVE		BIT(26)
#define CPUID_FSGSBASE		BIT(0)		/* 7 EBX */
#define CPUID_NX		BIT(20)		/* 80000001h EDX */

/* The secondary controls that only let instructions work which CPUID shows, and ENCLS exits
 * (SGX is hidden): each where the CPU has it. */
#define PROC2_OPTIONAL	(PROC2_RDTSCP | PROC2_INVPCID | PROC2_USER_WAIT | PROC2_ENCLS)

struct vmcs_value {
	enum vmcs_field field;
	u64 value;
};

/* A control that must be able to be 1, and what to call it. */
static const struct {
	u32 msr;
	u32 bit;
	const char *name;
} required[] = {
	{ MSR_VMX_TRUE_PROCBASED_CTLS, PROC_SECONDARY, "VMX secondary processor-based controls" },
	{ MSR_VMX_PROCBASED_CTLS2, PROC2_EPT, "VMX extended page tables (EPT)" },
	{ MSR_VMX_PROCBASED_CTLS2, PROC2_VPID, "VMX virtual-processor identifiers (VPID)" },
	{ MSR_VMX_PROCBASED_CTLS2, PROC2_UNRESTRICTED_GUEST, "VMX unrestricted guest" },
	{ MSR_VMX_PROCBASED_CTLS2, PROC2_DESCRIPTOR_TABLE, "VMX descriptor-table exiting" },
	{ MSR_VMX_TRUE_PROCBASED_CTLS, PROC_MSR_BITMAPS, "VMX MSR bitmaps" },
	{ MSR_VMX_TRUE_PROCBASED_CTLS, PROC_IO_BITMAPS, "VMX I/O bitmaps" },
	{ MSR_VMX_TRUE_PROCBASED_CTLS, PROC_NMI_WINDOW, "VMX NMI-window exiting" },
	{ MSR_VMX_TRUE_PINBASED_CTLS, PIN_VIRTUAL_NMIS, "VMX virtual NMIs" },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_HOST_64, "VMX 64-bit host" },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_PAT, "VMX exit control \"save IA32_PAT\"" },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_PAT, "VMX exit control \"load IA32_PAT\"" },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_SAVE_EFER, "VMX exit control \"save IA32_EFER\"" },
	{ MSR_VMX_TRUE_EXIT_CTLS, EXIT_LOAD_EFER, "VMX exit control \"load IA32_EFER\"" },
	{ MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_PAT, "VMX entry control \"load IA32_PAT\"" },
	{ MSR_VMX_TRUE_ENTRY_CTLS, ENTRY_LOAD_EFER, "VMX entry control \"load IA32_EFER\"" },
};

static const char *missing_control(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(required); i++) {
		/* the capability MSR of the secondary controls exists only with them: listed first */
		if (!(rdmsr(required[i].msr) >> 32 & required[i].bit))
			return required[i].name;
	}
	if (rdmsr(MSR_VMX_TRUE_PROCBASED_CTLS) & (PROC_CR3_LOAD | PROC_CR3_STORE))
		return "VMX without CR3 exits";
	return NULL;
}

static const char *missing_ept(void)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID_CAP);

	if (!(cap & EPT_CAP_LENGTH_4) || !(cap & EPT_CAP_WB))
		return "VMX EPT with four levels and write-back tables";
	if ((cap & EPT_CAP_INVEPT) != EPT_CAP_INVEPT)
		return "VMX INVEPT, single-context and all-context";
	if ((cap & EPT_CAP_INVVPID) != EPT_CAP_INVVPID)
		return "VMX INVVPID, single-context and all-context";
	return NULL;
}

const char *vmx_missing(void)
{
	const char *name;
	u64 feature;

	if (!(cpuid(1, 0).ecx & CPUID_VMX))
		return "Intel VMX (CPUID 1 ECX[5])";
	feature = rdmsr(MSR_FEATURE_CONTROL);
	if (feature & FEATURE_CONTROL_LOCK && !(feature & FEATURE_CONTROL_VMX))
		return "Intel VMX: switched off and locked by the firmware (IA32_FEATURE_CONTROL)";
	if (!(rdmsr(MSR_VMX_BASIC) & BASIC_TRUE_CTLS) || rdmsr(MSR_VMX_BASIC) & BASIC_32_BIT)
		return "VMX true controls (IA32_VMX_BASIC[55])";
	if (!(cpuid(0x80000001, 0).edx & CPUID_NX))
		return "no-execute pages (CPUID 80000001h EDX[20])";
	if (!(cpuid(1, 0).ecx & CPUID_XSAVE))
		return "XSAVE (CPUID 1 ECX[26])";
	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ebx & CPUID_FSGSBASE))
		return "FSGSBASE (CPUID 7 EBX[0])";
	name = missing_control();
	return name ? name : missing_ept();
}

u8 vmx_largest_leaf(void)
{
	u64 cap = rdmsr(MSR_VMX_EPT_VPID_CAP);

	return cap & EPT_CAP_1G ? 3 : cap & EPT_CAP_2M ? 2 : 1;
}

/* SDM "MSR-Bitmap Address": reads then writes, each of the low and the high range. MSRs
 * outside both always exit. */
void vmx_msr_intercept(void *bitmap, u32 msr, bool read, bool write)
{
	u8 *map = bitmap;
	u32 bit = msr & 0x1FFF;
	u8 mask = (u8)(1U << bit % 8);

	if (msr >= 0xC0000000 && msr <= 0xC0001FFF)
		map += 1024;
	else if (msr > 0x1FFF)
		return;
	map[bit / 8] = (u8)((map[bit / 8] & ~mask) | (read ? mask : 0));
	map[2048 + bit / 8] = (u8)((map[2048 + bit / 8] & ~mask) | (write ? mask : 0));
}

/* What is wanted and what this CPU insists on. A wanted control that it does not have makes
 * the VM entry fail; vmx_missing() saw to it that there is none. */
static u32 controls(u32 capability_msr, u64 wanted)
{
	return (u32)(wanted | (u32)rdmsr(capability_msr));
}

static u32 proc2(u32 wanted)
{
	return controls(MSR_VMX_PROCBASED_CTLS2,
			wanted | (rdmsr(MSR_VMX_PROCBASED_CTLS2) >> 32 & PROC2_OPTIONAL));
}

static bool write_all(const struct vmcs_value *values, unsigned int count)
{
	bool failed = false;

	for (unsigned int i = 0; i < count; i++)
		failed |= vmwrite(values[i].field, values[i].value);
	return failed;
}

bool vmx_set_segment(enum vmcs_segment segment, u16 selector, u64 base, u32 limit, u32 rights)
{
	return vmwrite(vmx_segment_field(VMCS_GUEST_ES_SELECTOR, segment), selector) |
		vmwrite(vmx_segment_field(VMCS_GUEST_ES_BASE, segment), base) |
		vmwrite(vmx_segment_field(VMCS_GUEST_ES_LIMIT, segment), limit) |
		vmwrite(vmx_segment_field(VMCS_GUEST_ES_RIGHTS, segment), rights);
}

/* SDM "64-Bit TSS Descriptor". */
static u64 tr_base(u64 gdt, u16 tr)
{
	const u64 *descriptor = (const u64 *)(gdt + tr);

	return (descriptor[0] >> 16 & 0xFFFFFF) | (descriptor[0] >> 56 << 24) | descriptor[1] << 32;
}

/* The state after an exit: this CPU's present one, but for stack, entry point and GS base. */
static bool host_state(struct vt_cpu *vt)
{
	u64 gdt = sgdt().base;
	u16 cs, ss, tr;
	bool failed = false;

	asm("mov %%cs, %0" : "=r"(cs));
	asm("mov %%ss, %0" : "=r"(ss));
	asm("str %0" : "=r"(tr));
	const u16 selectors[] = { ss, cs, ss, ss, 0, 0, tr };	/* ES CS SS DS FS GS TR */
	const struct vmcs_value values[] = {
		{ 0x2C00 /* IA32_PAT */, rdmsr(MSR_PAT) },
		{ 0x2C02 /* IA32_EFER */, rdmsr(MSR_EFER) },
		{ 0x4C00 /* IA32_SYSENTER_CS */, 0 },
		{ 0x6C00 /* CR0 */, read_cr0() },
		{ 0x6C02 /* CR3 */, read_cr3() },
		{ 0x6C04 /* CR4 */, read_cr4() },
		{ 0x6C06 /* FS base */, 0 },
		{ 0x6C08 /* GS base */, (u64)vt->cpu },
		{ 0x6C0A /* TR base */, tr_base(gdt, tr) },
		{ 0x6C0C /* GDTR base */, gdt },
		{ 0x6C0E /* IDTR base */, sidt().base },
		{ 0x6C10 /* IA32_SYSENTER_ESP */, 0 },
		{ 0x6C12 /* IA32_SYSENTER_EIP */, 0 },
		{ VMCS_HOST_RSP, (u64)(&vt->host_regs + 1) },
		{ 0x6C16 /* RIP */, (u64)vmx_exit_entry },
	};
	for (unsigned int i = 0; i < ARRAY_SIZE(selectors); i++)
		failed |= vmwrite(vmx_segment_field(VMCS_HOST_ES_SELECTOR, i), selectors[i]);
	return failed | write_all(values, ARRAY_SIZE(values));
}

bool vmx_common_fields(void)
{
	static const struct vmcs_value values[] = {
		{ 0x2010 /* TSC offset */, 0 }, { 0x2800 /* VMCS link pointer */, ~0ULL },
		{ 0x4006 /* page-fault error-code mask */, 0 }, { 0x4008 /* and match */, 0 },
		{ 0x400A /* CR3-target count */, 0 }, { 0x400E /* exit MSR-store count */, 0 },
		{ 0x4010 /* exit MSR-load count */, 0 }, { 0x4014 /* entry MSR-load count */, 0 },
		{ VMCS_ENTRY_EVENT, 0 }, { VMCS_ENTRY_ERROR_CODE, 0 }, { VMCS_ENTRY_LENGTH, 0 },
		{ VMCS_GUEST_DEBUGCTL, 0 }, { VMCS_GUEST_DR7, 0x400 },
		{ VMCS_GUEST_INTERRUPTIBILITY, 0 }, { VMCS_GUEST_PENDING_DEBUG, 0 },
		{ VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE },
		{ VMCS_GUEST_SYSENTER_CS, 0 }, { VMCS_GUEST_SYSENTER_ESP, 0 },
		{ VMCS_GUEST_SYSENTER_EIP, 0 },
	};
	bool failed = write_all(values, ARRAY_SIZE(values));

	if (rdmsr(MSR_VMX_PROCBASED_CTLS2) >> 32 & PROC2_ENCLS)
		failed |= vmwrite(VMCS_ENCLS_BITMAP, ~0ULL);
	return failed;
}

/* The host view: nothing exits but what VMX forces, the two bitmaps and our bits of CR0, CR4. */
static bool host_controls(struct vmx_cpu *own, const struct vt_machine *machine)
{
	own->host_pin = controls(MSR_VMX_TRUE_PINBASED_CTLS, 0);
	own->host_proc = controls(MSR_VMX_TRUE_PROCBASED_CTLS,
				  PROC_SECONDARY | PROC_MSR_BITMAPS | PROC_IO_BITMAPS);
	own->cr4_host_owned = machine->cr4_host_owned | rdmsr(MSR_VMX_CR4_FIXED0);
	const struct vmcs_value values[] = {
		{ VMCS_PIN_CONTROLS, own->host_pin },
		{ VMCS_PROC_CONTROLS, own->host_proc },
		{ VMCS_PROC2_CONTROLS, proc2(PROC2_EPT | PROC2_VPID | PROC2_UNRESTRICTED_GUEST) },
		{ VMCS_EXIT_CONTROLS, controls(MSR_VMX_TRUE_EXIT_CTLS,
			EXIT_HOST_64 | EXIT_SAVE_DEBUG | EXIT_SAVE_PAT | EXIT_LOAD_PAT |
			EXIT_SAVE_EFER | EXIT_LOAD_EFER) },
		{ VMCS_ENTRY_CONTROLS, controls(MSR_VMX_TRUE_ENTRY_CTLS,
			ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER) },
		{ VMCS_EXCEPTION_BITMAP, 0 },
		{ VMCS_IO_BITMAP_A, machine->io_bitmap_pa },
		{ VMCS_IO_BITMAP_B, machine->io_bitmap_pa + PAGE_SIZE },
		{ VMCS_MSR_BITMAP, machine->msr_bitmap_pa },
		{ VMCS_EPT_POINTER, vmx_eptp(machine->host_view) },
		{ VMCS_VPID, VMX_VPID_HOST },
		/* what VMX operation fixes, less what unrestricted guests are exempt from */
		{ VMCS_CR0_MASK, rdmsr(MSR_VMX_CR0_FIXED0) & ~(CR0_PE | CR0_PG) },
		{ VMCS_CR4_MASK, own->cr4_host_owned },
		{ VMCS_CR4_SHADOW, 0 },
		{ VMCS_GUEST_PAT, rdmsr(MSR_PAT) },
	};
	return write_all(values, ARRAY_SIZE(values));
}

/*
 * A process view: no MSR bitmap, so every RDMSR and WRMSR exits; every port,
 * exception, interrupt and NMI too. Interrupts are not acknowledged: they stay
 * pending and are taken in the host view. RDTSC, RDTSCP and PAUSE pass.
 */
static bool process_controls(void)
{
	const struct vmcs_value values[] = {
		{ VMCS_PIN_CONTROLS, controls(MSR_VMX_TRUE_PINBASED_CTLS,
			PIN_EXTERNAL_INTERRUPT | PIN_NMI) },
		{ VMCS_PROC_CONTROLS, controls(MSR_VMX_TRUE_PROCBASED_CTLS,
			PROC_SECONDARY | PROC_UNCONDITIONAL_IO | PROC_HLT | PROC_INVLPG | PROC_MWAIT |
			PROC_MONITOR | PROC_RDPMC | PROC_CR3_LOAD | PROC_CR3_STORE | PROC_CR8_LOAD |
			PROC_CR8_STORE | PROC_MOV_DR) },
		{ VMCS_PROC2_CONTROLS, proc2(PROC2_EPT | PROC2_VPID | PROC2_DESCRIPTOR_TABLE) },
		{ VMCS_EXIT_CONTROLS, controls(MSR_VMX_TRUE_EXIT_CTLS,
			EXIT_HOST_64 | EXIT_LOAD_PAT | EXIT_LOAD_EFER) },
		{ VMCS_ENTRY_CONTROLS, controls(MSR_VMX_TRUE_ENTRY_CTLS,
			ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | ENTRY_IA32E_GUEST) },
		{ VMCS_EXCEPTION_BITMAP, 0xFFFFFFFF },
		{ VMCS_CR0_MASK, ~0ULL }, { VMCS_CR4_MASK, ~0ULL },
	};
	return write_all(values, ARRAY_SIZE(values));
}

/* Design section 4, "Crossing": the state that no process and no kernel chooses. */
static bool process_state(void)
{
	u64 cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG |
		rdmsr(MSR_VMX_CR0_FIXED0);
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE |
		CR4_UMIP | rdmsr(MSR_VMX_CR4_FIXED0);
	bool failed = false;

	cr4 &= rdmsr(MSR_VMX_CR4_FIXED1);
	const struct vmcs_value values[] = {
		{ VMCS_GUEST_CR0, cr0 }, { VMCS_CR0_SHADOW, cr0 },
		{ VMCS_GUEST_CR4, cr4 }, { VMCS_CR4_SHADOW, cr4 },
		{ VMCS_GUEST_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE },
		{ VMCS_GUEST_PAT, PAT_RESET },
		{ VMCS_GUEST_GDTR_BASE, CARREL_DESC_VA },
		{ VMCS_GUEST_GDTR_LIMIT, CARREL_USER_CS | 7 },
		{ VMCS_GUEST_IDTR_BASE, 0 }, { VMCS_GUEST_IDTR_LIMIT, 0 },
		{ VMCS_EPT_POINTER, 0 }, { VMCS_VPID, 0 }, { VMCS_GUEST_CR3, 0 },
	};
	for (enum vmcs_segment s = SEG_ES; s < SEG_TR; s++)
		failed |= vmx_set_segment(s, 0, 0, 0, RIGHTS_UNUSABLE);
	failed |= vmx_set_segment(SEG_CS, CARREL_USER_CS, 0, 0xFFFFFFFF, RIGHTS_CODE_64(3));
	failed |= vmx_set_segment(SEG_SS, CARREL_USER_SS, 0, 0xFFFFFFFF, RIGHTS_DATA(3));
	failed |= vmx_set_segment(SEG_TR, 0, 0, 0, RIGHTS_BUSY_TSS);
	return failed | write_all(values, ARRAY_SIZE(values));
}

int vmx_control_init(struct vt_cpu *vt, const struct vt_machine *machine)
{
	bool failed = false;

	for (unsigned int i = VMX_HOST; i <= VMX_PROCESS; i++) {
		*(u32 *)vt->control[i] = (u32)rdmsr(MSR_VMX_BASIC) & BASIC_REVISION;
		failed |= vmclear(&vt->control_pa[i]);
	}
	failed |= vmptrld(&vt->control_pa[VMX_PROCESS]);
	failed |= vmx_common_fields() | host_state(vt) | process_controls() | process_state();
	failed |= vmptrld(&vt->control_pa[VMX_HOST]);
	failed |= vmx_common_fields() | host_state(vt) | host_controls(vmx_cpu(vt), machine);
	vt->current = VMX_HOST;
	if (!failed)
		return 0;
	log_line("CPU %u: a VMCS field was refused, error %lu", vt->id, vmread(VMCS_INSTRUCTION_ERROR));
	return -1;
}

const struct vt_ops vmx_ops = {
	.name = "VMX",
	.insn = CARREL_INSN_VMCALL,
	.call_bytes = { 0x0F, 0x01, 0xC1 },
	.nested = &vmx_nested_format,
	.tracked_msrs = vmx_tracked_msrs,
	VT_FUNCTIONS(VT_OP, vmx)
};
