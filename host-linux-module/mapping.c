// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Gate and channel in a carrier's address space: one shared mapping, so that
 * the life of a secure process is that of the address spaces that have it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include "hypercall.h"
#include "mapping.h"
#include "process.h"

extern const char carrel_gate_vmcall[], carrel_gate_vmmcall[];

/* The host's copy of the gate, mapped by every carrier, written by none. */
static struct page *gate_page;

#define GATE_PGOFF	((CARREL_GATE_VA - CARREL_BASE) >> PAGE_SHIFT)
#define CHANNEL_PGOFF	((CARREL_CHANNEL_VA - CARREL_BASE) >> PAGE_SHIFT)

int mapping_init(void)
{
	gate_page = alloc_page(GFP_KERNEL);
	if (!gate_page)
		return -ENOMEM;
	memcpy(page_address(gate_page),
	       hc_is_vmmcall() ? carrel_gate_vmmcall : carrel_gate_vmcall, PAGE_SIZE);
	return 0;
}

void mapping_exit(void)
{
	put_page(gate_page);
}

/*
 * fork and mremap copy the mapping, and the copy is as good: a child of vfork is a thread of the
 * same process, another host process its carrier. A child of fork changes its copy by ADOPT.
 */
static void mapping_open(struct vm_area_struct *vma)
{
	process_open(vma->vm_private_data);
}

/* munmap, exit or exec of an address space. */
static void mapping_close(struct vm_area_struct *vma)
{
	process_close(vma->vm_private_data);
}

static int mapping_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int mapping_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/*
 * Blocks are lent when the carrier first touches them. A debugger's or a dump's look is no reason
 * to; it would be charged. No VM_FAULT_OOM, which calls the OOM killer or tries for ever.
 */
static struct page *channel_page(struct process *process, const struct vm_fault *vmf)
{
	unsigned long index = vmf->pgoff - CHANNEL_PGOFF;
	struct page *page = process_channel_page(process, index);

	if (page || vmf->flags & FAULT_FLAG_REMOTE)
		return page;
	if (!process_lend_page(process, index))
		return process_channel_page(process, index);
	/* The carrier gets SIGBUS, and nothing else would tell why. */
	pr_warn_ratelimited("%s, pid %d gets no page of its channel: memory.max of its cgroup, or ulimit -l\n",
			    current->comm, task_pid_nr(current));
	return NULL;
}

static vm_fault_t mapping_fault(struct vm_fault *vmf)
{
	struct page *page = NULL;

	if (vmf->pgoff >= CHANNEL_PGOFF)
		page = channel_page(vmf->vma->vm_private_data, vmf);
	else if (vmf->pgoff == GATE_PGOFF && !(vmf->flags & FAULT_FLAG_WRITE))
		page = gate_page;
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

/*
 * Having this makes every page start read-only, so that a write of the gate
 * ends here, whatever protection the mapping has.
 */
static vm_fault_t mapping_mkwrite(struct vm_fault *vmf)
{
	if (vmf->page == gate_page)
		return VM_FAULT_SIGBUS;
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct mapping_ops = {
	.open = mapping_open,
	.close = mapping_close,
	.may_split = mapping_may_split,
	.mremap = mapping_mremap,
	.fault = mapping_fault,
	.page_mkwrite = mapping_mkwrite,
};

int mapping_map(struct process *process, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;
	unsigned long blocks;
	int error;

	if (!(vma->vm_flags & VM_SHARED))
		return -EACCES;
	if (vma->vm_pgoff != 0 || vma->vm_start != CARREL_BASE || size <= CARREL_MMAP_SIZE(0UL))
		return -EINVAL;
	blocks = (size - CARREL_MMAP_SIZE(0UL)) >> CARREL_BLOCK_SHIFT;
	if (blocks == 0 || blocks > CARREL_BLOCKS_MAX || size != CARREL_MMAP_SIZE(blocks))
		return -EINVAL;
	error = process_bind(process, blocks);
	if (error)
		return error;
	vma->vm_flags |= VM_DONTEXPAND | VM_DONTDUMP;
	vma->vm_private_data = process;
	vma->vm_ops = &mapping_ops;
	return 0;
}

/* The current address space's mapping of `file`, or NULL. mmap_lock is held. */
static struct vm_area_struct *find_mapping(const struct file *file)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, CARREL_BASE);

	return vma && vma->vm_ops == &mapping_ops && vma->vm_file == file ? vma : NULL;
}

struct process *mapping_process(const struct file *file)
{
	struct process *process = NULL;
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(current->mm))
		return NULL;
	vma = find_mapping(file);
	if (vma) {
		process = vma->vm_private_data;
		process_get(process);
	}
	mmap_read_unlock(current->mm);
	return process;
}

/*
 * Under mmap_lock, so that no fault sees the mapping change. What the child has of the parent's
 * channel in its page table stays there until it gives that up (MADV_DONTNEED; fork copies no
 * entry of a shared mapping); that is the child's own affair, for pages are counted.
 */
int mapping_adopt(const struct file *file, struct hc_regs *regs)
{
	struct process *parent, *child = NULL;
	struct vm_area_struct *vma;
	int error = -EINVAL;

	if (mmap_write_lock_killable(current->mm))
		return -EINTR;
	vma = find_mapping(file);
	if (vma) {
		parent = vma->vm_private_data;
		child = process_adopt(parent, regs);
		error = PTR_ERR_OR_ZERO(child);
		if (!error) {
			vma->vm_private_data = child;
			process_close(parent);
		}
	}
	mmap_write_unlock(current->mm);
	return error;
}
