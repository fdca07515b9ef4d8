/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of a VMX CPU: load the guest's registers, enter, save, handle, again.
 *
 * The host RSP of a VMCS is the end of the registers that its guest has in memory,
 * those of vt->regs: an exit pushes them into place. The vt_cpu is then found by
 * GS base. Nothing else uses that stack: interrupts are off, and NMI, #DF and
 * #MC have stacks of their own.
 *
 * An NMI in root mode sets *vt->nmi. One that hits between the test of the flag
 * and the entry restarts at the test (RESTART_RANGE): RSP and the registers are
 * then those of the test, so it may be repeated.
 */
#include <base/trap.h>
#include <virt/vt_offsets.h>

	.macro	LOAD_REGS		/* RBX = vt; RSP = end of *vt->regs afterwards */
	mov	VT_REGS(%rbx), %rsp
	.irp	reg, rax, rcx, rdx, rbx, rbp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	pop	%\reg			/* the first RBP: reserved_rsp */
	.endr
	.endm

	.macro	LEAVE_REGS		/* back to the handler's stack; RBX = RDI = vt */
	mov	%gs:TRAP_GS_SELF, %rbx
	add	$TRAP_GS_SIZE, %rbx
	mov	VT_STACK_TOP(%rbx), %rsp
	mov	%rbx, %rdi
	.endm

	.text
	.globl	vmx_run, vmx_exit_entry
vmx_run:
	mov	%rdi, %rbx
	jmp	vmx_enter

	.balign 64
vmx_exit_entry:
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbp, rbx, rdx, rcx, rax
	push	%\reg			/* the second RBP: reserved_rsp */
	.endr
	LEAVE_REGS
	call	vmx_exit
vmx_enter:
	LOAD_REGS
vmx_resume:
	cmpl	$0, %gs:TRAP_GS_NMI
	jne	vmx_owed_nmi
	vmresume
vmx_resume_end:

	/* VMfail. The VMCS may just be one that was never entered: then VMLAUNCH. */
vmx_refused:
	LEAVE_REGS
	call	vmx_entry_refused
	test	%al, %al
	jz	vmx_enter
	LOAD_REGS
vmx_launch:
	cmpl	$0, %gs:TRAP_GS_NMI
	jne	vmx_owed_nmi
	vmlaunch
vmx_launch_end:
	jmp	vmx_refused

vmx_owed_nmi:
	LEAVE_REGS
	call	vmx_root_nmi
	jmp	vmx_enter

	RESTART_RANGE(vmx_resume, vmx_resume_end)
	RESTART_RANGE(vmx_launch, vmx_launch_end)
	.section .note.GNU-stack, "", @progbits
