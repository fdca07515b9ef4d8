/* SPDX-License-Identifier: BSD-2-Clause */
#include "trampoline.h"

#include <string.h>

#include <base/phys.h>
#include <mm/pool.h>

#define PTE_PW		3UL
#define PTE_PWS		0x83UL

/* trampoline.S: the code, and the words in it that are filled here. */
extern const u8 trampoline_code[], trampoline_code_end[];
extern const u8 trampoline_far[], trampoline_gdt_pointer[], trampoline_cr3[], trampoline_cpu[],
	trampoline_stack[];

static u64 page;

static void *word(const u8 *symbol)
{
	return (u8 *)phys(page) + (symbol - trampoline_code);
}

/* The hypervisor's map, and the first 2 MiB at their own addresses while paging comes on. */
static u64 start_map(u64 cr3)
{
	u64 *pml4 = pool_take(PAGE_SIZE), *pdpt = pool_take(PAGE_SIZE), *pd = pool_take(PAGE_SIZE);

	memcpy(pml4, phys(cr3), PAGE_SIZE);
	pd[0] = PTE_PWS;
	pdpt[0] = ((u64)pd - PHYS_BASE) | PTE_PW;
	pml4[0] = ((u64)pdpt - PHYS_BASE) | PTE_PW;
	return (u64)pml4 - PHYS_BASE;
}

void trampoline_boot(u64 pa, u64 cr3)
{
	page = pa;
	memcpy(phys(pa), trampoline_code, (size_t)(trampoline_code_end - trampoline_code));
	*(u32 *)word(trampoline_far) += (u32)pa;
	*(u32 *)((u8 *)word(trampoline_gdt_pointer) + 2) += (u32)pa;
	*(u32 *)word(trampoline_cr3) = (u32)start_map(cr3);
	*(u64 *)((u8 *)word(trampoline_cr3) + 8) = cr3;
}

u8 trampoline_prepare(struct cpu *cpu)
{
	*(u64 *)word(trampoline_cpu) = (u64)cpu;
	*(u64 *)word(trampoline_stack) = (u64)(cpu->stack + sizeof(cpu->stack));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (u8)(page >> PAGE_SHIFT);
}

u64 trampoline_map(void)
{
	return *(u32 *)word(trampoline_cr3);
}
