/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gate page for tests on a bare kernel. ENTER writes the whole channel to
 * descriptor 1, with RSP at 60h of the slot, waits for the end of descriptor 0
 * and exits with status 42.
 */
#include <carrel/layout.h>

#define BLOCKS	4

	.text
	.org	CARREL_GATE_CALL, 0xcc
	INSN
	ret
	.org	CARREL_GATE_ENTER, 0xcc
	movabsq	$CARREL_CHANNEL_VA, %r12
	movq	%rsp, 0x60(%r12)
	movl	$BLOCKS * CARREL_BLOCK_SIZE, %r13d
1:	movl	$1, %eax		/* write */
	movl	$1, %edi
	movq	%r12, %rsi
	movl	%r13d, %edx
	syscall
	testq	%rax, %rax
	jle	2f
	addq	%rax, %r12
	subl	%eax, %r13d
	jnz	1b
2:	xorl	%eax, %eax		/* read */
	xorl	%edi, %edi
	movq	%rsp, %rsi
	movl	$1, %edx
	syscall
	testq	%rax, %rax
	jg	2b
	movl	$231, %eax		/* exit_group */
	movl	$42, %edi
	syscall
	.org	4096, 0xcc
	.section .note.GNU-stack, "", @progbits
