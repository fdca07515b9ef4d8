/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that a program may not execute; the list for inside.c. */
	.macro	instruction name, code:vararg
	.pushsection .rodata
3:	.asciz	"\name"
	.popsection
	.pushsection .data.rel.ro, "aw"
	.quad	3b, 4f
	.popsection
4:	\code
	ret
	.endm

	.pushsection .data.rel.ro, "aw"
	.balign	8
	.globl	inside_instructions
inside_instructions:
	.popsection

	.text
	instruction hlt, hlt
	instruction cli, cli
	instruction sti, sti
	instruction in, inb $0x80, %al
	instruction out, outb %al, $0x80
	instruction ins, insb
	instruction outs, outsb
	instruction rdmsr, rdmsr
	instruction wrmsr, wrmsr
	instruction rdpmc, rdpmc
	instruction xsetbv, xsetbv
	instruction mov_from_cr0, mov %cr0, %rax
	instruction mov_to_cr3, mov %rax, %cr3
	instruction mov_to_cr8, mov %rax, %cr8
	instruction mov_from_dr7, mov %dr7, %rax
	instruction mov_to_dr0, mov %rax, %dr0
	instruction clts, clts
	instruction lmsw, lmsw %ax
	instruction lgdt, lgdt (%rsp)
	instruction lidt, lidt (%rsp)
	instruction lldt, lldt %ax
	instruction ltr, ltr %ax
	instruction invd, invd
	instruction wbinvd, wbinvd
	instruction invlpg, invlpg (%rsp)
	instruction swapgs, swapgs
	instruction sysret, sysretq
	instruction sysexit, sysexitq
	instruction sysenter, sysenter
	instruction int80, int $0x80
	instruction int2, int $2
	instruction int18, int $18
	instruction int1, .byte 0xf1
	instruction ud2, ud2
	instruction monitor, monitor
	instruction mwait, mwait
	instruction vmxon, vmxon (%rsp)
	instruction vmlaunch, vmlaunch
	instruction vmread, vmread %rax, %rcx
	instruction invept, invept (%rsp), %rcx
	instruction vmfunc, .byte 0x31, 0xc0, 0x0f, 0x01, 0xd4
	instruction getsec, .byte 0x31, 0xc0, 0x0f, 0x37
	instruction vmrun, vmrun
	instruction vmload, vmload
	instruction vmsave, vmsave
	instruction stgi, stgi
	instruction clgi, clgi
	instruction skinit, skinit
	instruction invlpga, invlpga %rax, %ecx
	instruction iret_to_ring0, call iret_ring0
	instruction far_to_ring0, ljmpl *far_ring0(%rip)
	instruction load_kernel_ss, call load_ss
	instruction non_canonical, jmp *bad(%rip)
	.pushsection .data.rel.ro, "aw"
	.quad	0, 0
	.popsection

iret_ring0:
	push	$0x18
	push	%rsp
	push	$2
	push	$0x10
	lea	1f(%rip), %rax
	push	%rax
	iretq
1:	ret

load_ss:
	movl	$0x18, %eax
	movl	%eax, %ss
	ret

	.data
	.balign	8
far_ring0:
	.long	load_ss
	.word	0x10
	.balign	8
bad:	.quad	0x8000000000000000
	.section .note.GNU-stack, "", @progbits
