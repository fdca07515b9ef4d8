/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap. Anonymous memory comes as zeros where it is touched; a file is read when it
 * is mapped, into memory that is the program's own from then on. One that the
 * manifest lists was read before, when it was opened (checked.h); unless the host may
 * choose the code, no other file may run.
 */
#include <carrel/hypercall.h>
#include "emulate.h"
#include "files/checked.h"
#include "files/fds.h"
#include "files/file.h"
#include "base/host.h"
#include "memory/memory.h"
#include "memory/user.h"

#define MAP_SHARED		0x01
#define MAP_PRIVATE		0x02
#define MAP_SHARED_VALIDATE	0x03
#define MAP_TYPE		0x0f
#define MAP_FIXED		0x10
#define MAP_ANONYMOUS		0x20
#define MAP_32BIT		0x40
#define MAP_GROWSDOWN		0x0100
#define MAP_LOCKED		0x2000
#define MAP_NORESERVE		0x4000
#define MAP_POPULATE		0x8000
#define MAP_STACK		0x20000
#define MAP_HUGETLB		0x40000
#define MAP_SYNC		0x80000
#define MAP_FIXED_NOREPLACE	0x100000
#define MAP_32BIT_END		0x80000000UL
#define POPULATE_MAX		(1UL << 30)
#define O_ACCMODE		3
#define O_WRONLY		1
#define O_RDWR			2
#define F_GETFL			3

/* One mmap that is under way. */
struct mapping {
	uint64_t start, size, flags;
	uint8_t rights, kind;
	/* of a file */
	bool file, shared_file;		/* the second: changes go back to it */
	uint64_t fd, offset, bytes;	/* bytes: how much of it shows */
	const struct image *image;	/* where they are copied from; NULL: from the file */
};

static int64_t check_flags(const uint64_t arg[6])
{
	uint64_t flags = arg[3], type = flags & MAP_TYPE;

	if (page_up(arg[1]) < arg[1])
		return -LINUX_ENOMEM;
	if (arg[1] == 0 || type == 0 || type > MAP_SHARED_VALIDATE ||
	    arg[2] & ~(uint64_t)PROT_ALL || arg[5] & PAGE_MASK)
		return -LINUX_EINVAL;
	if (flags & MAP_GROWSDOWN && (type != MAP_PRIVATE || !(flags & MAP_ANONYMOUS)))
		return -LINUX_EINVAL;
	if (type == MAP_SHARED_VALIDATE && flags & MAP_SYNC)
		return -LINUX_EOPNOTSUPP;
	if (flags & MAP_HUGETLB)		/* as where none are set aside */
		return -LINUX_ENOMEM;
	return 0;
}

/* What may run is what was checked, or anything. */
static int64_t check_code(struct mapping *m, uint64_t file_size)
{
	if (m->image && !m->image->made)
		return 0;
	m->kind |= VM_UNCHECKED;
	if (!(m->rights & CARREL_X) || manifest()->host_chosen & CARREL_HOST_CODE)
		return 0;
	note(CARREL_NOTE_CODE, file_size);
	return -LINUX_EACCES;
}

/* May the descriptor be mapped like that? */
static int64_t check_access(struct thread *t, struct mapping *m)
{
	int64_t mode = host_call_own(t, SYS_fcntl, m->fd, F_GETFL, 0, 0);

	if (mode < 0)
		return mode;
	if ((mode & O_ACCMODE) == O_WRONLY)
		return -LINUX_EACCES;
	if (!(m->kind & VM_SHARED))
		return 0;
	if ((mode & O_ACCMODE) == O_RDWR)
		m->shared_file = true;
	else
		m->kind |= VM_READONLY;
	if (m->rights & CARREL_W && !m->shared_file)
		return -LINUX_EACCES;
	return 0;
}

/* Learn what the mapping shows. */
static int64_t open_file(struct thread *t, struct mapping *m)
{
	struct file_status status;
	uint64_t have;
	int64_t error;

	if (m->offset > INT64_MAX || m->size > INT64_MAX - m->offset)
		return -LINUX_EOVERFLOW;
	if (fds_is_hidden(m->fd))
		return -LINUX_EBADF;
	error = file_status(t, m->fd, &status);
	if (error)
		return error;
	if (file_zeros(&status)) {
		m->file = false;
		return 0;
	}
	if (!file_regular(&status))
		return -LINUX_ENODEV;
	error = check_access(t, m);
	if (error)
		return error;
	m->image = checked_image(m->fd);
	error = check_code(m, status.size);
	if (error)
		return error;
	if (m->image)
		status.size = m->image->size;
	have = status.size > m->offset ? status.size - m->offset : 0;
	m->bytes = have < m->size ? have : m->size;
	m->kind |= VM_FILE;
	return 0;
}

