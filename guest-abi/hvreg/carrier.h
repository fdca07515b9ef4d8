/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg's process becomes the carrier of a secure process. Failures exit 125.
 * In order: create, then start or take over.
 */
#ifndef HVREG_CARRIER_H
#define HVREG_CARRIER_H

#include <carrel/ioctl.h>
#include "exec.h"
#include "launch.h"
#include "program.h"

/* The arena begins at the first block that holds no slot. */
#define CARRIER_ARENA_BLOCK	((LAUNCH_SLOTS * CARREL_SLOT_STRIDE + CARREL_BLOCK_SIZE - 1) / \
				 CARREL_BLOCK_SIZE)
#define CARRIER_ARENA_SIZE	((LAUNCH_BLOCKS - CARRIER_ARENA_BLOCK) * CARREL_BLOCK_SIZE)
_Static_assert(LAUNCH_BLOCKS > CARRIER_ARENA_BLOCK, "the start block needs room");

/* A secure process of this address space. */
struct carrier {
	int device;
	uint64_t process;
	uint64_t ticket[2];
	uint32_t limit, flags;		/* as given to CREATE */
	uint8_t identity[CARREL_IDENTITY_SIZE];
};

/* Opens the device, maps gate and channel, and creates, fills and measures what `launch` says. */
void carrier_create(struct carrier *carrier, const struct launch *launch);

/*
 * Gives up hvreg's own state, takes on the program's name and arguments, and
 * enters thread 0. argv ends with NULL and lies where the kernel put it.
 */
_Noreturn void carrier_start(struct carrier *carrier, const struct program *program, char **argv);

/* The same for a program that comes by execve, whose start block is sealed. */
_Noreturn void carrier_take_over(struct carrier *carrier, const struct exec *exec, const char *name);

#endif
