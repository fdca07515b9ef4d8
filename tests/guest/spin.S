/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void spin(void): every register that a program has holds a word of the secret,
 * while the CPU computes and while it makes system calls. Nothing is on the
 * stack but the caller's registers.
 */
#include "victim.h"

#define SYS_poll	7
#define ROUNDS		300000
#define POLLIN		1

	.macro	general_all op
	\op	%rax, spin_general+0x00(%rip)
	\op	%rbx, spin_general+0x08(%rip)
	\op	%rcx, spin_general+0x10(%rip)
	\op	%rdx, spin_general+0x18(%rip)
	\op	%rsi, spin_general+0x20(%rip)
	\op	%rdi, spin_general+0x28(%rip)
	\op	%rbp, spin_general+0x30(%rip)
	\op	%r8, spin_general+0x38(%rip)
	\op	%r9, spin_general+0x40(%rip)
	\op	%r10, spin_general+0x48(%rip)
	\op	%r11, spin_general+0x50(%rip)
	\op	%r12, spin_general+0x58(%rip)
	\op	%r13, spin_general+0x60(%rip)
	\op	%r14, spin_general+0x68(%rip)
	\op	%r15, spin_general+0x70(%rip)
	.endm

	.macro	load register, word:vararg
	movq	\word, \register
	.endm

	.macro	check register, word:vararg
	cmpq	\word, \register
	jne	changed
	.endm

	.macro	vectors move, name, target, to_memory
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	.if	\to_memory
	\move	%\name\n, \target+32*\n(%rip)
	.else
	\move	\target+32*\n(%rip), %\name\n
	.endif
	.endr
	.endm

	.text
	.globl	spin, spin_patch
	.balign 64
spin:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.irp	n, 0,1,2,3,4,5,6,7
	movq	spin_mmx+8*\n(%rip), %mm\n
	.endr
	cmpl	$0, spin_avx(%rip)
	jne	1f
	vectors	movdqu, xmm, spin_vectors, 0
	jmp	fill
1:	vectors	vmovdqu, ymm, spin_vectors, 0
fill:
	general_all load
	movq	$ROUNDS, spin_left(%rip)
round:
spin_patch:
	.byte	0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00	/* nop */
	decq	spin_left(%rip)
	jnz	round
	general_all check
	cmpl	$0, spin_avx(%rip)
	je	1f
	vmovdqu	%ymm15, spin_vectors_after(%rip)	/* needs AVX to be on still */
1:	/* the callee-saved ones, and the vectors, keep their words during the call */
	movl	$SYS_poll, %eax
	leaq	spin_pollfd(%rip), %rdi
	movl	$1, %esi
	xorl	%edx, %edx
	syscall
	cmpl	$1, %eax
	jne	fill
	cmpl	$0, spin_avx(%rip)
	jne	2f
	vectors	movdqu, xmm, spin_vectors_after, 1
	jmp	3f
2:	vectors	vmovdqu, ymm, spin_vectors_after, 1
	vzeroupper
3:	.irp	n, 0,1,2,3,4,5,6,7
	movq	%mm\n, spin_mmx_after+8*\n(%rip)
	.endr
	emms
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
changed:
	incq	spin_errors(%rip)
	jmp	fill

	.bss
	.balign 64
	.globl	spin_general, spin_mmx, spin_mmx_after, spin_vectors, spin_vectors_after
	.globl	spin_errors, spin_avx
spin_vectors:		.zero	VECTORS * VECTOR_WORDS * 8
spin_vectors_after:	.zero	VECTORS * VECTOR_WORDS * 8
spin_general:		.zero	GENERAL * 8
	.balign 64
spin_mmx:		.zero	MMX * 8
spin_mmx_after:		.zero	MMX * 8
spin_errors:		.quad	0
spin_left:		.quad	0
spin_avx:		.long	0
	.data
	.balign 8
spin_pollfd:
	.long	0			/* fd */
	.word	POLLIN, 0
	.section .note.GNU-stack, "", @progbits
