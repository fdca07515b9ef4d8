/* SPDX-License-Identifier: BSD-2-Clause */
/* What process.c, destroy.c and fork.c need of each other. */
#ifndef HV_CORE_DESTROY_H
#define HV_CORE_DESTROY_H

#include "process.h"

/* destroy.c: give back all of a process that was never published. */
void destroy_unborn(struct process *process);

/* process.c: some other CPU may still be working on the process by a reference. */
bool process_shared(const struct process *process);

/*
 * process.c: `process` (locked, its last reference the caller's) can no longer be found, is
 * unlocked, and every other reference is gone.
 */
void process_retire(struct process *process);

/* process.c: a free slot of the table, with a reference on it, and the handle for its next
 * process; 0 if the table is full. */
u64 process_claim_slot(void);

/* process.c: view, tables and fixed pages of a process whose object is filled in. 0 or
 * CARREL_ENOMEM: destroy_unborn. */
int process_build(struct process *process);

/* process.c: from here on it can be found, and the slot's reference is used up. */
void process_publish(struct process *process);

/* process.c: the slot of this handle is free, and the caller's reference used up. */
void process_release_slot(u64 id);

#endif
