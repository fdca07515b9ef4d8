/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * carrel.elf: multiboot 1 and 2 headers, a position-independent 32-bit stub and the
 * hypervisor as a flat binary. The stub maps the binary where the loader put it, at
 * its link address, enters 64-bit mode and jumps to hv_start. boot/main.c moves it.
 *
 * In: EAX = multiboot magic, EBX = information, 32-bit protected mode, paging off.
 * Out (hv_start): EDI = magic, ESI = information, EDX = where the binary lies,
 * ECX = begin and R8D = end of this image; CR3 = the map below.
 */
	.set	MB1_MAGIC, 0x1BADB002
	.set	MB1_FLAGS, 0x00000003		/* page-aligned modules, memory map */
	.set	MB2_MAGIC, 0xE85250D6
	.set	PAGE_PW, 0x003
	.set	PAGE_PWS, 0x083

	.section .multiboot, "a"
	.balign	8
	.long	MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	.balign	8
mb2:
	.long	MB2_MAGIC, 0, mb2_end - mb2, -(MB2_MAGIC + (mb2_end - mb2))
	.balign	8
	.short	1, 0				/* information request: what we read */
	.long	8 + 4 * 8
	.long	1, 3, 6, 8, 12, 14, 15, 17
	.balign	8
	.short	6, 0				/* page-aligned modules */
	.long	8
	.balign	8
	.short	10, 1				/* relocatable, optional: lowest place, page-aligned */
	.long	24
	.long	0x100000, 0xFFFFFFFF, 4096, 1
	.balign	8
	.short	0, 0
	.long	8
mb2_end:

	/* `count` entries from EAX on, `step` apart, at EDI + `at` */
	.macro	FILL at, step, count
	lea	\at(%edi), %ebx
	mov	$\count, %ecx
2:	mov	%eax, (%ebx)
	add	$\step, %eax
	add	$8, %ebx
	loop	2b
	.endm

	.text
	.code32
	.globl	_start
_start:
	cli
	cld
	call	1f				/* the loader gives a stack only by custom: see below */
1:	pop	%ebp
	sub	$1b, %ebp			/* EBP = where this image lies less where it was linked */
	lea	stack_end(%ebp), %esp
	push	%eax
	push	%ebx

	/* long mode? */
	mov	$0x80000000, %eax
	cpuid
	cmp	$0x80000001, %eax
	jb	no_long_mode
	mov	$0x80000001, %eax
	cpuid
	bt	$29, %edx
	jnc	no_long_mode
	bt	$20, %edx			/* the hypervisor maps itself W^X */
	jnc	no_long_mode

	/* the tables lie in .bss, which the loader zeroed */
	lea	tables(%ebp), %edi
	lea	0x4000 + PAGE_PW(%edi), %eax	/* PML4[0] and [256]: 0 to 4 GiB, identity and direct map */
	mov	%eax, (%edi)
	mov	%eax, 256 * 8(%edi)
	lea	0x1000 + PAGE_PW(%edi), %eax	/* PML4[511] -> PDPT[510] -> PD[0] -> PT: the binary */
	mov	%eax, 511 * 8(%edi)
	lea	0x2000 + PAGE_PW(%edi), %eax
	mov	%eax, 0x1000 + 510 * 8(%edi)
	lea	0x3000 + PAGE_PW(%edi), %eax
	mov	%eax, 0x2000(%edi)
	lea	payload + PAGE_PW(%ebp), %eax
	FILL	0x3000, 0x1000, 512
	lea	0x5000 + PAGE_PW(%edi), %eax
	FILL	0x4000, 0x1000, 4
	mov	$PAGE_PWS, %eax
	FILL	0x5000, 0x200000, 2048

	mov	%edi, %cr3
	mov	$0x620, %eax			/* PAE, OSFXSR, OSXMMEXCPT; firmware's LA57 off */
	mov	%eax, %cr4
	mov	$0xC0000080, %ecx
	rdmsr
	or	$0x900, %eax			/* EFER.LME, NXE */
	wrmsr
	pop	%ebx
	pop	%esi
	mov	$0x80010033, %eax		/* PG WP NE ET MP PE */
	mov	%eax, %cr0

	lea	gdt(%ebp), %eax
	mov	%eax, gdt_pointer + 2(%ebp)
	lgdt	gdt_pointer(%ebp)
	lea	long_mode(%ebp), %eax
	push	$0x08
	push	%eax
	mov	%esi, %edi			/* magic */
	mov	%ebx, %esi			/* information */
	lret

	.code64
long_mode:
	mov	$0x10, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	lea	payload(%rbp), %edx
	lea	image_begin(%rbp), %ecx
	lea	image_end(%rbp), %r8d
	movabs	$0xFFFFFFFF80000000, %rax
	jmp	*%rax

	.code32
/* The one thing that C cannot say. COM1 as the firmware left it, and the VGA text screen. */
no_long_mode:
	lea	no_long_mode_text(%ebp), %esi
	mov	$0xB8000, %edi
	mov	$0x07, %ah
4:	lodsb
	test	%al, %al
	jz	5f
	stosw
	mov	$0x3F8, %edx
	outb	%al, %dx
	jmp	4b
5:	hlt
	jmp	5b

	.section .rodata
no_long_mode_text:
	.asciz	"carrel: this CPU lacks long mode or no-execute pages; cannot start\r\n"

	.data
	.balign	8
gdt:	.quad	0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
	.short	. - gdt - 1
	.long	0

	.section .payload, "a"
	.balign	4096
payload:
	.incbin	HV_BINARY

	.bss
	.balign	4096
	.skip	HV_BSS				/* the flat binary's own .bss follows it at once */
	.balign	4096
tables:	.skip	9 * 4096
	.skip	4096
stack_end:
	.section .note.GNU-stack, "", @progbits
