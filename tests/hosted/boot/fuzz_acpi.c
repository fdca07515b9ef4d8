/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input is a byte, then: if that is 0 a DMAR, if 1 an IVRS, nothing behind it; else the byte
 * is the RSDP's size and the rest all of physical memory, the RSDP at its start. Checksums would
 * stop almost every input, so each table's is made right before it is parsed.
 */
#include <stdlib.h>
#include <string.h>

#include <base/bytes.h>
#include <drivers/acpi/iommu.h>

unsigned char *phys_base;

static void repair(u64 pa, u64 reach)
{
	struct bytes head = bytes_phys(pa, 36, reach), table;

	if (!head.at)
		return;
	table = bytes_phys(pa, get32(head.at + 4), reach);
	if (!table.at || table.size < 36)
		return;
	((u8 *)table.at)[9] = 0;
	((u8 *)table.at)[9] = -bytes_sum(table);
}

static void repair_all(u64 root, u32 entry, u64 reach)
{
	struct bytes head = bytes_phys(root, 36, reach);
	u32 size = head.at ? get32(head.at + 4) : 0;

	for (u64 at = 36; at + entry <= size && at < 36 + 64 * entry; at += entry) {
		struct bytes bytes = bytes_phys(root + at, entry, reach);

		if (bytes.at)
			repair(entry == 8 ? get64(bytes.at) : get32(bytes.at), reach);
	}
	repair(root, reach);
}

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_iommus(const struct dma_platform *dma)
{
	check(dma->unit_count <= DMA_UNITS_MAX && dma->range_count <= DMA_RANGES_MAX);
	check(!dma->broken || (!dma->unit_count && !dma->range_count));
	for (u32 i = 0; i < dma->unit_count; i++) {
		const struct dma_unit *unit = &dma->unit[i];

		check(unit->registers >= MIB && IS_ALIGNED(unit->registers, PAGE_SIZE));
		check(unit->size && unit->registers + unit->size <= BIT(52));
		for (u32 j = 0; j < i; j++)
			check(dma->unit[j].registers + dma->unit[j].size <= unit->registers ||
			      unit->registers + unit->size <= dma->unit[j].registers);
	}
	for (u32 i = 0; i < dma->range_count; i++)
		check(dma->range[i].base < dma->range[i].end && dma->range[i].end <= BIT(52) &&
		      IS_ALIGNED(dma->range[i].base | dma->range[i].end, PAGE_SIZE));
}

static void check_info(const struct acpi_info *info)
{
	check(info->cpu_count && info->cpu_count <= MAX_CPUS);
	check(info->ecam_count <= ACPI_ECAM_MAX && !(info->ecam_problem && info->ecam_count));
	for (u32 i = 0; i < info->ecam_count; i++)
		check(info->ecam[i].first_bus <= info->ecam[i].last_bus);
	check(!info->dma.kind == (!info->dma.unit_count && !info->dma.broken));
	check_iommus(&info->dma);
}

/* A table that is hidden is found no more, unless it shared bytes with another one. */
static void check_hidden(const struct acpi_info *info, u64 reach)
{
	for (u32 i = 0; i < info->iommu_table_count; i++)
		check(info->iommu_table[i] <= reach - 36);
	acpi_hide_iommu(info);
	if (info->iommu_table_count == 1) {
		u64 pa = info->iommu_table[0];

		check(!memcmp(phys(pa), info->dma.kind == DMA_VTD ? "XMAR" : "XVRS", 4));
		check(!bytes_sum(bytes_phys(pa, get32(phys(pa + 4)), reach)));
	}
}

static void fuzz_table(bool ivrs, struct bytes table)
{
	static struct acpi_info info;
	const char *error;

	memset(&info, 0, sizeof(info));
	error = ivrs ? ivrs_parse(&info, table) : dmar_parse(&info.dma, table);
	check(error || info.dma.unit_count);
	check_iommus(&info.dma);
}

static void fuzz_machine(u8 rsdp_size, u64 size)
{
	static struct acpi_info info;
	u8 rsdp[36];

	memcpy(rsdp, phys_base, 36);
	repair_all(get32(rsdp + 16), 4, size);
	if (rsdp_size >= 36 && get64(rsdp + 24))
		repair_all(get64(rsdp + 24), 8, size);
	if (!acpi_parse(&info, rsdp, rsdp_size >= 36 ? 36 : rsdp_size, size)) {
		check_info(&info);
		check_hidden(&info, size);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size < 37)
		return 0;
	size--;
	phys_base = malloc(size);
	memcpy(phys_base, data + 1, size);
	if (data[0] < 2)
		fuzz_table(data[0], (struct bytes){ phys_base, size });
	else
		fuzz_machine(data[0], size);
	free(phys_base);
	return 0;
}
