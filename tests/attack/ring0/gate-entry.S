/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The handler of gate.c. No error code is on the stack. In kernel mode it does
 * nothing but end the interrupt; in user mode it keeps the registers and changes RAX.
 */
#include <linux/linkage.h>

	.text
	.globl	gate_entry
gate_entry:
	testb	$3, 8(%rsp)
	jz	1f
	movq	%rax, gate_registers+0x00(%rip)
	movq	%rbx, gate_registers+0x08(%rip)
	movq	%rcx, gate_registers+0x10(%rip)
	movq	%rdx, gate_registers+0x18(%rip)
	movq	%rsi, gate_registers+0x20(%rip)
	movq	%rdi, gate_registers+0x28(%rip)
	movq	%rbp, gate_registers+0x30(%rip)
	movq	%r8, gate_registers+0x38(%rip)
	movq	%r9, gate_registers+0x40(%rip)
	movq	%r10, gate_registers+0x48(%rip)
	movq	%r11, gate_registers+0x50(%rip)
	movq	%r12, gate_registers+0x58(%rip)
	movq	%r13, gate_registers+0x60(%rip)
	movq	%r14, gate_registers+0x68(%rip)
	movq	%r15, gate_registers+0x70(%rip)
	lock incq gate_count(%rip)
	movabsq	$0x6b6361747461, %rax
1:	pushq	%rax
	movq	gate_eoi(%rip), %rax
	movl	$0, (%rax)
	popq	%rax
	iretq

	.bss
	.balign	8
	.globl	gate_registers, gate_count, gate_eoi
gate_registers:	.zero	15 * 8
gate_count:	.quad	0
gate_eoi:	.quad	0
	.section .note.GNU-stack, "", @progbits
