/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are mapped MAP_SHARED from a descriptor that may be written. Each
 * mapping has a copy of the contents as they were last read or written; pages that
 * differ from it go back to the file at msync, munmap, exit and exec. So a change
 * of the program's reaches the file late, and others' changes do not reach the
 * mapping at all: docs/architecture.md names these limits. A process that is killed
 * loses what it did not msync.
 *
 * The descriptor is the shim's own, with a number that the program is not told and
 * may not use; that of the program may be closed meanwhile.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "files/fds.h"
#include "files/file.h"
#include "base/host.h"
#include "memory/memory.h"

#define OBJECTS		64
#define F_DUPFD_CLOEXEC	1030

static struct object {
	bool used, begun;
	uint64_t fd, offset;		/* of the mapping's first byte in the file */
	uint64_t start, bytes;		/* where it lies; bytes of the file in it */
	uint64_t live;			/* bytes of it, in whole pages, that are still mapped */
	struct image *was;		/* what the file has, as far as is known */
} objects[OBJECTS];			/* the first is never used: object 0 is none */

/* As far up as the host's limit allows: nobody counts on these numbers. */
static int64_t own_descriptor(struct thread *t, uint64_t fd)
{
	static const uint64_t from[] = { 60000, 1000, 900, 200, 3 };
	int64_t own = -LINUX_EMFILE;

	for (unsigned int i = 0; i < sizeof(from) / sizeof(from[0]) && own < 0; i++)
		own = host_call_own(t, SYS_fcntl, fd, F_DUPFD_CLOEXEC, from[i], 0);
	if (own < 0)
		return -LINUX_ENOMEM;
	if (!fds_add(own))
		die(CARREL_DIE_IAGO);
	fds_hide(own);
	return own;
}

int64_t shared_new(struct thread *t, uint64_t fd, uint64_t offset, uint64_t start, uint64_t bytes)
{
	unsigned int i = 1;
	int64_t own;

	while (i < OBJECTS && objects[i].used)
		i++;
	if (i == OBJECTS)
		return -LINUX_ENOMEM;
	own = own_descriptor(t, fd);
	if (own < 0)
		return own;
	objects[i] = (struct object){
		.used = true, .fd = own, .offset = offset, .start = start, .bytes = bytes,
		.live = page_up(bytes),
	};
	return i;
}

int64_t shared_begin(struct thread *t, uint8_t object)
{
	struct object *o = &objects[object];
	int64_t error;

	o->was = image_new(t, o->bytes, &error);
	if (!o->was)
		return error;
	memcpy(o->was->bytes, (const void *)o->start, o->bytes);
	o->begun = true;
	return 0;
}

void shared_end(struct thread *t, uint8_t object, uint64_t bytes)
{
	struct object *o = &objects[object];

	o->live -= bytes;
	if (bytes && o->live)
		return;
	fds_remove(o->fd);
	file_close(t, o->fd);
	if (o->was)
		image_drop(t, o->was);
	o->used = false;
}

/* Write the changed pages of [start, end), which lies in the object's mapping. */
static int64_t write_pages(struct thread *t, struct object *o, uint64_t start, uint64_t end)
{
	int64_t error = 0;

	if (end > o->start + o->bytes)
		end = o->start + o->bytes;
	for (uint64_t at = start, n; at < end && error >= 0; at += n) {
		uint8_t *was = o->was->bytes + (at - o->start);

		n = end - at < PAGE_SIZE ? end - at : PAGE_SIZE;
		if (!memcmp(was, (const void *)at, n))
			continue;
		/* From the copy: the program may change the page again meanwhile. */
		memcpy(was, (const void *)at, n);
		error = file_write(t, o->fd, o->offset + (at - o->start), was, n);
	}
	return error < 0 ? error : 0;
}

static int64_t write_part(struct thread *t, const struct vm_range *part)
{
	struct object *o = &objects[part->object];
	uint64_t size = part->end - part->start;
	struct file_status status;
	int64_t error;

	/* What cannot be read now was written before; the shim must not fault on it. */
	if (!o->begun)
		return 0;
	if (!part->rights && memory_hypercall(t, CARREL_HC_PROTECT, part->start, size, CARREL_R))
		return -LINUX_ENOMEM;
	/* Nothing is written behind the end of a file that was cut since. */
	error = file_status(t, o->fd, &status);
	if (error == 0) {
		uint64_t have = status.size > o->offset ? status.size - o->offset : 0;
		uint64_t end = o->start + have < part->end ? o->start + have : part->end;

		error = write_pages(t, o, part->start, end);
	}
	if (!part->rights)
		memory_hypercall(t, CARREL_HC_PROTECT, part->start, size, 0);
	return error;
}

int64_t shared_write(struct thread *t, uint64_t start, uint64_t end)
{
	struct vm_range part;
	int64_t error = 0, first = 0;

	for (; vm_next(start, end, &part); start = part.end) {
		if (part.object)
			error = write_part(t, &part);
		if (first == 0)
			first = error;
	}
	return first;
}

void shared_write_all(struct thread *t)
{
	bool any = false;

	for (unsigned int i = 1; i < OBJECTS; i++)
		any |= objects[i].used;
	if (!any)
		return;
	lock_take(&memory_lock);
	shared_write(t, 0, VM_HIGH);
	lock_release(&memory_lock);
}

void shared_reset(void)
{
	memset(objects, 0, sizeof(objects));
}
