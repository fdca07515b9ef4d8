/* SPDX-License-Identifier: BSD-2-Clause */
/* madvise, mincore, mlock, msync: what a program says and asks about memory that it has. */
#include <carrel/hypercall.h>
#include "emulate.h"
#include "base/host.h"
#include "memory/memory.h"
#include "memory/user.h"

enum {
	MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3,
	MADV_DONTNEED = 4, MADV_FREE = 8, MADV_DONTFORK = 10, MADV_DOFORK = 11,
	MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15, MADV_DONTDUMP = 16, MADV_DODUMP = 17,
	MADV_COLD = 20, MADV_PAGEOUT = 21, MADV_DONTNEED_LOCKED = 24,
};
#define MS_ASYNC	1
#define MS_INVALIDATE	2
#define MS_SYNC		4
#define MCL_ALL		7
#define MLOCK_ONFAULT	1

/* Drop the contents of one range: zeros at the next touch. */
static void drop(struct thread *t, const struct vm_range *part)
{
	uint64_t bytes = part->end - part->start;
	uint8_t rights = part->rights ? part->rights : CARREL_R;

	memory_hypercall(t, CARREL_HC_UNMAP, part->start, bytes, 0);
	if (memory_hypercall(t, CARREL_HC_MAP, part->start, bytes, rights | CARREL_MAP_DEMAND))
		die(CARREL_DIE_SHIM);
	if (part->rights == 0)
		memory_hypercall(t, CARREL_HC_PROTECT, part->start, bytes, 0);
}

/*
 * Shared memory and that of a file keep their contents, as in Linux, where the file
 * has them still. (Linux also forgets what was written to a private mapping.)
 */
static void drop_all(struct thread *t, uint64_t start, uint64_t end)
{
	struct vm_range part;

	for (; vm_next(start, end, &part); start = part.end)
		if (part.backed && !(part.kind & (VM_SHARED | VM_FILE)))
			drop(t, &part);
}

/* MADV_FREE is for private memory without a file. */
static bool may_free(uint64_t start, uint64_t end)
{
	struct vm_range part;

	for (; vm_next(start, end, &part); start = part.end)
		if (part.kind & (VM_SHARED | VM_FILE))
			return false;
	return true;
}

/* Advice is advice, but programs count on zeros after some. What would have to be kept and is not
 * (contents gone in a child, for one) is refused, not ignored. */
static int64_t advise(struct thread *t, uint64_t start, uint64_t end, uint32_t advice)
{
	switch (advice) {
	case MADV_FREE:
		if (!may_free(start, end))
			return -LINUX_EINVAL;
		drop_all(t, start, end);
		return 0;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		drop_all(t, start, end);
		return 0;
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}

EMULATED(call_madvise)
{
	uint64_t start = arg[0], size = page_up(arg[1]), end = start + size;
	int64_t result;

	if (start & PAGE_MASK || size < arg[1])
		return -LINUX_EINVAL;
	if (size && !vm_range_ok(start, size))
		return -LINUX_ENOMEM;
	lock_take(&memory_lock);
	result = advise(t, start, end, arg[2]);
	if (result == 0 && size && !vm_covered(start, end))
		result = -LINUX_ENOMEM;		/* but done where there is something, as in Linux */
	lock_release(&memory_lock);
	return result;
}

/* Nothing is ever swapped out; what was not touched yet would be there at once. */
EMULATED(call_mincore)
{
	uint8_t there[256];
	uint64_t pages = page_up(arg[1]) / PAGE_SIZE, done = 0, n;

	(void)t;
	for (n = 0; n < sizeof(there); n++)
		there[n] = 1;
	if (arg[0] & PAGE_MASK)
		return -LINUX_EINVAL;
	if (!pages)
		return arg[1] ? -LINUX_ENOMEM : 0;
	if (!vm_range_ok(arg[0], pages * PAGE_SIZE) ||
	    !vm_covered(arg[0], arg[0] + pages * PAGE_SIZE))
		return -LINUX_ENOMEM;
	for (; done < pages; done += n) {
		n = pages - done < sizeof(there) ? pages - done : sizeof(there);
		if (!user_put(arg[2] + done, there, n))
			return -LINUX_EFAULT;
	}
	return 0;
}

/* Private memory is never swapped out, so it is locked already. */
static int64_t lock_range(uint64_t address, uint64_t length)
{
	uint64_t start = page_down(address), size = page_up(length + (address & PAGE_MASK));

	if (!length)
		return 0;
	if (size < length)
		return -LINUX_EINVAL;
	return vm_range_ok(start, size) && vm_covered(start, start + size) ? 0 : -LINUX_ENOMEM;
}

EMULATED(call_mlock)
{
	(void)t;
	return lock_range(arg[0], arg[1]);
}

EMULATED(call_mlock2)
{
	(void)t;
	return arg[2] & ~(uint64_t)MLOCK_ONFAULT ? -LINUX_EINVAL : lock_range(arg[0], arg[1]);
}

EMULATED(call_munlock)
{
	(void)t;
	return lock_range(arg[0], arg[1]);
}

EMULATED(call_mlockall)
{
	(void)t;
	return arg[0] == 0 || arg[0] & ~(uint64_t)MCL_ALL || arg[0] == 4 ? -LINUX_EINVAL : 0;
}

EMULATED(call_munlockall)
{
	(void)t;
	(void)arg;
	return 0;
}

EMULATED(call_msync)
{
	uint64_t start = arg[0], size = page_up(arg[1]), flags = arg[2];
	int64_t result;

	if (flags & ~(uint64_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start & PAGE_MASK ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -LINUX_EINVAL;
	if (!size)
		return arg[1] ? -LINUX_ENOMEM : 0;
	if (!vm_range_ok(start, size))
		return -LINUX_ENOMEM;
	lock_take(&memory_lock);
	result = shared_write(t, start, start + size);
	if (result == 0 && !vm_covered(start, start + size))
		result = -LINUX_ENOMEM;
	lock_release(&memory_lock);
	return result;
}
