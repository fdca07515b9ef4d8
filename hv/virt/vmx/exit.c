/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VMX exit to the core's words, and the state of the guest that was left. */
#include "vmx.h"

#include <base/x86.h>

/* SDM "Exit Qualification for Control-Register Accesses" and the tables after it. */
#define CR_NUMBER(q)		((q) & 15)
#define CR_TYPE(q)		((q) >> 4 & 3)
#define CR_REGISTER(q)		((q) >> 8 & 15)
#define CR_MOV_TO		0
#define REGISTER_RSP		4
#define IO_SIZE(q)		(((q) & 7) + 1)
#define IO_IN			BIT(3)
#define IO_STRING		BIT(4)
#define IO_REP			BIT(5)
#define IO_PORT(q)		((q) >> 16)
#define EPT_VIOLATION_WRITE	BIT(1)
#define EPT_VIOLATION_FETCH	BIT(2)
#define EPT_VIOLATION_IRET	BIT(12)		/* NMI unblocking due to IRET */
#define DEBUGCTL_BTF		BIT(1)

#define ERROR_VMRESUME_NOT_LAUNCHED 5		/* "VM-Instruction Error Numbers" */
#define CANONICAL_END		BIT(47)

/* The decoders find exit->reason, and exit->length 0 or the instruction's, as their rows of the
 * table below say. */
static void decode_exception(struct vt_cpu *vt, struct vt_exit *exit)
{
	u64 event = vmread(VMCS_EXIT_EVENT);

	(void)vt;
	if ((event & EVENT_TYPE) == EVENT_NMI) {
		exit->reason = VT_NMI;
		return;
	}
	exit->vector = event & EVENT_VECTOR;
	exit->error = event & EVENT_ERROR_CODE ? vmread(VMCS_EXIT_ERROR_CODE) : 0;
	exit->address = exit->vector == VECTOR_PF ? vmread(VMCS_EXIT_QUALIFICATION) : 0;
	if ((event & EVENT_TYPE) > EVENT_SOFT_INTERRUPT)	/* INT1, INT3, INTO */
		exit->length = (u8)vmread(VMCS_EXIT_LENGTH);
}

static u64 register_of(struct vt_cpu *vt, unsigned int number)
{
	return number == REGISTER_RSP ? vmread(VMCS_GUEST_RSP) : (&vt->regs->rax)[number];
}

/*
 * A MOV that would change a bit of ours. For CR0 the length stays 0: set_cr makes
 * the read shadow agree, and the CPU executes the instruction again, itself,
 * with whatever it brings along: long mode, PDPTEs, #GP.
 */
static void decode_cr(struct vt_cpu *vt, struct vt_exit *exit)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	if (CR_TYPE(q) != CR_MOV_TO) {
		exit->reason = VT_OTHER_INSN;
		return;
	}
	exit->cr = CR_NUMBER(q);
	exit->value = register_of(vt, CR_REGISTER(q));
	if (!(vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST))
		exit->value = (u32)exit->value;
	if (exit->cr != 0)
		exit->length = (u8)vmread(VMCS_EXIT_LENGTH);
}

static void decode_io(struct vt_cpu *vt, struct vt_exit *exit)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)vt;
	exit->size = IO_SIZE(q);
	exit->in = q & IO_IN;
	exit->string = q & IO_STRING;
	exit->rep = q & IO_REP;
	exit->port = (u16)IO_PORT(q);
}

static void decode_ept_violation(struct vt_cpu *vt, struct vt_exit *exit)
{
	u64 q = vmread(VMCS_EXIT_QUALIFICATION);

	(void)vt;
	exit->address = vmread(VMCS_GUEST_PHYSICAL);
	exit->write = q & EPT_VIOLATION_WRITE;
	exit->fetch = q & EPT_VIOLATION_FETCH;
	exit->delivering = vmread(VMCS_IDT_EVENT) & EVENT_VALID;
	/* an IRET that faults has opened the door to NMIs already; it will run again */
	if (q & EPT_VIOLATION_IRET && !exit->delivering)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKING_BY_NMI);
}

void vmx_nmi_window(struct vmx_cpu *own, bool on)
{
	vmwrite(VMCS_PIN_CONTROLS, own->host_pin | (on ? PIN_NMI | PIN_VIRTUAL_NMIS : 0));
	vmwrite(VMCS_PROC_CONTROLS, own->host_proc | (on ? PROC_NMI_WINDOW : 0));
}

