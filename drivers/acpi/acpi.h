/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor wants from ACPI's static tables. No table is kept, none changed. */
#ifndef DRIVERS_ACPI_ACPI_H
#define DRIVERS_ACPI_ACPI_H

#include <base/types.h>

struct acpi_info {
	u32 cpu_count;			/* enabled processors */
	u32 apic_id[MAX_CPUS];		/* in the firmware's order */

	u16 pm1_control[2];		/* I/O ports, 0: none */
	u16 reset_port;			/* 0: the reset register is no port, or there is none */
	u8 reset_value;
	bool has_iommu;			/* there is a DMAR or an IVRS, with a right checksum */
};

/*
 * Read the tables that the RSDP (`rsdp_size` bytes, 20 or 36, its checksum already
 * right) leads to. phys() must reach [0, reach). Returns NULL, or what is wrong; the
 * machine's CPUs are not known then, so there is nothing to start.
 */
const char *acpi_parse(struct acpi_info *info, const u8 *rsdp, u32 rsdp_size, u64 reach);

#endif
