/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private code of crowd.c, at CARREL_SHIM_VA. Every register holds a number
 * that is checked in each round; at the end the carrier is asked to exit with 42,
 * or with 43 as soon as a register was found wrong.
 */
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>

#define SYS_write	1
#define SYS_exit_group	231
#define SHADOWS		40
#define PATTERN		0x1122334455667788

	.macro	each op
	\op	rax, 1
	\op	rbx, 2
	\op	rcx, 3
	\op	rdx, 4
	\op	rsi, 5
	\op	rbp, 6
	\op	r8, 7
	\op	r9, 8
	\op	r10, 9
	\op	r11, 10
	\op	r12, 11
	\op	r13, 12
	\op	r14, 13
	.endm

	.macro	fill register, number
	movabsq	$PATTERN + \number, %\register
	.endm

	/* R15 counts the rounds, RDI is scratch. */
	.macro	check register, number
	movabsq	$PATTERN + \number, %rdi
	cmpq	%rdi, %\register
	jne	wrong
	.endm

	.data
	.balign	4096
	.globl	private_code, private_rounds
private_code:
	jmp	start
	.balign	8
private_rounds:			/* crowd.c's, before the page is added */
	.quad	0
	.org	private_code + 0x40, 0xcc	/* SYSCALL: there is none */
	ud2
	.org	private_code + 0x80, 0xcc	/* UPCALL: nothing is expected */
	movl	$44, %edi
	jmp	leave
start:
	each	fill
	movq	%rax, %xmm0
	movq	%rbx, %xmm15
	movq	private_rounds(%rip), %r15
1:	each	check
	movq	%xmm0, %rdi
	cmpq	%rax, %rdi
	jne	wrong
	movq	%xmm15, %rdi
	cmpq	%rbx, %rdi
	jne	wrong
	decq	%r15
	jnz	1b
	movl	$42, %edi
	jmp	leave
wrong:
	movl	$43, %edi
leave:
	movl	$SYS_exit_group, %ebx
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	movl	%edi, %r12d
	movl	$CARREL_CPUID_ABI, %eax
	xorl	%ecx, %ecx
	cpuid
	movl	%ebx, %r13d
2:	movl	$CARREL_HC_OCALL, %eax
	movl	$SYS_exit_group, %ebx
	movl	%r12d, %edi
	cmpl	$CARREL_INSN_VMMCALL, %r13d
	jne	3f
	vmmcall
	jmp	2b
3:	vmcall
	jmp	2b
	.org	private_code + 4096, 0xcc

/*
 * Where the carrier goes on in shadow mode, in place of the stub: RESUME with TF set,
 * behind a MOV SS, or both, in turn. What that leaves pending must harm nobody.
 */
	.text
	.globl	shadow_resume, shadow_count
shadow_resume:
	movq	%rsp, %rbx
	andq	$-CARREL_SLOT_STRIDE, %rbx
	movl	$CARREL_CPUID_ABI, %eax
	xorl	%ecx, %ecx
	pushq	%rbx
	cpuid
	movl	%ebx, %r13d
	popq	%rbx
	movq	CARREL_SLOT_PROCESS(%rbx), %rdi
	movq	CARREL_SLOT_TICKET0(%rbx), %rsi
	movq	CARREL_SLOT_TICKET1(%rbx), %rdx
	movq	CARREL_SLOT_THREAD(%rbx), %r10
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	incl	shadow_count(%rip)
	movl	shadow_count(%rip), %r14d
	cmpl	$SHADOWS, %r14d
	jne	1f
	movl	$SYS_write, %eax		/* proof that this was gone through */
	movl	$1, %edi
	leaq	proof(%rip), %rsi
	movl	$proof_end - proof, %edx
	syscall
	movq	CARREL_SLOT_PROCESS(%rbx), %rdi
	movq	CARREL_SLOT_TICKET0(%rbx), %rsi
	movq	CARREL_SLOT_TICKET1(%rbx), %rdx
1:
	pushfq
	orq	$0x100, (%rsp)
	movl	$CARREL_HC_RESUME, %eax
	testl	$1, %r14d
	jnz	2f
	cmpl	$CARREL_INSN_VMMCALL, %r13d
	jne	1f
	popfq
	vmmcall
	jmp	refused
1:	popfq
	vmcall
	jmp	refused
2:	testl	$2, %r14d
	jnz	3f
	andq	$~0x100, (%rsp)
3:	cmpl	$CARREL_INSN_VMMCALL, %r13d
	jne	4f
	popfq
	movw	stack_selector(%rip), %ss
	vmmcall
	jmp	refused
4:	popfq
	movw	stack_selector(%rip), %ss
	vmcall
refused:
	movl	$SYS_exit_group, %eax
	movl	$45, %edi
	syscall

	.data
	.balign	8
proof:	.ascii	"40 shadows\n"
proof_end:
	.balign	8
stack_selector:
	.long	0x2b
shadow_count:
	.long	0
	.section .note.GNU-stack, "", @progbits
