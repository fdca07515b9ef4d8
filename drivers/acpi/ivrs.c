/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O Virtualization Reporting Structure: AMD I/O Virtualization Technology (IOMMU)
 * Specification (48882), "I/O Virtualization ACPI Table".
 */
#include <drivers/acpi/iommu.h>

#define IVRS_BLOCKS	48
#define REGISTERS_MIN	(16 * KIB)	/* without performance counters */

/* Block: type, flags, length, DeviceID */
#define BLOCK_DEVICE	4

#define IVHD_10H	0x10
#define IVHD_11H	0x11
#define IVHD_40H	0x40
#define IVHD_BASE	8
#define IVHD_SEGMENT	16
#define IVHD_10H_SIZE	24
#define IVHD_SIZE	40		/* of the newer types */

#define IVMD_ALL	0x20
#define IVMD_SPECIFIED	0x21
#define IVMD_RANGE	0x22
#define IVMD_START	16
#define IVMD_LENGTH	24
#define IVMD_SIZE	32

/* IVHD device entry: type, DeviceID, data setting; in 8 bytes also a source DeviceID */
#define ENTRY_ALL	1
#define ENTRY_END	4		/* of a range */
#define ENTRY_ALIAS_SELECT 0x42
#define ENTRY_ALIAS_RANGE  0x43
#define ENTRY_SPECIAL	0x48		/* an IOAPIC or HPET */
#define ENTRY_ACPI_HID	0xF0
#define ENTRY_DEVICE	1
#define ENTRY_SETTING	3
#define ENTRY_HANDLE	4		/* of an IOAPIC: its ID in the MADT */
#define ENTRY_SOURCE	5
#define ENTRY_VARIETY	7
#define VARIETY_IOAPIC	1
#define ACPI_HID_UID_LENGTH 21
#define ACPI_HID_UID	22

static bool is_ivhd(struct bytes block)
{
	return block.at[0] == IVHD_10H || block.at[0] == IVHD_11H || block.at[0] == IVHD_40H;
}

/* Whether a newer type of IVHD tells of the same unit: for old software there are several. */
static bool superseded(struct bytes ivrs, struct bytes ivhd)
{
	struct bytes other;

	for (u64 at = IVRS_BLOCKS; (other = iommu_block(ivrs, at)).at; at += other.size)
		if (is_ivhd(other) && other.at[0] > ivhd.at[0] && other.size >= IVHD_SIZE &&
		    get16(other.at + BLOCK_DEVICE) == get16(ivhd.at + BLOCK_DEVICE) &&
		    get16(other.at + IVHD_SEGMENT) == get16(ivhd.at + IVHD_SEGMENT))
			return true;
	return false;
}

/* 0 if it is longer than the list. */
static u64 entry_size(struct bytes entries, u64 at)
{
	u8 type = entries.at[at];
	u64 size = 4U << (type >> 6);

	if (type == ENTRY_ACPI_HID) {
		struct bytes head = bytes_part(entries, at, ACPI_HID_UID);

		size = head.at ? ACPI_HID_UID + head.at[ACPI_HID_UID_LENGTH] : 0;
	}
	return bytes_part(entries, at, size).size;
}

static const char *add_special(struct acpi_info *info, const u8 *entry)
{
	struct dma_platform *dma = &info->dma;
	u8 handle = entry[ENTRY_HANDLE];

	if (dma->special_count == DMA_SPECIALS_MAX)
		return "the IVRS names more IOAPICs and HPETs than DMA_SPECIALS_MAX";
	if (entry[ENTRY_VARIETY] == VARIETY_IOAPIC)
		info->ioapics[handle / 8] &= (u8)~(1U << handle % 8);
	dma->special[dma->special_count++] = (struct dma_special){
		get16(entry + ENTRY_SOURCE), entry[ENTRY_SETTING] };
	return NULL;
}

/* Who is served: all; from where the entry before begins to here; or one. */
static void serve(struct dma_platform *dma, u16 begin, const u8 *entry)
{
	u32 slot = dma_slot(get16(entry + ENTRY_DEVICE));

	if (entry[0] == ENTRY_ALL)
		dma_platform_serve(dma, 0, DMA_SLOTS - 1);
	else if (entry[0] == ENTRY_END)
		dma_platform_serve(dma, dma_slot(begin), slot);
	else if (entry[0] && entry[0] != ENTRY_SPECIAL)
		dma_platform_serve(dma, slot, slot);
}

