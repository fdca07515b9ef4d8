/* SPDX-License-Identifier: BSD-2-Clause */
/* The vDSO as it was linked, for time.c to copy. */
	.section .rodata
	.globl	vdso_start, vdso_end
	.balign	16
vdso_start:
	.incbin	VDSO
vdso_end:
	.section .note.GNU-stack, "", @progbits
