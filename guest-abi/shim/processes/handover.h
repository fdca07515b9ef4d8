/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process that calls exec hands over: path, arguments and environment, sealed
 * in a file for a successor of the same identity, or in the clear for a program
 * that the manifest lets run without protection.
 */
#ifndef SHIM_HANDOVER_H
#define SHIM_HANDOVER_H

#include "shim.h"

struct handover {
	const char *path;		/* of the program; private, and so is `first` */
	const char *first;		/* strings before those of argv, back to back, each with a NUL */
	uint32_t first_count;
	uint32_t skip;			/* this many of argv are left out */
	uint64_t argv, envp;		/* the program's arrays; 0 is an empty one */
};

/*
 * A descriptor of the file that the successor's carrier reads (struct carrel_exec), or an error:
 * E2BIG, EFAULT, or what the host says. It closes on exec until handover_keep, so that no other
 * thread's child has it.
 */
int64_t handover_seal(struct thread *t, const struct handover *from);
int64_t handover_keep(struct thread *t, uint64_t fd);
void handover_close(struct thread *t, uint64_t fd);

/* Into `room` bytes at `channel`. arg[0..2] become the arguments of an execve. 0 or an error. */
int64_t handover_plain(struct thread *t, const struct handover *from, uint8_t *channel, size_t room,
		       uint64_t arg[3]);

#endif
