/* SPDX-License-Identifier: BSD-2-Clause */
/* A child of a secure process: made by FORK, alive from ADOPT on. */
#ifndef HV_CORE_FORK_H
#define HV_CORE_FORK_H

#include "cpu.h"
#include "process.h"

/* FORK by the thread on this CPU, whose process's lock is held: GO or ABORT. See docs/abi.md. */
s64 fork_call(struct cpu *cpu, struct process *parent);

/* ADOPT, by who has its ticket: `child` is FORKED and its lock is held. 0. */
int fork_adopt(struct process *child);

/* No thread of `parent` (lock held) calls any more: end the children that nobody adopted. 0, or
 * CARREL_MORE: call again. */
int fork_end(struct process *parent);

#endif
