/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostmap.h"

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>

#include "pool.h"
#include "table.h"

#define PTE_P		BIT(0)
#define PTE_W		BIT(1)
#define PTE_A		BIT(5)
#define PTE_D		BIT(6)
#define PTE_PS		BIT(7)
#define PTE_NX		BIT(63)
#define PTE_ADDRESS	0x000FFFFFFFFFF000ULL

extern const char __text_begin[], __text_end[], __rodata_begin[], __rodata_end[], __data_begin[],
	__image_end[];	/* linker.ld */

static bool present(u64 entry)
{
	return entry & PTE_P;
}

static bool leaf(u64 entry, unsigned int level)
{
	return level == 1 || (entry & PTE_PS);
}

static u64 address(u64 entry, unsigned int level)
{
	u64 a = entry & PTE_ADDRESS;

	return leaf(entry, level) ? ALIGN_DOWN(a, PAGE_SIZE << 9 * (level - 1)) : a;
}

static unsigned int rights(u64 entry)
{
	return TABLE_R | (entry & PTE_W ? TABLE_W : 0) | (entry & PTE_NX ? 0 : TABLE_X);
}

static u64 make_leaf(u64 pa, unsigned int level, unsigned int r, enum memory_type type)
{
	(void)type;
	return pa | PTE_P | PTE_A | PTE_D | (r & TABLE_W ? PTE_W : 0) | (r & TABLE_X ? 0 : PTE_NX) |
		(level > 1 ? PTE_PS : 0);
}

static u64 make_branch(u64 table_pa)
{
	return table_pa | PTE_P | PTE_W | PTE_A;
}

static u64 split_leaf(u64 entry, unsigned int level, unsigned int index)
{
	return make_leaf(address(entry, level) + index * (PAGE_SIZE << 9 * (level - 2)), level - 1,
			 rights(entry), MEMORY_WB);
}

static u64 set_rights(u64 entry, unsigned int level, unsigned int r)
{
	return make_leaf(address(entry, level), level, r, MEMORY_WB);
}

static const struct table_format format = {
	.name = "hypervisor",
	.largest_leaf = 3,
	.present = present,
	.leaf = leaf,
	.address = address,
	.rights = rights,
	.make_leaf = make_leaf,
	.make_branch = make_branch,
	.split_leaf = split_leaf,
	.set_rights = set_rights,
};

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
	u8 largest = cpuid(0x80000001, 0).edx & BIT(26) ? 3 : 2;

	if (table_init(&table, &format, &pool_tables, largest))
		panic("no memory for the hypervisor's own page tables");
	map_section(&table, __text_begin, __text_end, image_pa, TABLE_R | TABLE_X);
	map_section(&table, __rodata_begin, __rodata_end, image_pa, TABLE_R);
	map_section(&table, __data_begin, __image_end, image_pa, TABLE_R | TABLE_W);
	map(&table, PHYS_BASE, 0, hidden, TABLE_R | TABLE_W);
	map(&table, PHYS_BASE + hidden_end, hidden_end, top - hidden_end, TABLE_R | TABLE_W);
	return table.root;
}
