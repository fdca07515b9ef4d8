/* SPDX-License-Identifier: BSD-2-Clause */
/* Carrying a system call across the channel as its row says. */
#ifndef SHIM_MARSHAL_H
#define SHIM_MARSHAL_H

#include "calls/call.h"
#include "calls/plan.h"

/*
 * Make call `number` for the program as `row` says. Returns what the program
 * gets. If a signal came before the call started, t->rewind is set and the
 * value means nothing. A result that cannot be kills the process.
 */
int64_t marshal(struct thread *t, const struct call *row, uint64_t number,
		const uint64_t arg[CALL_ARGS]);

/* The same, once: a stream that is longer than the channel comes out short. */
int64_t marshal_once(struct thread *t, const struct call *row, uint64_t number,
		     const uint64_t arg[CALL_ARGS], struct plan *plan);

/*
 * A call whose arguments are laid out already. HOST_NOT_STARTED if a signal came first, with
 * t->rewind set; t->interrupted tells what becomes of it after the signal.
 */
int64_t marshal_call(struct thread *t, uint64_t number, const uint64_t host[CALL_ARGS],
		     enum restart restart);

/*
 * Between `count` iovecs of the program and `size` bytes of the channel. False (EFAULT) if memory
 * went away since they were measured.
 */
bool marshal_gather(uint64_t iov, uint64_t count, uint8_t *channel, uint64_t size);
bool marshal_scatter(uint64_t iov, uint64_t count, const uint8_t *channel, uint64_t size);

/* stream.c: would fewer bytes than the program gave be another message? */
bool stream_is_message(struct thread *t, uint64_t fd);

/* stream.c: `size` random bytes to the program. False: EFAULT. */
bool random_put(uint64_t address, uint64_t size);

#endif
