/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values that a program gives the kernel to have them back with an event are
 * often addresses. The kernel gets a number instead that was never used before,
 * whose low bits are a place in a private table.
 */
#ifndef SHIM_TOKEN_H
#define SHIM_TOKEN_H

#include "base/lock.h"

#define TOKEN_BITS	16
#define TOKEN_PLACE(token) ((token) & ((1UL << TOKEN_BITS) - 1))

/* Never 0, and not the same again, also where a table was copied by fork and both go on. */
uint64_t token_draw(uint64_t place);

/* Taken for a moment, inside; the last in the order of locks. fork takes it too. */
extern struct lock token_lock;

#endif
