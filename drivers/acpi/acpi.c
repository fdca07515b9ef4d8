/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI 6.5: RSDP (5.2.5), RSDT and XSDT (5.2.7, 5.2.8), FADT (5.2.9), MADT (5.2.12). MCFG: PCI
 * Firmware Specification 3.3, 4.1.2.
 */
#include <string.h>

#include <drivers/acpi/iommu.h>

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
#define MADT_IOAPIC	1
#define MADT_X2APIC	9
#define MADT_ENABLED	BIT(0)

#define MCFG_ENTRIES	44
#define MCFG_ENTRY	16	/* base, segment, first and last bus, reserved */

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
	static const u8 sizes[] = {
		[MADT_LAPIC] = 8, [MADT_IOAPIC] = 12, [MADT_X2APIC] = 16,
	};

	if (entry[0] < ARRAY_SIZE(sizes) && size < sizes[entry[0]])
		return "ACPI: an entry of the MADT is too short for its type";
	if (entry[0] == MADT_LAPIC && entry[3] != 0xFF)
		return add_cpu(info, entry[3], get32(entry + 4));
	if (entry[0] == MADT_IOAPIC)
		info->ioapics[entry[2] / 8] |= (u8)(1U << entry[2] % 8);
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

static const char *parse_mcfg(struct acpi_info *info, struct bytes mcfg)
{
	if (!mcfg.at || bytes_sum(mcfg))
		return "the MCFG is damaged: its length or checksum is wrong";
	if (mcfg.size < MCFG_ENTRIES || (mcfg.size - MCFG_ENTRIES) % MCFG_ENTRY)
		return "the MCFG is damaged: it is no whole number of entries";
	for (u64 at = MCFG_ENTRIES; at < mcfg.size; at += MCFG_ENTRY) {
		const u8 *entry = mcfg.at + at;
		struct acpi_ecam ecam = { get64(entry), get16(entry + 8), entry[10], entry[11] };

		if (!IS_ALIGNED(ecam.base, MIB) || ecam.first_bus > ecam.last_bus ||
		    !(ecam.base + ecam.first_bus * MIB) || ecam.base > BIT(52) - 256 * MIB)
			return "the MCFG is damaged: a senseless entry";
		if (info->ecam_count == ACPI_ECAM_MAX)
			return "the MCFG has more than 16 entries";
		info->ecam[info->ecam_count++] = ecam;
	}
	return NULL;
}

/* A root table: entries of 8 bytes in the XSDT, 4 in the RSDT. */
struct root {
	struct bytes table;
	u32 entry_size, count;
};

static const char *root_at(struct root *root, u64 pa, bool xsdt, u64 reach)
{
	root->entry_size = xsdt ? 8 : 4;
	root->table = table_at(pa, reach);
	if (!has_signature(root->table, xsdt ? "XSDT" : "RSDT"))
		return "ACPI: there is no root table where the RSDP points";
	if (bytes_sum(root->table) || (root->table.size - TABLE_HEAD) % root->entry_size)
		return "ACPI: the root table is damaged";
	root->count = (root->table.size - TABLE_HEAD) / root->entry_size;
	return NULL;
}

/* The table that an entry of the root points to, if it has that name; or 0. */
static u64 root_entry(const struct root *root, u32 i, const char *signature, u64 reach)
{
	const u8 *at = root->table.at + TABLE_HEAD + i * root->entry_size;
	u64 pa = root->entry_size == 8 ? get64(at) : get32(at);

	return has_signature(bytes_phys(pa, 4, reach), signature) ? pa : 0;
}

/* The first table of that name, as Linux takes it; 0 if there is none. */
static u64 find_table(const struct root *root, const char *signature, u64 reach)
{
	u64 pa = 0;

	for (u32 i = 0; i < root->count && !pa; i++)
		pa = root_entry(root, i, signature, reach);
	return pa;
}

static const struct {
	const char *signature;
	const char *(*parse)(struct acpi_info *info, struct bytes table);
	const char *missing;
} wanted[] = {
	{ "APIC", parse_madt, "ACPI: there is no MADT: the CPUs are not known" },
	{ "FACP", parse_fadt, "ACPI: there is no FADT" },
};

static const char *parse_wanted(struct acpi_info *info, const struct root *root, u64 reach)
{
	const char *error = NULL;

	for (size_t i = 0; !error && i < ARRAY_SIZE(wanted); i++) {
		u64 pa = find_table(root, wanted[i].signature, reach);
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

/* Every one of them: what is not known cannot be hidden. */
static void find_iommus(struct acpi_info *info, const struct root *root, u64 reach)
{
	for (u32 i = 0; i < root->count; i++) {
		u64 dmar = root_entry(root, i, "DMAR", reach);
		u64 ivrs = root_entry(root, i, "IVRS", reach);

		if (dmar)
			iommu_table(info, DMA_VTD, dmar, table_at(dmar, reach));
		if (ivrs)
			iommu_table(info, DMA_AMDVI, ivrs, table_at(ivrs, reach));
	}
}

const char *acpi_parse(struct acpi_info *info, const u8 *rsdp, u32 rsdp_size, u64 reach)
{
	u64 xsdt, rsdt, mcfg;
	struct root root, old;
	const char *error;

	memset(info, 0, sizeof(*info));
	if (rsdp_size < 20)
		return "ACPI: the firmware has no RSDP";
	rsdt = get32(rsdp + RSDP_RSDT);
	xsdt = rsdp_size >= 36 ? get64(rsdp + RSDP_XSDT) : 0;
	error = root_at(&root, xsdt ? xsdt : rsdt, xsdt, reach);
	if (!error)
		error = parse_wanted(info, &root, reach);
	if (error)
		return error;
	mcfg = find_table(&root, "MCFG", reach);
	if (mcfg)
		info->ecam_problem = parse_mcfg(info, table_at(mcfg, reach));
	if (info->ecam_problem)
		info->ecam_count = 0;
	find_iommus(info, &root, reach);
	/* an OS can be told to go by the RSDT although there is an XSDT (Linux: acpi=rsdt) */
	if (xsdt && rsdt && !root_at(&old, rsdt, false, reach))
		find_iommus(info, &old, reach);
	return NULL;
}
