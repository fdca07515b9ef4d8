// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* The hypervisor beneath this kernel: finding it, and the instruction that calls it. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/printk.h>
#include <asm/processor.h>
#include "hypercall.h"

static DEFINE_STATIC_KEY_FALSE(use_vmmcall);

int hc_detect(void)
{
	u32 eax, ebx, ecx, edx;

	/*
	 * Not by CPUID.1:ECX[31], which stays the machine's own under Carrel, and
	 * never by trying a hypercall, which is #UD on a bare machine.
	 */
	cpuid(CARREL_CPUID_BASE, &eax, &ebx, &ecx, &edx);
	if (ebx != CARREL_SIG_EBX || ecx != CARREL_SIG_ECX || edx != CARREL_SIG_EDX ||
	    eax < CARREL_CPUID_ABI) {
		pr_err("no Carrel hypervisor beneath this kernel: boot through carrel.elf\n");
		return -ENODEV;
	}
	cpuid(CARREL_CPUID_ABI, &eax, &ebx, &ecx, &edx);
	if (eax != CARREL_ABI_VERSION) {
		pr_err("the hypervisor has ABI version %u, this module %u: use both from one build\n",
		       eax, CARREL_ABI_VERSION);
		return -ENODEV;
	}
	switch (ebx) {
	case CARREL_INSN_VMCALL:
		return 0;
	case CARREL_INSN_VMMCALL:
		static_branch_enable(&use_vmmcall);
		return 0;
	}
	pr_err("the hypervisor names an unknown hypercall instruction (%u)\n", ebx);
	return -ENODEV;
}

bool hc_is_vmmcall(void)
{
	return static_branch_unlikely(&use_vmmcall);
}

long hc_once(unsigned int nr, struct hc_regs *regs)
{
	register u64 r10 asm("r10") = regs->r10;
	register u64 r8 asm("r8") = regs->r8;
	register u64 r9 asm("r9") = regs->r9;
	long rax = nr;

#define HYPERCALL(instruction)							\
	asm volatile(instruction						\
		     : "+a" (rax), "+D" (regs->rdi), "+S" (regs->rsi),		\
		       "+d" (regs->rdx), "+r" (r10), "+r" (r8), "+r" (r9)	\
		     : : "memory", "cc")

	if (static_branch_likely(&use_vmmcall))
		HYPERCALL("vmmcall");
	else
		HYPERCALL("vmcall");
#undef HYPERCALL

	regs->r10 = r10;
	regs->r8 = r8;
	regs->r9 = r9;
	return rax;
}
