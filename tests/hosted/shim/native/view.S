/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways between shim, stub and view.c. A thread is told by GS base, at ENTER by its slot. */
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>
#include "view.h"

#define STUB_RSP	CARREL_STUB_RSP(CARREL_CHANNEL_VA)
#define SLOT_SHIFT	15
#define THREAD_SHIFT	16
	.if CARREL_SLOT_STRIDE != 1 << SLOT_SHIFT || CARREL_THREAD_STRIDE != 1 << THREAD_SHIFT
	.error "slots or threads have another size"
	.endif

	.text
	/* Called by the shim instead of the hypercall instruction. Preserves what that would. */
	.globl	view_gate_entry
view_gate_entry:
	movq	%rsp, %gs:VIEW_SHIM_RSP
	movq	%gs:VIEW_STACK_TOP, %rsp
	pushfq
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%rbp
	pushq	%rbx
	pushq	%r11
	pushq	%r10
	pushq	%r9
	pushq	%r8
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	movq	%rsp, %rdi
	call	view_hypercall
	testb	%al, %al
	jz	back
	/* An OCALL: the stub sees RAX, six arguments, and nothing else. RBP is how it comes back. */
	movq	0(%rsp), %rdi
	movq	8(%rsp), %rsi
	movq	16(%rsp), %rdx
	movq	56(%rsp), %r10
	movq	40(%rsp), %r8
	movq	48(%rsp), %r9
	movq	72(%rsp), %rax
to_stub:
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	leaq	view_stub_return(%rip), %rbp
	rdgsbase %rcx
	movabsq	$CARREL_THREADS_VA, %rsp
	subq	%rsp, %rcx
	shrq	$THREAD_SHIFT - SLOT_SHIFT, %rcx
	movabsq	$STUB_RSP, %rsp
	addq	%rcx, %rsp
	movabsq	$CARREL_GATE_VA + CARREL_GATE_OCALL, %rcx
	jmp	*%rcx

	/* The stub's hypercall: ENTER or RESUME in RAX. */
	.globl	view_stub_return
view_stub_return:
	cmpl	$CARREL_HC_ENTER, %eax
	je	enter
	movq	%gs:VIEW_STACK_TOP, %rsp
	subq	$16 * 8, %rsp
	pushq	%r9
	pushq	%r8
	pushq	%r10
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	movq	%rsp, %rdi
	leaq	48(%rsp), %rsi
	call	view_resume
	addq	$48, %rsp
back:
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	popq	%r8
	popq	%r9
	popq	%r10
	popq	%r11
	popq	%rbx
	popq	%rbp
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	popfq
	movq	%gs:VIEW_SHIM_RSP, %rsp
	ret
enter:
	movabsq	$CARREL_CHANNEL_VA, %rcx
	subq	%rcx, %rsp
	shrq	$SLOT_SHIFT, %rsp
	movq	%rsp, %rcx
	shlq	$THREAD_SHIFT, %rcx
	movabsq	$CARREL_THREADS_VA, %r11
	addq	%r11, %rcx
	wrgsbase %rcx
	shlq	$VIEW_SHIFT, %rsp
	leaq	view_threads + VIEW_STACK_SIZE(%rsp), %rsp
	movq	%rsp, %gs:VIEW_STACK_TOP
	pushq	%r10
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	movq	%rsp, %rdi
	call	view_start
	xorl	%eax, %eax
	wrfsbase %rax
	movq	24(%rsp), %rdi
	rdgsbase %rax
	leaq	CARREL_THREAD_STRIDE(%rax), %rsp
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%ebp, %ebp
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	movabsq	$CARREL_SHIM_START, %r11
	jmp	*%r11

	/* As hvreg does it. */
	.globl	view_jump_stub
view_jump_stub:
	leaq	view_stub_return(%rip), %rbp
	movabsq	$STUB_RSP, %rsp
	movabsq	$CARREL_GATE_VA + CARREL_GATE_ENTER, %rax
	jmp	*%rax

	/* (signal, siginfo, ucontext, rsp): run the stub's handler on a stack in the slot. */
	.globl	view_note_signal
view_note_signal:
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rcx, %rsp
	movabsq	$CARREL_GATE_VA + CARREL_GATE_SIGNAL, %rax
	call	*%rax
	movq	%rbp, %rsp
	popq	%rbp
	ret

	.section .note.GNU-stack, "", @progbits
