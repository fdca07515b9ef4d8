/* SPDX-License-Identifier: BSD-2-Clause */
/* The labels of entry.S that upcall.c compares addresses with; nothing runs there here. */
	.data
	.globl	entry_window_end, exit_window, exit_window_end
entry_window_end:
exit_window:
exit_window_end:
	.byte	0
	.section .note.GNU-stack, "", @progbits
