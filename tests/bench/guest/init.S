/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's first program, before the rig's /init: a mark, and the TSC to a file.
 */
#include "mark.h"

#define SYS_write	1
#define SYS_open	2
#define SYS_close	3
#define SYS_execve	59
#define O_WRONLY_CREAT	0101

	.globl	_start
	.text
_start:
	MARK_HERE(MARK_INIT)
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, tsc(%rip)
	mov	$SYS_open, %eax
	lea	file(%rip), %rdi
	mov	$O_WRONLY_CREAT, %esi
	mov	$0600, %edx
	syscall
	mov	%eax, %edi
	mov	$SYS_write, %eax
	lea	tsc(%rip), %rsi
	mov	$8, %edx
	syscall
	mov	$SYS_close, %eax
	syscall
	mov	$SYS_execve, %eax
	lea	init(%rip), %rdi
	mov	%rsp, %rsi
	add	$8, %rsi			/* argv */
	mov	(%rsp), %rcx
	lea	8(%rsi,%rcx,8), %rdx		/* environment */
	syscall
	ud2

	.data
	.balign	8
tsc:	.quad	0
file:	.asciz	"/bench/init-tsc"
init:	.asciz	"/init"
	.section .note.GNU-stack, "", @progbits
