/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostmap.h"

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>

#include "guest_format.h"
#include "pool.h"

extern const char __text_begin[], __text_end[], __rodata_begin[], __rodata_end[], __data_begin[],
	__image_end[];	/* linker.ld */

static void map(struct table *table, u64 va, u64 pa, u64 size, unsigned int r)
{
	if (size && table_map(table, va, pa, size, r, MEMORY_WB))
		panic("no memory for the hypervisor's own page tables");
}

static void map_section(struct table *table, const char *begin, const char *end, u64 image_pa,
			unsigned int r)
{
	map(table, (u64)begin, image_pa + ((u64)begin - HV_VIRT), (u64)(end - begin), r);
}

u64 hostmap_build(u64 image_pa, u64 top)
{
	struct table table;
	u64 hidden = image_pa + ((u64)__text_begin - HV_VIRT);
	u64 hidden_end = image_pa + ((u64)__rodata_end - HV_VIRT);

	/* long mode's entries are the same here; without TABLE_USER they are ours alone. A leaf
	 * of 1 GiB could span two memory types (SDM "Large Page Size Considerations"). */
	if (table_init(&table, &guest_format, &pool_tables, 2))
		panic("no memory for the hypervisor's own page tables");
	map_section(&table, __text_begin, __text_end, image_pa, TABLE_R | TABLE_X);
	map_section(&table, __rodata_begin, __rodata_end, image_pa, TABLE_R);
	map_section(&table, __data_begin, __image_end, image_pa, TABLE_R | TABLE_W);
	map(&table, PHYS_BASE, 0, hidden, TABLE_R | TABLE_W);
	map(&table, PHYS_BASE + hidden_end, hidden_end, top - hidden_end, TABLE_R | TABLE_W);
	return table.root;
}
