/* SPDX-License-Identifier: BSD-2-Clause */
/* Into and out of a process view, and the flushes of this CPU. */
#include "svm.h"

#include <base/x86.h>
#include <carrel/thread.h>

#define SHADOW_ANY	3U	/* vt_context.shadow: SVM does not tell STI from MOV SS */

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

static void set_level(struct vmcb *v, bool bounce)
{
	/* as SYSCALL and SYSRET leave CS and SS: flat, DPL 0 or 3 */
	v->cpl = bounce ? 0 : 3;
	v->cs.selector = bounce ? 0x10 : CARREL_USER_CS;
	v->cs.attributes = bounce ? 0xA9B : 0xAFB;
	v->cs.limit = 0xFFFFFFFF;
	v->cs.base = 0;
	v->ss.selector = bounce ? 0x18 : CARREL_USER_SS;
	v->ss.attributes = bounce ? 0xC93 : 0xCF3;
	v->ss.limit = 0xFFFFFFFF;
	v->ss.base = 0;
}

void svm_process_load(struct vt_cpu *vt, const struct vt_context *context,
		      const struct vt_process *process)
{
	struct vmcb *v = vt->control[SVM_PROCESS];
	struct svm_cpu *own = svm_cpu(vt);

	vt->regs = context->regs;
	v->rax = context->regs.rax;
	v->rip = context->rip;
	v->rsp = context->rsp;
	v->rflags = context->rflags;
	v->cr2 = context->cr2;
	v->cr3 = process->cr3;
	v->n_cr3 = process->view->table.root;
	v->fs.base = context->fs_base;
	v->gs.base = context->gs_base;
	v->interrupt_shadow = context->shadow ? 1 : 0;
	v->eventinj = 0;
	v->dr6 = 0xFFFF0FF0;
	set_level(v, context->bounce);
	v->asid = asid_of(vt, v, process->view->tag);
	own->host_tsc_aux = own->tsc_aux ? rdmsr(MSR_TSC_AUX) : 0;
	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, 0);
	own->host_debugctl = rdmsr(MSR_DEBUGCTL);
	if (own->host_debugctl)		/* no branch of the process in the host's records */
		wrmsr(MSR_DEBUGCTL, 0);
	if (own->ibpb)			/* no branch of the host predicts the process's */
		wrmsr(MSR_PRED_CMD, 1);
	vt->current = SVM_PROCESS;
}

void svm_process_save(struct vt_cpu *vt, struct vt_context *context)
{
	struct vmcb *v = vt->control[SVM_PROCESS];
	struct svm_cpu *own = svm_cpu(vt);

	context->regs = vt->regs;
	context->rip = v->rip;
	context->rsp = v->rsp;
	context->rflags = v->rflags;
	context->cr2 = v->cr2;
	context->fs_base = v->fs.base;
	context->gs_base = v->gs.base;
	context->bounce = v->cpl == 0;
	context->shadow = v->interrupt_shadow & 1 ? SHADOW_ANY : 0;
	if (own->host_tsc_aux)
		wrmsr(MSR_TSC_AUX, own->host_tsc_aux);
	if (own->host_debugctl)
		wrmsr(MSR_DEBUGCTL, own->host_debugctl);
	vt->current = SVM_HOST;
}

/* TLB_CONTROL acts at the next VMRUN, whichever VMCB that enters; so both carry it. A view's
 * VMCB that is entered later flushes once more than it must. */
void svm_flush_all(struct vt_cpu *vt)
{
	struct vmcb *host = vt->control[SVM_HOST], *process = vt->control[SVM_PROCESS];

	host->tlb_control = SVM_TLB_FLUSH_ALL;
	process->tlb_control = SVM_TLB_FLUSH_ALL;
}

void svm_flush_view(struct vt_cpu *vt, const struct view *view)
{
	struct vmcb *v = vt->control[SVM_PROCESS];
	struct svm_cpu *own = svm_cpu(vt);

	if (v->tlb_control == SVM_TLB_FLUSH_ALL)
		return;
	for (u32 asid = SVM_ASID_HOST + 1; asid < own->asid_next; asid++) {
		if (own->asid_tag[asid] != view->tag)
			continue;
		if (own->flush_by_asid && v->asid == asid)
			v->tlb_control = SVM_TLB_FLUSH_ASID;
		else	/* its number is forgotten: the next entry takes a fresh one */
			own->asid_tag[asid] = 0;
	}
}
