/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMA remapping units of Intel VT-d, in legacy mode: one root table for all of them, a context
 * table for each bus with an admitted slot, second-stage translation by the one map of the
 * machine, no device TLBs, queued invalidation. Names are those of the Intel VT-d
 * specification, "Register Descriptions", "Translation Structure Formats" and "Queued
 * Invalidation Interface".
 */
#include "vtd.h"

#include <base/mmio.h>

#include "unit.h"

#define VER_REG		0x00
#define CAP_REG		0x08
#define ECAP_REG	0x10
#define GCMD_REG	0x18
#define GSTS_REG	0x1C
#define RTADDR_REG	0x20
#define FSTS_REG	0x34
#define FECTL_REG	0x38
#define PMEN_REG	0x64
#define IQH_REG		0x80
#define IQT_REG		0x88
#define IQA_REG		0x90
#define IRTA_REG	0xB8

#define CAP_RWBF	BIT(4)		/* a write buffer stands between memory and the unit */
#define CAP_PMR		(BIT(5) | BIT(6))	/* PLMR, PHMR */
#define CAP_CM		BIT(7)		/* caches what is not present, too */
#define CAP_SAGAW(cap)	((cap) >> 8 & 0x1F)
#define SAGAW_39	BIT(1)		/* 3 levels */
#define SAGAW_48	BIT(2)		/* 4 levels */
#define CAP_MGAW(cap)	(((cap) >> 16 & 0x3F) + 1)
#define CAP_FRO(cap)	(((cap) >> 24 & 0x3FF) * 16)
#define CAP_SLLPS(cap)	((cap) >> 34 & 0xF)
#define SLLPS_2M	BIT(0)
#define SLLPS_1G	BIT(1)
#define CAP_NFR(cap)	(((cap) >> 40 & 0xFF) + 1)
#define CAP_DWD		BIT(54)		/* can drain writes, */
#define CAP_DRD		BIT(55)		/* and reads */

#define ECAP_C		BIT(0)
#define ECAP_QI		BIT(1)
#define ECAP_IR		BIT(3)
#define ECAP_IRO(ecap)	(((ecap) >> 8 & 0x3FF) * 16)

/* The same bits in GCMD and GSTS. */
#define GCMD_TE		BIT(31)
#define GCMD_SRTP	BIT(30)
#define GCMD_WBF	BIT(27)
#define GCMD_QIE	BIT(26)
#define GCMD_IRE	BIT(25)
#define GCMD_SIRTP	BIT(24)
#define GCMD_CFI	BIT(23)
#define GSTS_KEPT	(GCMD_TE | GCMD_QIE | GCMD_IRE | GCMD_CFI)

#define RTADDR_TTM	(3ULL << 10)	/* 0: legacy mode */
#define IRTA_256	7ULL		/* 2^(7 + 1) entries */

#define FSTS_PFO	BIT(0)
#define FSTS_PPF	BIT(1)
#define FSTS_QUEUE	(BIT(4) | BIT(5) | BIT(6))	/* IQE, ICE, ITE */
#define FSTS_FRI(fsts)	((fsts) >> 8 & 0xFF)
#define FECTL_IM	BIT(31)
#define PMEN_EPM	BIT(31)
#define PMEN_PRS	BIT(0)

/* Fault recording registers: 16 bytes, F is written last. */
#define FRCD_SIZE	16
#define FRCD_HIGH	8
#define FRCD_F		BIT(31)		/* of the last four bytes */
#define FRCD_IS_READ	BIT(62)		/* of the high half: T1 */
#define FRCD_FR(high)	((high) >> 32 & 0xFF)

/* Fault reasons 20h to 2Fh are of interrupt remapping and name an index, no address. */
#define FR_IS_INTERRUPT(reason) (((reason) & 0xF0) == 0x20)

/* of a root and a context table; of the queue */
#define ENTRY_P		BIT(0)
#define CONTEXT_AW_39	1ULL
#define CONTEXT_AW_48	2ULL
#define CONTEXT_DID	((u64)DOMAIN << 8)
#define DOMAIN		1		/* every unit has 16 domains or more; 0 is special with CM */

