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
	mov	VT_RCX(%rdi), %rcx
	mov	VT_RDX(%rdi), %rdx
	mov	VT_RBX(%rdi), %rbx
	mov	VT_RBP(%rdi), %rbp
	mov	VT_RSI(%rdi), %rsi
	mov	VT_R8(%rdi), %r8
	mov	VT_R9(%rdi), %r9
	mov	VT_R10(%rdi), %r10
	mov	VT_R11(%rdi), %r11
	mov	VT_R12(%rdi), %r12
	mov	VT_R13(%rdi), %r13
	mov	VT_R14(%rdi), %r14
	mov	VT_R15(%rdi), %r15
	mov	VT_RDI(%rdi), %rdi
	vmrun	%rax			/* RAX and RSP are the hypervisor's again afterwards */
	vmsave	%rax
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rcx, VT_RCX(%rdi)
	mov	%rdx, VT_RDX(%rdi)
	mov	%rbx, VT_RBX(%rdi)
	mov	%rbp, VT_RBP(%rdi)
	mov	%rsi, VT_RSI(%rdi)
	mov	%r8, VT_R8(%rdi)
	mov	%r9, VT_R9(%rdi)
	mov	%r10, VT_R10(%rdi)
	mov	%r11, VT_R11(%rdi)
	mov	%r12, VT_R12(%rdi)
	mov	%r13, VT_R13(%rdi)
	mov	%r14, VT_R14(%rdi)
	mov	%r15, VT_R15(%rdi)
	pop	VT_RDI(%rdi)
	mov	VT_SCRATCH(%rdi), %rax
	vmload	%rax
	call	svm_exit
	mov	(%rsp), %rdi
	jmp	1b
	.section .note.GNU-stack, "", @progbits