/* Requester numbers that a PCI scan does not find, and those that are served. */
static const char *parse_entries(struct acpi_info *info, struct bytes entries, u16 segment)
{
	struct dma_platform *dma = &info->dma;
	const char *error = NULL;
	u16 begin = DMA_NO_FUNCTION;

	for (u64 at = 0, size; at < entries.size && !error; at += size) {
		const u8 *entry = entries.at + at;

		size = entry_size(entries, at);
		if (!size)
			return "the IVRS is damaged: a device entry of senseless length";
		if (entry[0] == ENTRY_ALIAS_SELECT || entry[0] == ENTRY_ALIAS_RANGE ||
		    entry[0] == ENTRY_SPECIAL)
			dma_platform_slot(dma, get16(entry + ENTRY_SOURCE));
		else if (entry[0] == ENTRY_ACPI_HID)
			dma_platform_slot(dma, get16(entry + ENTRY_DEVICE));
		if (entry[0] == ENTRY_SPECIAL)
			error = add_special(info, entry);
		if (!segment)
			serve(dma, begin, entry);
		begin = get16(entry + ENTRY_DEVICE);
	}
	return error;
}

static const char *parse_ivhd(struct acpi_info *info, struct bytes ivrs, struct bytes ivhd)
{
	struct dma_platform *dma = &info->dma;
	u64 size = ivhd.at[0] == IVHD_10H ? IVHD_10H_SIZE : IVHD_SIZE;
	struct dma_unit unit = { .size = REGISTERS_MIN };
	const char *error;

	if (ivhd.size < size)
		return "the IVRS is damaged: a block too short for its type";
	if (superseded(ivrs, ivhd))
		return NULL;
	unit.flags = ivhd.at[1];
	unit.function = get16(ivhd.at + BLOCK_DEVICE);
	unit.registers = get64(ivhd.at + IVHD_BASE);
	unit.segment = get16(ivhd.at + IVHD_SEGMENT);
	for (u32 i = 0; i < dma->unit_count; i++)
		if (dma->unit[i].function == unit.function && dma->unit[i].segment == unit.segment)
			return "the IVRS is damaged: two IOMMUs are one PCI function";
	error = iommu_add_unit(dma, &unit, REGISTERS_MIN);
	return error ? error : parse_entries(info, bytes_part(ivhd, size, ivhd.size - size),
					     unit.segment);
}

static const char *parse_block(struct acpi_info *info, struct bytes ivrs, struct bytes block)
{
	u64 start;

	if (is_ivhd(block))
		return parse_ivhd(info, ivrs, block);
	if (block.at[0] < IVMD_ALL || block.at[0] > IVMD_RANGE)
		return NULL;
	if (block.size < IVMD_SIZE)
		return "the IVRS is damaged: a block too short for its type";
	start = get64(block.at + IVMD_START);
	return iommu_add_range(&info->dma, start, start + get64(block.at + IVMD_LENGTH) - 1);
}

/* A requester number that is not known would lose its interrupts: then all pass. Linux, too,
 * goes without interrupt remapping where an IOAPIC is missing. */
const char *ivrs_parse(struct acpi_info *info, struct bytes ivrs)
{
	const char *error = NULL;

	if (ivrs.size < IVRS_BLOCKS)
		return "the IVRS is damaged: it is too short";
	for (u64 at = IVRS_BLOCKS; at < ivrs.size && !error; ) {
		struct bytes block = iommu_block(ivrs, at);

		if (!block.at)
			return "the IVRS is damaged: a block of senseless length";
		error = parse_block(info, ivrs, block);
		at += block.size;
	}
	for (u32 i = 0; i < ARRAY_SIZE(info->ioapics); i++)
		if (info->ioapics[i])
			info->dma.interrupts_pass = true;
	return error || info->dma.unit_count ? error : "the IVRS names no IOMMU";
}
