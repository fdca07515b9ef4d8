/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM operation on one CPU: on, off, and the state in which the host guest starts. */
#include "svm.h"

#include <string.h>

#include <base/phys.h>
#include <base/x86.h>

#define VM_CR_R_INIT		BIT(1)
#define CPUID_NRIP		BIT(3)		/* 8000000Ah EDX */
#define CPUID_RDTSCP		BIT(27)		/* 80000001h EDX */
#define CPUID_IBPB		BIT(12)		/* 80000008h EBX */

/* The memory of one CPU, in this order. */
enum { PAGE_HOST_VMCB, PAGE_PROCESS_VMCB, PAGE_HSAVE, PAGE_OWN_STATE, PAGE_EXTRA, PAGES };
static_assert(sizeof(struct svm_cpu) <= PAGE_SIZE, "svm_cpu is one page");

size_t svm_cpu_size(void)
{
	return PAGES * PAGE_SIZE;
}

int svm_cpu_start(struct vt_cpu *vt, const struct vt_machine *machine, void *memory)
{
	char *base = memory;
	u32 edx = cpuid(0x8000000A, 0).edx;
	struct svm_cpu *own = (void *)(base + PAGE_EXTRA * PAGE_SIZE);

	for (unsigned int i = SVM_HOST; i <= SVM_PROCESS; i++) {
		vt->control[i] = base + i * PAGE_SIZE;
		vt->control_pa[i] = phys_address(vt->control[i]);
	}
	vt->extra = own;
	own->own_state_pa = phys_address(base + PAGE_OWN_STATE * PAGE_SIZE);
	own->asids = (u32)min_u64(cpuid(0x8000000A, 0).ebx, SVM_ASIDS);
	own->asid_next = SVM_ASID_HOST + 1;
	own->nrip = edx & CPUID_NRIP;
	own->ibpb = cpuid(0x80000000, 0).eax >= 0x80000008 &&
		cpuid(0x80000008, 0).ebx & CPUID_IBPB;
	own->tsc_aux = cpuid(0x80000001, 0).edx & CPUID_RDTSCP;
	vt->scratch[0] = own->own_state_pa;	/* run.S */
	vt->msrs_written = true;

	wrmsr_safe(MSR_VM_CR, rdmsr(MSR_VM_CR) | VM_CR_R_INIT);	/* may be locked */
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, phys_address(base + PAGE_HSAVE * PAGE_SIZE));
	asm volatile("vmsave %%rax" : : "a"(own->own_state_pa) : "memory");
	svm_control_init(vt, machine);
	return 0;
}

/* With VM_CR.R_INIT the pending INIT becomes an #SX, which trap.c lets go; without, it resets the
 * CPU as soon as GIF is set. Unproven on hardware. */
void svm_take_init(struct vt_cpu *vt)
{
	(void)vt;
	asm volatile("cli; stgi" : : : "memory");
}

/* Emulators do not keep the bit. */
bool svm_holds_init(void)
{
	return rdmsr(MSR_VM_CR) & VM_CR_R_INIT;
}

/* What every start of the host guest has in common: a CPU at reset, its general registers 0. */
static struct vmcb *reset(struct vt_cpu *vt)
{
	struct vmcb *v = vt->control[SVM_HOST];

	memset(vt->regs, 0, sizeof(*vt->regs));
	v->es = v->ss = v->ds = v->fs = v->gs =
		(struct svm_segment){ .attributes = 0x093, .limit = 0xFFFF };
	v->cs = (struct svm_segment){ .attributes = 0x09B, .limit = 0xFFFF };
	v->gdtr = v->idtr = (struct svm_segment){ .limit = 0xFFFF };
	v->ldtr = (struct svm_segment){ .attributes = 0x082, .limit = 0xFFFF };
	v->tr = (struct svm_segment){ .attributes = 0x08B, .limit = 0xFFFF };
	v->cpl = 0;
	v->interrupt_shadow = 0;
	v->eventinj = 0;
	v->rflags = RFLAGS_FIXED;
	v->dr6 = DR6_RESET;
	v->dr7 = 0x400;
	v->cr2 = v->cr3 = v->cr4 = 0;
	v->rip = v->rsp = v->rax = 0;
	v->g_pat = rdmsr(MSR_PAT);
	v->star = v->lstar = v->cstar = v->sfmask = v->kernel_gs_base = 0;
	v->sysenter_cs = v->sysenter_esp = v->sysenter_eip = 0;
	return v;
}

/* APM "Processor Initialization State", after INIT and a startup IPI. */
void svm_host_enter_sipi(struct vt_cpu *vt, u8 page)
{
	struct vmcb *v = reset(vt);

	vt->regs->rdx = cpuid(1, 0).eax;
	v->cs.selector = (u16)(page << 8);
	v->cs.base = (u64)page << 12;
	v->cr0 = CR0_ET | CR0_CD | CR0_NW;
	v->efer = EFER_SVME;
}

/* Documentation/x86/boot: 64-bit entry; code 10h, data 18h, interrupts off. */
void svm_host_enter_linux(struct vt_cpu *vt, u64 rip, u64 rsi, u64 rsp, u64 cr3, u64 gdt_base,
			  u16 gdt_limit)
{
	struct vmcb *v = reset(vt);
	struct svm_segment data = { .selector = 0x18, .attributes = 0xC93, .limit = 0xFFFFFFFF };

	vt->regs->rsi = rsi;
	v->es = v->ss = v->ds = v->fs = v->gs = data;
	v->cs = (struct svm_segment){ .selector = 0x10, .attributes = 0xA9B, .limit = 0xFFFFFFFF };
	v->gdtr = (struct svm_segment){ .limit = gdt_limit, .base = gdt_base };
	v->cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	v->cr3 = cr3;
	v->cr4 = CR4_PAE;
	v->efer = EFER_SVME | EFER_LME | EFER_LMA;
	v->rip = rip;
	v->rsp = rsp;
}

/* INIT is an exit, but stays pending or cannot be told from a reset: the APIC is trapped. */
bool svm_native_sipi(void)
{
	return false;
}

bool svm_host_wait_sipi(struct vt_cpu *vt)
{
	(void)vt;
	return false;
}
