/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry points of the shim, the way back to the program, and the hypercalls.
 *
 * in_shim tells the hypervisor whether it may divert the thread to UPCALL. Two
 * stretches run with it clear although they are the shim's; upcall.c puts a
 * thread that was diverted there back to where the program stood:
 *   - the first instruction of SYSCALL;
 *   - exit_window to exit_window_end, while RSP points into struct regs, whose
 *     contents are whole until the next entry writes them.
 */
#include <carrel/hypercall.h>
#include <carrel/thread.h>
#include "shim.h"

	.section .text.entry, "ax", @progbits
	.globl	shim_entry
shim_entry:
	/* START: RDI = thread index, RSP = top of the shim stack. */
	movq	%rsp, %gs:TP_STACK_TOP
	subq	$THREAD_HEAD + REGS_SIZE, %rsp
	movq	%rdi, %rsi
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	call	start_main
	jmp	shim_exit

	.org	CARREL_SHIM_SYSCALL - CARREL_SHIM_VA, 0xcc
	.globl	entry_window_end
	movl	$1, %gs:CARREL_TP_IN_SHIM
entry_window_end:
	jmp	shim_syscall

	.org	CARREL_SHIM_UPCALL - CARREL_SHIM_VA, 0xcc
	/* in_shim is set, RSP = top of the shim stack; struct regs below it may still be needed. */
	subq	$THREAD_HEAD + REGS_SIZE, %rsp
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	call	upcall_main
	jmp	shim_exit

	.text
shim_syscall:
	movq	%rsp, %gs:CARREL_TP_RSP
	movq	%gs:TP_STACK_TOP, %rsp
	pushq	$CARREL_USER_SS
	pushq	%gs:CARREL_TP_RSP
	pushq	%gs:CARREL_TP_R11
	pushq	$CARREL_USER_CS
	pushq	%gs:CARREL_TP_RCX
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%gs:CARREL_TP_RCX
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%gs:CARREL_TP_R11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$THREAD_HEAD, %rsp
	movq	%rsp, %rdi
	call	syscall_main

shim_exit:
	addq	$THREAD_HEAD, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	movl	$0, %gs:CARREL_TP_IN_SHIM
	.globl	exit_window, exit_window_end
exit_window:
	cmpl	$0, %gs:CARREL_TP_UPCALL_PENDING
	jne	1f
	iretq
1:	movl	$1, %gs:CARREL_TP_IN_SHIM
exit_window_end:
	movl	$0, %gs:CARREL_TP_UPCALL_PENDING
	subq	$THREAD_HEAD + REGS_GENERAL * 8, %rsp
	movq	%rsp, %rdi
	call	signal_main
	jmp	shim_exit

	/* struct answer hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c) */
	.globl	hypercall
hypercall:
	movl	%edi, %eax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	call	carrel_gate
	movq	%rdi, %rdx
	ret

	/* int64_t hypercall_random(uint64_t out[4]) */
	.globl	hypercall_random
hypercall_random:
	pushq	%rdi
	movl	$CARREL_HC_RANDOM, %eax
	call	carrel_gate
	popq	%rcx
	movq	%rdi, 0(%rcx)
	movq	%rsi, 8(%rcx)
	movq	%rdx, 16(%rcx)
	movq	%r10, 24(%rcx)
	ret

	/* int64_t hypercall_words(uint64_t number, uint64_t words[4]) */
	.globl	hypercall_words
hypercall_words:
	pushq	%rsi
	movl	%edi, %eax
	movq	0(%rsi), %rdi
	movq	16(%rsi), %rdx
	movq	24(%rsi), %r10
	movq	8(%rsi), %rsi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	call	carrel_gate
	popq	%rcx
	movq	%rdi, 0(%rcx)
	movq	%rsi, 8(%rcx)
	movq	%rdx, 16(%rcx)
	movq	%r10, 24(%rcx)
	ret

	/* int64_t hypercall_ocall(uint64_t number, const uint64_t args[6], uint64_t *flags) */
	.globl	hypercall_ocall
hypercall_ocall:
	pushq	%rbx
	pushq	%rdx
	movq	%rdi, %rbx
	movq	0(%rsi), %rdi
	movq	16(%rsi), %rdx
	movq	24(%rsi), %r10
	movq	32(%rsi), %r8
	movq	40(%rsi), %r9
	movq	8(%rsi), %rsi
	movl	$CARREL_HC_OCALL, %eax
	call	carrel_gate
	popq	%rcx
	movq	%rbx, (%rcx)
	popq	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
