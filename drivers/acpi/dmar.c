/* SPDX-License-Identifier: BSD-2-Clause */
/* The DMA Remapping Reporting structure: Intel VT-d specification, "BIOS Considerations". */
#include <drivers/acpi/iommu.h>

#define DMAR_STRUCTURES	48

/* Remapping structure: type, length */
#define DRHD		0
#define DRHD_FLAGS	4
#define DRHD_INCLUDE_ALL BIT(0)
#define DRHD_SIZE	5	/* bits 3:0 N: 2^N pages of registers */
#define DRHD_SEGMENT	6
#define DRHD_REGISTERS	8
#define DRHD_SCOPES	16
#define RMRR		1
#define RMRR_BASE	8
#define RMRR_LIMIT	16	/* the last byte */
#define RMRR_SCOPES	24

/* Device scope: type, length, flags, reserved, enumeration ID, start bus, (device, function)s */
#define SCOPE_IOAPIC	3
#define SCOPE_HPET	4
#define SCOPE_NAMESPACE	5
#define SCOPE_BUS	5
#define SCOPE_PATH	6
#define SCOPE_MIN	8

/* A device that a PCI scan does not find, none of which lies behind a bridge; or the first step
 * to one that it does. */
static const char *parse_scope(struct dma_platform *dma, u16 segment, struct bytes scope)
{
	const u8 *path = scope.at + SCOPE_PATH;
	u32 slot = scope.at[SCOPE_BUS] << 5 | path[0];

	if (scope.at[0] > SCOPE_NAMESPACE || (scope.at[0] >= SCOPE_IOAPIC && scope.size != SCOPE_MIN))
		return NULL;
	if (path[0] > 31 || path[1] > 7)
		return "the DMAR is damaged: a device number that cannot be";
	if (scope.at[0] >= SCOPE_IOAPIC)
		dma_platform_slot(dma, (u16)(slot << 3 | path[1]));
	else if (scope.at[0] && !segment)
		dma_platform_serve(dma, slot, slot);
	return NULL;
}

static const char *parse_scopes(struct dma_platform *dma, u16 segment, struct bytes scopes)
{
	const char *error = NULL;

	for (u64 at = 0; at < scopes.size && !error; ) {
		struct bytes scope = bytes_part(scopes, at, SCOPE_MIN);

		if (scope.at)
			scope = bytes_part(scopes, at, scope.at[1]);
		if (scope.size < SCOPE_MIN)
			return "the DMAR is damaged: a device scope of senseless length";
		error = parse_scope(dma, segment, scope);
		at += scope.size;
	}
	return error;
}

static const char *parse_drhd(struct dma_platform *dma, struct bytes drhd)
{
	struct dma_unit unit = {
		.registers = get64(drhd.at + DRHD_REGISTERS),
		.segment = get16(drhd.at + DRHD_SEGMENT),
		.function = DMA_NO_FUNCTION,
		.size = (u32)PAGE_SIZE << (drhd.at[DRHD_SIZE] & 15),
	};
	const char *error = iommu_add_unit(dma, &unit, PAGE_SIZE);

	if (error)
		return error;
	if (drhd.at[DRHD_FLAGS] & DRHD_INCLUDE_ALL && !unit.segment)
		dma_platform_serve(dma, 0, DMA_SLOTS - 1);
	return parse_scopes(dma, unit.segment,
			    bytes_part(drhd, DRHD_SCOPES, drhd.size - DRHD_SCOPES));
}

static const char *parse_structure(struct dma_platform *dma, struct bytes structure)
{
	static const u8 sizes[] = { [DRHD] = DRHD_SCOPES, [RMRR] = RMRR_SCOPES };
	u16 type = get16(structure.at);

	if (type >= ARRAY_SIZE(sizes))	/* ATSR, RHSA, ANDD, SATC, SIDP, or newer */
		return NULL;
	if (structure.size < sizes[type])
		return "the DMAR is damaged: a structure too short for its type";
	if (type == DRHD)
		return parse_drhd(dma, structure);
	return iommu_add_range(dma, get64(structure.at + RMRR_BASE),
			       get64(structure.at + RMRR_LIMIT));
}

const char *dmar_parse(struct dma_platform *dma, struct bytes dmar)
{
	const char *error = NULL;

	if (dmar.size < DMAR_STRUCTURES)
		return "the DMAR is damaged: it is too short";
	for (u64 at = DMAR_STRUCTURES; at < dmar.size && !error; ) {
		struct bytes structure = iommu_block(dmar, at);

		if (!structure.at)
			return "the DMAR is damaged: a structure of senseless length";
		error = parse_structure(dma, structure);
		at += structure.size;
	}
	return error || dma->unit_count ? error : "the DMAR names no IOMMU";
}
