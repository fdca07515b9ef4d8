/* SPDX-License-Identifier: BSD-2-Clause */
/* See raw.h. */
	.macro	clear_arguments
	xorl	%edi, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	.endm

	.text
	.globl	raw_hypercall, raw_hypercall_compat, raw_shadow_hypercall
raw_hypercall:
	push	%rbx
	movl	%edi, %ecx
	movq	%rsi, %rax
	clear_arguments
	testl	%ecx, %ecx
	jz	1f
	vmmcall
	pop	%rbx
	ret
1:	vmcall
	pop	%rbx
	ret

raw_shadow_hypercall:
	push	%rbx
	movl	%edi, %ecx
	movq	%rsi, %r11
	movq	%rdx, %rax
	clear_arguments
	testl	%ecx, %ecx
	jz	1f
	movw	(%r11), %ss
	vmmcall
	pop	%rbx
	ret
1:	movw	(%r11), %ss
	vmcall
	pop	%rbx
	ret

	/* To code segment 23h and back; everything lies below 4 GiB in a static program. */
raw_hypercall_compat:
	push	%rbx
	push	%rbp
	push	%r12
	movl	%edi, %ecx
	movl	%esi, %eax
	movq	%rsp, %r12
	leaq	low_stack_end(%rip), %rsp
	ljmpl	*to_compat(%rip)
	.code32
compat:
	xorl	%edi, %edi
	xorl	%esi, %esi
	xorl	%edx, %edx
	testl	%ecx, %ecx
	jz	1f
	vmmcall
	jmp	2f
1:	vmcall
2:	ljmp	$0x33, $long_mode
	.code64
long_mode:
	movq	%r12, %rsp
	pop	%r12
	pop	%rbp
	pop	%rbx
	cltq
	ret

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
	.globl	raw_instructions
raw_instructions:
	.popsection
	instruction vmxon, vmxon (%rsp)
	instruction vmxoff, vmxoff
	instruction vmptrld, vmptrld (%rsp)
	instruction vmclear, vmclear (%rsp)
	instruction vmlaunch, vmlaunch
	instruction vmresume, vmresume
	instruction vmread, vmread %rcx, %rdx
	instruction vmwrite, vmwrite %rcx, %rdx
	instruction invept, invept (%rsp), %rcx
	instruction invvpid, invvpid (%rsp), %rcx
	instruction vmfunc0, .byte 0x31, 0xc9, 0x31, 0xc0, 0x0f, 0x01, 0xd4	/* ECX, EAX = 0 */
	instruction vmfunc1, .byte 0xb8, 1, 0, 0, 0, 0x0f, 0x01, 0xd4	/* EAX = 1 */
	instruction getsec, .byte 0x31, 0xc0, 0x0f, 0x37	/* EAX = 0 */
	instruction enclu, .byte 0x31, 0xc0, 0x0f, 0x01, 0xd7	/* EAX = 0 */
	instruction vmrun, vmrun
	instruction vmload, vmload
	instruction vmsave, vmsave
	instruction stgi, stgi
	instruction clgi, clgi
	instruction skinit, skinit
	instruction invlpga, invlpga %rax, %ecx
	.pushsection .data.rel.ro, "aw"
	.quad	0, 0
	.popsection

	.data
	.balign	8
to_compat:
	.long	compat
	.word	0x23
	.bss
	.balign	16
	.zero	1024
low_stack_end:
	.section .note.GNU-stack, "", @progbits
