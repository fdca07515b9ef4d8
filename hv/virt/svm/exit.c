/* SPDX-License-Identifier: BSD-2-Clause */
/* From an SVM exit to the core's words, and the state of the guest that was left. */
#include "svm.h"

#include <base/x86.h>

#define NPF_WRITE	BIT(1)		/* EXITINFO1 of NPF: page-fault error code */
#define NPF_FETCH	BIT(4)
#define IOIO_IN		BIT(0)
#define IOIO_STRING	BIT(2)
#define IOIO_REP	BIT(3)

static u8 length_of(struct vt_cpu *vt, const struct vmcb *v, u8 fixed)
{
	if (svm_cpu(vt)->nrip && v->nrip > v->rip && v->nrip - v->rip <= 15)
		return (u8)(v->nrip - v->rip);
	return fixed;
}

static void decode_io(const struct vmcb *v, struct vt_exit *exit)
{
	u64 info = v->exitinfo1;

	exit->in = info & IOIO_IN;
	exit->string = info & IOIO_STRING;
	exit->rep = info & IOIO_REP;
	exit->size = (u8)(info >> 4 & 7);
	exit->port = (u16)(info >> 16);
	exit->length = (u8)(v->exitinfo2 - v->rip);	/* EXITINFO2 is the next RIP */
}

static void decode_fault(const struct vmcb *v, struct vt_exit *exit)
{
	exit->address = v->exitinfo2;
	exit->write = v->exitinfo1 & NPF_WRITE;
	exit->fetch = v->exitinfo1 & NPF_FETCH;
	exit->delivering = v->exitintinfo & SVM_EVENT_VALID;
}

static void decode_exception(const struct vmcb *v, struct vt_exit *exit)
{
	exit->vector = v->exitcode & 31;
	exit->error = v->exitinfo1;
	exit->address = exit->vector == VECTOR_PF ? v->exitinfo2 : 0;
}

static void decode_msr(const struct vmcb *v, struct vt_exit *exit)
{
	exit->reason = v->exitinfo1 ? VT_MSR_WRITE : VT_MSR_READ;
}

static void decode_hypercall(struct vt_cpu *vt, const struct vmcb *v, struct vt_exit *exit)
{
	u64 long_mode = v->efer / EFER_LMA, segment = v->cs.attributes / SVM_ATTRIBUTES_L;

	exit->reason = VT_HYPERCALL;
	exit->cr3 = v->cr3;
	exit->length = length_of(vt, v, 3);
	exit->mode = (u8)(v->cpl | (long_mode & segment & 1) * VT_64BIT);
}

/* By exit code (APM appendix); CPUID, VMMCALL, INTR and NPF are not in the table. */
static const struct {
	u8 reason;		/* enum vt_reason; 0: not known */
	u8 length;		/* of the instruction, for CPUs that do not tell */
	void (*decode)(const struct vmcb *v, struct vt_exit *exit);
} known[] = {
	[0x40 ... 0x5F /* EXCP0 to EXCP31 */] = { VT_EXCEPTION, 0, decode_exception },
	[0x61 /* NMI */] = { VT_NMI, 0, NULL },
	[0x63 /* INIT */] = { VT_INIT, 0, NULL },
	[0x76 /* INVD */] = { VT_INVD, 2, NULL },
	[0x7A /* INVLPGA */] = { VT_VIRT_INSN, 0, NULL },
	[0x7B /* IOIO */] = { VT_IO, 0, decode_io },
	[0x7C /* MSR */] = { VT_MSR_READ, 2, decode_msr },
	[0x7F /* SHUTDOWN */] = { VT_SHUTDOWN, 0, NULL },
	[0x80 /* VMRUN */] = { VT_VIRT_INSN, 0, NULL },
	[0x82 /* VMLOAD */ ... 0x86 /* VMSAVE, STGI, CLGI, SKINIT */] = { VT_VIRT_INSN, 0, NULL },
	[0x8D /* XSETBV */] = { VT_XSETBV, 3, NULL },
};

static void __attribute__((noinline)) decode(struct vt_cpu *vt, const struct vmcb *v,
					     struct vt_exit *exit)
{
	u64 code = v->exitcode;

	exit->length = 0;
	exit->raw = code;
	exit->delivering = false;
	exit->msr = (u32)vt->regs->rcx;
	if (code == SVM_EXIT_NPF) {
		exit->reason = VT_NESTED_FAULT;
		decode_fault(v, exit);
	} else if (code < ARRAY_SIZE(known) && known[code].reason) {
		exit->reason = known[code].reason;
		if (known[code].length)
			exit->length = length_of(vt, v, known[code].length);
		if (known[code].decode)
			known[code].decode(v, exit);
	} else {	/* VMEXIT_INVALID is -1, others are negative too */
		exit->reason = code > 0xFFFF ? VT_ENTRY_FAILED : VT_OTHER_INSN;
	}
}