#define DESC_CONTEXT_GLOBAL	(1ULL | 1ULL << 4)
#define DESC_IOTLB_GLOBAL	(2ULL | 1ULL << 4)
#define DESC_IOTLB_DOMAIN	(2ULL | 2ULL << 4 | (u64)DOMAIN << 16)
#define DESC_IOTLB_DW		BIT(6)
#define DESC_IOTLB_DR		BIT(7)
#define DESC_INTERRUPT_GLOBAL	4ULL
#define DESC_WAIT		(5ULL | BIT(5) | BIT(6))	/* SW, FN: in order, and say so */
#define DESC_WAIT_DATA(data)	((u64)(data) << 32)

#define SPARE_BUSES	16U		/* context tables for buses that come later */
#define CFI_READS	1000U		/* not every unit has this bit */

static struct {
	u32 tables_left;	/* context tables that may still be made */
	u64 width;		/* CONTEXT_AW_* */
	u64 map;		/* table that context entries point to */
	u64 root, interrupts;	/* root table; interrupt remapping table, empty for ever */
} vtd;

/* --- Second-stage paging entries ---------------------------------------------------------- */

#define SS_R	BIT(0)
#define SS_W	BIT(1)

static bool vtd_present(u64 entry)
{
	return entry & (SS_R | SS_W);
}

static unsigned int vtd_rights(u64 entry)
{
	return (entry & SS_R ? TABLE_R : 0) | (entry & SS_W ? TABLE_W : 0);
}

static enum memory_type vtd_type(u64 entry)
{
	(void)entry;
	return MEMORY_WB;
}

static u64 vtd_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return pa | (rights & TABLE_R ? SS_R : 0) | (rights & TABLE_W ? SS_W : 0) |
		(level > 1 ? TABLE_LEAF : 0);
}

static u64 vtd_make_branch(u64 table_pa, unsigned int level)
{
	(void)level;
	return table_pa | SS_R | SS_W;
}

static const struct table_format vtd_format = {
	.name = "VT-d",
	.present = vtd_present,
	.rights = vtd_rights,
	.type = vtd_type,
	.make_leaf = vtd_make_leaf,
	.make_branch = vtd_make_branch,
};

/* --- Registers ---------------------------------------------------------------------------- */

static u32 read(const struct unit *unit, u32 at)
{
	return mmio_read32(unit->dma->registers + at);
}

static void write(const struct unit *unit, u32 at, u64 value)
{
	mmio_write32(unit->dma->registers + at, (u32)value);
}

static void write64(const struct unit *unit, u32 at, u64 value)
{
	mmio_write64(unit->dma->registers + at, value);
}

static bool has(const struct unit *unit, u64 cap)
{
	return unit->dma->features[0] & cap;
}

static bool has_extended(const struct unit *unit, u64 ecap)
{
	return unit->dma->features[1] & ecap;
}

/* GCMD takes one change at a time, the others as GSTS has them. */
static void give(const struct unit *unit, u64 bit, bool on)
{
	u64 kept = read(unit, GSTS_REG) & GSTS_KEPT;

	write(unit, GCMD_REG, on ? kept | bit : kept & ~bit);
}

static bool command(const struct unit *unit, u64 bit, bool on)
{
	give(unit, bit, on);
	return unit_wait_for(unit, GSTS_REG, bit, on ? bit : 0, WAIT_READS);
}

static bool off(const struct unit *unit, u64 bit)
{
	return !(read(unit, GSTS_REG) & bit) || command(unit, bit, false);
}

/* --- What a unit can do ------------------------------------------------------------------- */

static const char *probe_unit(struct dma_unit *unit)
{
	u32 version = mmio_read32(unit->registers + VER_REG);
	u64 cap = mmio_read64(unit->registers + CAP_REG);
	u64 ecap = mmio_read64(unit->registers + ECAP_REG);
	u64 end = max_u64(CAP_FRO(cap) + CAP_NFR(cap) * FRCD_SIZE, ECAP_IRO(ecap) + 16);

	if (!version || !cap || version == ~0U || cap == ~0ULL || ecap == ~0ULL)
		return "VT-d: a unit does not answer";
	if (!(ecap & ECAP_QI))
		return "VT-d: a unit has no queued invalidation";
	if (CAP_FRO(cap) < IRTA_REG + 8)
		return "VT-d: the fault recording registers of a unit lie in others";
	unit->features[0] = cap;
	unit->features[1] = ecap;
	unit->size = (u32)max_u64(unit->size, ALIGN_UP(end, PAGE_SIZE));	/* as the DMAR has it, or more */
	return NULL;
}

