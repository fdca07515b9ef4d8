/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * One secure process, as this kernel sees it: its channel and the number under
 * which the hypervisor knows it.
 *
 * Made at open, bound to one address space at mmap, created, filled, started;
 * or made by ADOPT for an address space that fork copied. Ends when the last
 * mapping of it ends, whoever still holds a descriptor.
 *
 * Lock order: mmap_lock, then a process's own lock, then its family's. So nothing
 * here touches user memory while it holds a lock, and callers may hold mmap_lock.
 */
#ifndef CARREL_MODULE_PROCESS_H
#define CARREL_MODULE_PROCESS_H

#include <linux/err.h>
#include <linux/mm_types.h>
#include <carrel/ioctl.h>

struct process;
struct hc_regs;

/* A new one with one reference, in a family of its own; NULL: no memory. */
struct process *process_new(void);
void process_get(struct process *process);
void process_put(struct process *process);

/*
 * Binds to a mapping with `blocks` blocks of channel. -EBUSY: it was bound before,
 * now or in the past. -ENOMEM.
 */
int process_bind(struct process *process, unsigned int blocks);

/*
 * One more mapping of a process that has some, with a reference of its own; one less.
 * The last one's end destroys what was created and takes its memory back. Any task may
 * call it: the last user of an address space need not be its owner.
 */
void process_open(struct process *process);
void process_close(struct process *process);

/*
 * A child of a fork of `parent`, in the same family, whose handle and ticket are in RDI, RSI
 * and RDX, with a reference and a mapping that are the caller's. -EINVAL: there is no such
 * child, or it was adopted before.
 */
struct process *process_adopt(struct process *parent, struct hc_regs *regs);

/*
 * This kernel is about to end and another may follow (kexec), which takes all
 * memory for its own: ends every secure process and takes back what they have.
 * No more can be created. May sleep.
 */
void process_end_all(void);

/*
 * The calls of ioctl.h. -EINVAL: arguments or order; -EPROTO: ABI; -EBUSY: created before;
 * -ENOMEM, -ENOSPC, -EPERM, -EIO: as ioctl.h says; -EINTR: the task is being killed.
 */
int process_create(struct process *process, struct carrel_ioc_create *create);
int process_add(struct process *process, struct page *page, u64 address, u32 type);
int process_init(struct process *process, struct carrel_ioc_init *init);

/* A request by msync: CARREL_REQ_*, but for ADOPT. */
int process_request(struct process *process, u64 request, u64 argument);

/*
 * The page at `index` pages from CARREL_CHANNEL_VA; NULL outside the channel, before CREATE, or
 * if its block was not lent yet. Without a lock: valid while the caller's mapping is.
 */
struct page *process_channel_page(struct process *process, unsigned long index);

/*
 * Lends the block of that page if it was not. Sleeps. -EINVAL: outside the channel or not
 * created; -ENOMEM and others as for CREATE.
 */
int process_lend_page(struct process *process, unsigned long index);

#endif
