/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The two host copies of the gate page, one for each vendor's hypercall
 * instruction, as data. The kernel never runs them: one is copied into a page
 * that carriers map.
 */
	.section .rodata
	.balign 4096
	.globl	carrel_gate_vmcall, carrel_gate_vmmcall, carrel_gate_end
carrel_gate_vmcall:
	.incbin "gate-vmcall.bin"
	.if . - carrel_gate_vmcall != 4096
	.error "gate-vmcall.bin is not one page"
	.endif
carrel_gate_vmmcall:
	.incbin "gate-vmmcall.bin"
	.if . - carrel_gate_vmmcall != 4096
	.error "gate-vmmcall.bin is not one page"
	.endif
carrel_gate_end:
	.section .note.GNU-stack, "", @progbits
