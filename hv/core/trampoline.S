/* SPDX-License-Identifier: BSD-2-Clause */
/* From a SIPI to cpu_entry: real mode, then straight to long mode. Copied by trampoline.c. */

	.section .rodata
	.globl	trampoline_code, trampoline_code_end, trampoline_far, trampoline_gdt_pointer
	.globl	trampoline_cr3, trampoline_cpu, trampoline_stack
	.balign	16
trampoline_code:
	.code16
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	mov	$0x620, %eax			/* PAE, OSFXSR, OSXMMEXCPT */
	mov	%eax, %cr4
	mov	trampoline_cr3 - trampoline_code, %eax
	mov	%eax, %cr3
	mov	$0xC0000080, %ecx
	rdmsr
	or	$0x900, %eax			/* EFER.LME, NXE */
	wrmsr
	lgdtl	trampoline_gdt_pointer - trampoline_code
	mov	$0x80010033, %eax		/* PG WP NE ET MP PE */
	mov	%eax, %cr0
	ljmpl	*(trampoline_far - trampoline_code)
	.code64
1:	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	trampoline_stack(%rip), %rsp
	mov	trampoline_cpu(%rip), %rdi
	mov	8 + trampoline_cr3(%rip), %rax
	mov	$cpu_enter, %rcx
	jmp	*%rcx

	.balign	8
trampoline_far:
	.long	1b - trampoline_code
	.short	8
	.balign	8
trampoline_gdt:
	.quad	0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
trampoline_gdt_pointer:
	.short	. - trampoline_gdt - 1
	.long	trampoline_gdt - trampoline_code
	.balign	8
trampoline_cr3:
	.quad	0, 0
trampoline_cpu:
	.quad	0
trampoline_stack:
	.quad	0
trampoline_code_end:

	.text
/* At the link address now: leave the trampoline's map for the hypervisor's (RAX). */
cpu_enter:
	mov	%rax, %cr3
	xor	%ebp, %ebp
	call	cpu_entry
	ud2

/* void cpu_wait_sipi(volatile u32 *page): halt until it is not 0; an NMI restarts the test. */
#include <base/trap.h>
	.globl	cpu_wait_sipi
cpu_wait_sipi:
2:	cmpl	$0, (%rdi)
	jne	3f
	hlt
	jmp	2b
3:	ret
	RESTART_RANGE(2b, 3b)
	.section .note.GNU-stack, "", @progbits
