// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Gate and channel in a carrier's address space: one shared mapping, so that
 * the life of a secure process is that of its address space. The mapping that
 * mmap made knows its process; copies that fork or mremap make know none.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
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

/* fork and mremap copy the mapping; the copy has no part in the process. */
static void mapping_open(struct vm_area_struct *vma)
{
	vma->vm_private_data = NULL;
}

/* munmap, exit or exec of the address space that mmap was called from. */
static void mapping_close(struct vm_area_struct *vma)
{
	struct process *process = vma->vm_private_data;

	if (!process)
		return;
	process_end(process);
	process_put(process);
}

static int mapping_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int mapping_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static vm_fault_t mapping_fault(struct vm_fault *vmf)
{
	struct process *process = vmf->vma->vm_private_data;
	struct page *page = NULL;

	if (!process)
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff >= CHANNEL_PGOFF)
		page = process_channel_page(process, vmf->pgoff - CHANNEL_PGOFF);
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
	process_get(process);
	vma->vm_flags |= VM_DONTEXPAND | VM_DONTDUMP;
	vma->vm_private_data = process;
	vma->vm_ops = &mapping_ops;
	return 0;
}
