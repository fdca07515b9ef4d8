/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOMMUs of AMD I/O Virtualization Technology: one device table for all of them, in which every
 * requester is blocked until its slot is admitted, host translation by the one map of the
 * machine, no device TLBs (ATS), no PASIDs; a command buffer and an event log for each. Names
 * are those of the AMD I/O Virtualization Technology (IOMMU) Specification (48882), "IOMMU
 * Registers", "Device Table", "Commands" and "Event Logging".
 */
#include "amdvi.h"

#include <base/mmio.h>
#include <mm/pool.h>

#include "unit.h"

#define DEVICE_TABLE_BASE 0x0000
#define COMMAND_BASE	0x0008
#define EVENT_BASE	0x0010
#define CONTROL		0x0018
#define EXCLUSION_BASE	0x0020
#define EXTENDED_FEATURE 0x0030
#define COMMAND_HEAD	0x2000
#define COMMAND_TAIL	0x2008
#define EVENT_HEAD	0x2010
#define EVENT_TAIL	0x2018
#define STATUS		0x2020

#define EFR_IASUP	BIT(6)		/* INVALIDATE_IOMMU_ALL */
#define EFR_PCSUP	BIT(9)		/* performance counters: more registers */
#define EFR_HATS(efr)	((efr) >> 10 & 3)
#define HATS_NONE	3		/* else 4 levels or more */
#define SIZE		(16 * KIB)
#define SIZE_PCSUP	(512 * KIB)

#define CONTROL_IOMMUEN	BIT(0)
#define CONTROL_HTTUNEN	BIT(1)
#define CONTROL_EVENTLOGEN BIT(2)
#define CONTROL_PASSPW	BIT(8)
#define CONTROL_RESPASSPW BIT(9)
#define CONTROL_COHERENT BIT(10)
#define CONTROL_ISOC	BIT(11)
#define CONTROL_CMDBUFEN BIT(12)
#define CONTROL_PPRLOGEN BIT(13)
#define CONTROL_GALOGEN	BIT(28)
#define CONTROL_LOGS	(CONTROL_EVENTLOGEN | CONTROL_CMDBUFEN | CONTROL_PPRLOGEN | CONTROL_GALOGEN)

#define STATUS_EVENTOVERFLOW BIT(0)
#define STATUS_EVENTLOGRUN BIT(3)
#define STATUS_CMDBUFRUN BIT(4)
#define STATUS_PPRLOGRUN BIT(7)
#define STATUS_GALOGRUN	BIT(8)
#define STATUS_RUN	(STATUS_EVENTLOGRUN | STATUS_CMDBUFRUN | STATUS_PPRLOGRUN | STATUS_GALOGRUN)

/* IVHD flags: what the firmware wants in the control register. */
#define IVHD_HTTUNEN	BIT(0)
#define IVHD_PASSPW	BIT(1)
#define IVHD_RESPASSPW	BIT(2)
#define IVHD_ISOC	BIT(3)
#define IVHD_COHERENT	BIT(5)

struct device_entry {
	u64 quad[4];
};
static_assert(sizeof(struct device_entry) == 32, "device table entries");
/* quad 0, its bits 9 to 11 and 61 to 62 as in page table entries */
#define DTE_V		BIT(0)
#define DTE_TV		BIT(1)
#define DTE_MODE_4	(4ULL << 9)
/* quad 1 */
#define DTE_SYSMGT(settings) (((settings) & 0x30ULL) << 36)
/* quad 2 */
#define DTE_IV		BIT(0)
#define DTE_INTCTL_PASS	BIT(60)		/* 00b: abort */
#define DTE_PASS(settings) (((settings) & 0xC7ULL) << 56) /* INIT, ExtInt, NMI, LINT0, LINT1 */

#define DOMAIN_BLOCKED	0ULL
#define DOMAIN		1ULL

