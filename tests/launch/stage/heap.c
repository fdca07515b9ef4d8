/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TXT heap (TXT, appendix C) as SINIT leaves it, and tboot's shared page, version 6.
 * Sections: BiosData, OsMleData, OsSinitData, SinitMleData, each led by its size with that
 * word counted in. Offsets in SinitMleData count from the size word.
 */
#include "stage.h"

#define BIOS_SIZE	0x40U
#define OSMLE_SIZE	0x80U
#define OSSINIT_SIZE	0x80U
#define SINITMLE_HEAD	(8U + 148U)	/* up to the extended data */
#define EXTENDED_SIZE	8U		/* its end element alone */
#define MDR_SIZE	24U
#define DMAR_MAX	4096U
#define DMAR_STRUCTURES	48U
#define RMRR_SIZE	24U

/* From a section's size word on. */
#define OSSINIT_PMR_LOW		(8 + 32)
#define OSSINIT_PMR_HIGH	(8 + 48)
#define SINITMLE_MDRS		(8 + 128)
#define SINITMLE_DMAR		(8 + 136)

static u32 bios, osmle, ossinit, sinitmle;

static bool is_table(u32 at, const char *name)
{
	return same((void *)at, name, 4);
}

/* Where the firmware's root table names the DMAR, or 0. */
static u32 find_entry(void)
{
	u32 root = info.rsdp ? get32(info.rsdp + 16) : 0, size;

	if (!root || !is_table(root, "RSDT"))
		return 0;
	size = get32(root + 4);
	for (u32 at = root + 36; at + 4 <= root + size; at += 4)
		if (is_table(get32(at), "DMAR"))
			return at;
	return 0;
}

static void set_sum(u32 table)
{
	u32 size = get32(table + 4);
	u8 sum = 0;

	*(u8 *)(table + 9) = 0;
	for (u32 i = 0; i < size; i++)
		sum += ((u8 *)table)[i];
	*(u8 *)(table + 9) = (u8)-sum;
}

/* The firmware's DMAR goes on where there is room, with memory at `base` reserved for DMA: at the end of
 * the DPR, which nobody hides from Linux. */
static void add_rmrr(u32 entry, u32 base)
{
	u32 size = get32(get32(entry) + 4), table = places.dpr_end - 2 * PAGE_SIZE, rmrr = table + size;

	if (get32(entry) == table)
		fail("there is room for one RMRR");
	if (size > DMAR_MAX)
		fail("the DMAR table is too long");
	copy((void *)table, (void *)get32(entry), size);
	put32(table + 4, size + RMRR_SIZE);
	put32(rmrr, 1 | RMRR_SIZE << 16);
	put64(rmrr + 8, base);
	put64(rmrr + 16, base + PAGE_SIZE - 1);
	set_sum(table);
	put32(entry, table);
	set_sum(info.rsdp ? get32(info.rsdp + 16) : 0);
}

/* The firmware's DMAR has another enumeration ID in the first scope of its first structure. */
static void change_scope(u32 dmar)
{
	*(u8 *)(dmar + DMAR_STRUCTURES + 16 + 4) ^= 1;
	set_sum(dmar);
}

/* The first unit that a DMAR names is the rig's, which has protected memory regions (registers.c). */
static void name_unit(u32 dmar)
{
	u32 size = get32(dmar + 4), at = dmar + DMAR_STRUCTURES;

	while (at + 16 <= dmar + size && get32(at) & 0xFFFF)
		at += get32(at) >> 16;
	if (at + 16 > dmar + size)
		fail("the DMAR table names no unit");
	put64(at + 8, UNIT_BASE);
	set_sum(dmar);
}

/* Memory that SINIT has found good: all of it, or none that the modules lie in. */
static u32 build_mdrs(u32 at)
{
	u64 least = option("mdr", 1) ? 0 : 0x100000000ULL;
	u32 count = 0;

	for (u32 i = 0; i < info.ranges; i++) {
		const struct range *range = &info.range[i];

		if (range->type == RESERVED || range->base >= range->end || range->base < least)
			continue;
		put64(at, range->base);
		put64(at + 8, range->end - range->base);
		put64(at + 16, 0);		/* type 0 */
		at += MDR_SIZE;
		count++;
	}
	return count;
}

static void build_sinitmle(void)
{
	u32 entry = find_entry(), dmar, size, extended = sinitmle + SINITMLE_HEAD;
	u32 mdrs = extended + EXTENDED_SIZE, count = build_mdrs(mdrs), table = mdrs + count * MDR_SIZE;

	if (entry && option("opens", 0))
		add_rmrr(entry, (u32)option("opens", 0));	/* before SINIT copies it */
	dmar = entry ? get32(entry) : 0;
	size = dmar ? get32(dmar + 4) : 0;
	if (size > DMAR_MAX)
		fail("the DMAR table is too long");
	if (dmar && option("unit", 1) && option("dmar", 1))
		name_unit(dmar);
	put32(sinitmle + 8, 9);			/* version: TPM 2.0 */
	put32(extended, 0);			/* end of the extended data */
	put32(extended + 4, EXTENDED_SIZE);
	put32(sinitmle + SINITMLE_MDRS, count);
	put32(sinitmle + SINITMLE_MDRS + 4, mdrs - sinitmle);
	copy((void *)table, (void *)dmar, size);
	if (dmar && option("unit", 1))
		name_unit(table);
	if (dmar && option("scope", 0))
		change_scope(dmar);
	if (dmar && option("rmrr", 0))
		add_rmrr(entry, (u32)option("rmrr", 0));
	put32(sinitmle + SINITMLE_DMAR, size);
	put32(sinitmle + SINITMLE_DMAR + 4, table - sinitmle);
	put64(sinitmle, table + size - sinitmle);
}

