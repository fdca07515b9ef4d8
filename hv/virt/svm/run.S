/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of an SVM CPU: load the current guest, VMRUN, save, handle, again.
 *
 * GIF is 0 from #VMEXIT to VMRUN, so nothing interrupts this code. RFLAGS.IF is 1
 * throughout: while a process view runs (V_INTR_MASKING), it is the IF that
 * counts for physical interrupts. FS, GS, TR, LDTR and the SYSCALL MSRs are
 * the guest's until the second VMLOAD.
 */
#include <virt/vt_offsets.h>

	.macro	LOAD reg, at
	mov	\at(%rdi), %\reg
	.endm
	.macro	SAVE reg, at
	mov	%\reg, \at(%rdi)
	.endm
	/* All but RAX, which the VMCB holds, RSP, and RDI, which is vt->regs here. */
	.macro	EACH_REG insn
	\insn	rcx, VT_RCX
	\insn	rdx, VT_RDX
	\insn	rbx, VT_RBX
	\insn	rbp, VT_RBP
	\insn	rsi, VT_RSI
	.irp	n, 8, 9, 10, 11, 12, 13, 14, 15
	\insn	r\n, (VT_R8 + 8 * (\n - 8))
	.endr
	.endm

	.text
	.globl	svm_run
	.balign 64
svm_run:
	clgi
	mov	VT_STACK_TOP(%rdi), %rsp
	push	%rdi			/* 8(%rsp) keeps the stack 16-byte aligned at the call */
	push	%rdi
	sti
1:
	mov	VT_CURRENT(%rdi), %eax
	mov	VT_CONTROL_PA(%rdi,%rax,8), %rax
	vmload	%rax
	mov	VT_REGS(%rdi), %rdi
	EACH_REG LOAD
	mov	VT_RDI(%rdi), %rdi
	vmrun	%rax			/* RAX and RSP are the hypervisor's again afterwards */
	vmsave	%rax
	push	%rdi
	mov	8(%rsp), %rdi
	mov	VT_REGS(%rdi), %rdi
	EACH_REG SAVE
	pop	VT_RDI(%rdi)
	mov	(%rsp), %rdi
	mov	VT_SCRATCH(%rdi), %rax
	vmload	%rax
	call	svm_exit
	mov	(%rsp), %rdi
	jmp	1b
	.section .note.GNU-stack, "", @progbits
