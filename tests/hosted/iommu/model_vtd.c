/* SPDX-License-Identifier: BSD-2-Clause */
/* Section titles are those of the Intel VT-d specification. */
#include "model_vtd.h"

struct model_unit model[MODEL_UNITS];

#define HAS(unit, bit)	(((unit)->cap & (bit)) != 0)
#define HAS_E(unit, bit) (((unit)->ecap & (bit)) != 0)

/* --- "Fault Logging" ------------------------------------------------------------------ */

void model_record(struct model_unit *unit, u16 requester, u64 address, u8 reason, bool write)
{
	u32 at = unit->next_record;

	if (unit->fsts & FSTS_PFO)
		return;
	if (unit->record[at].high >> 63) {
		unit->fsts |= FSTS_PFO;
		return;
	}
	if (!(unit->fsts & FSTS_PPF))
		unit->fsts = (unit->fsts & ~0xFF00U) | at << 8 | FSTS_PPF;
	unit->record[at].low = address;
	unit->record[at].high = BIT(63) | (write ? 0 : BIT(62)) | (u64)reason << 32 | requester;
	unit->next_record = (at + 1) % MODEL_RECORDS;
}

static void clear_record(struct model_unit *unit, u32 at)
{
	bool any = false;

	unit->record[at].high &= ~BIT(63);
	for (u32 i = 0; i < MODEL_RECORDS; i++)
		any |= unit->record[i].high >> 63;
	if (!any)
		unit->fsts &= ~FSTS_PPF;
}

/* --- Caches and walks ----------------------------------------------------------------- */

static struct model_cached *cached(struct model_cached *cache, u32 requester, u64 page)
{
	for (u32 i = 0; i < MODEL_CACHE; i++)
		if (cache[i].used && cache[i].requester == requester && cache[i].page == page)
			return &cache[i];
	return NULL;
}

static void keep(struct model_cached *cache, struct model_cached entry)
{
	static u32 victim;
	u32 at = victim++ % MODEL_CACHE;

	for (u32 i = 0; i < MODEL_CACHE; i++)
		if (!cache[i].used)
			at = i;
	entry.used = true;
	cache[at] = entry;
}

static void forget_domain(struct model_unit *unit, u16 domain)
{
	for (u32 i = 0; i < MODEL_CACHE; i++)
		if ((unit->iotlb[i].high >> 8 & 0xFFFF) == domain)
			unit->iotlb[i].used = false;
}

/* The context entry of a requester, from the cache or the tables; 0 or a fault reason. */
static u8 find_context(struct model_unit *unit, u16 requester, u64 *low, u64 *high)
{
	struct model_cached *known = cached(unit->context, requester, 0), entry = { 0 };
	u64 root = unit->root + (u64)(requester >> 8) * 16, table;
	u8 reason = 0;

	if (!known) {
		u64 root_low = unit_read64(root);

		CHECK_EQ(unit_read64(root + 8), 0);
		CHECK_EQ(root_low & 0xFFE, 0);
		table = (root_low & TABLE_ADDRESS) + (u64)(requester & 0xFF) * 16;
		entry.requester = requester;
		entry.low = root_low & 1 ? unit_read64(table) : 0;
		entry.high = root_low & 1 ? unit_read64(table + 8) : 0;
		reason = !(root_low & 1) ? 1 : !(entry.low & 1) ? 2 : 0;
		if (!reason || HAS(unit, CAP_CM))
			keep(unit->context, entry);
		known = &entry;
	}
	*low = known->low;
	*high = known->high;
	return reason ? reason : *low & 1 ? 0 : 2;
}

