/* SPDX-License-Identifier: BSD-2-Clause */
/* A back end that moves registers between plain structures, and the vector registers. */
#include "parts.h"

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <core/xstate.h>
#include <virt/svm/svm.h>

static void clear_all(u64 *map, u64 words)
{
	for (u64 i = 0; i < words; i++)
		__atomic_store_n(&map[i], 0, __ATOMIC_SEQ_CST);
}

static struct test_cpu *of(struct vt_cpu *vt)
{
	return container_of(vt, struct test_cpu, cpu.vt);
}

struct state *current_state(struct vt_cpu *vt)
{
	return vt->current ? &of(vt)->process : &of(vt)->host;
}

static u64 fake_get(struct vt_cpu *vt, enum vt_field field)
{
	const struct state *s = current_state(vt);

	switch (field) {
	case VT_RIP: return s->rip;
	case VT_RSP: return s->rsp;
	case VT_RFLAGS: return s->rflags;
	case VT_CR3: return s->cr3;
	case VT_EFER: return s->efer;
	case VT_CPL: return s->cpl;
	case VT_CR0: case VT_CR4: case VT_DEBUGCTL: case VT_CS_BASE: break;
	}
	return 0;
}

static void fake_set(struct vt_cpu *vt, enum vt_field field, u64 value)
{
	struct state *s = current_state(vt);

	if (field == VT_RIP)
		s->rip = value;
	else if (field == VT_RSP)
		s->rsp = value;
	else if (field == VT_RFLAGS)
		s->rflags = value;
	else
		panic("the core set field %u", field);
}

static void fake_skip(struct vt_cpu *vt, const struct vt_exit *exit)
{
	struct state *s = current_state(vt);

	s->rip += exit->length;
	s->shadow = 0;
}

static void fake_inject(struct vt_cpu *vt, unsigned int vector, s64 error)
{
	(void)error;
	CHECK(vt->current == 0);	/* nothing is ever injected into a process view */
	of(vt)->host.injected = vector + 1;
}

static void fake_inject_nmi(struct vt_cpu *vt)
{
	CHECK(vt->current == 0);
	of(vt)->host.nmi = true;
}

/* What a CPU still has of a view that it comes back to, or of one that had its tag before, can be
 * used again: the view must still have it. */
static void check_cached(const struct test_cpu *c, const struct view *view)
{
	const u64 *cached = c->process_cached[view->tag];

	if (concurrent)
		return;
	for (u64 word = 0; word < RAM_SIZE / PAGE_SIZE / 64; word++)
		for (u64 bits = cached[word]; bits; bits &= bits - 1)
			CHECK(view_rights(view, (word * 64 + (u64)__builtin_ctzll(bits)) << PAGE_SHIFT));
}

static void fake_load(struct vt_cpu *vt, struct vt_context *context,
		      const struct vt_process *process)
{
	struct state *s = &of(vt)->process;

	CHECK(vt->current == 0);
	CHECK(of(vt)->ours);
	CHECK(cpu_mask_test(&process->view->entered, vt->id));
	CHECK(process->cr3 && process->cr3 == ALIGN_DOWN(process->cr3, PAGE_SIZE));
	check_cached(of(vt), process->view);
	__atomic_store_n(&of(vt)->tag, process->view->tag, __ATOMIC_SEQ_CST);
	vt->regs = &context->regs;
	*s = (struct state){
		.rip = context->rip, .rsp = context->rsp, .rflags = context->rflags,
		.cr3 = process->cr3, .cpl = context->bounce ? 0 : 3, .cs_l = 1,
		.efer = EFER_LMA | EFER_LME, .fs_base = context->fs_base,
		.gs_base = context->gs_base, .view = process->view,
		.bounce = context->bounce, .shadow = context->shadow,
	};
	vt->current = 1;
}

static void fake_save(struct vt_cpu *vt, struct vt_context *context, u8 length, u64 rip, u64 rsp)
{
	struct state *s = &of(vt)->process, *host = &of(vt)->host;

	CHECK(vt->current == 1);
	CHECK(vt->regs == &context->regs);
	*context = (struct vt_context){
		.regs = context->regs, .rip = s->rip + length, .rsp = s->rsp, .rflags = s->rflags,
		.fs_base = s->fs_base, .gs_base = s->gs_base,
		.bounce = s->cpl == 0, .shadow = length ? 0 : s->shadow,
	};
	host->rip = rip;
	host->rsp = rsp;
	host->rflags = RFLAGS_FIXED | RFLAGS_IF;
	host->shadow = 0;
	__atomic_store_n(&of(vt)->tag, 0, __ATOMIC_SEQ_CST);
	memset(s, 0xEE, sizeof(*s));
	vt->regs = &vt->host_regs;
	vt->current = 0;
}

static void fake_flush_all(struct vt_cpu *vt)
{
	struct test_cpu *c = of(vt);

	note(STEP_FLUSH, vt->id);
	__atomic_fetch_add(&c->flushes, 1, __ATOMIC_RELAXED);
	clear_all(c->host_cached, ARRAY_SIZE(c->host_cached));
	for (u32 tag = 1; tag < TAGS; tag++) {
		if (c->has_cached[tag])
			clear_all(c->process_cached[tag], ARRAY_SIZE(c->process_cached[tag]));
		c->has_cached[tag] = false;
	}
	clear_all(c->writable_by, ARRAY_SIZE(c->writable_by));
}

const struct vt_ops fake_ops = {
	.name = "FAKE", .insn = CARREL_INSN_VMCALL, .call_bytes = { 0x0F, 0x01, 0xC1 },
	.nested = &svm_nested_format,
	.get = fake_get, .set = fake_set, .skip = fake_skip, .inject = fake_inject,
	.inject_nmi = fake_inject_nmi, .process_load = fake_load, .process_save = fake_save,
	.flush_all = fake_flush_all,
};

void xstate_boot(void)
{
}

void xstate_fresh(void *area)
{
	memset(area, 0, XSTATE_SIZE);
}

void xstate_load(struct cpu *cpu, const void *area)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK(!c->ours);
	CHECK(IS_ALIGNED((u64)area - (u64)phys(0), XSTATE_ALIGN));
	c->ours = true;
	memcpy(&c->vectors, area, sizeof(c->vectors));
}

void xstate_save(struct cpu *cpu, void *area)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK(c->ours);
	memcpy(area, &c->vectors, sizeof(c->vectors));
	memset((u8 *)area + XSTATE_SIZE - 8, 0x77, 8);
	xstate_drop(cpu);
}

void xstate_drop(struct cpu *cpu)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	c->vectors = 0;
	c->ours = false;
}
