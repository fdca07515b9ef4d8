/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes. The words are private memory, so the kernel learns neither words nor addresses:
 * who waits for what is kept here, and each waiter sleeps on a word of its slot. A kernel that
 * lies can wake a thread that then sleeps again, or never wake it; it cannot make it go on.
 */
#ifndef SHIM_FUTEX_H
#define SHIM_FUTEX_H

#include "base/lock.h"
#include "shim.h"

/* Taken inside; fork takes it too. */
extern struct lock futex_lock;

/* Wake at most `count` that wait on `address`. Returns how many there were. */
int64_t futex_wake(struct thread *t, uint64_t address, uint64_t count);

/* This thread ends: its robust locks say that their owner has died. */
void futex_robust(struct thread *t);

/* It will never run again: nor does it wait. */
void futex_forget(struct thread *t);

/* Before FORK, with all locks: if the child will share memory, each hears of the other's wakes. 0 or
 * an error. */
int64_t futex_share(struct thread *t);

/* In the child of a fork: nobody waits. */
void futex_forked(void);

#endif