#define COMPLETION_WAIT	(1ULL << 60 | BIT(0))	/* with a store */
#define INVALIDATE_DEVTAB_ENTRY (2ULL << 60)
#define INVALIDATE_IOMMU_PAGES (3ULL << 60)
#define INVALIDATE_IOMMU_ALL (8ULL << 60)
#define ALL_PAGES	(0x7FFFFFFFFFFFF000ULL | BIT(1) | BIT(0))	/* PDE, S: all addresses */

#define EVENT_CODE(low)	((low) >> 60)
#define EVENT_RW	BIT(53)
#define ILLEGAL_COMMAND_ERROR 5
#define COMMAND_HARDWARE_ERROR 6

#define QUEUE_LENGTH	(8ULL << 56)	/* QUEUE_SIZE in base registers */
#define SLOT_BYTES	(8 * sizeof(struct device_entry))
#define SLOTS_PER_PAGE	(PAGE_SIZE / SLOT_BYTES)
#define SPARE_BUSES	8U		/* for devices that come later, 8 KiB each */

static struct {
	u64 map;		/* table that device table entries point to */
	u64 table;		/* device table, */
	u32 slots;		/* of so many slots */
} amdvi;

/* --- Page table entries ------------------------------------------------------------------- */

/* TABLE_LEAF is ignored by hardware, to which a next level of 0 means a leaf. */
#define PTE_PR		BIT(0)
#define PTE_NEXT_LEVEL(level) ((u64)(level) << 9)
#define PTE_FC		BIT(60)		/* coherent, whatever the device says */
#define PTE_IR		BIT(61)
#define PTE_IW		BIT(62)

static bool amdvi_present(u64 entry)
{
	return entry & PTE_PR;
}

static unsigned int amdvi_rights(u64 entry)
{
	return (entry & PTE_IR ? TABLE_R : 0) | (entry & PTE_IW ? TABLE_W : 0);
}

static enum memory_type amdvi_type(u64 entry)
{
	(void)entry;
	return MEMORY_WB;
}

static u64 amdvi_make_leaf(u64 pa, unsigned int level, unsigned int rights, enum memory_type type)
{
	(void)type;
	return pa | PTE_PR | PTE_FC | (rights & TABLE_R ? PTE_IR : 0) |
		(rights & TABLE_W ? PTE_IW : 0) | (level > 1 ? TABLE_LEAF : 0);
}

static u64 amdvi_make_branch(u64 table_pa, unsigned int level)
{
	return table_pa | PTE_PR | PTE_NEXT_LEVEL(level - 1) | PTE_IR | PTE_IW;
}

static const struct table_format amdvi_format = {
	.name = "AMD-Vi",
	.present = amdvi_present,
	.rights = amdvi_rights,
	.type = amdvi_type,
	.make_leaf = amdvi_make_leaf,
	.make_branch = amdvi_make_branch,
};

/* --- Registers ---------------------------------------------------------------------------- */

static u64 read(const struct unit *unit, u32 at)
{
	return mmio_read64(unit->dma->registers + at);
}

static void write(const struct unit *unit, u32 at, u64 value)
{
	mmio_write64(unit->dma->registers + at, value);
}

static bool wait_status(const struct unit *unit, u64 mask, u64 value)
{
	return unit_wait_for(unit, STATUS, mask, value, WAIT_READS);
}

/* --- What a unit can do ------------------------------------------------------------------- */

/* A unit from before there were extended features reads as 0: four levels, nothing else. */
static const char *probe_unit(struct dma_unit *unit)
{
	u64 efr = mmio_read64(unit->registers + EXTENDED_FEATURE);

	if (efr == ~0ULL)
		return "AMD-Vi: a unit does not answer";
	if (EFR_HATS(efr) == HATS_NONE)
		return "AMD-Vi: a unit has no page tables for the host";
	unit->features[0] = efr;
	unit->size = efr & EFR_PCSUP ? SIZE_PCSUP : SIZE;
	return NULL;
}

