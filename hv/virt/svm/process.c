/* SPDX-License-Identifier: BSD-2-Clause */
/* Into and out of a process view, and the flushes of this CPU. */
#include "svm.h"

#include <base/x86.h>
#include <carrel/thread.h>

#define BOUNCE_CS	0x10
#define BOUNCE_SS	0x18

/* ASIDs name views on this CPU alone; when they are used up, everything is flushed and the
 * numbers start again. */
static u32 asid_of(struct vt_cpu *vt, struct vmcb *v, u16 tag)
{
	struct svm_cpu *own = svm_cpu(vt);

	for (u32 asid = SVM_ASID_HOST + 1; asid < own->asid_next; asid++) {
		if (own->asid_tag[asid] == tag)
			return asid;
	}
	if (own->asid_next == own->asids) {
		own->asid_next = SVM_ASID_HOST + 1;
		v->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	own->asid_tag[own->asid_next] = tag;
	return own->asid_next++;
}

void svm_process_level(struct vmcb *v, bool bounce)
{
	v->cpl = bounce ? 0 : 3;
	v->cs = (struct svm_segment){
		.selector = bounce ? BOUNCE_CS : CARREL_USER_CS,
		.attributes = bounce ? 0xA9B : 0xAFB, .limit = 0xFFFFFFFF,
	};
	v->ss = (struct svm_segment){
		.selector = bounce ? BOUNCE_SS : CARREL_USER_SS,
		.attributes = bounce ? 0xC93 : 0xCF3, .limit = 0xFFFFFFFF,
	};
}

/* Another view than last time. A program may have loaded its flat segment: the next one finds
 * null again. */
static void __attribute__((noinline)) set_view(struct vt_cpu *vt, const struct vt_process *process)
{
	struct vmcb *v = vt->control[SVM_PROCESS];

	v->cr3 = process->cr3;
	v->n_cr3 = process->view->table.root;
	v->asid = asid_of(vt, v, process->view->tag);
	v->ds = v->es = v->fs = v->gs =
		(struct svm_segment){ .attributes = 0xC93, .limit = 0xFFFFFFFF };
	svm_cpu(vt)->tag = process->view->tag;
}

/* MSRs that a process view must not inherit and that no VMCB field holds. */
const u32 svm_tracked_msrs[] = { MSR_TSC_AUX, MSR_DEBUGCTL, 0 };

static void __attribute__((noinline)) read_msrs(struct vt_cpu *vt)
{
	struct svm_cpu *own = svm_cpu(vt);

	own->host_tsc_aux = own->tsc_aux ? rdmsr(MSR_TSC_AUX) : 0;
	own->host_debugctl = rdmsr(MSR_DEBUGCTL);
	vt->msrs_written = own->host_debugctl != 0;	/* its BTF goes by itself */
}

static void msrs_load(struct vt_cpu *vt)
{
	const struct svm_cpu *own = svm_cpu(vt);

	if (vt->msrs_written)
		read_msrs(vt);
	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, 0);
	if (own->host_debugctl)		/* no branch of the process in the host's records */
		wrmsr(MSR_DEBUGCTL, 0);
	if (own->ibpb)			/* no branch of the host predicts the process's */
		wrmsr(MSR_PRED_CMD, 1);
}

static void msrs_restore(struct vt_cpu *vt)
{
	const struct svm_cpu *own = svm_cpu(vt);

	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, own->host_tsc_aux);
	if (own->host_debugctl)
		wrmsr(MSR_DEBUGCTL, own->host_debugctl);
}

void svm_process_load(struct vt_cpu *vt, struct vt_context *context,
		      const struct vt_process *process)
{
	struct vmcb *v = vt->control[SVM_PROCESS];

	if (svm_cpu(vt)->tag != process->view->tag)
		set_view(vt, process);
	vt->regs = &context->regs;	/* RAX goes into the VMCB after the handler */
	v->rip = context->rip;
	v->rsp = context->rsp;
	v->rflags = context->rflags;
	v->fs.base = context->fs_base;
	v->gs.base = context->gs_base;
	v->interrupt_shadow = context->shadow;
	v->dr6 = DR6_RESET;
	/* CS and SS are as SYSCALL and SYSRET leave them: constants of the level */
	if ((v->cpl == 0) != context->bounce)
		svm_process_level(v, context->bounce);
	msrs_load(vt);
	vt->current = SVM_PROCESS;
}

void svm_process_save(struct vt_cpu *vt, struct vt_context *context, u8 length, u64 rip, u64 rsp)
{
	struct vmcb *v = vt->control[SVM_PROCESS], *host = vt->control[SVM_HOST];

	vt->regs = &vt->host_regs;
	context->rip = v->rip + length;
	context->rsp = v->rsp;
	context->rflags = v->rflags;
	context->fs_base = v->fs.base;
	context->gs_base = v->gs.base;
	context->bounce = v->cpl == 0;
	context->shadow = v->interrupt_shadow & 1;
	if (length) {	/* as the instruction would have ended */
		context->shadow = 0;
		context->rflags &= ~RFLAGS_RF;
	}
	msrs_restore(vt);
	host->rip = rip;
	host->rsp = rsp;
	host->rflags = RFLAGS_FIXED | RFLAGS_IF | (host->rflags & RFLAGS_TF);
	host->interrupt_shadow = 0;
	vt->current = SVM_HOST;
}

/* TLB_CONTROL acts at the next VMRUN, whichever VMCB that enters; so both carry it. A view's
 * VMCB that is entered later flushes once more than it must. A tag may now name another view. */
void svm_flush_all(struct vt_cpu *vt)
{
	struct vmcb *host = vt->control[SVM_HOST], *process = vt->control[SVM_PROCESS];

	host->tlb_control = SVM_TLB_FLUSH_ALL;
	process->tlb_control = SVM_TLB_FLUSH_ALL;
	svm_cpu(vt)->tag = 0;
}
