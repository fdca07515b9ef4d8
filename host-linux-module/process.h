/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One secure process, as this kernel sees it: the memory it was given and the
 * number under which the hypervisor knows it.
 *
 * Made at open, bound to one address space at mmap, created, filled, started;
 * ends when that mapping ends, whoever still holds the descriptor.
 *
 * Lock order: mmap_lock, then a process's own lock. So nothing here touches
 * user memory while it holds the lock, and callers may hold mmap_lock.
 */
#ifndef CARREL_MODULE_PROCESS_H
#define CARREL_MODULE_PROCESS_H

#include <linux/err.h>
#include <linux/mm_types.h>
#include <carrel/ioctl.h>

struct process;

/* A new one with one reference; NULL: no memory. */
struct process *process_new(void);
void process_get(struct process *process);
void process_put(struct process *process);

/*
 * Binds to the current address space, with `blocks` blocks of channel. -EBUSY:
 * it was bound before, now or in the past.
 */
int process_bind(struct process *process, unsigned int blocks);

/*
 * The mapping is gone: destroys what was created and takes its memory back.
 * Any task may call it: the last user of an address space need not be its owner.
 */
void process_end(struct process *process);

/*
 * This kernel is about to end and another may follow (kexec), which takes all
 * memory for its own: ends every secure process and takes back what they have.
 * No more can be created. May sleep.
 */
void process_end_all(void);

/*
 * The calls of ioctl.h; all from the address space that is bound (else -EINVAL).
 * -EINVAL also: arguments or order; -EPROTO: ABI; -EBUSY: created before;
 * -ENOMEM, -ENOSPC, -EPERM, -EIO: as ioctl.h says; -EINTR: the task is being killed.
 */
int process_create(struct process *process, struct carrel_ioc_create *create);
int process_add(struct process *process, struct page *page, u64 address, u32 type);
int process_init(struct process *process, struct carrel_ioc_init *init);

/* A request by msync: CARREL_REQ_*. */
int process_request(struct process *process, u64 request);

/*
 * The page at `index` pages from CARREL_CHANNEL_VA; NULL outside the channel or
 * before CREATE. Without the lock: valid while the mapping is.
 */
struct page *process_channel_page(struct process *process, unsigned long index);

#endif
