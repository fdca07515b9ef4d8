/* SPDX-License-Identifier: BSD-2-Clause */
#include "trap.h"

#include "log.h"
#include "x86.h"

struct trap_frame {
	u64 rax, rcx, rdx, rbx, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

struct idt_gate {	/* SDM "64-Bit IDT Gate Descriptors" */
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_middle;
	u32 offset_high, reserved;
};
static_assert(sizeof(struct idt_gate) == 16, "SDM \"64-Bit IDT Gate Descriptors\"");

struct range { u64 begin, end; };

#define STUB_SIZE	16
#define IST_NMI		1
#define IST_DF		2
#define IST_MC		3
#define GATE_INTERRUPT	0x8E

extern const char trap_stubs[];
extern const struct range __fixup_begin[], __fixup_end[];	/* linker.ld */
extern const struct range __restart_begin[], __restart_end[];

static struct idt_gate idt[32];
static bool idt_ready;
bool trap_stopping;

static const u8 ist_of[ARRAY_SIZE(idt)] = {
	[VECTOR_NMI] = IST_NMI, [VECTOR_DF] = IST_DF, [VECTOR_MC] = IST_MC,
};

static void idt_build(void)
{
	for (unsigned int v = 0; v < ARRAY_SIZE(idt); v++) {
		u64 stub = (u64)trap_stubs + v * STUB_SIZE;

		idt[v] = (struct idt_gate){
			.offset_low = (u16)stub, .selector = HV_CS, .ist = ist_of[v],
			.type = GATE_INTERRUPT, .offset_middle = (u16)(stub >> 16),
			.offset_high = (u32)(stub >> 32),
		};
	}
	idt_ready = true;
}

static void gdt_build(struct trap_cpu *trap)
{
	u64 base = (u64)&trap->tss;

	trap->gdt[HV_CS / 8] = 0x00AF9B000000FFFF;
	trap->gdt[HV_DS / 8] = 0x00CF93000000FFFF;
	trap->gdt[HV_TR / 8] = 0x0000890000000000 | (sizeof(struct trap_tss) - 1) |
		(base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56;
	trap->gdt[HV_TR / 8 + 1] = base >> 32;
}

void trap_cpu_init(struct trap_cpu *trap)
{
	struct table_pointer gdtr = { sizeof(trap->gdt) - 1, (u64)trap->gdt };
	struct table_pointer idtr = { sizeof(idt) - 1, (u64)idt };

	if (!idt_ready)
		idt_build();
	gdt_build(trap);
	for (unsigned int i = 0; i < ARRAY_SIZE(trap->stacks); i++)
		trap->tss.ist[i] = (u64)(trap->stacks[i] + TRAP_STACK);
	trap->tss.iomap = sizeof(struct trap_tss);
	asm volatile("lgdt %0\n"
		     "pushq %1\n"
		     "leaq 1f(%%rip), %%rax\n"
		     "pushq %%rax\n"
		     "lretq\n"
		     "1: mov %2, %%ds; mov %2, %%es; mov %2, %%ss\n"
		     "ltr %3\n"
		     "lidt %4"
		     : : "m"(gdtr), "i"(HV_CS), "r"(HV_DS), "r"((u16)HV_TR), "m"(idtr)
		     : "rax", "memory");
}

static u64 find(const struct range *begin, const struct range *end, u64 rip, bool exact)
{
	for (const struct range *r = begin; r < end; r++) {
		if (exact ? rip == r->begin : rip >= r->begin && rip < r->end)
			return exact ? r->end : r->begin;
	}
	return 0;
}

/* Called by trap.S; private to this room. */
void trap_handle(struct trap_frame *frame);

void trap_handle(struct trap_frame *frame)
{
	u64 to;

	if (frame->vector == VECTOR_NMI) {
		asm volatile("movl $1, %%gs:%c0" : : "i"(TRAP_GS_NMI) : "memory");
		to = find(__restart_begin, __restart_end, frame->rip, false);
		if (to)
			frame->rip = to;
		return;
	}
	if (frame->vector == VECTOR_SX) {	/* an INIT, redirected: see take_init */
		while (__atomic_load_n(&trap_stopping, __ATOMIC_SEQ_CST))
			asm volatile("cli; hlt");
		return;
	}
	if (frame->vector == VECTOR_GP) {
		to = find(__fixup_begin, __fixup_end, frame->rip, true);
		if (to) {
			frame->rip = to;
			return;
		}
	}
	panic("exception %lu error %lx at %lx, cr2 %lx, rsp %lx", frame->vector, frame->error,
	      frame->rip, read_cr2(), frame->rsp);
}
