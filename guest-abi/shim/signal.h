/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals. The host keeps queue and dispositions; the shim keeps the program's
 * handlers, which the host never learns, and builds their frames in private
 * memory. Only registered handlers run, whatever the host claims to have sent.
 */
#ifndef SHIM_SIGNAL_H
#define SHIM_SIGNAL_H

#include "shim.h"

/* Learn the mask that this thread inherited. */
void signal_setup(struct thread *t);

/*
 * Before going back to the program: act upon the noted signal, if there is one.
 * Sets t->regs to the handler's start. `number` is the call that was made, for
 * making it again.
 */
void signal_deliver(struct thread *t, uint64_t number);

/* A fault of the program's own: its handler, or death. */
void signal_fault(struct thread *t, const struct carrel_upcall *fault);

#endif
