/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Memory of one secure process and of all that fork made from it: the chunks
 * that the hypervisor has for them, their limit, and whom they are charged to.
 * Goes back when the last of these processes is gone, in parts before.
 *
 * Lock order: mmap_lock, a process's lock, a family's. All functions sleep, and
 * their callers may hold mmap_lock or a process's lock.
 */
#ifndef CARREL_MODULE_FAMILY_H
#define CARREL_MODULE_FAMILY_H

#include <linux/types.h>

struct family;
struct hc_regs;

/* The shrinker, by which the kernel asks for chunks in which nothing is. Module init and exit. */
int family_init(void);
void family_exit(void);

/* A new one with one reference, charged to the current user; NULL: no memory. */
struct family *family_new(void);
void family_get(struct family *family);
void family_put(struct family *family);

/*
 * CREATE out of a chunk of its own, with regs->rdi yet to be filled in, and room for `limit`
 * chunks in all. 0: the family has one member. Else an errno, and it may still have the chunk.
 * A current task that has CAP_IPC_LOCK lifts RLIMIT_MEMLOCK for all of the family, for good:
 * what a service may have must not depend on whether it asks before or after its setuid.
 */
int family_create(struct family *family, u32 limit, struct hc_regs *regs);

/* Once it is created. -ENOMEM: more than RLIMIT_MEMLOCK. */
int family_charge(struct family *family, unsigned long pages);
void family_uncharge(struct family *family, unsigned long pages);

/* One more member, of a family that has some. */
void family_join(struct family *family);

/*
 * Once the hypervisor has destroyed a member (`lost`: refused to): *member becomes false. The
 * last takes all chunks back, those of a family without members too. True: nothing more is to be
 * done for this member. False: a CPU still owes a flush; ask again later.
 */
bool family_leave(struct family *family, bool *member, bool lost);

/*
 * One more chunk for `process`, and `more` if they can be had; 0 if one could. -ENOMEM, -EPERM,
 * -ETIMEDOUT, -EIO, -ENOSPC: as pool_donate says; -EINTR: the task is being killed.
 */
int family_grow(struct family *family, u64 process, unsigned int more);

/* Has it all that it may have? */
bool family_is_full(const struct family *family);

/* Takes back the chunks in which nothing is. */
void family_trim(struct family *family);

/* This kernel is about to end: no family gets any more, or is trimmed. */
void family_close_all(void);

#endif
