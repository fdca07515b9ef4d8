/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process view without a hypervisor: one Linux process in which the real
 * shim.elf and the real stub run with a program, and this code answers
 * hypercalls. Nothing is protected; everything else is as in a process view:
 *   - the program's SYSCALLs come back as SIGSYS and enter the shim as the bounce
 *     page would make them;
 *   - the shim's hypercalls jump here, OCALLs go through the stub;
 *   - faults and signals become upcalls.
 */
#ifndef NATIVE_VIEW_H
#define NATIVE_VIEW_H

/* For view.S: of each thread here, and what it keeps in the unused part of its thread page. */
#define VIEW_SHIFT	17
#define VIEW_STACK_SIZE	0x10000
#define VIEW_SHIM_RSP	0x1f0
#define VIEW_STACK_TOP	0x1f8

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>
#include <carrel/thread.h>

struct view_thread {
	uint8_t stack[VIEW_STACK_SIZE];		/* while it is here */
	uint8_t alternate[VIEW_STACK_SIZE - 16];
	volatile uint8_t selector;		/* of system-call user dispatch */
	bool mapped;				/* its thread page and shim stack are there */
	bool fresh;				/* it may be entered, once */
	volatile bool inside;			/* a carrier is in the view with it */
	uint64_t call_number;			/* of its last OCALL */
};
_Static_assert(sizeof(struct view_thread) == 1 << VIEW_SHIFT, "view.S finds them by index");
_Static_assert(CARREL_TP_UPCALL + sizeof(struct carrel_upcall) <= VIEW_SHIM_RSP &&
	       VIEW_STACK_TOP + 8 <= CARREL_TP_XSTATE, "unused");
extern struct view_thread view_threads[CARREL_SLOTS_MAX];

/* What the run is to do besides running. -1 in a number: nothing. */
#define VIEW_KEYS	1		/* 0, 1, 2 ..., of kind 1 from 80h on; the identity from A0h */
#define VIEW_UNMEASURED	2
struct view_options {
	long lie_call, lie_value;	/* this call returns this value */
	long step_call;			/* a signal comes in step k * stride of the k-th such call */
	long stride;
	long fault_every;		/* each n-th hypercall on memory answers BUSY, MORE or PENDING */
	long starve_every;		/* and each n-th MAP answers ENOMEM */
	bool trace;			/* calls that leave, on standard error */
	bool notes;			/* NOTEs, on standard error */
	int keys;			/* 0: CREATE did not say that it may ask */
};
extern struct view_options view_options;

/*
 * What the hypervisor and the command line would remember over an exec. It is written
 * behind the start block that the shim leaves for its successor.
 */
#define VIEW_PASSED	64
struct view_memory {
	struct view_options options;
	char shim[512], gate[512];
	struct {
		uint64_t ticket[2], words[4];
	} passed[VIEW_PASSED];
	uint64_t passes;
};
extern struct view_memory view_memory;

#define VIEW_STATUS_DIED	121	/* DIE */
#define VIEW_STATUS_FAULT	122	/* a fault in the shim */
#define VIEW_STATUS_WRONG	123	/* a hypercall or an OCALL that may not be */

#define VIEW_PROCESS		7
#define VIEW_TICKET0		0x1122334455667788UL
#define VIEW_TICKET1		0x99aabbccddeeff00UL

/* Everything is mapped, slots and start block are filled in: go. */
_Noreturn void view_enter(void);

/* family.c: PASS, CLAIM and FORK on registers RDI RSI RDX R10, and what the host does with calls. */
int64_t family_hypercall(uint64_t number, uint64_t words[4]);
/* May a stub that says so carry a thread of this process? A child enters by its own names. */
bool family_owns(uint64_t process, const uint64_t ticket[2], bool enter);
/* The flags of a call of clone: what shares private memory there must do so here. */
uint64_t family_clone(uint64_t flags, bool fork);
void family_exec(const uint64_t *envp);

/* For view.c and family.c: a system call of their own; the end of a test that went wrong. */
long call6(long n, long a, long b, long c, long d, long e, long f);
_Noreturn void leave(int status, const char *what, uint64_t a, uint64_t b);

/* view.S */
extern const char view_gate_entry[], view_stub_return[];
void view_note_signal(int signal, void *info, void *context, uint64_t rsp);
_Noreturn void view_jump_stub(void);
#endif

#endif