/* "Second-Stage Translation": to the leaf; rights 0 if something is not present. */
static void walk(const struct model_unit *unit, u64 table, u32 level, u64 address,
		 struct model_cached *leaf)
{
	leaf->rights = 3;
	for (;; level--) {
		u64 size = table_size(level);
		u64 entry = unit_read64(table + (address / size % 512) * 8);

		leaf->rights &= entry;
		if (!leaf->rights)
			return;
		if (level == 1 || entry & BIT(7)) {
			/* "Large pages" that the unit does not know are reserved bits */
			CHECK(level < 4 && (level == 1 || unit->cap >> 34 & BIT(level - 2)));
			CHECK_EQ(entry & TABLE_ADDRESS & (size - 1), 0);
			CHECK_EQ(entry & ~(TABLE_ADDRESS | BIT(7) | 3), 0);
			leaf->pa = (entry & TABLE_ADDRESS) + (address & (size - 1) & ~0xFFFULL);
			return;
		}
		CHECK_EQ(entry & ~(TABLE_ADDRESS | 3), 0);
		table = entry & TABLE_ADDRESS;
	}
}

static u8 translate(struct model_unit *unit, u16 requester, u64 address, bool write)
{
	struct model_cached *known, leaf = { .page = address >> 12, .requester = requester };
	u64 low, high, width;
	u8 reason = find_context(unit, requester, &low, &high);

	if (reason)
		return reason;
	CHECK_EQ(low & 0xFFE, 0);		/* FPD, TT and what is reserved */
	CHECK_EQ(high & ~0xFFFF07ULL, 0);
	CHECK(high >> 8);			/* "Caching Mode" keeps domain 0 */
	width = high & 7;
	if (!(unit->cap >> 8 & BIT(width)))
		return 3;
	if (address >> min_u64(30 + 9 * width, (unit->cap >> 16 & 0x3F) + 1))
		return 4;
	known = cached(unit->iotlb, requester, address >> 12);
	if (!known) {
		leaf.high = high;
		walk(unit, low & TABLE_ADDRESS, width + 2, address, &leaf);
		if (leaf.rights || HAS(unit, CAP_CM))
			keep(unit->iotlb, leaf);
		known = &leaf;
	}
	if (!(known->rights & (write ? 2 : 1)))
		return write ? 5 : 6;
	CHECK_EQ(known->pa, address & ~0xFFFULL);	/* the map is an identity map */
	return 0;
}

bool model_dma(struct model_unit *unit, u16 requester, u64 address, bool write)
{
	u8 reason = unit->gsts & TE ? translate(unit, requester, address, write) : 0;

	if (unit->pmen & EPM && address < 16 * MIB)
		return false;
	if (reason)
		model_record(unit, requester, address & ~0xFFFULL, reason, write);
	return !reason;
}

/* "Interrupt Remapping" */
bool model_interrupt(struct model_unit *unit, u16 requester, bool remappable, u16 index)
{
	u32 entries = 2U << (unit->interrupts & 15);
	u8 reason = 0;

	if (!(unit->gsts & IRE))
		return true;
	if (!remappable)
		reason = unit->gsts & CFI ? 0 : 0x25;
	else if (index >= entries)
		reason = 0x21;
	else
		reason = unit_read64((unit->interrupts & TABLE_ADDRESS) + index * 16) & 1 ? 0 : 0x22;
	if (reason)
		model_record(unit, requester, (u64)index << 48, reason, true);
	return !reason;
}

/* --- "Queued Invalidation" ------------------------------------------------------------ */

static void invalidate_context(struct model_unit *unit, u64 low, u64 high)
{
	CHECK_EQ(low >> 4 & 3, 1);	/* global */
	CHECK_EQ((low & ~0x3FULL) | high, 0);
	unit->stale_context = false;
	memset(unit->context, 0, sizeof(unit->context));
}