/* Whether absent entries are cached stands in PCI configuration (NpCache): taken as true. */
static const char *probe(struct dma_platform *platform, struct dma_limits *limits)
{
	*limits = (struct dma_limits){ .largest_leaf = 3, .address_bits = 48, .coherent = true,
				       .flush_on_show = true };
	for (u32 i = 0; i < platform->unit_count; i++) {
		const char *error = probe_unit(&platform->unit[i]);

		if (error)
			return error;
		limits->coherent &= (platform->unit[i].flags & IVHD_COHERENT) != 0;
	}
	units.coherent = limits->coherent;
	return NULL;
}

/* --- The device table --------------------------------------------------------------------- */

/* Up to the last bus with an admitted slot, and some more. */
static u32 count_slots(const struct dma_platform *platform)
{
	u32 bus = DMA_BUSES - 1;

	while (bus && !platform->slots[bus])
		bus--;
	return min_u64((bus + 1 + SPARE_BUSES) * 32, DMA_SLOTS);
}

/* Device table, status words; a command buffer and an event log a unit. */
static u64 pages(const struct dma_platform *platform)
{
	return count_slots(platform) / SLOTS_PER_PAGE + 1 + 2 * platform->unit_count;
}

static struct device_entry *entry_of(u32 requester)
{
	return (struct device_entry *)phys(amdvi.table) + requester;
}

/*
 * Nobody gets through: neither the right to read nor to write, in a domain where nothing else
 * is cached, and behind that no more than the map. An entry of zeros would let everything pass
 * ("V, TV, and GV Fields in Device Table Entry"), one of mode 0 does not translate.
 */
static void block_all(u64 interrupts)
{
	for (u32 requester = 0; requester < amdvi.slots * 8; requester++)
		*entry_of(requester) = (struct device_entry){ {
			DTE_V | DTE_TV | DTE_MODE_4 | amdvi.map, DOMAIN_BLOCKED, interrupts } };
}

/* Fixed and arbitrated messages pass as they are, if messages are confined at all. */
static void open_interrupts(struct device_entry *entry)
{
	if (entry->quad[2] & DTE_IV)
		table_set(&entry->quad[2], entry->quad[2] | DTE_INTCTL_PASS);
}

/*
 * Eight entries. They are valid all the time, and what a unit reads meanwhile is blocked: the
 * rights, in quad 0, come last. ATS requests are refused (I = 0), faults reported (SE, SA 0).
 */
static void open_slot(u32 slot)
{
	for (u32 requester = slot * 8; requester < slot * 8 + 8; requester++) {
		struct device_entry *entry = entry_of(requester);

		open_interrupts(entry);
		table_set(&entry->quad[1], entry->quad[1] | DOMAIN);
		table_set(&entry->quad[0], entry->quad[0] | PTE_IR | PTE_IW);
	}
	unit_publish(amdvi.table + slot * SLOT_BYTES);
}

/* IOAPICs have requester numbers like devices, and may send what the IVRS lets them: without
 * ExtINT the PIC's interrupts would end here, without system management SMIs, which an entry
 * stops whether or not it confines interrupts. */
static void open_special(const struct dma_special *special)
{
	struct device_entry *entry = entry_of(special->requester);

	if (dma_slot(special->requester) >= amdvi.slots)
		return;
	open_interrupts(entry);
	entry->quad[1] |= DTE_SYSMGT(special->settings);
	entry->quad[2] |= DTE_PASS(special->settings);
	unit_publish(amdvi.table + special->requester * sizeof(*entry));
}

static bool confined(const struct dma_platform *platform)
{
	return platform->special_count && !platform->interrupts_pass;
}

static void make_device_table(const struct dma_platform *platform)
{
	u64 size;

	amdvi.slots = count_slots(platform);
	size = amdvi.slots * SLOT_BYTES;
	amdvi.table = phys_address(pool_take(size));
	block_all(confined(platform) ? DTE_IV : 0);
	for (u64 at = 0; at < size; at += PAGE_SIZE)
		unit_publish(amdvi.table + at);
	for (u32 slot = 0; slot < amdvi.slots; slot++)
		if (dma_platform_has(platform, slot))
			open_slot(slot);
	for (u32 i = 0; i < platform->special_count; i++)
		open_special(&platform->special[i]);
}

