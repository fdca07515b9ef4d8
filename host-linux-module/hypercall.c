// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Asking the hypervisor, from ring 0 of the host view. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/jump_label.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/processor.h>
#include "hypercall.h"

/* How long a call may stay pending or busy. A flush takes microseconds; an emulator is slow. */
#define PATIENCE	(20 * HZ)

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

static void flush_this_cpu(void *unused)
{
	struct hc_regs regs = { 0 };

	hc_once(CARREL_HC_FLUSH, &regs);
}

/*
 * A CPU that goes offline meanwhile pays before it next enters a view, so the
 * online ones are all that need to be asked.
 */
void hc_flush_all(void)
{
	on_each_cpu(flush_this_cpu, NULL, 1);
}

long hc_finish(unsigned int nr, struct hc_regs *regs)
{
	const struct hc_regs arguments = *regs;
	unsigned long deadline = jiffies + PATIENCE;
	long result;

	for (;;) {
		*regs = arguments;
		result = hc_once(nr, regs);
		switch (result) {
		case CARREL_MORE:
			deadline = jiffies + PATIENCE;
			break;
		case CARREL_PENDING:
			hc_flush_all();
			break;
		case CARREL_EBUSY:
			break;
		default:
			return result;
		}
		if (time_after(jiffies, deadline))
			return result;
		cond_resched();
	}
}

static const char *code_name(long code)
{
	switch (code) {
	case CARREL_PENDING:	return "flushes stay pending";
	case CARREL_ECALL:	return "ECALL: no such hypercall";
	case CARREL_ECALLER:	return "ECALLER: not from this view or privilege level";
	case CARREL_EARG:	return "EARG: an argument is out of range";
	case CARREL_ESTATE:	return "ESTATE: the object's state does not allow it";
	case CARREL_EOWNER:	return "EOWNER: the frame has another owner";
	case CARREL_ENOMEM:	return "ENOMEM: the process's memory is used up";
	case CARREL_ETICKET:	return "ETICKET: wrong ticket or carrier";
	case CARREL_ELIMIT:	return "ELIMIT: a limit or a table is full";
	case CARREL_EDEAD:	return "EDEAD: the process was killed";
	case CARREL_EBUSY:	return "EBUSY: the object stays busy";
	case CARREL_ERANDOM:	return "ERANDOM: the random generator failed its health check";
	case CARREL_EDMA:	return "EDMA: DMA protection is required and absent";
	}
	return "unknown code";
}

int hc_errno(unsigned int nr, long code)
{
	switch (code) {
	case CARREL_EARG:
		return -EINVAL;
	case CARREL_ENOMEM:
		return -ENOMEM;
	}
	pr_err_ratelimited("hypercall %u refused: %ld (%s)\n", nr, code, code_name(code));
	return code == CARREL_ELIMIT ? -ENOSPC : -EIO;
}