static void invalidate_iotlb(struct model_unit *unit, u64 low, u64 high)
{
	u64 drain = (HAS(unit, BIT(54)) ? BIT(6) : 0) | (HAS(unit, BIT(55)) ? BIT(7) : 0);
	u64 granularity = low >> 4 & 3;

	CHECK_EQ(low & (BIT(6) | BIT(7)), drain);
	CHECK_EQ(high, 0);
	CHECK(!unit->stale_context);	/* context caches come first */
	if (granularity == 1) {
		CHECK_EQ(low & ~0xFFULL, 0);
		memset(unit->iotlb, 0, sizeof(unit->iotlb));
		unit->stale_iotlb = false;
	} else {
		CHECK_EQ(granularity, 2);
		CHECK_EQ(low & ~0xFFFF00FFULL, 0);
		forget_domain(unit, low >> 16 & 0xFFFF);
	}
	unit->drained++;
}

static void invalidation_wait(struct model_unit *unit, u64 low, u64 high)
{
	CHECK_EQ(low & 0xFFFFFFFF & ~0x4FULL, BIT(5));	/* SW, no interrupt */
	CHECK(low & BIT(6));				/* the next ones come later */
	CHECK(IS_ALIGNED(high, 4) && high >= POOL_BASE && high < MAP_BASE);
	*(u32 *)phys(high) = low >> 32;
	unit->waits++;
}

static void execute(struct model_unit *unit)
{
	u64 *descriptor = phys((unit->iqa & TABLE_ADDRESS) + unit->iqh);
	u64 low = descriptor[0], high = descriptor[1];

	unit->descriptors++;
	unit->invalidations += (low & 15) != 5;
	switch (low & 15) {
	case 1:
		invalidate_context(unit, low, high);
		break;
	case 2:
		invalidate_iotlb(unit, low, high);
		break;
	case 4:
		CHECK(HAS_E(unit, ECAP_IR) && low == 4 && !high);
		unit->stale_interrupts = false;
		break;
	case 5:
		invalidation_wait(unit, low, high);
		break;
	default:
		CHECK(!"a descriptor that the unit knows");
	}
}

void model_run(struct model_unit *unit, u32 count)
{
	while (count-- && unit->gsts & QIE && unit->iqh != unit->iqt && !(unit->fsts & FSTS_IQE)) {
		if (unit->breaks) {
			unit->fsts |= FSTS_IQE;
			break;
		}
		execute(unit);
		unit->iqh = (unit->iqh + 16) % PAGE_SIZE;
	}
}

/* --- "Global Command Register" -------------------------------------------------------- */

static void set_root(struct model_unit *unit)
{
	unit->root = unit->rtaddr & TABLE_ADDRESS;
	unit->stale_context = unit->stale_iotlb = true;
}

static void switch_queue(struct model_unit *unit, bool on)
{
	if (on) {
		CHECK(!unit->iqt && !(unit->iqa & 0xFFF));	/* 256 descriptors of 128 bits */
		unit->iqh = 0;
	} else {
		CHECK(unit->iqh == unit->iqt || unit->fsts & FSTS_IQE ||
		      (unit->hold && !unit->lag));	/* it hangs: there is no better moment */
	}
}

static void switch_translation(struct model_unit *unit, bool on)
{
	if (on && !(unit->gsts & TE))
		CHECK(unit->gsts & SRTP && !unit->stale_context && !unit->stale_iotlb);
	if (!on)
		unit->was_off = true;
}

static void command(struct model_unit *unit, u32 value)
{
	const u32 once = SRTP | WBF | SIRTP;
	u32 kept = unit->gsts & ~once, change = (value ^ kept) & ~unit->stuck;

	CHECK(__builtin_popcount(value ^ kept) <= 1);	/* one at a time */
	if (change & TE)
		switch_translation(unit, value & TE);
	if (change & QIE)
		switch_queue(unit, value & QIE);
	if (change & IRE && value & IRE)
		CHECK(unit->gsts & SIRTP && !unit->stale_interrupts);
	if (change & SRTP)
		set_root(unit);
	if (change & SIRTP) {
		CHECK(!(unit->gsts & IRE) && !(unit->irta & BIT(11)));
		unit->interrupts = unit->irta;
		unit->stale_interrupts = true;
	}
	if (value & WBF) {
		CHECK(HAS(unit, CAP_RWBF));
		if (change & WBF)
			memory_drain();
		else
			unit->gsts |= WBF;
	}
	if (unit->no_cfi)
		change &= ~CFI;
	unit->gsts = (unit->gsts | (change & once & ~WBF)) ^ (change & ~once);
}