static const char *make_tables(struct dma_platform *platform, const struct dma_root *root)
{
	bool good;

	amdvi.map = root->level4;
	make_device_table(platform);
	good = units_make(platform, COMMAND_HEAD);
	for_each_unit(unit) {
		unit->events = unit_page();
		unit->dma->msi = confined(platform) ? DMA_MSI_FIXED : DMA_MSI_ANY;
		good = good && unit->events;
	}
	return good ? NULL : "AMD-Vi: no memory for tables";
}

/* --- The command buffer ------------------------------------------------------------------- */

/* The wait ends when all commands before it have, older requests drained ("COMPLETION_WAIT",
 * "INVALIDATE_IOMMU_PAGES"). */
static void put_wait(struct unit *unit)
{
	unit_put(unit, COMPLETION_WAIT | unit->status, ++unit->sequence);
	unit->dma->flushes++;
	unit_kick(unit);
}

static void forget_pages(struct unit *unit, u64 domain)
{
	unit_put(unit, INVALIDATE_IOMMU_PAGES | domain << 32, ALL_PAGES);
}

/* Entries of the device table, and what was cached for their domains. */
static void forget_requesters(struct unit *unit, u32 first, u32 count)
{
	for (u32 requester = first; requester < first + count; requester++) {
		unit_put(unit, INVALIDATE_DEVTAB_ENTRY | requester, 0);
		if (requester % 64 == 63)
			unit_kick(unit);
	}
	forget_pages(unit, DOMAIN_BLOCKED);
	forget_pages(unit, DOMAIN);
}

static void forget_everything(struct unit *unit)
{
	if (unit->dma->features[0] & EFR_IASUP)
		unit_put(unit, INVALIDATE_IOMMU_ALL, 0);
	else
		forget_requesters(unit, 0, amdvi.slots * 8);
	put_wait(unit);
}

static void flush(void)
{
	for_each_unit(unit) {
		forget_pages(unit, DOMAIN);
		put_wait(unit);
	}
}

static int admit(u32 slot)
{
	if (slot >= amdvi.slots)
		return -1;
	open_slot(slot);
	for_each_unit(unit) {
		forget_requesters(unit, slot * 8, 8);
		put_wait(unit);
	}
	return units_wait();
}

/* --- The event log ------------------------------------------------------------------------ */

/* The log begins at 0; it was cleared as it was read. */
static void log_on(struct unit *unit)
{
	unit->head = 0;
	write(unit, EVENT_BASE, unit->events | QUEUE_LENGTH);
	write(unit, EVENT_HEAD, 0);
	write(unit, EVENT_TAIL, 0);
	write(unit, STATUS, STATUS_EVENTOVERFLOW);
}

static bool tell(u64 low, u64 address)
{
	u8 code = EVENT_CODE(low);

	if (code == ILLEGAL_COMMAND_ERROR || code == COMMAND_HARDWARE_ERROR)
		return false;
	dma_fault(&(struct dma_fault){
		.address = address,
		.requester = (u16)low,
		.code = code,
		.write = low & EVENT_RW,
	});
	return true;
}

/*
 * Units have moved the tail before the event was in memory, so it is the event that is waited
 * for, whose code is not 0: the log is cleared as it is read. At most one round. False if a
 * command failed.
 */
static bool take_events(struct unit *unit)
{
	struct entry *events = phys(unit->events);
	bool good = true;
	u32 count;

	for (count = 0; count < QUEUE_SIZE; count++) {
		struct entry *event = &events[unit->head];
		u64 low = __atomic_load_n(&event->low, __ATOMIC_ACQUIRE);

		if (!EVENT_CODE(low))
			break;
		good &= tell(low, event->high);
		*event = (struct entry){ 0 };
		unit->head = (unit->head + 1) % QUEUE_SIZE;
	}
	if (!count)
		return true;
	unit_publish(unit->events);
	asm volatile("" : : : "memory");
	write(unit, EVENT_HEAD, (u64)unit->head << QUEUE_SHIFT);
	return good;
}

