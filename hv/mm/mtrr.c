/* SPDX-License-Identifier: BSD-2-Clause */
#include "mtrr.h"

#include <base/x86.h>

#define MTRRS_MAX		32U
#define DEF_TYPE_E		BIT(11)
#define DEF_TYPE_FE		BIT(10)
#define MTRRCAP_FIX		BIT(8)
#define PHYSMASK_VALID		BIT(11)
#define FIXED_END		0x100000UL

struct variable {
	u64 base, mask;
	u8 type;
};

static struct variable variable[MTRRS_MAX];
static unsigned int variables;
static u8 fixed[FIXED_END / PAGE_SIZE];	/* type of each page below 1 MiB */
static bool fixed_on;
static u8 default_type = MEMORY_WB;
static u64 address_mask;

/* SDM "Fixed Range MTRRs": 8 types an MSR, of 64, 16 and 4 KiB. */
static void read_fixed(void)
{
	static const struct { u32 msr, base, step; } ranges[] = {
		{ 0x250, 0x00000, 0x10000 }, { 0x258, 0x80000, 0x4000 }, { 0x259, 0xA0000, 0x4000 },
		{ 0x268, 0xC0000, 0x1000 }, { 0x269, 0xC8000, 0x1000 }, { 0x26A, 0xD0000, 0x1000 },
		{ 0x26B, 0xD8000, 0x1000 }, { 0x26C, 0xE0000, 0x1000 }, { 0x26D, 0xE8000, 0x1000 },
		{ 0x26E, 0xF0000, 0x1000 }, { 0x26F, 0xF8000, 0x1000 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		u64 types = rdmsr(ranges[i].msr);

		for (unsigned int page = 0; page < 8 * ranges[i].step / PAGE_SIZE; page++)
			fixed[ranges[i].base / PAGE_SIZE + page] =
				(u8)(types >> 8 * (page / (ranges[i].step / PAGE_SIZE)));
	}
}

void mtrr_read(void)
{
	u64 cap, def;
	unsigned int bits = cpuid(0x80000008, 0).eax & 0xFF;

	if (!(cpuid(1, 0).edx & BIT(12)))
		return;
	cap = rdmsr(MSR_MTRRCAP);
	def = rdmsr(MSR_MTRR_DEF_TYPE);
	if (!(def & DEF_TYPE_E)) {
		default_type = MEMORY_UC;	/* SDM: MTRRs off means UC everywhere */
		return;
	}
	address_mask = (1ULL << bits) - 1;
	default_type = (u8)def;
	fixed_on = def & DEF_TYPE_FE && cap & MTRRCAP_FIX;
	if (fixed_on)
		read_fixed();
	for (unsigned int i = 0; i < (cap & 0xFF) && variables < MTRRS_MAX; i++) {
		u64 base = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i), mask = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1);

		if (mask & PHYSMASK_VALID)
			variable[variables++] = (struct variable){
				base & address_mask & ~(PAGE_SIZE - 1),
				mask & address_mask & ~(PAGE_SIZE - 1), (u8)base };
	}
}

/* SDM "MTRR Precedences": UC wins, then WT over WB; other overlaps are undefined: UC. */
static u8 combine(u8 a, u8 b)
{
	if (a == b)
		return a;
	if ((a == MEMORY_WT && b == MEMORY_WB) || (a == MEMORY_WB && b == MEMORY_WT))
		return MEMORY_WT;
	return MEMORY_UC;
}

static enum memory_type fixed_type(u64 pa, u64 *end)
{
	u8 type = fixed[pa / PAGE_SIZE];

	for (*end = ALIGN_DOWN(pa, PAGE_SIZE); *end < FIXED_END && fixed[*end / PAGE_SIZE] == type;)
		*end += PAGE_SIZE;
	return type;
}

/* Edges are taken from the lowest set bit of each mask: masks with holes repeat, so the
 * answer may be split finer than it need be, never coarser. */
enum memory_type mtrr_type_at(u64 pa, u64 *end)
{
	int type = -1;

	if (fixed_on && pa < FIXED_END)
		return fixed_type(pa, end);
	*end = 1ULL << 52;
	for (unsigned int i = 0; i < variables; i++) {
		u64 size = variable[i].mask & -variable[i].mask;
		bool inside = (pa & variable[i].mask) == variable[i].base;
		u64 edge = ALIGN_DOWN(pa, size) + size;

		if (inside)
			type = type < 0 ? variable[i].type : combine((u8)type, variable[i].type);
		else if (variable[i].base > pa)
			edge = variable[i].base;
		if (inside || variable[i].base > pa)
			*end = min_u64(*end, edge);
	}
	return type < 0 ? default_type : (enum memory_type)type;
}
