/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Gate and channel in a carrier's address space. */
#ifndef CARREL_MODULE_MAPPING_H
#define CARREL_MODULE_MAPPING_H

#include <linux/mm_types.h>

struct file;
struct hc_regs;
struct process;

/* Makes the gate page for this machine's hypercall instruction. Module init. -ENOMEM. */
int mapping_init(void);
/* Module exit: no mapping is left. */
void mapping_exit(void);

/*
 * mmap of /dev/carrel for `process`. -EINVAL: not offset 0, not CARREL_BASE, no
 * length that CARREL_MMAP_SIZE gives; -EACCES: private or not writable; -EBUSY:
 * this descriptor was mapped before. -ENOMEM.
 */
int mapping_map(struct process *process, struct vm_area_struct *vma);

/*
 * The process of the current address space's mapping of `file`, with a reference; NULL if
 * there is none. Not that of the descriptor, which forked processes share.
 */
struct process *mapping_process(const struct file *file);

/*
 * Makes the current address space's mapping of `file` that of a child of its process, which
 * RDI, RSI and RDX name. -EINVAL: no mapping, no such child; -EINTR; -ENOMEM.
 */
int mapping_adopt(const struct file *file, struct hc_regs *regs);

#endif
