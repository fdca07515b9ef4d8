/* SPDX-License-Identifier: BSD-2-Clause */
/* New processes: fork, vfork, and clone without CLONE_THREAD. */
#ifndef SHIM_FORK_H
#define SHIM_FORK_H

#include "shim.h"

#define CLONE_VM		0x00000100U
#define CLONE_FS		0x00000200U
#define CLONE_FILES		0x00000400U
#define CLONE_SIGHAND		0x00000800U
#define CLONE_PIDFD		0x00001000U
#define CLONE_PTRACE		0x00002000U
#define CLONE_VFORK		0x00004000U
#define CLONE_PARENT		0x00008000U
#define CLONE_THREAD		0x00010000U
#define CLONE_NEWNS		0x00020000U
#define CLONE_SYSVSEM		0x00040000U
#define CLONE_SETTLS		0x00080000U
#define CLONE_PARENT_SETTID	0x00100000U
#define CLONE_CHILD_CLEARTID	0x00200000U
#define CLONE_DETACHED		0x00400000U
#define CLONE_UNTRACED		0x00800000U
#define CLONE_CHILD_SETTID	0x01000000U
#define CLONE_IO		0x80000000U

/* What clone and clone3 ask for; addresses are the program's, unchecked. */
struct clone_request {
	uint32_t flags;			/* CLONE_* without the signal */
	uint32_t exit_signal;
	uint64_t stack;			/* the new RSP, or 0: as the caller's */
	uint64_t parent_tid, child_tid, tls;
};

/* Make a process. Returns what the caller of clone gets. */
int64_t fork_clone(struct thread *t, const struct clone_request *request);

/* START_FORKED: the first steps of a child. */
void fork_started(struct thread *t);

#endif
