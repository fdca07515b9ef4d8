/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 and 2 headers of the stage, its entry, and the way into the next kernel. */
	.section .multiboot, "a"
	.balign	8
	.long	0x1BADB002, 0x00000003, -(0x1BADB002 + 0x00000003)
	.balign	8
mb2:
	.long	0xE85250D6, 0, mb2_end - mb2, -(0xE85250D6 + (mb2_end - mb2))
	.balign	8
	.short	6, 0				/* page-aligned modules */
	.long	8
	.balign	8
	.short	0, 0
	.long	8
mb2_end:

	.text
	.globl	_start
_start:
	cli
	cld
	mov	$stack_end, %esp
	/* The loader's GDT lies in memory that will be used otherwise. */
	lgdt	gdt_pointer
	ljmp	$0x08, $1f
1:	mov	$0x10, %ecx
	mov	%ecx, %ds
	mov	%ecx, %es
	mov	%ecx, %fs
	mov	%ecx, %gs
	mov	%ecx, %ss
	push	%ebx
	push	%eax
	call	stage

/* void enter(u32 entry, u32 magic, u32 info) */
	.globl	enter
enter:
	mov	4(%esp), %ecx
	mov	8(%esp), %eax
	mov	12(%esp), %ebx
	jmp	*%ecx

	.data
	.balign	8
gdt:	.quad	0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
	.short	. - gdt - 1
	.long	gdt

	.bss
	.balign	16
	.skip	16384
stack_end:
	.section .note.GNU-stack, "", @progbits
