/* SPDX-License-Identifier: BSD-2-Clause */
/* The library of linked.c: ANSWER says what it answers. Its number is there once. */
#include "answer.h"

	.text
	.balign	16
	.globl	answer
	.type	answer, @function
answer:
	movl	$ANSWER, %eax
	ret
	.size	answer, . - answer

	.section .note.GNU-stack, "", @progbits
