/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing the program's memory: the map of vm.h and the hypervisor's tables
 * together. Whoever calls these holds memory_lock, but for the calls of the program
 * and what says otherwise.
 */
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include "base/lock.h"
#include "load/program.h"
#include "memory/vm.h"

/* First of the memory locks; fork takes it. */
extern struct lock memory_lock;

/* The most that is mapped at once: page tables are memory too. Reservations have no limit. */
#define BACKED_MAX	(1UL << 45)

#define PROT_ALL	7		/* READ, WRITE, EXEC: the values of CARREL_R, W, X */

static inline uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)PAGE_MASK;
}

static inline uint64_t page_up(uint64_t address)
{
	return page_down(address + PAGE_MASK);
}

/* On x86 whatever may be written or executed may be read. */
static inline uint8_t rights_of(uint64_t prot)
{
	return prot & PROT_ALL ? (prot & PROT_ALL) | CARREL_R : 0;
}

/* Where mmap would place `size` bytes, aligned; 0 if there is no room. */
uint64_t memory_place(uint64_t size, uint64_t align);

/*
 * Map and record what overlaps nothing; `eager` fills it now, else it comes as zeros where it is
 * touched. Without rights it is a reservation, known to the map alone. 0 or -LINUX_ENOMEM.
 */
int64_t memory_map_as(struct thread *t, const struct vm_range *range, bool eager);

/* Take away whatever lies in the range, written back first if it is a file's. 0 or -LINUX_ENOMEM. */
int64_t memory_unmap(struct thread *t, uint64_t start, uint64_t size);

/* May what is mapped there get these rights? 0 or -LINUX_EACCES. */
int64_t memory_may(uint64_t start, uint64_t end, uint64_t rights);

/*
 * Is that more than the process may have, with what it was promised before (VM_COUNTED)? As Linux
 * without overcommit: a program is told that there is no memory, instead of dying at a first touch.
 */
bool memory_too_much(uint64_t size);

/* Would `size` bytes more pass RLIMIT_AS or, if they are `data`, RLIMIT_DATA? */
bool memory_over_limit(uint64_t size, bool data);

/* What the second of them counts. */
static inline bool memory_is_data(uint8_t rights, uint8_t kind)
{
	return rights & CARREL_W && !(kind & (VM_SHARED | VM_GROWS));
}

/* Where the heap of brk begins. */
uint64_t memory_brk_start(void);

/* A fault at `address`, where nothing is: was it a stack that grows, and has grown now? */
bool memory_grow_stack(struct thread *t, uint64_t address);

/*
 * Before FORK: whatever is to stay one memory with the child is there, for a page that comes later
 * would be each one's own. 0 or an error. The caller holds memory_lock.
 */
int64_t memory_settle_shared(struct thread *t);

/* --- shared.c: files that are mapped MAP_SHARED ------------------------------------------- */

/*
 * The file behind `fd` will show at `start`, from `offset` on, `bytes` of it. The object for the
 * range, or an error.
 */
int64_t shared_new(struct thread *t, uint64_t fd, uint64_t offset, uint64_t start, uint64_t bytes);

/* The contents are in place: from now on what differs from them is the program's doing. */
int64_t shared_begin(struct thread *t, uint8_t object);

/* `range` of that object's mapping goes away (0 bytes: none ever came). */
void shared_end(struct thread *t, uint8_t object, uint64_t bytes);

/* Write what the program changed in the range. 0 or an error. */
int64_t shared_write(struct thread *t, uint64_t start, uint64_t end);

/* Forget all mappings. */
void shared_reset(void);

/* All of it, at the program's end. Takes memory_lock. */
void shared_write_all(struct thread *t);

#endif
