/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * membarrier. A program that asks for it leaves barriers out elsewhere, so a kernel that said
 * "done" and had done nothing would break it: it is not asked. Taking a right away from a page
 * makes the hypervisor account for every CPU that is inside at that moment; when it answers 0 each
 * of them has left the view since, and a CPU that leaves and comes back has completed its stores
 * and fetches its instructions anew.
 */
#include <carrel/hypercall.h>
#include "base/host.h"
#include "emulate.h"
#include "memory/memory.h"

#define CMD_QUERY		0
#define PRIVATE_EXPEDITED	8
#define REGISTER_PRIVATE	16
#define SYNC_CORE		32
#define REGISTER_SYNC_CORE	64

static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint32_t registered;

/* Under the lock of memory: who else came would write to the page while nobody may. */
static void barrier(struct thread *t)
{
	lock_take(&memory_lock);
	*(volatile uint8_t *)page = 1;		/* it is there */
	if (memory_hypercall(t, CARREL_HC_PROTECT, (uint64_t)page, PAGE_SIZE, CARREL_R) ||
	    memory_hypercall(t, CARREL_HC_PROTECT, (uint64_t)page, PAGE_SIZE, CARREL_R | CARREL_W))
		die(CARREL_DIE_SHIM);
	lock_release(&memory_lock);
}

EMULATED(call_membarrier)
{
	uint32_t command = arg[0];

	if ((uint32_t)arg[1])
		return -LINUX_EINVAL;
	switch (command) {
	case CMD_QUERY:
		return PRIVATE_EXPEDITED | REGISTER_PRIVATE | SYNC_CORE | REGISTER_SYNC_CORE;
	case REGISTER_PRIVATE:
	case REGISTER_SYNC_CORE:
		__atomic_fetch_or(&registered, command >> 1, __ATOMIC_RELAXED);
		return 0;
	case PRIVATE_EXPEDITED:
	case SYNC_CORE:
		if (!(__atomic_load_n(&registered, __ATOMIC_RELAXED) & command))
			return -LINUX_EPERM;
		barrier(t);
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}
