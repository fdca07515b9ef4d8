/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of secure processes: crossing in and out of a process view.
 *
 * The state is changed by compare-and-swap alone. Whoever makes it RUNNING owns
 * the thread until it stores another state, which is the last thing it does
 * with thread and process: from then on another CPU may enter or destroy them.
 * Who makes it DEAD under the process's lock owns it likewise until it is NEW again.
 * A RUNNING thread keeps its process from being destroyed.
 */
#ifndef HV_CORE_THREAD_H
#define HV_CORE_THREAD_H

#include <carrel/thread.h>

#include "cpu.h"
#include "process.h"
#include "xstate.h"

enum thread_state {
	THREAD_NEW,		/* was never entered */
	THREAD_RUNNING,		/* in its view, or its save is not complete */
	THREAD_OCALL,		/* waits for a result */
	THREAD_PREEMPTED,	/* thrown out; goes on where it was */
	THREAD_DEAD,
};

struct thread {
	u8 vectors[XSTATE_SIZE] __attribute__((aligned(XSTATE_ALIGN)));
	struct vt_context context;	/* while it is not in its view */
	u32 state;			/* enum thread_state */
	u32 index;
	struct process *process;
	u64 carrier;			/* CR3 of the carrier, bits that may change masked, | 1; 0 none */
	struct carrel_thread_page *page;	/* in the private frame, through phys() */
	u64 host_rsp;			/* where the carrier's stub finds its slot */
	u32 cpu;			/* that it was on last; MAX_CPUS none ... */
	u64 paid;			/* ... which has flushed for view.changed up to this */
	u64 ocalls, exits;		/* exits: all others */
};
static_assert(sizeof(struct thread) <= PAGE_SIZE, "a thread is one frame");

/* Instead of a result: the registers are already those of the other view. */
#define THREAD_CROSSED	0x10000

/* Make thread `index`, of which there is none: its object, its thread page and its stack. The
 * process's lock is held. 0 or CARREL_ENOMEM: nothing of it is there then. */
int thread_create(struct process *process, u32 index);

/* THREAD: the same, or make one that is not running anew; its pages stay. The process's lock is
 * held. 0, CARREL_ENOMEM, CARREL_EARG (no such slot), CARREL_EBUSY (it is running). */
int thread_make(struct process *process, u32 index);

/* End a thread that is not running. False: it is, ask again after its CPU's next exit. */
bool thread_stop(struct thread *thread);

/*
 * ENTER and RESUME, in the host view at CPL 3 with the right ticket, from the address space
 * `cr3`; thread, value and flags are in R10, R8 and R9. `allowed`: states that the call takes,
 * a bit each. THREAD_CROSSED, or CARREL_EARG (no such slot; a preempted thread takes no
 * value), CARREL_ETICKET (RESUME by another than entered it), CARREL_ESTATE (no such thread, or
 * in another state), CARREL_EBUSY (it is running), CARREL_EDEAD.
 */
int thread_enter(struct cpu *cpu, struct process *process, u32 allowed, u64 cr3);

/* The thread on this CPU leaves by OCALL. */
void thread_ocall(struct cpu *cpu, const struct vt_exit *exit);

/* ... for good: its process was killed. */
void thread_die(struct cpu *cpu);

/*
 * Any exit from a process view but a hypercall: an interrupt, an NMI, a fault, a forbidden
 * instruction, a refused entry. The thread is saved, upcalled, retried or killed. On return
 * the control structure that is current says which view goes on; NMI and #MC have been
 * passed to the host view, INIT and SIPI are left to the caller with the host's current.
 */
void thread_exit(struct cpu *cpu, const struct vt_exit *exit);

/* This CPU was reset (an INIT that is no exit): a thread that was inside is gone, and what
 * it left in the vector registers with it. */
void thread_lost(struct cpu *cpu);

#endif
