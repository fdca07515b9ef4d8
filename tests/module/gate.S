/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gate page for tests on a bare kernel. ENTER writes the first block of the channel
 * and what the arena begins with to descriptor 1, with RSP at 60h of the slot, waits for
 * the end of descriptor 0 and exits with status 42.
 */
#include <carrel/layout.h>

#define ARENA	(CARREL_SLOTS_MAX * CARREL_SLOT_STRIDE)
#define BLOCKS	4	/* of the arena */

	.text
	.org	CARREL_GATE_CALL, 0xcc
	INSN
	ret
	.org	CARREL_GATE_ENTER, 0xcc
	movabsq	$CARREL_CHANNEL_VA, %r12
	movq	%rsp, 0x60(%r12)
	movl	$CARREL_BLOCK_SIZE, %r13d
	call	write
	movabsq	$CARREL_CHANNEL_VA + ARENA, %r12
	movl	$BLOCKS * CARREL_BLOCK_SIZE, %r13d
	call	write
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

	/* R13D bytes from R12 on; less if nobody reads. */
write:	movl	$1, %eax
	movl	$1, %edi
	movq	%r12, %rsi
	movl	%r13d, %edx
	syscall
	testq	%rax, %rax
	jle	3f
	addq	%rax, %r12
	subl	%eax, %r13d
	jnz	write
3:	ret
	.org	4096, 0xcc
	.section .note.GNU-stack, "", @progbits