/* Called by run.S after every exit. RAX is the one general register that the VMCB holds. */
void svm_exit(struct vt_cpu *vt)
{
	struct vmcb *v = svm_vmcb(vt);
	struct vt_exit exit;

	vt->regs->rax = v->rax;
	v->tlb_control = SVM_TLB_NOTHING;
	exit.process = vt->current != SVM_HOST;
	if (v->exitcode == SVM_EXIT_CPUID) {	/* the one exit of the steady state */
		exit.reason = VT_CPUID;
		exit.cr4 = v->cr4;
		exit.length = length_of(vt, v, 2);
	} else if (v->exitcode == SVM_EXIT_VMMCALL) {
		decode_hypercall(vt, v, &exit);
	} else if (v->exitcode == SVM_EXIT_INTR) {
		exit.reason = VT_INTERRUPT;
	} else {
		decode(vt, v, &exit);
	}
	vt->handler(vt->cpu, &exit);
	svm_vmcb(vt)->rax = vt->regs->rax;
}

u64 svm_get(struct vt_cpu *vt, enum vt_field field)
{
	const struct vmcb *v = svm_vmcb(vt);

	switch (field) {
	case VT_RIP: return v->rip;
	case VT_RSP: return v->rsp;
	case VT_RFLAGS: return v->rflags;
	case VT_CR0: return v->cr0;
	case VT_CR3: return v->cr3;
	case VT_CR4: return v->cr4;
	case VT_EFER: return v->efer & ~EFER_SVME;
	case VT_DEBUGCTL: return rdmsr(MSR_DEBUGCTL);
	case VT_CPL: return v->cpl;
	case VT_CS_BASE: return v->cs.base;
	}
	return 0;
}

/* LMA follows LME and CR0.PG as the CPU would have it. */
static void set_efer(struct vmcb *v, u64 value)
{
	value &= ~EFER_LMA;
	if (value & EFER_LME && v->cr0 & CR0_PG)
		value |= EFER_LMA;
	v->efer = value | EFER_SVME;
}

/* CR0 and CR4 are not intercepted on SVM: nothing of ours is in them (docs/architecture).
 * DEBUGCTL is the CPU's own there: the view that runs next finds what was written. */
void svm_set(struct vt_cpu *vt, enum vt_field field, u64 value)
{
	struct vmcb *v = svm_vmcb(vt);

	if (field == VT_RIP)
		v->rip = value;
	else if (field == VT_RSP)
		v->rsp = value;
	else if (field == VT_RFLAGS)
		v->rflags = value;
	else if (field == VT_EFER)
		set_efer(v, value);
}

void svm_inject(struct vt_cpu *vt, unsigned int vector, s64 error)
{
	struct vmcb *v = vt->control[SVM_HOST];

	v->eventinj = vector | SVM_EVENT_EXCEPTION | SVM_EVENT_VALID;
	if (error >= 0)
		v->eventinj |= SVM_EVENT_ERROR | (u64)error << 32;
}

/* NMIs are not intercepted in the host view, and GIF is 0 until its VMRUN: the
 * NMI that threw a process view out is still pending and is taken there. */
void svm_inject_nmi(struct vt_cpu *vt)
{
	(void)vt;
}

void svm_reinject(struct vt_cpu *vt)
{
	struct vmcb *v = svm_vmcb(vt);
	u64 event = v->exitintinfo;

	/* TCG labels an external interrupt as an exception: exceptions end at 31 */
	if ((event & SVM_EVENT_TYPE) == SVM_EVENT_EXCEPTION && (event & 0xFF) > 31)
		event &= ~SVM_EVENT_TYPE;
	v->eventinj = event;
}

/* Past the instruction: APM "Interrupt Shadows" end with it, RF is cleared, and with TF set
 * the guest takes the #DB that the instruction would have raised. */
void svm_skip(struct vt_cpu *vt, const struct vt_exit *exit)
{
	struct vmcb *v = svm_vmcb(vt);

	v->rip += exit->length;
	v->interrupt_shadow = 0;
	if (!(v->rflags & (RFLAGS_TF | RFLAGS_RF)))
		return;
	v->rflags &= ~RFLAGS_RF;
	if (v->rflags & RFLAGS_TF && vt->current == SVM_HOST) {
		v->dr6 |= BIT(14);
		svm_inject(vt, VECTOR_DB, -1);
	}
}
