/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap and its kin, all of them the shim's own: the kernel neither chooses nor
 * learns an address. Reservations without rights exist in the shim's map alone.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "emulate.h"
#include "file.h"
#include "host.h"
#include "program.h"
#include "vm.h"

#define PROT_ALL		7	/* READ, WRITE, EXEC: the values of CARREL_R, W, X */
#define MAP_SHARED		0x01
#define MAP_PRIVATE		0x02
#define MAP_TYPE		0x0f
#define MAP_FIXED		0x10
#define MAP_ANONYMOUS		0x20
#define MAP_GROWSDOWN		0x0100
#define MAP_HUGETLB		0x40000
#define MAP_FIXED_NOREPLACE	0x100000
#define MREMAP_MAYMOVE		1
#define MADV_DONTNEED		4
#define MADV_FREE		8
#define MADV_LAST		25

/* The most that is mapped at once: page tables are memory too. Reservations have no limit. */
#define BACKED_MAX		(1UL << 38)

static struct memory_layout layout;
static uint64_t brk_now;

void memory_setup(const struct memory_layout *from)
{
	layout = *from;
	brk_now = from->brk_start;
}

static uint64_t page_up(uint64_t size)
{
	return (size + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

/* On x86 whatever may be written or executed may be read. */
static uint8_t rights_of(uint64_t prot)
{
	return prot & PROT_ALL ? (prot & PROT_ALL) | CARREL_R : 0;
}

int64_t memory_map(struct thread *t, uint64_t start, uint64_t size, uint64_t rights, bool demand)
{
	int64_t error = 0;

	if (rights && size > BACKED_MAX)
		return -LINUX_ENOMEM;
	if (!vm_insert(start, start + size, rights, rights != 0))
		return -LINUX_ENOMEM;
	if (rights)
		error = memory_hypercall(t, CARREL_HC_MAP, start, size,
					 rights | (demand ? CARREL_MAP_DEMAND : 0));
	if (error) {
		memory_hypercall(t, CARREL_HC_UNMAP, start, size, 0);
		vm_remove(start, start + size);
	}
	return error;
}

/* Take away whatever lies in the range. */
static int64_t memory_unmap(struct thread *t, uint64_t start, uint64_t size)
{
	struct vm_range part;
	uint64_t at = start, end = start + size;

	if (!vm_room())
		return -LINUX_ENOMEM;
	for (; vm_next(at, end, &part); at = part.end)
		if (part.backed)
			memory_hypercall(t, CARREL_HC_UNMAP, part.start, part.end - part.start, 0);
	vm_remove(start, end);
	return 0;
}

int64_t memory_protect(struct thread *t, uint64_t start, uint64_t size, uint64_t rights)
{
	struct vm_range part;
	uint64_t at = start, end = start + size;
	int64_t error;

	if (!vm_room())
		return -LINUX_ENOMEM;
	for (; vm_next(at, end, &part); at = part.end) {
		uint64_t bytes = part.end - part.start;

		if (part.rights == rights)
			continue;
		error = part.backed
			? memory_hypercall(t, CARREL_HC_PROTECT, part.start, bytes, rights)
			: memory_hypercall(t, CARREL_HC_MAP, part.start, bytes,
					   rights | CARREL_MAP_DEMAND);
		if (error)
			return error;
		vm_protect(part.start, part.end, rights, true);
	}
	return 0;
}

/* What a file mapping shows. */
struct file_part {
	uint64_t fd, offset;
	uint64_t size;			/* of the file */
	struct image *image;		/* where to copy from, NULL: from the file */
};

uint64_t memory_place(uint64_t size, uint64_t align)
{
	uint64_t start = vm_gap(CARREL_END, layout.map_high, size, align);

	return start ? start : vm_gap(VM_LOW, CARREL_BASE, size, align);
}

/*
 * Private memory at `start` with what the file has from `offset` on, and zeros behind it. (Linux
 * would let an access to a page behind the end of the file die.) What is to run is copied from an
 * image that may.
 */
static int64_t map_file(struct thread *t, uint64_t start, uint64_t size, uint64_t rights,
			const struct file_part *part)
{
	uint64_t have = part->size > part->offset ? part->size - part->offset : 0;
	uint64_t bytes = have < size ? have : size, filled = page_up(bytes);
	int64_t got;

	got = filled ? memory_map(t, start, filled, CARREL_R | CARREL_W, false) : 0;
	if (got == 0 && size > filled)
		got = memory_map(t, start + filled, size - filled, rights, true);
	if (got == 0 && part->image)
		memcpy((void *)start, part->image->bytes + part->offset, bytes);
	else if (got == 0)
		got = file_read(t, part->fd, part->offset, (void *)start, bytes);
	if (got >= 0 && filled)
		got = memory_protect(t, start, filled, rights);
	if (got < 0)
		memory_unmap(t, start, size);
	return got < 0 ? got : 0;
}

/* Learn what a file mapping is of; what is to run is read and checked. */
static int64_t open_part(struct thread *t, const uint64_t arg[6], struct file_part *part)
{
	bool runs = arg[2] & CARREL_X && !(manifest()->host_chosen & CARREL_HOST_CODE);
	struct file_status status;
	int64_t error;

	*part = (struct file_part){ .fd = (uint32_t)arg[4], .offset = arg[5] };
	if (arg[5] & PAGE_MASK)
		return -LINUX_EINVAL;
	if (arg[5] > INT64_MAX || page_up(arg[1]) > INT64_MAX - arg[5])
		return -LINUX_EOVERFLOW;
	error = file_status(t, part->fd, &status);
	if (error)
		return error;
	if (!file_regular(&status))
		return -LINUX_ENODEV;
	part->size = status.size;
	if (!runs || !part->size)
		return 0;
	part->image = image_read(t, part->fd, part->size, &error);
	if (!part->image)
		return error;
	if (image_may_run(part->image))
		return 0;
	image_drop(t, part->image);
	note(CARREL_NOTE_CODE, part->size);
	return -LINUX_EACCES;
}

/* Where a mapping goes; what is there goes away. 0 or an error. */
static int64_t make_room(struct thread *t, uint64_t *start, uint64_t size, uint64_t flags)
{
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

	if (fixed && *start & PAGE_MASK)
		return -LINUX_EINVAL;
	if (fixed && !vm_range_ok(*start, size))
		return -LINUX_ENOMEM;
	if (flags & MAP_FIXED_NOREPLACE)
		return vm_free(*start, *start + size) ? 0 : -LINUX_EEXIST;
	if (fixed)
		return memory_unmap(t, *start, size);
	*start &= ~(uint64_t)PAGE_MASK;
	if (!*start || !vm_range_ok(*start, size) || !vm_free(*start, *start + size))
		*start = memory_place(size, PAGE_SIZE);
	return *start ? 0 : -LINUX_ENOMEM;
}

EMULATED(call_mmap)
{
	uint64_t start = arg[0], size = page_up(arg[1]), flags = arg[3];
	uint64_t type = flags & MAP_TYPE, rights = rights_of(arg[2]);
	bool file = !(flags & MAP_ANONYMOUS);
	struct file_part part = { 0 };
	int64_t error;

	if (size == 0 || size < arg[1])
		return arg[1] ? -LINUX_ENOMEM : -LINUX_EINVAL;
	if (type == 0 || type > (MAP_SHARED | MAP_PRIVATE) || (arg[2] & ~(uint64_t)PROT_ALL))
		return -LINUX_EINVAL;
	if (flags & (MAP_GROWSDOWN | MAP_HUGETLB))
		return -LINUX_EINVAL;
	if (file && type != MAP_PRIVATE && rights & CARREL_W) {
		note(CARREL_NOTE_ENOSYS, 9);
		return -LINUX_ENODEV;
	}
	error = file ? open_part(t, arg, &part) : 0;
	if (error)
		return error;
	error = make_room(t, &start, size, flags);
	if (error == 0)
		error = file ? map_file(t, start, size, rights, &part)
			     : memory_map(t, start, size, rights, true);
	if (part.image)
		image_drop(t, part.image);
	return error ? error : (int64_t)start;
}

EMULATED(call_mprotect)
{
	uint64_t size = page_up(arg[1]);

	if (arg[0] & PAGE_MASK || arg[2] & ~(uint64_t)PROT_ALL)
		return -LINUX_EINVAL;
	if (size == 0)
		return arg[1] ? -LINUX_ENOMEM : 0;
	if (!vm_range_ok(arg[0], size) || !vm_covered(arg[0], arg[0] + size))
		return -LINUX_ENOMEM;
	return memory_protect(t, arg[0], size, rights_of(arg[2]));
}

EMULATED(call_munmap)
{
	uint64_t size = page_up(arg[1]);

	if (!vm_range_ok(arg[0], size))
		return -LINUX_EINVAL;
	return memory_unmap(t, arg[0], size);
}

/* Grow where it stands, or move if allowed. */
static int64_t grow(struct thread *t, uint64_t start, uint64_t old, uint64_t new, bool move)
{
	const struct vm_range *r = vm_find(start);
	uint8_t rights = r->rights;
	bool backed = r->backed;
	uint64_t to;
	int64_t error;

	if (vm_range_ok(start, new) && vm_free(start + old, start + new)) {
		error = memory_map(t, start + old, new - old, rights, true);
		return error ? error : (int64_t)start;
	}
	to = move ? vm_gap(CARREL_END, layout.map_high, new, PAGE_SIZE) : 0;
	if (!to)
		return -LINUX_ENOMEM;
	if (rights == 0 && backed)	/* contents that nobody may read: not worth a move */
		return -LINUX_ENOMEM;
	error = memory_map(t, to, new, rights ? CARREL_R | CARREL_W : 0, true);
	if (error)
		return error;
	if (rights) {
		memcpy((void *)to, (const void *)start, old);
		error = memory_protect(t, to, new, rights);
		if (error) {
			memory_unmap(t, to, new);
			return error;
		}
	}
	memory_unmap(t, start, old);
	return to;
}

EMULATED(call_mremap)
{
	uint64_t start = arg[0], old = page_up(arg[1]), new = page_up(arg[2]);
	const struct vm_range *r;

	if (arg[3] & ~(uint64_t)MREMAP_MAYMOVE || start & PAGE_MASK || !new || !old)
		return -LINUX_EINVAL;
	r = vm_find(start);
	if (!vm_range_ok(start, old) || !r || r->start > start)
		return -LINUX_EFAULT;
	if (r->end < start + old)		/* more than one kind of memory */
		return -LINUX_EFAULT;
	if (new > VM_HIGH)
		return -LINUX_ENOMEM;
	if (new < old)
		return memory_unmap(t, start + new, old - new) ?: (int64_t)start;
	if (new == old)
		return start;
	return grow(t, start, old, new, arg[3] & MREMAP_MAYMOVE);
}

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

/* Advice is advice, but programs count on zeros after two of them. */
EMULATED(call_madvise)
{
	uint64_t start = arg[0], size = page_up(arg[1]), end = start + size;
	uint32_t advice = arg[2];
	struct vm_range part;

	if (start & PAGE_MASK || size < arg[1] || advice > MADV_LAST)
		return -LINUX_EINVAL;
	if (size == 0)
		return 0;
	if (!vm_range_ok(start, size) || !vm_covered(start, end))
		return -LINUX_ENOMEM;
	if (advice != MADV_DONTNEED && advice != MADV_FREE)
		return 0;
	for (; vm_next(start, end, &part); start = part.end)
		if (part.backed)
			drop(t, &part);
	return 0;
}

/* The kernel's convention: the break as it is, if the new one cannot be. */
EMULATED(call_brk)
{
	uint64_t from = page_up(brk_now), to = page_up(arg[0]);

	if (arg[0] < layout.brk_start || arg[0] >= VM_HIGH)
		return brk_now;
	if (to > from) {
		if (!vm_range_ok(from, to - from) || !vm_free(from, to) ||
		    memory_map(t, from, to - from, CARREL_R | CARREL_W, true))
			return brk_now;
	} else if (to < from) {
		if (memory_unmap(t, to, from - to))
			return brk_now;
	}
	brk_now = arg[0];
	return brk_now;
}