static unsigned int largest_leaf(u64 cap)
{
	if (!(CAP_SLLPS(cap) & SLLPS_2M))
		return 1;
	return CAP_SLLPS(cap) & SLLPS_1G ? 3 : 2;
}

static const char *probe(struct dma_platform *platform, struct dma_limits *limits)
{
	u64 widths = SAGAW_39 | SAGAW_48, bits = 48;

	*limits = (struct dma_limits){ .largest_leaf = 3, .coherent = true };
	for (u32 i = 0; i < platform->unit_count; i++) {
		struct dma_unit *unit = &platform->unit[i];
		const char *error = probe_unit(unit);
		u64 cap = unit->features[0];

		if (error)
			return error;
		limits->largest_leaf = min_u64(limits->largest_leaf, largest_leaf(cap));
		limits->coherent &= (unit->features[1] & ECAP_C) != 0;
		limits->flush_on_show |= (cap & (CAP_CM | CAP_RWBF)) != 0;
		widths &= CAP_SAGAW(cap);
		bits = min_u64(bits, CAP_MGAW(cap));
	}
	if (!widths)
		return "VT-d: the units share neither 39-bit nor 48-bit tables";
	units.coherent = limits->coherent;
	vtd.width = widths & SAGAW_48 ? CONTEXT_AW_48 : CONTEXT_AW_39;
	limits->address_bits = widths & SAGAW_48 ? bits : min_u64(bits, 39);
	return NULL;
}

/* --- Root and context tables -------------------------------------------------------------- */

/* Root table, interrupt remapping table, status words; a queue a unit; a context table a bus. */
static u64 pages(const struct dma_platform *platform)
{
	u64 buses = 0;

	for (u32 bus = 0; bus < DMA_BUSES; bus++)
		buses += platform->slots[bus] != 0;
	return 3 + platform->unit_count + buses + SPARE_BUSES;
}

/* The context table of a bus, made at its first slot; 0 if there is no frame left for it. */
static u64 context_table(u32 bus)
{
	struct entry *root = (struct entry *)phys(vtd.root) + bus;
	u64 table = root->low & TABLE_ADDRESS;

	if (table)
		return table;
	table = vtd.tables_left ? unit_page() : 0;
	if (!table)
		return 0;
	vtd.tables_left--;
	table_set(&root->low, table | ENTRY_P);
	unit_publish(vtd.root);
	return table;
}

/*
 * Eight context entries: present, translation type 0, in which a device's own translations and
 * requests for them (ATS) are blocked, as are PASIDs. What a unit reads meanwhile is whole: the
 * high half is written first.
 */
static bool open_slot(u32 slot)
{
	u64 table = context_table(slot >> 5);
	struct entry *entries;

	if (!table)
		return false;
	entries = (struct entry *)phys(table) + (slot & 31) * 8;
	for (u32 function = 0; function < 8; function++) {
		table_set(&entries[function].high, CONTEXT_DID | vtd.width);
		table_set(&entries[function].low, vtd.map | ENTRY_P);
	}
	unit_publish(table);
	return true;
}

static const char *make_tables(struct dma_platform *platform, const struct dma_root *root)
{
	bool good = units_make(platform, IQH_REG);

	vtd.map = vtd.width == CONTEXT_AW_48 ? root->level4 : root->level3;
	vtd.root = unit_page();
	vtd.interrupts = unit_page();
	vtd.tables_left = DMA_BUSES;
	good = good && vtd.root && vtd.interrupts;
	for (u32 slot = 0; good && slot < DMA_SLOTS; slot++)
		if (dma_platform_has(platform, slot))
			good = open_slot(slot);
	vtd.tables_left = SPARE_BUSES;
	return good ? NULL : "VT-d: no memory for tables";
}

/* --- The invalidation queue --------------------------------------------------------------- */

/* "Write Buffer Flushing": what was written to tables is where the unit looks. */
static bool flush_write_buffer(const struct unit *unit)
{
	if (!has(unit, CAP_RWBF))
		return true;
	give(unit, GCMD_WBF, true);
	return unit_wait_for(unit, GSTS_REG, GCMD_WBF, 0, WAIT_READS);
}

