/* SPDX-License-Identifier: BSD-2-Clause */
/* The linked shim, as data. SHIM_ELF: its file, as a string. */
	.section .rodata
	.balign	16
	.globl	shim_elf, shim_elf_end
shim_elf:
	.incbin	SHIM_ELF
shim_elf_end:
	.section .note.GNU-stack, "", @progbits