/* Where a mapping goes; what is there goes away. 0 or an error. */
static int64_t make_room(struct thread *t, struct mapping *m)
{
	bool fixed = m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

	if (fixed && m->start & PAGE_MASK)
		return -LINUX_EINVAL;
	if (fixed && !vm_range_ok(m->start, m->size))
		return -LINUX_ENOMEM;
	if (m->flags & MAP_FIXED_NOREPLACE)
		return vm_free(m->start, m->start + m->size) ? 0 : -LINUX_EEXIST;
	if (fixed)
		return memory_unmap(t, m->start, m->size);
	m->start = page_down(m->start);
	if (m->start && vm_range_ok(m->start, m->size) && vm_free(m->start, m->start + m->size))
		return 0;
	m->start = m->flags & MAP_32BIT ? vm_gap(VM_LOW, MAP_32BIT_END, m->size, PAGE_SIZE)
					: memory_place(m->size, PAGE_SIZE);
	return m->start ? 0 : -LINUX_ENOMEM;
}

static struct vm_range range_of(const struct mapping *m, uint64_t from, uint64_t to)
{
	return (struct vm_range){
		.start = m->start + from, .end = m->start + to, .rights = m->rights,
		.kind = m->kind,
	};
}

static int64_t map_anonymous(struct thread *t, const struct mapping *m)
{
	struct vm_range range = range_of(m, 0, m->size);
	bool eager = m->flags & (MAP_POPULATE | MAP_LOCKED) && m->size <= POPULATE_MAX;

	if (!(m->flags & (MAP_NORESERVE | MAP_STACK)) && m->rights & CARREL_W) {
		range.kind |= VM_COUNTED;
		if (memory_too_much(m->size))
			return -LINUX_ENOMEM;
	}
	return memory_map_as(t, &range, eager);
}

/* Pages in which the file shows: filled, then given their rights. */
static int64_t fill(struct thread *t, const struct mapping *m, uint64_t filled)
{
	struct vm_range range = range_of(m, 0, filled);
	int64_t got = 0;

	range.rights = CARREL_R | CARREL_W;
	if (m->shared_file) {
		got = shared_new(t, m->fd, m->offset, m->start, m->bytes);
		if (got < 0)
			return got;
		range.object = got;
	}
	got = memory_map_as(t, &range, true);
	if (got < 0) {
		if (range.object)
			shared_end(t, range.object, 0);
		return got;
	}
	/* Another thread may close the descriptor, and the image be gone. */
	if (m->image)
		got = copy_try((void *)m->start, m->image->bytes + m->offset, m->bytes)
			? 0 : -LINUX_EIO;
	else
		got = file_read(t, m->fd, m->offset, (void *)m->start, m->bytes);
	if (got >= 0 && range.object)
		got = shared_begin(t, range.object);
	if (got >= 0 && m->rights != range.rights)
		got = memory_protect(t, m->start, filled, m->rights);
	return got < 0 ? got : 0;
}

/*
 * Behind the end of the file come zeros. (Linux has them to the end of the page; an
 * access to a page behind that is SIGBUS there.)
 */
static int64_t map_file(struct thread *t, const struct mapping *m)
{
	uint64_t filled = page_up(m->bytes);
	struct vm_range rest = range_of(m, filled, m->size);
	int64_t error = filled ? fill(t, m, filled) : 0;

	if (error == 0 && m->size > filled)
		error = memory_map_as(t, &rest, false);
	if (error)
		memory_unmap(t, m->start, m->size);
	return error;
}

EMULATED(call_mmap)
{
	struct mapping m = {
		.start = arg[0], .size = page_up(arg[1]), .flags = arg[3],
		.rights = rights_of(arg[2]), .file = !(arg[3] & MAP_ANONYMOUS),
		.fd = (uint32_t)arg[4], .offset = arg[5],
		.kind = ((arg[3] & MAP_TYPE) != MAP_PRIVATE ? VM_SHARED : 0) |
			(arg[3] & MAP_GROWSDOWN ? VM_GROWS : 0),
	};
	int64_t error = check_flags(arg);

	/* Before the lock: the host may take its time, and what is there stays if this fails. */
	if (error == 0 && m.file)
		error = open_file(t, &m);
	if (error)
		return error;
	lock_take(&memory_lock);
	error = make_room(t, &m);
	if (error == 0 && memory_over_limit(m.size, memory_is_data(m.rights, m.kind)))
		error = -LINUX_ENOMEM;
	if (error == 0)
		error = m.file ? map_file(t, &m) : map_anonymous(t, &m);
	lock_release(&memory_lock);
	return error ? error : (int64_t)m.start;
}
