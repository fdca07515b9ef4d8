/* SPDX-License-Identifier: BSD-2-Clause */
/* First and last steps that C cannot take: boot/entry.S jumps to hv_start. */

	.section .head.text, "ax"
	.globl	hv_start
hv_start:
	mov	$boot_stack_end, %rsp
	xor	%ebp, %ebp
	.irp	reg, edi, esi, edx, ecx, r8d	/* 32 bits came */
	mov	%\reg, %\reg
	.endr
	call	boot_main
1:	cli
	hlt
	jmp	1b

	.text
/*
 * void boot_move(u64 to, u64 from, u64 words, u64 cr3): copy the running image, by its
 * direct-map addresses, and go on in the copy. The stack is part of the image, so nothing
 * may be pushed between the copy and the switch.
 */
	.globl	boot_move
boot_move:
	mov	%rcx, %rax
	mov	%rdx, %rcx
	cld
	rep movsq
	mov	%rax, %cr3
	ret

/*
 * void boot_leave(const struct linux_entry *entry, u64 page, u64 cr3): leave for Linux
 * without a hypervisor (fallback=bare). The last instructions run in `page`, which the map
 * `cr3` has at its own address beside ours: the kernel's map lacks ours.
 */
	.globl	boot_leave
boot_leave:
	mov	%rdx, %cr3
	mov	%rdi, %rdx
	mov	%rsi, %rdi
	mov	%rsi, %rbx
	mov	$leave_begin, %rsi
	mov	$leave_end - leave_begin, %ecx
	cld
	rep movsb
	jmp	*%rbx
leave_begin:
	mov	0x00(%rdx), %rax		/* struct linux_entry, asserted in main.c */
	mov	0x08(%rdx), %rsp
	mov	0x10(%rdx), %rsi
	mov	0x18(%rdx), %rcx
	mov	0x20(%rdx), %r8
	movzwl	0x28(%rdx), %r9d
	mov	%rcx, %cr3
	push	%r8
	shl	$48, %r9
	push	%r9
	lgdt	6(%rsp)
	add	$16, %rsp
	push	$0x10
	lea	1f(%rip), %rcx
	push	%rcx
	lretq
1:	mov	$0x18, %ecx
	.irp	segment, ds, es, fs, gs, ss
	mov	%ecx, %\segment
	.endr
	jmp	*%rax
leave_end:

	.bss
	.balign	16
	.skip	16384
boot_stack_end:
	.section .note.GNU-stack, "", @progbits
