/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's memory, all of it the shim's own doing: the kernel neither chooses
 * nor learns an address. Reservations without rights exist in the shim's map alone.
 */
#include <carrel/hypercall.h>
#include "emulate.h"
#include "base/host.h"
#include "load/manifest.h"
#include "memory/memory.h"
#include "processes/limits.h"

#define TRIM_SIZE	(64UL << 20)	/* so much given up is worth a request to the module */
#define MARGIN_MAX	(8UL << 20)
#define STACK_GUARD	(256UL * PAGE_SIZE)	/* Linux's: a stack keeps that far from what is below */

struct lock memory_lock;

static struct memory_layout layout;
static uint64_t brk_now, given_up, counted;

void memory_setup(const struct memory_layout *from)
{
	layout = *from;
	brk_now = from->brk_start;
}

uint64_t memory_brk_start(void)
{
	return layout.brk_start;
}

/*
 * The limit is that of the hypervisor's frames: page tables, libraries and the shim's own need
 * some, too. Memory without reserve and stacks are not counted, nor what a child of fork shares.
 */
bool memory_too_much(uint64_t size)
{
	uint64_t margin = layout.limit / 8 < MARGIN_MAX ? layout.limit / 8 : MARGIN_MAX;
	uint64_t most = layout.limit - margin;

	return layout.limit && (counted > most || size > most - counted);
}

/* Counted anew each time, for most processes have no limit. */
static bool over(enum limit limit, uint64_t size)
{
	uint64_t most = limit_of(limit), have = 0;
	struct vm_range r;

	if (most == UNLIMITED)
		return false;
	for (uint64_t at = 0; vm_next(at, VM_HIGH, &r); at = r.end)
		if (limit == LIMIT_AS || memory_is_data(r.rights, r.kind))
			have += r.end - r.start;
	return have > most || size > most - have;
}

bool memory_over_limit(uint64_t size, bool data)
{
	return over(LIMIT_AS, size) || (data && over(LIMIT_DATA, size));
}

uint64_t memory_place(uint64_t size, uint64_t align)
{
	uint64_t start = vm_gap(CARREL_END, layout.map_high, size, align);

	return start ? start : vm_gap(VM_LOW, CARREL_BASE, size, align);
}

int64_t memory_map_as(struct thread *t, const struct vm_range *range, bool eager)
{
	struct vm_range r = *range;
	uint64_t size = r.end - r.start;
	int64_t error = 0;

	r.backed = r.rights != 0;
	if (r.backed && size > BACKED_MAX)
		return -LINUX_ENOMEM;
	if (!vm_insert_as(&r))
		return -LINUX_ENOMEM;
	if (r.backed)
		error = memory_hypercall(t, CARREL_HC_MAP, r.start, size, r.rights |
					 (eager ? 0 : CARREL_MAP_DEMAND) |
					 (r.kind & VM_SHARED ? CARREL_MAP_SHARED : 0));
	if (error) {
		memory_hypercall(t, CARREL_HC_UNMAP, r.start, size, 0);
		vm_remove(r.start, r.end);
	} else if (r.kind & VM_COUNTED) {
		counted += size;
	}
	return error;
}

int64_t memory_map(struct thread *t, uint64_t start, uint64_t size, uint64_t rights, bool demand)
{
	const struct vm_range range = { .start = start, .end = start + size, .rights = rights };

	return memory_map_as(t, &range, !demand);
}

/* What the process gave up may be of use to others: the module looks for whole chunks. */
static void give_up(struct thread *t, uint64_t bytes)
{
	given_up += bytes;
	if (given_up < TRIM_SIZE)
		return;
	given_up = 0;
	ask_module(t, CARREL_REQ_TRIM, 0);
}

int64_t memory_unmap(struct thread *t, uint64_t start, uint64_t size)
{
	struct vm_range part;
	uint64_t at = start, end = start + size, bytes = 0;

	if (!vm_room())
		return -LINUX_ENOMEM;
	shared_write(t, start, end);
	for (; vm_next(at, end, &part); at = part.end) {
		if (part.backed) {
			memory_hypercall(t, CARREL_HC_UNMAP, part.start, part.end - part.start, 0);
			bytes += part.end - part.start;
		}
		if (part.kind & VM_COUNTED)
			counted -= part.end - part.start;
		if (part.object)
			shared_end(t, part.object, part.end - part.start);
	}
	vm_remove(start, end);
	give_up(t, bytes);
	return 0;
}

int64_t memory_may(uint64_t start, uint64_t end, uint64_t rights)
{
	bool any = manifest()->host_chosen & CARREL_HOST_CODE;
	struct vm_range part;

	for (; vm_next(start, end, &part); start = part.end) {
		if (rights & CARREL_W && part.kind & VM_READONLY)
			return -LINUX_EACCES;
		if (rights & ~(uint64_t)part.rights & CARREL_X && part.kind & VM_UNCHECKED && !any) {
			note(CARREL_NOTE_CODE, part.end - part.start);
			return -LINUX_EACCES;
		}
	}
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
		if (!part.backed && bytes > BACKED_MAX)
			return -LINUX_ENOMEM;
		error = part.backed
			? memory_hypercall(t, CARREL_HC_PROTECT, part.start, bytes, rights)
			: memory_hypercall(t, CARREL_HC_MAP, part.start, bytes,
					   rights | CARREL_MAP_DEMAND |
					   (part.kind & VM_SHARED ? CARREL_MAP_SHARED : 0));
		if (error)
			return error;
		vm_protect(part.start, part.end, rights, true);
	}
	return 0;
}