/*
 * Ask a unit to forget: the map's translations, or everything it may have cached. The wait
 * descriptor ends when all before it have, older requests drained.
 */
static void forget(struct unit *unit, bool everything)
{
	u64 drain = (has(unit, CAP_DRD) ? DESC_IOTLB_DR : 0) |
		(has(unit, CAP_DWD) ? DESC_IOTLB_DW : 0);

	unit->failed = unit->failed || !flush_write_buffer(unit);
	if (everything) {
		unit_put(unit, DESC_CONTEXT_GLOBAL, 0);
		unit_put(unit, DESC_IOTLB_GLOBAL | drain, 0);
		if (has_extended(unit, ECAP_IR))
			unit_put(unit, DESC_INTERRUPT_GLOBAL, 0);
	} else {
		unit_put(unit, DESC_IOTLB_DOMAIN | drain, 0);
	}
	unit_put(unit, DESC_WAIT | DESC_WAIT_DATA(++unit->sequence), unit->status);
	unit->dma->flushes++;
	unit_kick(unit);
}

static void flush(void)
{
	for_each_unit(unit)
		forget(unit, false);
}

/* A unit may have cached that there was no entry, under a domain that is not ours. */
static int admit(u32 slot)
{
	if (slot >= DMA_SLOTS || !open_slot(slot))
		return -1;
	for_each_unit(unit)
		forget(unit, true);
	return units_wait();
}

/* --- Faults ------------------------------------------------------------------------------- */

/* Fault recording register `index`: tell, if it holds a fault, and free it. */
static void take_record(const struct unit *unit, u32 index, bool tell)
{
	u64 at = unit->dma->registers + CAP_FRO(unit->dma->features[0]) + index * FRCD_SIZE;
	u64 high = mmio_read64(at + FRCD_HIGH);
	u8 reason = FRCD_FR(high);

	if (!(high >> 32 & FRCD_F))
		return;
	if (tell)
		dma_fault(&(struct dma_fault){
			.address = FR_IS_INTERRUPT(reason) ? 0 : mmio_read64(at) & ~(PAGE_SIZE - 1),
			.requester = (u16)high,
			.code = reason,
			.write = !(high & FRCD_IS_READ),
		});
	mmio_write32(at + FRCD_HIGH + 4, FRCD_F);
}

/* The records are a ring; the oldest stands at FRI. Overflow is cleared last: until then the
 * unit records nothing. */
static void take_records(const struct unit *unit, u32 fsts, bool tell)
{
	u32 count = CAP_NFR(unit->dma->features[0]);

	for (u32 i = 0; i < count; i++)
		take_record(unit, (FSTS_FRI(fsts) + i) % count, tell);
	if (!(fsts & FSTS_PFO))
		return;
	if (tell)
		dma_fault_lost();
	write(unit, FSTS_REG, FSTS_PFO);
}

static const char *collect(void)
{
	const char *error = NULL;

	for_each_unit(unit) {
		u32 fsts = read(unit, FSTS_REG);

		if (fsts == ~0U) {
			error = "VT-d: a unit answers no more";
			continue;
		}
		if (fsts & (FSTS_PPF | FSTS_PFO))
			take_records(unit, fsts, true);
		if (fsts & FSTS_QUEUE || unit->failed)
			error = "VT-d: the invalidation queue of a unit stopped";
		if (~read(unit, GSTS_REG) & (GCMD_TE | GCMD_QIE))
			error = "VT-d: a unit was switched off";
	}
	return error;
}

/* --- On and off --------------------------------------------------------------------------- */

/* "Queued Invalidation Interface": a queue is switched off when it is empty, if it ever is. */
static bool queue_off(const struct unit *unit)
{
	if (read(unit, GSTS_REG) & GCMD_QIE)
		unit_wait_for(unit, IQH_REG, ~0ULL, read(unit, IQT_REG), WAIT_READS);
	return off(unit, GCMD_QIE);
}

/*
 * What the firmware left on. Its translation stays, so that there is no moment without, unless
 * its tables are of another mode ("Root Table Address Register": TTM changes while it is off).
 */
