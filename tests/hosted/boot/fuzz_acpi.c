/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input is the RSDP's size, then all of physical memory, the RSDP at its start. Checksums
 * would stop almost every input, so each table's is made right before it is parsed.
 */
#include <stdlib.h>
#include <string.h>

#include <base/bytes.h>
#include <drivers/acpi/acpi.h>

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

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct acpi_info info;
	u8 rsdp[36] = { 0 };

	if (size < 37)
		return 0;
	size--;
	phys_base = malloc(size);
	memcpy(phys_base, data + 1, size);
	memcpy(rsdp, phys_base, 36);
	if (data[0] >= 36 && get64(rsdp + 24))
		repair_all(get64(rsdp + 24), 8, size);
	else
		repair_all(get32(rsdp + 16), 4, size);
	if (!acpi_parse(&info, rsdp, data[0] >= 36 ? 36 : data[0], size) &&
	    (!info.cpu_count || info.cpu_count > MAX_CPUS))
		abort();
	free(phys_base);
	return 0;
}
