/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI 6.5: RSDP (5.2.5), RSDT and XSDT (5.2.7, 5.2.8), FADT (5.2.9), MADT (5.2.12). */
#include <string.h>

#include <base/bytes.h>
#include <drivers/acpi/acpi.h>

#define TABLE_HEAD	36U
#define TABLE_MAX	(1 * MIB)	/* none of the tables read here comes near */

#define RSDP_RSDT	16
#define RSDP_XSDT	24

#define FADT_PM1A	64
#define FADT_PM1B	68
#define FADT_FLAGS	112
#define FADT_RESET	116
#define FADT_RESET_VALUE 128
#define FADT_X_PM1A	172
#define FADT_X_PM1B	184
#define FADT_SIZE_1	116
#define FADT_SIZE_2	129
#define FADT_SIZE_3	196
#define FADT_RESET_SUPPORTED BIT(10)

#define MADT_ENTRIES	44
#define MADT_LAPIC	0
#define MADT_X2APIC	9
#define MADT_ENABLED	BIT(0)

#define GAS_IO		1	/* Generic Address Structure: address space, address at 4 */

/* The whole table at `pa`; no bytes if it is not inside memory or too short or long. */
static struct bytes table_at(u64 pa, u64 reach)
{
	struct bytes head = bytes_phys(pa, TABLE_HEAD, reach);
	u32 size = head.at ? get32(head.at + 4) : 0;

	if (size < TABLE_HEAD || size > TABLE_MAX)
		return (struct bytes){ 0 };
	return bytes_phys(pa, size, reach);
}

static bool has_signature(struct bytes table, const char *signature)
{
	return table.at && !memcmp(table.at, signature, 4);
}

static const char *add_cpu(struct acpi_info *info, u32 id, u32 flags)
{
	if (!(flags & MADT_ENABLED))	/* could be plugged in later; Linux does not start it */
		return NULL;
	for (u32 i = 0; i < info->cpu_count; i++)
		if (info->apic_id[i] == id)
			return NULL;
	if (info->cpu_count == MAX_CPUS)
		return "ACPI: more than 64 processors: raise MAX_CPUS and build again";
	info->apic_id[info->cpu_count++] = id;
	return NULL;
}

/* One interrupt controller structure; its length was checked to be inside the table. */
static const char *madt_entry(struct acpi_info *info, const u8 *entry, u8 size)
{
	static const u8 sizes[] = { [MADT_LAPIC] = 8, [MADT_X2APIC] = 16 };

	if (entry[0] < ARRAY_SIZE(sizes) && size < sizes[entry[0]])
		return "ACPI: an entry of the MADT is too short for its type";
	if (entry[0] == MADT_LAPIC && entry[3] != 0xFF)
		return add_cpu(info, entry[3], get32(entry + 4));
	if (entry[0] == MADT_X2APIC && get32(entry + 4) != 0xFFFFFFFF)
		return add_cpu(info, get32(entry + 4), get32(entry + 8));
	return NULL;
}

static const char *parse_madt(struct acpi_info *info, struct bytes madt)
{
	u64 at = MADT_ENTRIES;

	if (madt.size < MADT_ENTRIES)
		return "ACPI: the MADT is too short";
	while (at < madt.size) {
		struct bytes head = bytes_part(madt, at, 2);
		const char *error;

		if (!head.at || head.at[1] < 2 || !bytes_part(madt, at, head.at[1]).at)
			return "ACPI: the MADT is damaged: an entry has a senseless length";
		error = madt_entry(info, head.at, head.at[1]);
		if (error)
			return error;
		at += head.at[1];
	}
	return info->cpu_count ? NULL : "ACPI: the MADT lists no enabled processor";
}

/* The port of a Generic Address Structure, with room for `size` bytes; 0 if it names none. */
static u16 gas_port(const u8 *gas, u32 size)
{
	u64 port = get64(gas + 4);

	return gas[0] == GAS_IO && port <= 0x10000 - size ? (u16)port : 0;
}

