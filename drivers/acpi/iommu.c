/* SPDX-License-Identifier: BSD-2-Clause */
/* What a DMAR and an IVRS have in common, and how they are hidden. */
#include <string.h>

#include <drivers/acpi/iommu.h>

#define CHECKSUM	9
#define BLOCK_HEAD	4
#define ADDRESS_END	BIT(52)		/* no physical address is larger */

struct bytes iommu_block(struct bytes table, u64 at)
{
	struct bytes block = bytes_part(table, at, BLOCK_HEAD);

	if (block.at)
		block = bytes_part(table, at, get16(block.at + 2));
	return block.size < BLOCK_HEAD ? (struct bytes){ 0 } : block;
}

const char *iommu_add_unit(struct dma_platform *dma, const struct dma_unit *unit, u64 align)
{
	u64 base = unit->registers;

	if (base < MIB || !IS_ALIGNED(base, align) || base > ADDRESS_END - unit->size)
		return "the firmware says that an IOMMU has registers where none can be";
	for (u32 i = 0; i < dma->unit_count; i++)
		if (base < dma->unit[i].registers + dma->unit[i].size &&
		    dma->unit[i].registers < base + unit->size)
			return "the firmware says that two IOMMUs share registers";
	if (dma->unit_count == DMA_UNITS_MAX)
		return "more than 64 IOMMUs: raise DMA_UNITS_MAX and build again";
	dma->unit[dma->unit_count++] = *unit;
	return NULL;
}

const char *iommu_add_range(struct dma_platform *dma, u64 first, u64 last)
{
	/* IOMMUs know pages only, and there are IVMDs of one byte that mean a page */
	u64 base = ALIGN_DOWN(first, PAGE_SIZE), end = ALIGN_DOWN(last, PAGE_SIZE) + PAGE_SIZE;

	if (last < first || last >= ADDRESS_END)
		return "the firmware reserves senseless memory for DMA";
	for (u32 i = 0; i < dma->range_count; i++)	/* an IVRS may tell it for each device */
		if (dma->range[i].base == base && dma->range[i].end == end)
			return NULL;
	if (dma->range_count == DMA_RANGES_MAX)
		return "more than 64 ranges for DMA: raise DMA_RANGES_MAX and build again";
	dma->range[dma->range_count++] = (struct dma_range){ base, end };
	return NULL;
}

/* Every such table must be a copy of the first one: which of them an OS would take is unknown. */
static const char *add_table(struct acpi_info *info, enum dma_kind kind, u64 pa,
			     struct bytes table)
{
	struct dma_platform *dma = &info->dma;

	if (dma->kind != kind)
		return "the firmware has both a DMAR and an IVRS";
	if (!table.at || bytes_sum(table))
		return kind == DMA_VTD ? "the DMAR is damaged: its length or checksum is wrong" :
		       "the IVRS is damaged: its length or checksum is wrong";
	/* a copy is as long as the first, which was inside memory: its head says how long */
	if (info->iommu_table_count && (memcmp(table.at, phys(info->iommu_table[0]), 8) ||
					memcmp(table.at, phys(info->iommu_table[0]), table.size)))
		return kind == DMA_VTD ? "there are two DMARs, and they differ" :
		       "there are two IVRSs, and they differ";
	if (info->iommu_table_count == ACPI_IOMMU_TABLES_MAX)
		return "there are more than four copies of the DMAR or IVRS";
	info->iommu_table[info->iommu_table_count++] = pa;
	info->iommu_size = (u32)table.size;
	if (info->iommu_table_count > 1)
		return NULL;
	return kind == DMA_VTD ? dmar_parse(dma, table) : ivrs_parse(info, table);
}

void iommu_table(struct acpi_info *info, enum dma_kind kind, u64 pa, struct bytes table)
{
	struct dma_platform *dma = &info->dma;
	const char *broken;

	if (dma->broken)
		return;
	for (u32 i = 0; i < info->iommu_table_count; i++)
		if (info->iommu_table[i] == pa)
			return;
	if (dma->kind == DMA_NO_IOMMU)
		dma->kind = kind;
	broken = add_table(info, kind, pa, table);
	if (broken) {
		kind = dma->kind;
		memset(dma, 0, sizeof(*dma));
		dma->kind = kind;
		dma->broken = broken;
	}
}

void acpi_hide_iommu(const struct acpi_info *info)
{
	for (u32 i = 0; i < info->iommu_table_count; i++) {
		u8 *table = phys(info->iommu_table[i]);

		/* XMAR, XVRS: a good table still, but nobody's */
		table[CHECKSUM] -= 'X' - table[0];
		table[0] = 'X';
	}
}
