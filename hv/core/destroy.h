/* SPDX-License-Identifier: BSD-2-Clause */
/* What process.c and destroy.c need of each other. */
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

/* process.c: the slot of this handle is free, and the caller's reference used up. */
void process_release_slot(u64 id);

#endif