/* An NMI that was owed can be injected now. */
static void decode_nmi_window(struct vt_cpu *vt, struct vt_exit *exit)
{
	(void)exit;
	vmx_nmi_window(vmx_cpu(vt), false);
}

static void decode_sipi(struct vt_cpu *vt, struct vt_exit *exit)
{
	(void)vt;
	exit->vector = vmread(VMCS_EXIT_QUALIFICATION) & 0xFF;
}

static void decode_msr(struct vt_cpu *vt, struct vt_exit *exit)
{
	exit->msr = (u32)vt->regs->rcx;
}

static void decode_instruction(struct vt_exit *exit, enum vt_reason reason)
{
	exit->reason = reason;
	exit->length = (u8)vmread(VMCS_EXIT_LENGTH);
}

/* A process view is always in long mode. */
static void decode_hypercall(struct vt_exit *exit)
{
	bool mode_64 = vmread(VMCS_GUEST_CS_RIGHTS) & RIGHTS_L &&
		(exit->process || vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST);

	decode_instruction(exit, VT_HYPERCALL);
	exit->cr3 = vmread(VMCS_GUEST_CR3);
	exit->mode = (u8)(RIGHTS_DPL(vmread(VMCS_GUEST_SS_RIGHTS)) | (mode_64 ? VT_64BIT : 0));
}

/* By basic exit reason (SDM appendix). What is missing here our controls cannot cause, or is not
 * decoded here: CPUID, VMCALL, external interrupts. */
static const struct {
	u8 reason;		/* enum vt_reason; 0: not known */
	bool length;		/* the instruction has one to be skipped by */
	void (*decode)(struct vt_cpu *vt, struct vt_exit *exit);
} known[] = {
	[EXIT_EXCEPTION_NMI] = { VT_EXCEPTION, false, decode_exception },
	[2 /* triple fault */] = { VT_SHUTDOWN, false, NULL },
	[3 /* INIT */] = { VT_INIT, false, NULL },
	[4 /* SIPI */] = { VT_SIPI, false, decode_sipi },
	[8 /* NMI window */] = { VT_NMI, false, decode_nmi_window },
	[9 /* task switch */] = { VT_VIRT_INSN, false, NULL },	/* no 64-bit guest can */
	[11 /* GETSEC */] = { VT_VIRT_INSN, false, NULL },
	[12 /* HLT */] = { VT_OTHER_INSN, false, NULL },
	[13 /* INVD */] = { VT_INVD, true, NULL },
	[14 /* INVLPG */ ... 15 /* RDPMC */] = { VT_OTHER_INSN, false, NULL },
	[19 /* VMCLEAR */ ... 27 /* VMXON */] = { VT_VIRT_INSN, false, NULL },
	[28 /* MOV CR */] = { VT_CR_WRITE, false, decode_cr },
	[29 /* MOV DR */] = { VT_OTHER_INSN, false, NULL },
	[30 /* IN, OUT */] = { VT_IO, true, decode_io },
	[31 /* RDMSR */] = { VT_MSR_READ, true, decode_msr },
	[32 /* WRMSR */] = { VT_MSR_WRITE, true, decode_msr },
	[36 /* MWAIT */] = { VT_OTHER_INSN, false, NULL },
	[39 /* MONITOR */] = { VT_OTHER_INSN, false, NULL },
	[46 /* GDTR, IDTR */ ... 47 /* LDTR, TR */] = { VT_OTHER_INSN, false, NULL },
	[48 /* EPT violation */] = { VT_NESTED_FAULT, false, decode_ept_violation },
	[50 /* INVEPT */] = { VT_VIRT_INSN, false, NULL },
	[53 /* INVVPID */] = { VT_VIRT_INSN, false, NULL },
	[54 /* WBINVD */] = { VT_OTHER_INSN, false, NULL },
	[55 /* XSETBV */] = { VT_XSETBV, true, NULL },
	[60 /* ENCLS */] = { VT_VIRT_INSN, false, NULL },
};

static void decode(struct vt_cpu *vt, u32 raw, struct vt_exit *exit)
{
	/* a failed entry (bit 31), our own misconfigured tables, or an instruction that is newer */
	exit->reason = raw & BIT(31) || raw == EXIT_EPT_MISCONFIG ? VT_ENTRY_FAILED : VT_VIRT_INSN;
	if (raw >= ARRAY_SIZE(known) || !known[raw].reason)
		return;
	exit->reason = known[raw].reason;
	if (known[raw].length)
		exit->length = (u8)vmread(VMCS_EXIT_LENGTH);
	if (known[raw].decode)
		known[raw].decode(vt, exit);
}

