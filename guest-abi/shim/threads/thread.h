/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads of this process, by the index that slot, thread page and shim stack have.
 * An index is free again when the thread has left for good by itself and the kernel has
 * cleared the word in its slot that says that its carrier lives.
 */
#ifndef SHIM_THREAD_H
#define SHIM_THREAD_H

#include "processes/fork.h"
#include "base/lock.h"
#include "shim.h"

/* The table's; held from the choice of an index until the new thread's number is known. */
extern struct lock thread_lock;

/* The first thread of a process: it knows its number. */
void thread_setup(struct thread *t);

/* In the child of a fork: there is no thread but this one. */
void thread_forked(struct thread *t);

/*
 * Under the lock: one more thread with slot and shim stack, which begins, when a carrier enters
 * it, with START_THREAD as `request` says, otherwise as t is. NULL if there is no room. The
 * caller blocks all signals in the host, makes the carrier and sets `tid`.
 */
struct thread *thread_make(struct thread *t, const struct clone_request *request);

/* Under the lock: no carrier will come for it, or it is known to be gone. */
void thread_unmake(struct thread *child);

/* Under the lock: it has not told its number yet, but a carrier will come for it. */
void thread_live(struct thread *child);

/* Without the lock, which one of them may have: threads of that carrier run no more, unless these
 * made others meanwhile. */
void thread_stop(struct thread *t, const struct carrier *carrier);

/*
 * Under the lock: all threads of that carrier, which the kernel says has ended, are gone when this
 * returns, wherever they were. t is not one of them.
 */
void thread_revoke(struct thread *t, const struct carrier *carrier);

/* START_THREAD: the first steps of a thread. */
void thread_started(struct thread *t);

/* clone with CLONE_THREAD. */
int64_t thread_clone(struct thread *t, const struct clone_request *request);

/* The running thread with this number, or NULL. */
struct thread *thread_find(uint32_t tid);

#endif