static const char *take_over(const struct unit *unit)
{
	if (mmio_read64(unit->dma->registers + RTADDR_REG) & RTADDR_TTM && !off(unit, GCMD_TE))
		return "VT-d: a unit does not stop the firmware's translation";
	if (!off(unit, GCMD_IRE) || !off(unit, GCMD_CFI))
		return "VT-d: a unit does not stop the firmware's interrupt remapping";
	return queue_off(unit) ? NULL :
		"VT-d: a unit does not stop the firmware's invalidation queue";
}

/* A queue begins at 0; errors of an older one would keep it from running. */
static bool queue_on(const struct unit *unit)
{
	take_records(unit, read(unit, FSTS_REG) | FSTS_PFO, false);
	write(unit, FSTS_REG, FSTS_QUEUE);
	write64(unit, IQT_REG, 0);
	write64(unit, IQA_REG, unit->queue);
	return command(unit, GCMD_QIE, true);
}

/*
 * Interrupt remapping with an empty table stops messages in remappable format, which nobody
 * uses here, and lets those of compatibility format pass: only where the unit agrees to that,
 * else Linux had no interrupts.
 */
static const char *remap_interrupts(const struct unit *unit)
{
	unit->dma->msi = DMA_MSI_ANY;
	if (!has_extended(unit, ECAP_IR))
		return NULL;
	give(unit, GCMD_CFI, true);
	if (!unit_wait_for(unit, GSTS_REG, GCMD_CFI, GCMD_CFI, CFI_READS))
		return NULL;
	if (!command(unit, GCMD_IRE, true))
		return "VT-d: a unit does not start to remap interrupts";
	unit->dma->msi = DMA_MSI_COMPATIBLE;
	return NULL;
}

/* Memory that the firmware, or a measured launch, protected until now. */
static bool open_protected_memory(const struct unit *unit)
{
	if (!has(unit, CAP_PMR) || !(read(unit, PMEN_REG) & PMEN_EPM))
		return true;
	write(unit, PMEN_REG, 0);
	return unit_wait_for(unit, PMEN_REG, PMEN_PRS, 0, WAIT_READS);
}

static const char *set_tables(const struct unit *unit)
{
	write(unit, FECTL_REG, FECTL_IM);	/* faults are asked for */
	write64(unit, RTADDR_REG, vtd.root);
	if (!command(unit, GCMD_SRTP, true))
		return "VT-d: a unit does not take the root table";
	if (!has_extended(unit, ECAP_IR))
		return NULL;
	write64(unit, IRTA_REG, vtd.interrupts | IRTA_256);
	return command(unit, GCMD_SIRTP, true) ? NULL :
		"VT-d: a unit does not take the interrupt remapping table";
}

static const char *start_unit(struct unit *unit)
{
	const char *error = take_over(unit);

	if (!error && !flush_write_buffer(unit))
		error = "VT-d: a unit does not empty its write buffer";
	if (!error)
		error = set_tables(unit);
	if (error)
		return error;
	if (!queue_on(unit))
		return "VT-d: a unit does not start its invalidation queue";
	forget(unit, true);
	if (!unit_wait(unit))
		return "VT-d: a unit does not end an invalidation";
	error = remap_interrupts(unit);
	if (error)
		return error;
	if (!command(unit, GCMD_TE, true))
		return "VT-d: a unit does not start translation";
	return open_protected_memory(unit) ? NULL :
		"VT-d: a unit keeps its protected memory regions";
}

static void stop_unit(const struct unit *unit)
{
	unit->dma->msi = DMA_MSI_ANY;
	off(unit, GCMD_TE);
	off(unit, GCMD_IRE);
	queue_off(unit);
}

static const char *start(struct dma_platform *platform, const struct dma_root *root)
{
	const char *error = make_tables(platform, root);

	for_each_unit(unit)
		error = error ? error : start_unit(unit);
	for_each_unit(unit)
		if (error)
			stop_unit(unit);
	return error;
}

const struct dma_ops vtd_ops = {
	.name = "VT-d",
	.format = &vtd_format,
	.probe = probe,
	.pages = pages,
	.start = start,
	.admit = admit,
	.flush = flush,
	.flushed = units_flushed,
	.collect = collect,
};
