/* SPDX-License-Identifier: BSD-2-Clause */
#include "guestmem.h"

#include <string.h>

#include <base/phys.h>
#include <base/x86.h>
#include <mm/frame.h>

#define PTE_P		BIT(0)
#define PTE_PS		BIT(7)
#define PTE_ADDRESS	0x000FFFFFFFFFF000ULL

/*
 * No lock: a frame that is the host's now can become another's only after this CPU has
 * flushed (mm/flush.h), which it cannot do while it is here. Every access to the APIC
 * comes by this way while the trap is up, on all CPUs at one time.
 */
static bool read_host(u64 pa, void *to, size_t size)
{
	if (!frame_is_host_ram(pa, size))
		return false;
	memcpy(to, phys(pa), size);
	return true;
}

/* SDM "4-Level Paging", the walk alone: rights do not matter for bytes the guest executed. */
static bool walk4(u64 cr3, u64 va, u64 *pa)
{
	u64 table = cr3 & PTE_ADDRESS, entry;

	for (unsigned int level = 4; level; level--) {
		unsigned int shift = 12 + 9 * (level - 1);

		if (!read_host(table + (va >> shift & 511) * 8, &entry, 8) || !(entry & PTE_P))
			return false;
		if (level == 1 || (level < 4 && entry & PTE_PS)) {
			u64 mask = (1ULL << shift) - 1;

			*pa = (entry & PTE_ADDRESS & ~mask) | (va & mask);
			return true;
		}
		table = entry & PTE_ADDRESS;
	}
	return false;
}

/* The host guest runs in long mode with four levels, or (before that) without paging. */
static bool translate(struct cpu *cpu, u64 va, u64 *pa)
{
	const struct vt_ops *vt = machine.vt;

	if (!(vt->get(&cpu->vt, VT_CR0) & CR0_PG)) {
		*pa = va;
		return true;
	}
	if (!(vt->get(&cpu->vt, VT_EFER) & EFER_LMA) || vt->get(&cpu->vt, VT_CR4) & CR4_LA57)
		return false;
	return walk4(vt->get(&cpu->vt, VT_CR3), va, pa);
}

unsigned int guestmem_fetch(struct cpu *cpu, u8 bytes[GUESTMEM_INSN_MAX])
{
	u64 va = machine.vt->get(&cpu->vt, VT_CS_BASE) + machine.vt->get(&cpu->vt, VT_RIP);
	unsigned int got = 0;

	while (got < GUESTMEM_INSN_MAX) {
		u64 left = PAGE_SIZE - ((va + got) & (PAGE_SIZE - 1)), pa;
		unsigned int n = (unsigned int)min_u64(left, GUESTMEM_INSN_MAX - got);

		if (!translate(cpu, va + got, &pa) || !read_host(pa, bytes + got, n))
			break;
		got += n;
	}
	return got;
}
