/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"

#include <string.h>

#include <base/lock.h>
#include <base/log.h>
#include <base/phys.h>

static struct lock pool_lock;
static u64 next, end;
static u64 free_list;	/* pa of the first free page; its first word leads to the next */

void pool_init(u64 base, u64 size)
{
	next = base;
	end = base + size;
}

static u64 take(u64 bytes)
{
	u64 pa = next;

	if (bytes > end - next)
		return 0;
	next += bytes;
	return pa;
}

void *pool_take(u64 bytes)
{
	u64 pa;

	lock_take(&pool_lock);
	pa = take(ALIGN_UP(bytes, PAGE_SIZE));
	lock_release(&pool_lock);
	if (!pa)
		panic("the hypervisor's memory is too small: %lu bytes more are needed", bytes);
	memset(phys(pa), 0, ALIGN_UP(bytes, PAGE_SIZE));
	return phys(pa);
}

u64 pool_left(void)
{
	return end - next;
}

static u64 table_alloc(struct table_memory *memory)
{
	u64 pa;

	(void)memory;
	lock_take(&pool_lock);
	pa = free_list;
	if (pa)
		free_list = *(u64 *)phys(pa);
	else
		pa = take(PAGE_SIZE);
	lock_release(&pool_lock);
	if (pa)
		memset(phys(pa), 0, PAGE_SIZE);
	return pa;
}

static void table_free(struct table_memory *memory, u64 pa)
{
	(void)memory;
	lock_take(&pool_lock);
	*(u64 *)phys(pa) = free_list;
	free_list = pa;
	lock_release(&pool_lock);
}

struct table_memory pool_tables = { table_alloc, table_free };
