/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shim: the measured code that stands between a program and the host
 * kernel inside a process view. It shares the program's address space and
 * trust; it defends the program against the kernel, not against itself.
 *
 * Every thread has its struct thread at the top of its shim stack, so the
 * program's registers always lie at the same place, whichever entry saved them.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <carrel/thread.h>

#define PAGE_SIZE	4096
#define PAGE_MASK	(PAGE_SIZE - 1)

/* For entry.S: where the stack's top is noted, in the thread page's shim area. */
#define TP_STACK_TOP	CARREL_TP_SHIM
/* Bytes of struct thread before regs; quad words in regs before RIP, and from RIP on. */
#define THREAD_HEAD	320
#define REGS_GENERAL	15
#define REGS_FRAME	5
#define REGS_SIZE	((REGS_GENERAL + REGS_FRAME) * 8)

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

/* The program's registers, ending in a frame for IRETQ. */
struct regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == REGS_SIZE, "entry.S pushes these");

/* Large arrays, behind all other variables: what a small program uses lies in few pages then. */
#define LARGE	__attribute__((section(".lbss")))

#define SIGINFO_SIZE	128

/* What becomes of a call that a signal kept from starting, or ended, once a handler is to run. */
enum interrupted {
	INTERRUPTED_NO,			/* made again if it did not start */
	INTERRUPTED_RESTARTS,		/* made again if the handler has SA_RESTART, else EINTR */
	INTERRUPTED_ENDS,		/* EINTR, if it could sleep. All are made again without one. */
};

struct thread {
	struct carrel_thread_page *page;
	uint8_t *slot;			/* in the channel: hostile */
	uint64_t index;
	uint64_t mask;			/* the program's signal mask */
	uint64_t altstack, altstack_size;
	uint32_t altstack_flags;
	bool noted;			/* siginfo holds a signal that was not acted upon */
	bool rewind;			/* the call did not start: make it again after the signal */
	uint8_t interrupted;		/* enum interrupted */
	uint8_t start;			/* enum start_kind: what START is for */
	uint8_t siginfo[SIGINFO_SIZE] __attribute__((aligned(8)));
	uint64_t saved_mask;		/* while `temporary`: what a handler's frame goes back to */
	uint32_t tid;			/* the host's number, positive and unique in the process */
	bool forked;			/* START_FORKED: of fork, not of vfork */
	bool temporary;			/* mask is that of one call (ppoll, rt_sigsuspend ...) */
	uint64_t clear_tid;		/* of the program: cleared and woken at the thread's end, 0 none */
	uint64_t robust_list;
	uint64_t fs_base;		/* only from fork or clone to START */
	struct carrier *carrier;	/* see carrier.h */
	struct {			/* futex.c's, as a waiter, under its lock */
		uint64_t address;	/* 0: not queued */
		struct thread *next;
		uint32_t bitset;
		bool owner;		/* waits to own the word: FUTEX_LOCK_PI */
		uint32_t seen;		/* how often it was woken by processes of the family */
		uint32_t reserved;
	} futex;
	uint64_t set_tid;		/* from clone to START: where its number goes, 0 none */
	uint8_t *arena_part;		/* what it holds while it execs: its parent may have to give it */
	uint64_t arena_size;
	uint64_t reserved[4];
	struct regs regs;
};
_Static_assert(offsetof(struct thread, regs) == THREAD_HEAD, "entry.S skips this much");

enum start_kind { START_FIRST, START_THREAD, START_FORKED, START_DONE };

/* The thread that runs this. */
static inline struct thread *self(void)
{
	uint64_t top;

	asm volatile("movq %%gs:%c1, %0" : "=r"(top) : "i"(TP_STACK_TOP));
	return (struct thread *)(top - sizeof(struct thread));
}

/* The thread that has index `index` (it may not exist). */
static inline struct thread *thread_at(uint64_t index)
{
	return (struct thread *)(CARREL_THREAD_STACK(index) - sizeof(struct thread));
}

/* Length in bytes of `s` including its NUL, or 0 if there is none in `max` bytes. */
size_t string_size(const char *s, size_t max);
#endif
#endif
