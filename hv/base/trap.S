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
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	push	%\reg
	.endr
	mov	%rsp, %rdi
	cld
	call	trap_handle
	.irp	reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pop	%\reg
	.endr
	add	$16, %rsp
	iretq
	.section .note.GNU-stack, "", @progbits