/* Called by run.S after every exit. */
void vmx_exit(struct vt_cpu *vt)
{
	u32 raw = (u32)vmread(VMCS_EXIT_REASON);
	struct vt_exit exit;

	exit.process = vt->current != VMX_HOST;
	if (raw == EXIT_CPUID) {	/* the one exit that Linux causes for ever */
		decode_instruction(&exit, VT_CPUID);
		exit.cr4 = vmread(VMCS_GUEST_CR4);
	} else if (raw == EXIT_VMCALL) {
		decode_hypercall(&exit);
	} else if (raw == EXIT_EXTERNAL_INTERRUPT) {
		exit.reason = VT_INTERRUPT;
	} else {
		exit.length = 0;
		exit.raw = raw;
		decode(vt, raw, &exit);
	}
	vt->handler(vt->cpu, &exit);
	if (exit.process && vmx_cpu(vt)->left_process)
		vmx_barriers(vmx_cpu(vt));
}

/* What no exit tells, as an exit. */
static void tell(struct vt_cpu *vt, u64 raw, enum vt_reason reason)
{
	const struct vt_exit exit = {
		.process = vt->current != VMX_HOST, .raw = raw, .reason = reason,
	};

	vt->handler(vt->cpu, &exit);
	if (vmx_cpu(vt)->left_process)
		vmx_barriers(vmx_cpu(vt));
}

/* Called by run.S when VMRESUME or VMLAUNCH failed. True: enter by VMLAUNCH. */
bool vmx_entry_refused(struct vt_cpu *vt)
{
	u64 error = vmread(VMCS_INSTRUCTION_ERROR);

	if (error == ERROR_VMRESUME_NOT_LAUNCHED)
		return true;
	tell(vt, BIT(32) | error, VT_ENTRY_FAILED);
	return false;
}

/* Called by run.S when an NMI arrived in root mode. */
void vmx_root_nmi(struct vt_cpu *vt)
{
	__atomic_store_n(vt->nmi, 0, __ATOMIC_RELAXED);
	tell(vt, EXIT_EXCEPTION_NMI, VT_NMI);
}

u64 vmx_get(struct vt_cpu *vt, enum vt_field field)
{
	switch (field) {
	case VT_RIP: return vmread(VMCS_GUEST_RIP);
	case VT_RSP: return vmread(VMCS_GUEST_RSP);
	case VT_RFLAGS: return vmread(VMCS_GUEST_RFLAGS);
	case VT_CR0: return (vmread(VMCS_GUEST_CR0) & ~vmread(VMCS_CR0_MASK)) |
			(vmread(VMCS_CR0_SHADOW) & vmread(VMCS_CR0_MASK));
	case VT_CR3: return vmread(VMCS_GUEST_CR3);
	case VT_CR4: return vmread(VMCS_GUEST_CR4) & ~vmx_cpu(vt)->cr4_host_owned;
	case VT_EFER: return vmread(VMCS_GUEST_EFER);
	case VT_DEBUGCTL: return vmread(VMCS_GUEST_DEBUGCTL);
	case VT_CPL: return RIGHTS_DPL(vmread(VMCS_GUEST_SS_RIGHTS));
	case VT_CS_BASE: return vmread(VMCS_GUEST_CS_BASE);
	}
	return 0;
}

/* CR0: NE stays set, the guest reads what it wrote (decode_cr). CR4 exits only for a bit that
 * the guest may not set. EFER.LMA is the CPU's: it follows LME when the guest turns paging on
 * or off. */
void vmx_set(struct vt_cpu *vt, enum vt_field field, u64 value)
{
	(void)vt;
	if (field == VT_RIP)
		vmx_jump(value);
	else if (field == VT_RSP)
		vmwrite(VMCS_GUEST_RSP, value);
	else if (field == VT_RFLAGS)
		vmwrite(VMCS_GUEST_RFLAGS, value);
	else if (field == VT_CR0)
		vmwrite(VMCS_CR0_SHADOW, value);
	else if (field == VT_DEBUGCTL)
		vmwrite(VMCS_GUEST_DEBUGCTL, value);
	else if (field == VT_EFER)
		vmwrite(VMCS_GUEST_EFER,
			(value & ~EFER_LMA) | (vmread(VMCS_GUEST_EFER) & EFER_LMA));
}

