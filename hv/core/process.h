/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Secure processes: the table of them, how one is made and measured, and how it
 * ends. A process and its threads live in frames that were donated to it.
 */
#ifndef HV_CORE_PROCESS_H
#define HV_CORE_PROCESS_H

#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include <crypto/sha256.h>
#include <mm/frame.h>
#include <mm/space.h>
#include <mm/view.h>
#include <virt/vt.h>

#define PROCESS_MAX	256	/* at one time; views' tags are 1 .. PROCESS_MAX */
#define PROCESS_BUDGET	512	/* frames of work in one hypercall */

enum process_state {
	PROCESS_BUILDING = CARREL_PROCESS_NEW,	/* CREATE: pages are added, blocks lent */
	PROCESS_READY = CARREL_PROCESS_READY,	/* INIT: measured, its threads run */
	PROCESS_DYING = CARREL_PROCESS_DEAD,	/* killed, or being destroyed */
	PROCESS_FORKED = CARREL_PROCESS_FORKED,	/* FORK: waits for ADOPT */
	PROCESS_GONE,				/* only for those who waited for its lock */
};

/* How far DESTROY has come; each step is finished before the next begins. */
enum process_end {
	END_THREADS, END_CHILDREN, END_DEBTS, END_SPACE, END_VIEW, END_BLOCKS, END_OBJECTS, END_LIMBO,
	END_FAMILY,
	END_REST, END_CHUNKS,		/* the last of its family alone */
	END_ALL,
};

struct thread;

/*
 * `lock` guards everything but `state` (set by atomics: a kill needs no lock),
 * threads[] as ENTER and RESUME see it (set once, entire) and what is constant from CREATE
 * or FORK on (id, ticket, limits, vt, family). threads[] only grows until END_THREADS. A
 * child that is still in the making is reached by its parent's `making` alone, under the
 * parent's lock.
 */
struct process {
	struct lock lock;
	u32 state;			/* enum process_state */
	u64 id;				/* what handles name; never 0 */
	u64 ticket[2];
	u32 slots, blocks, limit, flags;	/* as given to CREATE */
	u32 thread_count;
	struct vt_process vt;
	struct view view;
	struct view_memory nested;	/* frames of the view's tables */
	struct space space;
	struct family *family;
	struct sha256 measure;
	u64 identity[SHA256_SIZE / 8];	/* valid from INIT on */
	struct thread *threads[CARREL_SLOTS_MAX];
	u32 block[CARREL_BLOCKS_MAX];	/* number + 1 of the lent block, 0 none */
	u64 parent;			/* handle, until it is adopted; 0: it is nobody's child */
	struct process *making;		/* a child that is not in the table yet ... */
	u64 making_at;			/* ... how far its pages are shared ... */
	u32 making_thread;		/* ... and who calls for it */
	u64 end_stamp;			/* flush debt of the last exit */
	u32 end;			/* enum process_end */
	bool left;			/* END_FAMILY: it was not the last */
};
static_assert(sizeof(struct process) <= PAGE_SIZE, "a process is one frame");

/* Boot, after machine is filled: fixed pages, vector state, randomness. 0 or -1 (logged). */
int process_boot(void);

/*
 * The table. Low bits of a handle are its index, above them is a generation.
 *
 * References without a lock: who looks up adds its reference first and reads the
 * handle second; who retires a process clears the handle first and reads the
 * references second. Both in one total order, so either the reader sees no
 * handle or the other sees its reference and waits.
 */
struct process_slot {
	u64 id;			/* handle of the process that can be found here, 0 none */
	struct process *process;
	u32 references;
	u64 generation;		/* of the newest handle; the table's lock */
	bool taken;		/* the table's lock */
};
extern struct process_slot process_slots[PROCESS_MAX];

static inline struct process_slot *process_slot(u64 id)
{
	return &process_slots[id % PROCESS_MAX];
}

static inline void process_put_slot(struct process_slot *slot)
{
	__atomic_fetch_sub(&slot->references, 1, __ATOMIC_RELEASE);
}

/*
 * Find a process by its handle and keep it from going away, until process_put. NULL: no such
 * process. Any CPU; hold no lock that a DESTROY may want while waiting for anything else.
 */
static inline struct process *process_get(u64 id)
{
	struct process_slot *slot = process_slot(id);

	__atomic_fetch_add(&slot->references, 1, __ATOMIC_SEQ_CST);
	if (id && __atomic_load_n(&slot->id, __ATOMIC_SEQ_CST) == id)
		return slot->process;
	process_put_slot(slot);
	return NULL;
}

static inline void process_put(struct process *process)
{
	process_put_slot(process_slot(process->id));
}

static inline enum process_state process_state(const struct process *process)
{
	return (enum process_state)__atomic_load_n(&process->state, __ATOMIC_SEQ_CST);
}

/* CREATE out of a chunk of nobody's; the arguments are checked. Writes the handle and the
 * ticket. 0, CARREL_EDMA, CARREL_EOWNER, CARREL_ELIMIT, CARREL_ERANDOM, CARREL_ENOMEM. */
int process_create(u64 chunk, u32 slots, u32 blocks, u32 limit, u32 flags, u64 *id,
		   u64 ticket[2]);

/* ADD, LEND, INIT: `process` is BUILDING (LEND: or READY) and its lock is held; arguments
 * checked but for frame and block numbers against their owner. See docs/abi.md for the errors. */
int process_add(struct process *process, u64 frame, u64 address, u64 type);
int process_lend(struct process *process, u64 block, u64 index);
int process_init(struct process *process);

/* Give frames in limbo back to the family if no CPU owes for them. True if any came. The
 * process's lock is held. */
bool process_reclaim(struct process *process);

/*
 * No thread of it enters a view any more; those inside leave at their next exit. Logs the
 * reason, once: `what`, a number, another. From any exit handler; takes no lock.
 */
void process_kill(struct process *process, const char *what, u64 number, u64 detail);

/*
 * DESTROY, a step at a time: 0 when everything is given back (`process` is no more, and the
 * reference that the caller had on it is used up), CARREL_PENDING, CARREL_MORE (reference
 * kept). CARREL_EDEAD: another CPU was faster (reference kept).
 */
int process_destroy(struct process *process);

/* Panic: wipe every saved context, then every private frame. All other CPUs have stopped. */
void process_wipe(void);

#endif
