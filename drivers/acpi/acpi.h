/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor wants from ACPI's static tables. No table is kept, none changed. */
#ifndef DRIVERS_ACPI_ACPI_H
#define DRIVERS_ACPI_ACPI_H

#include <base/types.h>

#define ACPI_MCFG_MAX	8U

/* Generic Address Structure's address spaces. */
enum acpi_space { ACPI_MEMORY = 0, ACPI_IO = 1, ACPI_PCI_CONFIG = 2 };

struct acpi_mcfg {
	u64 base;		/* of the configuration space of bus 0 of the segment */
	u16 segment;
	u8 first_bus, last_bus;
};

struct acpi_info {
	u32 cpu_count;			/* enabled processors */
	u32 apic_id[MAX_CPUS];		/* in the firmware's order */
	u32 absent_count;		/* could be plugged in later; not started, not listed */
	u64 lapic_base;			/* physical address of the local APICs */

	u16 pm1a_control, pm1b_control;	/* I/O ports, 0: none */
	bool has_reset;
	u8 reset_space;			/* enum acpi_space */
	u8 reset_value;
	u64 reset_address;

	u32 mcfg_count;
	struct acpi_mcfg mcfg[ACPI_MCFG_MAX];

	u64 dmar, ivrs;			/* physical addresses of the IOMMU's tables, 0: none */
	u32 dmar_size, ivrs_size;	/* checked: inside memory, right checksum */
};

/*
 * Read the tables that the RSDP (`rsdp_size` bytes, 20 or 36, its checksum already
 * right) leads to. phys() must reach [0, reach). Returns NULL, or what is wrong; the
 * machine's CPUs are not known then, so there is nothing to start.
 */
const char *acpi_parse(struct acpi_info *info, const u8 *rsdp, u32 rsdp_size, u64 reach);

#endif
