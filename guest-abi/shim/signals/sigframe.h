/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame that a signal handler finds on its stack, as Linux lays it out on
 * x86-64, and the way back from it.
 */
#ifndef SHIM_SIGFRAME_H
#define SHIM_SIGFRAME_H

#include "shim.h"

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct sigcontext) == 256, "kernel ABI");

struct sigframe {
	uint64_t restorer;
	uint64_t flags, link;
	struct {
		uint64_t base;
		uint32_t flags, pad;
		uint64_t size;
	} stack;
	struct sigcontext context;
	uint64_t mask;
	uint8_t siginfo[SIGINFO_SIZE];
};
_Static_assert(sizeof(struct sigframe) == 440, "kernel ABI");

/*
 * Write vector state and frame below `top` on the program's stack, for a
 * handler that returns to t->regs. Returns the frame's address, or 0 if the
 * stack has no room.
 */
uint64_t sigframe_push(struct thread *t, uint64_t top, const struct sigframe *content);

/* The most stack that a frame takes: AT_MINSIGSTKSZ. */
uint64_t sigframe_size(void);

/* Copy the frame at `address`, checking that it may be returned to. False if not. */
bool sigframe_pop(struct thread *t, uint64_t address, struct sigframe *frame);

#endif
