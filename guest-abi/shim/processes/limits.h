/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resource limits that the kernel cannot enforce, since it knows nothing of the memory: what it
 * says they are is believed. And the one on descriptors, which must not pass what fds.c can note.
 */
#ifndef SHIM_LIMITS_H
#define SHIM_LIMITS_H

#include "shim.h"

enum limit { LIMIT_DATA, LIMIT_STACK, LIMIT_AS, LIMITS };

#define UNLIMITED	UINT64_MAX

/* Ask the kernel for this process's, and lower that on descriptors. */
void limits_read(struct thread *t);

/* Bytes, or UNLIMITED. Of the thread that runs this. */
uint64_t limit_of(enum limit limit);

#endif
