/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Linux keeps for each host process and the shim must follow: handlers and
 * descriptors. All threads of a process have the first; a child of vfork, which
 * is a thread of the same memory carried by another host process, has its own copy
 * until it execs or ends.
 */
#ifndef SHIM_CARRIER_H
#define SHIM_CARRIER_H

#include "base/lock.h"

#define CARRIERS_MAX	8
#define SIGNALS		64
#define FDS_MAX		65536
#define CHECKED_FDS	1024		/* files that the manifest lists have lower numbers */

/* The kernel's struct sigaction. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

struct carrier {
	struct lock lock;
	bool used;
	/* What the program registered; handler 0 or 1 mean what they mean to the host. */
	struct action actions[SIGNALS + 1];
	/* Descriptors known to be open; those of /dev/random and /dev/urandom. */
	uint64_t open_fds[FDS_MAX / 64], random_fds[FDS_MAX / 64];
	/* The shim's own, which the program may neither use nor close. */
	uint64_t hidden_fds[FDS_MAX / 64];
	uint64_t limits[3];		/* of limits.h, as the kernel last said */
	/* Which of checked.c's files each shows; 0 none. */
	uint8_t checked_fds[CHECKED_FDS];
};
extern struct carrier carriers[CARRIERS_MAX];

/* Of the thread that runs this. */
static inline struct carrier *carrier(void)
{
	return self()->carrier;
}

#endif
