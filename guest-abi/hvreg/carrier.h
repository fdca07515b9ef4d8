/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg's process becomes the carrier of a secure process. Failures exit 125.
 * In order: map, create, fill, start.
 */
#ifndef HVREG_CARRIER_H
#define HVREG_CARRIER_H

#include <carrel/ioctl.h>
#include "launch.h"
#include "program.h"

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

#endif
