/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map of the program's memory: which addresses are its own, with which
 * rights. The shim touches program memory only where this map allows, so a bad
 * pointer is EFAULT and never a fault of the shim. Knows no hypercalls.
 *
 * Addresses are page-aligned, ranges half-open, sorted, disjoint. Each function takes the
 * map's lock for itself, so that any thread may ask; whoever changes it holds memory_lock too
 * (program.h), so that the map and the hypervisor's tables change together.
 */
#ifndef SHIM_VM_H
#define SHIM_VM_H

#include <carrel/hypercall.h>
#include "base/lock.h"
#include "shim.h"

/* Lowest address a program may map (Linux's vm.mmap_min_addr) and the end of its half. */
#define VM_LOW		0x10000UL
#define VM_HIGH		0x7ffffffff000UL
#define VM_RANGES	65536

/* What a range is, ored. */
#define VM_SHARED	1		/* stays one memory with children; else a copy of theirs */
#define VM_FILE		2		/* has contents of a file: cannot be had again as zeros */
#define VM_UNCHECKED	4		/* which the host chose: must not run, unless all may */
#define VM_READONLY	8		/* shared, from a descriptor that cannot be written */
#define VM_GROWS	16		/* downwards, where it is touched: MAP_GROWSDOWN */
#define VM_COUNTED	32		/* against the limit: memory.c */

struct vm_range {
	uint64_t start, end;
	uint8_t rights;			/* CARREL_R | CARREL_W | CARREL_X; 0 is PROT_NONE */
	bool backed;			/* the hypervisor has a mapping here */
	uint8_t kind;			/* VM_* */
	uint8_t object;			/* of memory.c: the shared file that it shows; 0 none */
};

/* Taken inside, for a moment; fork takes it too, behind all others. */
extern struct lock vm_lock;

/* True for a page-aligned, non-empty range that programs may have at all. */
static inline bool vm_range_ok(uint64_t start, uint64_t size)
{
	if ((start | size) & PAGE_MASK || size == 0)
		return false;
	if (start < VM_LOW || start >= VM_HIGH || size > VM_HIGH - start)
		return false;
	return start + size <= CARREL_BASE || start >= CARREL_END;
}

/* The map has room for any one change; where this is false, vm_insert fails. */
bool vm_room(void);
/* For `changes` of them. */
bool vm_room_for(unsigned int changes);

/* Record a range that overlaps nothing. False if the map is full. */
bool vm_insert(uint64_t start, uint64_t end, uint8_t rights, bool backed);

/* The same, of a certain kind. */
bool vm_insert_as(const struct vm_range *range);

/* Forget whatever lies in the range. The caller has asked vm_room. */
void vm_remove(uint64_t start, uint64_t end);

/* Change rights of what lies in the range; `back` marks it as backed too. As vm_remove. */
void vm_protect(uint64_t start, uint64_t end, uint8_t rights, bool back);

/* The first part of a range that lies in [start, end), cut to it. False if there is none. */
bool vm_next(uint64_t start, uint64_t end, struct vm_range *part);

/* The first range that ends above `address`, whole. False if there is none. */
bool vm_find(uint64_t address, struct vm_range *range);

/* No hole in the range. */
bool vm_covered(uint64_t start, uint64_t end);

/* Nothing in the range. */
bool vm_free(uint64_t start, uint64_t end);

/* The highest gap of `size` bytes in [low, high), aligned; 0 if there is none. */
uint64_t vm_gap(uint64_t low, uint64_t high, uint64_t size, uint64_t align);

/* How many bytes from any `address`, at most `size`, the program may use with these rights. */
uint64_t vm_prefix(uint64_t address, uint64_t size, uint8_t rights);

/* Forget everything. */
void vm_reset(void);

/* NULL, or what is wrong with the map. */
const char *vm_check(void);

#endif