/* What would count as data and does not yet. */
static uint64_t new_data(uint64_t start, uint64_t end, uint64_t rights)
{
	struct vm_range part;
	uint64_t size = 0;

	for (; vm_next(start, end, &part); start = part.end)
		if (memory_is_data(rights, part.kind) && !memory_is_data(part.rights, part.kind))
			size += part.end - part.start;
	return size;
}

static int64_t protect(struct thread *t, uint64_t start, uint64_t size, uint64_t rights)
{
	uint64_t more = limit_of(LIMIT_DATA) == UNLIMITED ? 0 : new_data(start, start + size, rights);
	int64_t error = vm_covered(start, start + size) ? memory_may(start, start + size, rights)
							: -LINUX_ENOMEM;

	if (!error && more && over(LIMIT_DATA, more))
		error = -LINUX_ENOMEM;
	return error ? error : memory_protect(t, start, size, rights);
}

EMULATED(call_mprotect)
{
	uint64_t size = page_up(arg[1]);
	int64_t result;

	if (arg[0] & PAGE_MASK || arg[2] & ~(uint64_t)PROT_ALL)
		return -LINUX_EINVAL;
	if (size == 0)
		return arg[1] ? -LINUX_ENOMEM : 0;
	if (!vm_range_ok(arg[0], size))
		return -LINUX_ENOMEM;
	lock_take(&memory_lock);
	result = protect(t, arg[0], size, rights_of(arg[2]));
	lock_release(&memory_lock);
	return result;
}

EMULATED(call_munmap)
{
	uint64_t size = page_up(arg[1]);
	int64_t result;

	if (!vm_range_ok(arg[0], size))
		return -LINUX_EINVAL;
	lock_take(&memory_lock);
	result = memory_unmap(t, arg[0], size);
	lock_release(&memory_lock);
	return result;
}

/* Move the break. False if it cannot be there. */
static bool set_break(struct thread *t, uint64_t to)
{
	uint64_t from_page = page_up(brk_now), to_page = page_up(to);

	if (to < layout.brk_start || to >= VM_HIGH)
		return false;
	if (to_page > from_page) {
		const struct vm_range more = {
			.start = from_page, .end = to_page, .rights = CARREL_R | CARREL_W,
			.kind = VM_COUNTED,
		};
		uint64_t size = to_page - from_page;

		if (!vm_range_ok(from_page, size) || !vm_free(from_page, to_page) ||
		    memory_too_much(size) || memory_over_limit(size, true) ||
		    memory_map_as(t, &more, false))
			return false;
	} else if (to_page < from_page && memory_unmap(t, to_page, from_page - to_page)) {
		return false;
	}
	brk_now = to;
	return true;
}

/* The kernel's convention: the break as it is, if the new one cannot be. */
EMULATED(call_brk)
{
	uint64_t now;

	lock_take(&memory_lock);
	set_break(t, arg[0]);
	now = brk_now;
	lock_release(&memory_lock);
	return now;
}

/* The range above `address` that grows downwards reaches `address` now. */
static bool grow_down(struct thread *t, uint64_t page)
{
	struct vm_range r, below = { 0 };
	uint64_t guard;

	if (!vm_find(page, &r) || !(r.kind & VM_GROWS) || !r.rights)
		return false;
	if (r.start <= page)
		return true;			/* another thread was faster */
	if (memory_too_much(r.start - page) || memory_over_limit(r.start - page, false) ||
	    r.end - page > limit_of(LIMIT_STACK) || page < VM_LOW + STACK_GUARD)
		return false;
	guard = page - STACK_GUARD;
	if (!vm_range_ok(guard, r.start - guard) || !vm_free(guard, page) || !vm_free(page, r.start))
		return false;
	below = r;
	below.start = page;
	below.end = r.start;
	return memory_map_as(t, &below, false) == 0;
}

bool memory_grow_stack(struct thread *t, uint64_t address)
{
	bool grown;

	if (address < VM_LOW || address >= VM_HIGH)
		return false;
	lock_take(&memory_lock);
	grown = grow_down(t, page_down(address));
	lock_release(&memory_lock);
	return grown;
}

/* See that every page of the part is there, whatever its rights. */
static int64_t settle(struct thread *t, const struct vm_range *part)
{
	uint64_t size = part->end - part->start;

	if (!part->rights && memory_hypercall(t, CARREL_HC_PROTECT, part->start, size, CARREL_R))
		return -LINUX_ENOMEM;
	for (uint64_t at = part->start; at < part->end; at += PAGE_SIZE)
		(void)*(volatile const uint8_t *)at;
	if (!part->rights && memory_hypercall(t, CARREL_HC_PROTECT, part->start, size, 0))
		return -LINUX_ENOMEM;
	return 0;
}

int64_t memory_settle_shared(struct thread *t)
{
	struct vm_range part;
	int64_t error = 0;

	for (uint64_t at = 0; error == 0 && vm_next(at, VM_HIGH, &part); at = part.end)
		if (part.kind & VM_SHARED && part.backed)
			error = settle(t, &part);
	return error;
}