/* A PM1 control port: the 64-bit field counts if it is there and names a port. */
static u16 pm1_port(struct bytes fadt, u32 old, u32 extended)
{
	u16 port = fadt.size >= FADT_SIZE_3 ? gas_port(fadt.at + extended, 2) : 0;

	if (port)
		return port;
	return get32(fadt.at + old) <= 0xFFFE ? get32(fadt.at + old) : 0;
}

static const char *parse_fadt(struct acpi_info *info, struct bytes fadt)
{
	if (fadt.size < FADT_SIZE_1)
		return "ACPI: the FADT is too short";
	info->pm1_control[0] = pm1_port(fadt, FADT_PM1A, FADT_X_PM1A);
	info->pm1_control[1] = pm1_port(fadt, FADT_PM1B, FADT_X_PM1B);
	if (fadt.size < FADT_SIZE_2 || !(get32(fadt.at + FADT_FLAGS) & FADT_RESET_SUPPORTED))
		return NULL;
	info->reset_port = gas_port(fadt.at + FADT_RESET, 1);
	info->reset_value = fadt.at[FADT_RESET_VALUE];
	return NULL;
}

static const char *parse_iommu(struct acpi_info *info, struct bytes table)
{
	(void)table;
	info->has_iommu = true;
	return NULL;
}

static const struct {
	const char *signature;
	const char *(*parse)(struct acpi_info *info, struct bytes table);
	const char *missing;	/* an error if the table is; NULL: optional */
} wanted[] = {
	{ "APIC", parse_madt, "ACPI: there is no MADT: the CPUs are not known" },
	{ "FACP", parse_fadt, "ACPI: there is no FADT" },
	{ "DMAR", parse_iommu, NULL },
	{ "IVRS", parse_iommu, NULL },
};

/* The root table: entries of 8 bytes in the XSDT, 4 in the RSDT. */
struct root {
	struct bytes table;
	u32 entry_size;
};

static const char *find_root(struct root *root, const u8 *rsdp, u32 rsdp_size, u64 reach)
{
	u64 xsdt = rsdp_size >= 36 ? get64(rsdp + RSDP_XSDT) : 0;

	root->entry_size = xsdt ? 8 : 4;
	root->table = table_at(xsdt ? xsdt : get32(rsdp + RSDP_RSDT), reach);
	if (!has_signature(root->table, xsdt ? "XSDT" : "RSDT"))
		return "ACPI: there is no root table where the RSDP points";
	if (bytes_sum(root->table) || (root->table.size - TABLE_HEAD) % root->entry_size)
		return "ACPI: the root table is damaged";
	return NULL;
}

/* The first table of that name, as Linux takes it; 0 if there is none. */
static u64 find_table(const struct root *root, const char *signature, u64 reach)
{
	const u8 *at = root->table.at + TABLE_HEAD, *end = root->table.at + root->table.size;

	for (; at < end; at += root->entry_size) {
		u64 pa = root->entry_size == 8 ? get64(at) : get32(at);

		if (has_signature(bytes_phys(pa, 4, reach), signature))
			return pa;
	}
	return 0;
}

const char *acpi_parse(struct acpi_info *info, const u8 *rsdp, u32 rsdp_size, u64 reach)
{
	struct root root;
	const char *error;

	memset(info, 0, sizeof(*info));
	if (rsdp_size < 20)
		return "ACPI: the firmware has no RSDP";
	error = find_root(&root, rsdp, rsdp_size, reach);
	for (size_t i = 0; !error && i < ARRAY_SIZE(wanted); i++) {
		u64 pa = find_table(&root, wanted[i].signature, reach);
		struct bytes table = pa ? table_at(pa, reach) : (struct bytes){ 0 };

		if (!pa)
			error = wanted[i].missing;
		else if (!table.at || bytes_sum(table))
			error = "ACPI: a table is damaged: its length or checksum is wrong";
		else
			error = wanted[i].parse(info, table);
	}
	return error;
}
