/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for the first instructions of what GRUB starts (handover.py): writes the TSC to COM1
 * in hexadecimal, with words around it, and halts. 32-bit code, anywhere, without a stack.
 */
#define COM1	0x3F8

	.code32
	.text
	rdtsc
	mov	%eax, %esi			/* low half */
	mov	%edx, %edi			/* high half */
	movl	$0x3D435354, %ebx		/* "TSC=" */
	mov	$4, %ecx
1:	mov	%bl, %al
	shr	$8, %ebx
	mov	$COM1, %dx
	out	%al, %dx
2:	mov	$COM1 + 5, %dx
	in	%dx, %al
	test	$0x20, %al
	jz	2b
	loop	1b
	mov	$16, %ecx			/* digits, the highest first: EDI, then ESI */
3:	rol	$4, %edi
	mov	%edi, %eax
	and	$15, %al
	cmp	$10, %al
	sbb	$0x69, %al			/* the old way to a digit */
	das
	mov	$COM1, %dx
	out	%al, %dx
4:	mov	$COM1 + 5, %dx
	in	%dx, %al
	test	$0x20, %al
	jz	4b
	cmp	$9, %ecx
	jne	5f
	mov	%esi, %edi
5:	loop	3b
	mov	$'\n', %al
	mov	$COM1, %dx
	out	%al, %dx
6:	cli
	hlt
	jmp	6b
	.section .note.GNU-stack, "", @progbits
