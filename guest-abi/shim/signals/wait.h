/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls with a signal mask of their own. The host swaps the masks as part of the
 * call; the shim follows: t->mask is that of the call until the call has ended and
 * a signal that ended it is delivered.
 */
#ifndef SHIM_WAIT_H
#define SHIM_WAIT_H

#include "shim.h"

/* After the call; `value` as it came back, t->rewind if it was not made. See signal_mask_temporary. */
void wait_unmask(struct thread *t, int64_t value);

/* Could this call, whose arguments are in t->regs, sleep? Of those that never restart. */
bool wait_sleeps(const struct thread *t, uint64_t number);

#endif
