/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor wants from ACPI's static tables. No table is kept. */
#ifndef DRIVERS_ACPI_ACPI_H
#define DRIVERS_ACPI_ACPI_H

#include <mm/dma.h>

#define ACPI_ECAM_MAX		16U
#define ACPI_IOMMU_TABLES_MAX	4U

/* PCI configuration space in memory: that of bus b begins at base + b MiB. */
struct acpi_ecam {
	u64 base;			/* where bus 0 would begin, as the MCFG has it */
	u16 segment;
	u8 first_bus, last_bus;
};

struct acpi_info {
	u32 cpu_count;			/* enabled processors */
	u32 apic_id[MAX_CPUS];		/* in the firmware's order */

	u16 pm1_control[2];		/* I/O ports, 0: none */
	u16 reset_port;			/* 0: the reset register is no port, or there is none */
	u8 reset_value;

	u32 ecam_count;
	struct acpi_ecam ecam[ACPI_ECAM_MAX];
	const char *ecam_problem;	/* NULL, or why the MCFG gives none of them */

	u8 ioapics[256 / 8];		/* a bit for each of the MADT that no IVRS names */
	struct dma_platform dma;
	u32 iommu_table_count;		/* what acpi_hide_iommu() hides */
	u64 iommu_table[ACPI_IOMMU_TABLES_MAX];
	u32 iommu_size;			/* of each: they are copies */
};

/*
 * Read the tables that the RSDP (`rsdp_size` bytes, 20 or 36, its checksum already
 * right) leads to. phys() must reach [0, reach). Returns NULL, or what is wrong; the
 * machine's CPUs are not known then, so there is nothing to start. A wrong MCFG, DMAR or
 * IVRS is no such error: see ecam_problem and dma.broken.
 */
const char *acpi_parse(struct acpi_info *info, const u8 *rsdp, u32 rsdp_size, u64 reach);

/* Rename the DMAR and the IVRS in place, so that no guest drives the units. They lie in
 * memory still as acpi_parse() found them. */
void acpi_hide_iommu(const struct acpi_info *info);

#endif
