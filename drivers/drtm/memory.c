/* SPDX-License-Identifier: BSD-2-Clause */
/* Was memory kept from devices since the launch? TXT MLE guide 315168, "Memory Protection". */
#include <drivers/drtm/drtm.h>

#include <base/mmio.h>

/* Intel VT-d specification, "Register Descriptions". The driver of the units (drivers/iommu) knows
 * them too, but is no room that this one may know. */
#define CAP_REG		0x08
#define PMEN_REG	0x64
#define PLMBASE_REG	0x68
#define PLMLIMIT_REG	0x6C
#define PHMBASE_REG	0x70
#define PHMLIMIT_REG	0x78
#define CAP_PMR		(BIT(5) | BIT(6))	/* PLMR, PHMR */
#define PMEN_ON		(BIT(31) | BIT(0))	/* EPM, PRS */

/* Do `count` ranges, in any order, cover `range`? Each turn of the loop goes past one of them. */
static bool covered(struct launch_range range, const struct launch_range *by, u32 count)
{
	u64 at = range.base;

	for (u32 i = 0; i < count && at < range.end; ) {
		if (by[i].base <= at && at < by[i].end) {
			at = by[i].end;
			i = 0;
		} else {
			i++;
		}
	}
	return range.base < range.end && at >= range.end;
}

static bool all_covered(const struct launch_range *range, u32 count,
			const struct launch_range *by, u32 by_count)
{
	for (u32 i = 0; i < count; i++)
		if (!covered(range[i], by, by_count))
			return false;
	return count != 0;
}

enum launch_check memory_check(const struct launch_heap *heap, const struct launch_range *range,
			       u32 count)
{
	if (!all_covered(range, count, heap->mdr, heap->mdr_count))
		return LAUNCH_MDR_NOT;
	return all_covered(range, count, heap->pmr, 2) ? LAUNCH_GOOD : LAUNCH_PMR_NOT;
}

/*
 * A unit takes the low bits of a limit for ones; how many, only a write would tell. They are
 * taken as they read: what is protected in the last granule is not relied upon.
 */
static enum launch_check check_unit(u64 unit, const struct launch_range *range, u32 count)
{
	u64 cap = mmio_read64(unit + CAP_REG);
	struct launch_range pmr[2];

	if (!cap || cap == ~0ULL)
		return LAUNCH_UNIT_SILENT;
	if (~cap & CAP_PMR)
		return LAUNCH_UNIT_NO_PMR;
	if (~mmio_read32(unit + PMEN_REG) & PMEN_ON)
		return LAUNCH_UNIT_OFF;
	pmr[0] = (struct launch_range){ mmio_read32(unit + PLMBASE_REG),
					mmio_read32(unit + PLMLIMIT_REG) };
	pmr[1] = (struct launch_range){ mmio_read64(unit + PHMBASE_REG),
					mmio_read64(unit + PHMLIMIT_REG) };
	return all_covered(range, count, pmr, 2) ? LAUNCH_GOOD : LAUNCH_UNIT_RANGE;
}

enum launch_check pmr_check(const u64 *units, u32 unit_count, const struct launch_range *range,
			    u32 count)
{
	enum launch_check check = unit_count ? LAUNCH_GOOD : LAUNCH_NO_UNIT;

	for (u32 i = 0; i < unit_count && !check; i++)
		check = check_unit(units[i], range, count);
	return check;
}