/* It stopped when it was full. What comes late, while it is switched off, would be in the way
 * of the new one. */
static bool restart_log(struct unit *unit)
{
	u64 control = read(unit, CONTROL);
	bool good;

	dma_fault_lost();
	write(unit, CONTROL, control & ~CONTROL_EVENTLOGEN);
	wait_status(unit, STATUS_EVENTLOGRUN, 0);
	good = take_events(unit);
	log_on(unit);
	write(unit, CONTROL, control);
	return good;
}

static const char *collect(void)
{
	const char *error = NULL;

	for_each_unit(unit) {
		u64 status = read(unit, STATUS);
		bool good;

		if (status == ~0ULL) {
			error = "AMD-Vi: a unit answers no more";
			continue;
		}
		good = take_events(unit);
		if (status & STATUS_EVENTOVERFLOW)
			good &= restart_log(unit);
		if (!good || !(status & STATUS_CMDBUFRUN) || unit->failed)
			error = "AMD-Vi: the command buffer of a unit stopped";
	}
	return error;
}

/* --- On and off --------------------------------------------------------------------------- */

static u64 control_of(const struct unit *unit)
{
	u8 flags = unit->dma->flags;

	return CONTROL_IOMMUEN | CONTROL_EVENTLOGEN | CONTROL_CMDBUFEN | CONTROL_COHERENT |
		(flags & IVHD_HTTUNEN ? CONTROL_HTTUNEN : 0) |
		(flags & IVHD_PASSPW ? CONTROL_PASSPW : 0) |
		(flags & IVHD_RESPASSPW ? CONTROL_RESPASSPW : 0) |
		(flags & IVHD_ISOC ? CONTROL_ISOC : 0);
}

/*
 * What the firmware left on. Its buffers and logs stop, since they move only when they do not
 * run; its translation stays until the new device table replaces it, so that there is no moment
 * without. Units take a new table's address in two halves (as AMD told Linux), which is one step
 * only if both tables lie below 4 GiB, as the pool does; else translation stops too.
 */
static bool take_over(const struct unit *unit)
{
	u64 stop = CONTROL_LOGS | (read(unit, DEVICE_TABLE_BASE) >> 32 ? CONTROL_IOMMUEN : 0);

	write(unit, CONTROL, read(unit, CONTROL) & ~stop);
	return wait_status(unit, STATUS_RUN, 0);
}

/* A table's size counts pages; a queue begins at 0. */
static void set_tables(struct unit *unit)
{
	write(unit, EXCLUSION_BASE, 0);
	write(unit, COMMAND_BASE, unit->queue | QUEUE_LENGTH);
	write(unit, COMMAND_HEAD, 0);
	write(unit, COMMAND_TAIL, 0);
	log_on(unit);
	write(unit, DEVICE_TABLE_BASE, amdvi.table | (amdvi.slots / SLOTS_PER_PAGE - 1));
	write(unit, CONTROL, control_of(unit));
}

static const char *start_unit(struct unit *unit)
{
	if (!take_over(unit))
		return "AMD-Vi: a unit does not stop the firmware's command buffer and logs";
	set_tables(unit);
	if (!wait_status(unit, STATUS_RUN, STATUS_CMDBUFRUN | STATUS_EVENTLOGRUN))
		return "AMD-Vi: a unit does not start its command buffer and event log";
	forget_everything(unit);
	return unit_wait(unit) ? NULL : "AMD-Vi: a unit does not end an invalidation";
}

static void stop_unit(const struct unit *unit)
{
	unit->dma->msi = DMA_MSI_ANY;
	write(unit, CONTROL, 0);
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

const struct dma_ops amdvi_ops = {
	.name = "AMD-Vi",
	.format = &amdvi_format,
	.probe = probe,
	.pages = pages,
	.start = start,
	.admit = admit,
	.flush = flush,
	.flushed = units_flushed,
	.collect = collect,
};