/* As the instruction would have ended: the shadow and RF are over, and with TF set (and BTF
 * clear) a single-step trap is pending. */
static void __attribute__((noinline)) end_instruction(const struct vt_exit *exit, u64 rflags, u64 shadow)
{
	if (!exit->length)
		return;		/* it has not ended, but is executed again: decode_cr */
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, shadow & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (rflags & RFLAGS_TF && !(vmread(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_BS);
}

/* The instruction pointer left its 4 GiB: it wraps outside 64-bit mode, and at the end of the
 * lower half the next fetch is a #GP. A process view that does this dies of a failed entry. */
static void __attribute__((noinline)) wrap_rip(struct vt_cpu *vt, u64 next, u8 length)
{
	if (!(vmread(VMCS_GUEST_CS_RIGHTS) & RIGHTS_L) ||
	    !(vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_GUEST)) {
		vmwrite(VMCS_GUEST_RIP, (u32)next);
	} else if (next >= CANONICAL_END && next < CANONICAL_END + length &&
		   vt->current == VMX_HOST) {
		vmwrite(VMCS_GUEST_RIP, next - length);
		vmx_inject(vt, VECTOR_GP, 0);
	}
}

void vmx_skip(struct vt_cpu *vt, const struct vt_exit *exit)
{
	u8 length = exit->length;
	u64 next = vmread(VMCS_GUEST_RIP) + length;
	u64 rflags = vmread(VMCS_GUEST_RFLAGS);
	u64 shadow = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	vmwrite(VMCS_GUEST_RIP, next);
	if (shadow & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS) || rflags & (RFLAGS_TF | RFLAGS_RF))
		end_instruction(exit, rflags, shadow);
	if ((u32)next < length)
		wrap_rip(vt, next, length);
}

/* SDM "VM-Entry Controls for Event Injection". A fault pushes RF set; in real mode there is no
 * error code. */
void vmx_inject(struct vt_cpu *vt, unsigned int vector, s64 error)
{
	u64 event = vector | EVENT_HARD_EXCEPTION | EVENT_VALID;

	(void)vt;
	if (error >= 0 && vmread(VMCS_GUEST_CR0) & CR0_PE) {
		event |= EVENT_ERROR_CODE;
		vmwrite(VMCS_ENTRY_ERROR_CODE, (u64)error);
	}
	if (vector != VECTOR_DB && vector != VECTOR_MC)
		vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	vmwrite(VMCS_ENTRY_EVENT, event);
}

/*
 * At the next entry if it is free and NMIs are open, else as soon as they are:
 * the NMI-window exit comes back as VT_NMI. Only a guest that was inside its NMI
 * handler, in the shadow of MOV SS or about to get another event needs that. A
 * CPU that waits for a SIPI ignores NMIs.
 */
void vmx_inject_nmi(struct vt_cpu *vt)
{
	u64 blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (vmread(VMCS_GUEST_ACTIVITY) == ACTIVITY_WAIT_FOR_SIPI)
		return;
	if (blocked & (BLOCKING_BY_MOV_SS | BLOCKING_BY_NMI) ||
	    vmread(VMCS_ENTRY_EVENT) & EVENT_VALID) {
		vmx_nmi_window(vmx_cpu(vt), true);
		return;
	}
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocked & ~BLOCKING_BY_STI);
	vmwrite(VMCS_ENTRY_EVENT, VECTOR_NMI | EVENT_NMI | EVENT_VALID);
}

void vmx_reinject(struct vt_cpu *vt)
{
	u64 event = vmread(VMCS_IDT_EVENT);

	(void)vt;
	if (!(event & EVENT_VALID))
		return;
	event &= EVENT_VALID | EVENT_ERROR_CODE | EVENT_TYPE | EVENT_VECTOR;
	if (event & EVENT_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR_CODE, vmread(VMCS_IDT_ERROR_CODE));
	if ((event & EVENT_TYPE) >= EVENT_SOFT_INTERRUPT)
		vmwrite(VMCS_ENTRY_LENGTH, vmread(VMCS_EXIT_LENGTH));
	if ((event & EVENT_TYPE) == EVENT_NMI)	/* its delivery had begun to block NMIs */
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_NMI);
	vmwrite(VMCS_ENTRY_EVENT, event);
}
