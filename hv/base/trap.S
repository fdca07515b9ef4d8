/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry stubs of the hypervisor's own IDT: 32 vectors, one frame layout (trap.c). */

	.macro STUB vector, has_error
	.balign 16
	.if \has_error == 0
	push	$0
	.endif
	push	$\vector
	jmp	trap_common
	.endm

	.altmacro
	.text
	.globl	trap_stubs
	.balign 16
trap_stubs:
	.set	v, 0
	.rept	32
	.if (v == 8) || (v == 10) || (v == 11) || (v == 12) || (v == 13) || (v == 14) || (v == 17) || (v == 21) || (v == 29) || (v == 30)
	STUB	%v, 1
	.else
	STUB	%v, 0
	.endif
	.set	v, v + 1
	.endr

trap_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	mov	%rsp, %rdi
	cld
	call	trap_handle
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq
	.section .note.GNU-stack, "", @progbits
