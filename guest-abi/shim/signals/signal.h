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

/*
 * Block all signals in the host, and go back to the program's mask. One that was noted in
 * between is delivered first, and that restores the mask.
 */
void signal_block(struct thread *t);
void signal_unblock(struct thread *t);

/*
 * For a call with a mask of its own (ppoll, rt_sigsuspend ...), before it is made with that
 * mask: a handler that runs because of it starts under it and returns to the mask before.
 * After the call, if it did not fail with EINTR: a signal that came then is not of this mask.
 * After EINTR, or if the call was not made, signal_deliver does the right thing.
 */
void signal_mask_temporary(struct thread *t, uint64_t mask);
void signal_mask_restore(struct thread *t);

/* A fault of the program's own: its handler, or death. */
void signal_fault(struct thread *t, const struct carrel_upcall *fault);

#endif
