/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 by the instructions for it (SDM vol. 1, "Intel SHA Extensions").
 *
 * The program's vector state is live in here: the low 128 bits of what is used are
 * kept on the stack, and these instructions leave what lies above them alone. They
 * raise no floating-point exception and do not look at MXCSR.
 *
 *	xmm1, xmm2	the state, as words A B E F and C D G H, the last one lowest
 *	xmm3 to xmm6	sixteen words of the schedule
 *	xmm0		four of them with their constants, as SHA256RNDS2 wants it
 */
	.section .rodata, "a", @progbits
	.balign	16
constants:
	.long	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5
	.long	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
	.long	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3
	.long	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
	.long	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc
	.long	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
	.long	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7
	.long	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
	.long	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13
	.long	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
	.long	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3
	.long	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
	.long	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5
	.long	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
	.long	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208
	.long	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
big_endian:
	.quad	0x0405060700010203, 0x0c0d0e0f08090a0b

/* Four rounds, the \first + \plus th such, with the words in \w. */
.macro rounds first, plus, w
	movdqa	\w, %xmm0
	paddd	16 * (\first + \plus)(%rcx), %xmm0
	sha256rnds2 %xmm0, %xmm1, %xmm2
	pshufd	$0x0e, %xmm0, %xmm0
	sha256rnds2 %xmm0, %xmm2, %xmm1
.endm

/* The next four words, in place of the oldest: \a is t-16, \b t-12, \c t-8, \d t-4. */
.macro extend a, b, c, d
	sha256msg1 \b, \a
	movdqa	\d, %xmm7
	palignr	$4, \c, %xmm7
	paddd	%xmm7, \a
	sha256msg2 \d, \a
.endm

.macro load at, w
	movdqu	\at(%rsi), \w
	pshufb	%xmm8, \w
.endm

	.text
	.globl	sha256_blocks
	.hidden	sha256_blocks
	.type	sha256_blocks, @function
	/* (state, data, blocks) */
sha256_blocks:
	testq	%rdx, %rdx
	jz	2f
	subq	$11 * 16 + 8, %rsp
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
	movdqu	%xmm\n, 16 * \n(%rsp)
	.endr
	leaq	constants(%rip), %rcx
	movdqa	big_endian(%rip), %xmm8
	/* A B C D and E F G H become A B E F and C D G H. */
	movdqu	(%rdi), %xmm7
	movdqu	16(%rdi), %xmm2
	pshufd	$0xb1, %xmm7, %xmm7
	pshufd	$0x1b, %xmm2, %xmm2
	movdqa	%xmm7, %xmm1
	palignr	$8, %xmm2, %xmm1
	pblendw	$0xf0, %xmm7, %xmm2
1:
	movdqa	%xmm1, %xmm9
	movdqa	%xmm2, %xmm10
	load	0, %xmm3
	load	16, %xmm4
	load	32, %xmm5
	load	48, %xmm6
	rounds	0, 0, %xmm3
	rounds	0, 1, %xmm4
	rounds	0, 2, %xmm5
	rounds	0, 3, %xmm6
	.irp	g, 4, 8, 12
	extend	%xmm3, %xmm4, %xmm5, %xmm6
	rounds	\g, 0, %xmm3
	extend	%xmm4, %xmm5, %xmm6, %xmm3
	rounds	\g, 1, %xmm4
	extend	%xmm5, %xmm6, %xmm3, %xmm4
	rounds	\g, 2, %xmm5
	extend	%xmm6, %xmm3, %xmm4, %xmm5
	rounds	\g, 3, %xmm6
	.endr
	paddd	%xmm9, %xmm1
	paddd	%xmm10, %xmm2
	addq	$64, %rsi
	decq	%rdx
	jnz	1b
	/* And back. */
	pshufd	$0x1b, %xmm1, %xmm1
	pshufd	$0xb1, %xmm2, %xmm2
	movdqa	%xmm1, %xmm7
	pblendw	$0xf0, %xmm2, %xmm1
	palignr	$8, %xmm7, %xmm2
	movdqu	%xmm1, (%rdi)
	movdqu	%xmm2, 16(%rdi)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
	movdqu	16 * \n(%rsp), %xmm\n
	.endr
	addq	$11 * 16 + 8, %rsp
2:
	ret
	.size	sha256_blocks, . - sha256_blocks

	.section .note.GNU-stack, "", @progbits
