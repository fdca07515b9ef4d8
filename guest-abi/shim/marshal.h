/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying a system call across the channel as its row says. */
#ifndef SHIM_MARSHAL_H
#define SHIM_MARSHAL_H

#include "call.h"

/*
 * Make call `number` for the program as `row` says. Returns what the program
 * gets. If a signal came before the call started, t->rewind is set and the
 * value means nothing. A result that cannot be kills the process.
 */
int64_t marshal(struct thread *t, const struct call *row, uint64_t number,
		const uint64_t arg[CALL_ARGS]);

#endif