/* --- Registers ------------------------------------------------------------------------ */

static struct model_unit *unit_at(u64 pa)
{
	u64 i = (pa - MODEL_BASE(0)) / 0x1000;

	CHECK(i < MODEL_UNITS);
	return &model[i];
}

/* Time passes with each read. */
static void lag(struct model_unit *unit)
{
	if (unit->hold && unit->lag && !unit->lag_left--) {
		model_run(unit, 1);
		unit->lag_left = unit->lag;
	}
}

static u64 read_record(const struct model_unit *unit, u32 offset)
{
	CHECK(offset / 16 < MODEL_RECORDS && !(offset & 7));
	return offset & 8 ? unit->record[offset / 16].high : unit->record[offset / 16].low;
}

static u64 model_read(u64 pa, unsigned int size)
{
	struct model_unit *unit = unit_at(pa);
	u32 at = pa & 0xFFF;

	CHECK(IS_ALIGNED(pa, size));
	if (unit->dead)
		return size == 4 ? ~0U : ~0ULL;
	lag(unit);
	switch (at) {
	case 0x00: return unit->version;
	case 0x08: return unit->cap;
	case 0x10: return unit->ecap;
	case 0x1C: return unit->gsts;
	case 0x20: return unit->rtaddr;
	case 0x34: return unit->fsts;
	case 0x64: return unit->pmen;
	case 0x80: return unit->iqh;
	case 0x88: return unit->iqt;
	}
	CHECK(at >= 0x400 && size == 8);
	return read_record(unit, at - 0x400);
}

static void write_regions(struct model_unit *unit, u32 value)
{
	CHECK(HAS(unit, CAP_PMR));
	CHECK(unit->gsts & TE);		/* never a moment without protection */
	unit->pmen = value & EPM ? EPM | PRS : unit->keeps_regions ? PRS : 0;
}

static void write_faults(struct model_unit *unit, u32 value)
{
	unit->fsts &= ~(value & (FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE));
}

static void model_write(u64 pa, unsigned int size, u64 value)
{
	struct model_unit *unit = unit_at(pa);
	u32 at = pa & 0xFFF;

	CHECK(IS_ALIGNED(pa, size));
	unit->writes++;
	if (unit->dead)
		return;
	switch (at) {
	case 0x18: CHECK_EQ(size, 4); command(unit, value); return;
	case 0x20: CHECK_EQ(size, 8); unit->rtaddr = value; return;
	case 0x34: CHECK_EQ(size, 4); write_faults(unit, value); return;
	case 0x38: unit->fectl = value; return;
	case 0x64: write_regions(unit, value); return;
	case 0x88:
		unit->iqt = value;
		model_run(unit, unit->hold ? 0 : MODEL_ALL);
		return;
	case 0x90: CHECK(!(unit->gsts & QIE)); unit->iqa = value; return;
	case 0xB8: CHECK_EQ(size, 8); unit->irta = value; return;
	}
	CHECK(at >= 0x400 && size == 4 && (at & 15) == 12 && value == BIT(31));
	clear_record(unit, (at - 0x400) / 16);
}

static const struct mmio_model vtd_model = { model_read, model_write };

void model_reset(u64 cap, u64 ecap)
{
	memset(model, 0, sizeof(model));
	for (u32 i = 0; i < MODEL_UNITS; i++) {
		model[i].version = 0x10;
		model[i].cap = cap;
		model[i].ecap = ecap;
	}
	unit_sees = cap & CAP_RWBF ? SEES_DRAINED : ecap & ECAP_C ? SEES_CACHES : SEES_MEMORY;
	mmio_model = &vtd_model;
}