static void build_ossinit(void)
{
	const u64 four_gib = 0x100000000ULL;

	put64(ossinit, OSSINIT_SIZE);
	put32(ossinit + 8, 7);			/* version: TPM 2.0 */
	put64(ossinit + OSSINIT_PMR_LOW, 0);
	put64(ossinit + OSSINIT_PMR_LOW + 8, places.low_end);
	if (places.ram_end > four_gib) {
		put64(ossinit + OSSINIT_PMR_HIGH, four_gib);
		put64(ossinit + OSSINIT_PMR_HIGH + 8, places.ram_end - four_gib);
	}
}

static void set_bios(u32 offset, u64 value)
{
	put32(bios + 8 + offset, (u32)value);
}

static void set_osmle(u32 offset, u64 value)
{
	put32(osmle + 8 + offset, (u32)value);
}

static void set_ossinit(u32 offset, u64 value)
{
	put32(ossinit + 8 + offset, (u32)value);
}

static void set_sinitmle(u32 offset, u64 value)
{
	put32(sinitmle + 8 + offset, (u32)value);
}

static void vary(void)
{
	each_option("bios", set_bios);
	each_option("osmle", set_osmle);
	each_option("ossinit", set_ossinit);
	each_option("sinitmle", set_sinitmle);
	put64(bios, option("bios.size", get64(bios)));
	put64(osmle, option("osmle.size", get64(osmle)));
	put64(ossinit, option("ossinit.size", get64(ossinit)));
	put64(sinitmle, option("sinitmle.size", get64(sinitmle)));
}

void heap_build(void)
{
	clear((void *)places.heap, places.heap_size);
	bios = places.heap;
	osmle = bios + BIOS_SIZE;
	ossinit = osmle + OSMLE_SIZE;
	sinitmle = ossinit + OSSINIT_SIZE;
	put64(bios, BIOS_SIZE);
	put32(bios + 8, 6);			/* version */
	put32(bios + 8 + 24, 1);		/* logical processors */
	put32(bios + 8 + 36, 0);		/* end of the extended data */
	put32(bios + 8 + 40, EXTENDED_SIZE);
	put64(osmle, OSMLE_SIZE);
	put32(osmle + 8, 3);
	build_ossinit();
	build_sinitmle();
	vary();
}

/* tboot's shared page, include/tboot.h there. */
struct address {
	u8 space, width, offset, access;
	u64 address;
} __attribute__((packed));

struct page {
	u8 uuid[16];
	u32 version, log, shutdown_entry, shutdown_type;
	struct address pm1a_control, pm1b_control, pm1a_event, pm1b_event;
	u16 pm1a_value, pm1b_value;
	u64 wakeup_vector;
	u32 vector_width;
	u64 s3_resume;
	u32 base, size;
	u8 mac_count;
	u8 mac[32 * 12];
	u8 s3_key[64];
	u8 alignment[3];
	u32 waiting, flags;
	u64 wake_address;
	u32 wake_trigger;
} __attribute__((packed));

_Static_assert(offsetof(struct page, base) == 0x68, "tboot");
_Static_assert(offsetof(struct page, s3_key) == 0x1F1, "tboot");
_Static_assert(offsetof(struct page, waiting) == 0x234, "tboot");
_Static_assert(sizeof(struct page) == 0x248, "tboot");

static union {
	struct page page;
	u8 bytes[PAGE_SIZE];
} shared __attribute__((aligned(4096)));

static const u8 uuid[16] = {	/* 663C8DFF-E8B3-4B82-AABF-19EA4D057A08 */
	0xFF, 0x8D, 0x3C, 0x66, 0xB3, 0xE8, 0x82, 0x4B,
	0xBF, 0xAA, 0x19, 0xEA, 0x4D, 0x05, 0x7A, 0x08,	/* a word of tboot's, so turned round */
};

/* The rig reads where Linux or Carrel went to shut down. */
static void shut_down(void)
{
	say("shutdown ");
	say_hex(shared.page.shutdown_type);
	say("\n");
	outb(0xCF9, 6);
	for (;;)
		asm volatile("cli; hlt");
}

static void set_page(u32 offset, u64 value)
{
	put32((u32)&shared + offset, (u32)value);
}

void page_build(void)
{
	struct page *page = &shared.page;

	copy(page->uuid, uuid, sizeof(uuid));
	page->version = 6;
	page->log = 0x60000;
	page->shutdown_entry = (u32)shut_down;
	page->base = (u32)stage_begin;
	page->size = (u32)(stage_end - stage_begin);
	each_option("page", set_page);
	places.page = (u32)&shared;
}
