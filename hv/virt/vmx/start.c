/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX operation on one CPU: on, off, and the state in which the host guest starts. */
#include "vmx.h"

#include <string.h>

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>

#define CPUID_SMX	BIT(6)		/* 1 ECX */

/* The memory of one CPU, in this order. */
enum { PAGE_HOST_VMCS, PAGE_PROCESS_VMCS, PAGE_VMXON, PAGE_EXTRA, PAGES };
static_assert(sizeof(struct vmx_cpu) <= PAGE_SIZE, "vmx_cpu is one page");

size_t vmx_cpu_size(void)
{
	return PAGES * PAGE_SIZE;
}

/* Firmware that leaves the choice to us leaves the MSR unlocked. */
static void unlock_vmx(void)
{
	u64 feature = rdmsr(MSR_FEATURE_CONTROL);

	if (feature & FEATURE_CONTROL_LOCK)
		return;
	feature |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
	if (cpuid(1, 0).ecx & CPUID_SMX)
		feature |= FEATURE_CONTROL_VMX_IN_SMX;
	wrmsr(MSR_FEATURE_CONTROL, feature);
}

int vmx_cpu_start(struct vt_cpu *vt, const struct vt_machine *machine, void *memory)
{
	char *base = memory;
	struct vmx_cpu *own = (void *)(base + PAGE_EXTRA * PAGE_SIZE);

	for (unsigned int i = VMX_HOST; i <= VMX_PROCESS; i++) {
		vt->control[i] = base + i * PAGE_SIZE;
		vt->control_pa[i] = phys_address(vt->control[i]);
	}
	vt->extra = own;
	own->vmxon_pa = phys_address(base + PAGE_VMXON * PAGE_SIZE);
	*(u32 *)(base + PAGE_VMXON * PAGE_SIZE) = (u32)rdmsr(MSR_VMX_BASIC) & BASIC_REVISION;
	vmx_process_init(own);
	vt->msrs_written = true;

	unlock_vmx();
	write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_VMX_CR4_FIXED0)) & rdmsr(MSR_VMX_CR4_FIXED1));
	if (vmxon(&own->vmxon_pa)) {
		log_line("CPU %u: VMXON failed (is another hypervisor running?)", vt->id);
		return -1;
	}
	own->on = true;
	vmx_flush_all(vt);	/* SDM: stale translations may outlive VMXOFF */
	return vmx_control_init(vt, machine);
}

/* A pending INIT is blocked in VMX operation and resets the CPU after VMXOFF. */
static void leave_vmx(struct vt_cpu *vt)
{
	struct vmx_cpu *own = vmx_cpu(vt);

	if (!own || !own->on)
		return;
	own->on = false;
	vmclear(&vt->control_pa[VMX_PROCESS]);
	vmclear(&vt->control_pa[VMX_HOST]);
	asm volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

/* Bochs 2.7 keeps it pending; that is what trap mode is for on VMX. */
void vmx_take_init(struct vt_cpu *vt)
{
	leave_vmx(vt);
	for (;;)
		asm volatile("cli; hlt");
}

bool vmx_holds_init(void)
{
	return true;	/* it is an exit, always */
}

/* CR0 gets the bits that VMX fixes; the guest reads what it would read on the bare CPU. */
static void enter_mode(u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
	u64 entry = vmread(VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_GUEST;

	vmwrite(VMCS_GUEST_CR0, cr0 | vmread(VMCS_CR0_MASK));
	vmwrite(VMCS_CR0_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR3, cr3);
	vmwrite(VMCS_GUEST_CR4, cr4 | rdmsr(MSR_VMX_CR4_FIXED0));
	vmwrite(VMCS_GUEST_EFER, efer);
	vmwrite(VMCS_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? ENTRY_IA32E_GUEST : 0));
}

/* What every start of the host guest has in common: a CPU at reset, its general registers 0. */
static void reset(struct vt_cpu *vt)
{
	memset(vt->regs, 0, sizeof(*vt->regs));
	vmx_nmi_window(vmx_cpu(vt), false);
	for (enum vmcs_segment s = SEG_ES; s < SEG_LDTR; s++)
		vmx_set_segment(s, 0, 0, 0xFFFF, s == SEG_CS ? RIGHTS_CODE_16 : RIGHTS_DATA_16);
	vmx_set_segment(SEG_LDTR, 0, 0, 0xFFFF, RIGHTS_LDT);
	vmx_set_segment(SEG_TR, 0, 0, 0xFFFF, RIGHTS_BUSY_TSS);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xFFFF);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xFFFF);
	vmx_common_fields();
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(VMCS_GUEST_RIP, 0);
	vmwrite(VMCS_GUEST_RSP, 0);
	write_cr2(0);
	write_dr6(DR6_RESET);
}

/* SDM "Processor State After Reset or INIT", then a startup IPI. */
void vmx_host_enter_sipi(struct vt_cpu *vt, u8 page)
{
	reset(vt);
	vt->regs->rdx = cpuid(1, 0).eax;
	vmx_set_segment(SEG_CS, (u16)(page << 8), (u64)page << 12, 0xFFFF, RIGHTS_CODE_16);
	enter_mode(CR0_ET | CR0_CD | CR0_NW, 0, 0, 0);
}

/* Documentation/x86/boot: 64-bit entry; code 10h, data 18h, interrupts off. */
void vmx_host_enter_linux(struct vt_cpu *vt, u64 rip, u64 rsi, u64 rsp, u64 cr3, u64 gdt_base,
			  u16 gdt_limit)
{
	reset(vt);
	vt->regs->rsi = rsi;
	for (enum vmcs_segment s = SEG_ES; s < SEG_LDTR; s++)
		vmx_set_segment(s, 0x18, 0, 0xFFFFFFFF, RIGHTS_DATA(0));
	vmx_set_segment(SEG_CS, 0x10, 0, 0xFFFFFFFF, RIGHTS_CODE_64(0));
	vmwrite(VMCS_GUEST_GDTR_BASE, gdt_base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, gdt_limit);
	enter_mode(CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE, cr3, CR4_PAE, EFER_LME | EFER_LMA);
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_RSP, rsp);
}

bool vmx_native_sipi(void)
{
	return rdmsr(MSR_VMX_MISC) & MISC_WAIT_FOR_SIPI;
}

/* Short: a SIPI that comes before the entry is lost, and Linux's last is 20 us after its INIT. */
bool vmx_host_wait_sipi(struct vt_cpu *vt)
{
	(void)vt;
	if (!vmx_native_sipi())
		return false;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_ENTRY_EVENT, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI);
	return true;
}
