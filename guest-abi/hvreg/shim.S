/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linked shim, as data: behind all other constants, which lie in few pages then. SHIM_ELF: its
 * file, as a string.
 */
	.section .shim, "a", @progbits
	.balign	16
	.globl	shim_elf, shim_elf_end
shim_elf:
	.incbin	SHIM_ELF
shim_elf_end:
	.section .note.GNU-stack, "", @progbits
