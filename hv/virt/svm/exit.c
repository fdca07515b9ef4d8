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

	exit->reason = VT_IO;
	exit->in = info & IOIO_IN;
	exit->string = info & IOIO_STRING;
	exit->rep = info & IOIO_REP;
	exit->size = (u8)(info >> 4 & 7);
	exit->port = (u16)(info >> 16);
	exit->length = (u8)(v->exitinfo2 - v->rip);	/* EXITINFO2 is the next RIP */
}

static void decode_fault(const struct vmcb *v, struct vt_exit *exit)
{
	exit->reason = VT_NESTED_FAULT;
	exit->address = v->exitinfo2;
	exit->write = v->exitinfo1 & NPF_WRITE;
	exit->fetch = v->exitinfo1 & NPF_FETCH;
	exit->delivering = v->exitintinfo & SVM_EVENT_VALID;
}

static void decode_exception(const struct vmcb *v, struct vt_exit *exit)
{
	exit->reason = VT_EXCEPTION;
	exit->vector = (u8)(v->exitcode - SVM_EXIT_EXCP0);
	exit->error = v->exitinfo1;
	exit->address = exit->vector == VECTOR_PF ? v->exitinfo2 : 0;
}

static void decode_hypercall(struct vt_cpu *vt, const struct vmcb *v, struct vt_exit *exit)
{
	u64 long_mode = v->efer / EFER_LMA, segment = v->cs.attributes / SVM_ATTRIBUTES_L;

	exit->reason = VT_HYPERCALL;
	exit->length = length_of(vt, v, 3);
	exit->mode = (u8)(v->cpl | (long_mode & segment & 1) * VT_64BIT);
}

static void __attribute__((noinline)) decode(struct vt_cpu *vt, const struct vmcb *v,
					     struct vt_exit *exit)
{
	exit->length = 0;
	exit->raw = v->exitcode;
	exit->delivering = false;
	switch (v->exitcode) {
	case SVM_EXIT_MSR:
		exit->reason = v->exitinfo1 ? VT_MSR_WRITE : VT_MSR_READ;
		exit->msr = (u32)vt->regs.rcx;
		exit->length = length_of(vt, v, 2);
		return;
	case SVM_EXIT_IOIO:
		decode_io(v, exit);
		return;
	case SVM_EXIT_NPF:
		decode_fault(v, exit);
		return;
	case SVM_EXIT_XSETBV:
		exit->reason = VT_XSETBV;
		exit->length = length_of(vt, v, 3);
		return;
	case SVM_EXIT_INVD:
		exit->reason = VT_INVD;
		exit->length = length_of(vt, v, 2);
		return;
	case SVM_EXIT_INTR:
		exit->reason = VT_INTERRUPT;
		return;
	case SVM_EXIT_NMI:
		exit->reason = VT_NMI;
		return;
	case SVM_EXIT_INIT:
		exit->reason = VT_INIT;
		return;
	case SVM_EXIT_SHUTDOWN:
		exit->reason = VT_SHUTDOWN;
		return;
	case SVM_EXIT_VMRUN: case SVM_EXIT_VMLOAD: case SVM_EXIT_VMSAVE: case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI: case SVM_EXIT_SKINIT: case SVM_EXIT_INVLPGA:
		exit->reason = VT_VIRT_INSN;
		return;
	default:
		break;
	}
	if (v->exitcode >= SVM_EXIT_EXCP0 && v->exitcode <= SVM_EXIT_EXCP31)
		decode_exception(v, exit);
	else if (v->exitcode > 0xFFFF)	/* VMEXIT_INVALID is -1, others are negative too */
		exit->reason = VT_ENTRY_FAILED;
	else
		exit->reason = VT_OTHER_INSN;
}

/* Called by run.S after every exit. RAX is the one general register that the VMCB holds. */
void svm_exit(struct vt_cpu *vt)
{
	struct vmcb *v = svm_vmcb(vt);
	struct vt_exit exit;

	vt->regs.rax = v->rax;
	v->tlb_control = SVM_TLB_NOTHING;
	exit.process = vt->current != SVM_HOST;
	if (v->exitcode == SVM_EXIT_CPUID) {	/* the one exit of the steady state */
		exit.reason = VT_CPUID;
		exit.length = length_of(vt, v, 2);
	} else if (v->exitcode == SVM_EXIT_VMMCALL) {
		decode_hypercall(vt, v, &exit);
	} else {
		decode(vt, v, &exit);
	}
	vt->handler(vt->cpu, &exit);
	svm_vmcb(vt)->rax = vt->regs.rax;
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
	case VT_CPL: return v->cpl;
	case VT_CS_BASE: return v->cs.base;
	}
	return 0;
}

void svm_set(struct vt_cpu *vt, enum vt_field field, u64 value)
{
	struct vmcb *v = svm_vmcb(vt);

	switch (field) {
	case VT_RIP: v->rip = value; break;
	case VT_RSP: v->rsp = value; break;
	case VT_RFLAGS: v->rflags = value; break;
	case VT_CR0: case VT_CR3: case VT_CR4: case VT_EFER: case VT_CPL: case VT_CS_BASE:
		break;	/* set_cr and set_efer change those that may change */
	}
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

void svm_reinject(struct vt_cpu *vt, const struct vt_exit *exit)
{
	struct vmcb *v = svm_vmcb(vt);
	u64 event = v->exitintinfo;

	(void)exit;
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

/* CR0 and CR4 are not intercepted on SVM: nothing of ours is in them (docs/architecture). */
void svm_set_cr(struct vt_cpu *vt, unsigned int cr, u64 value)
{
	(void)vt;
	(void)cr;
	(void)value;
}

u64 svm_get_efer(struct vt_cpu *vt)
{
	const struct vmcb *v = vt->control[SVM_HOST];

	return v->efer & ~EFER_SVME;
}

void svm_set_efer(struct vt_cpu *vt, u64 value)
{
	struct vmcb *v = vt->control[SVM_HOST];

	/* LMA follows LME and CR0.PG as the CPU would have it */
	value &= ~EFER_LMA;
	if (value & EFER_LME && v->cr0 & CR0_PG)
		value |= EFER_LMA;
	v->efer = value | EFER_SVME;
}
