/* SPDX-License-Identifier: BSD-2-Clause */
/* Section titles are those of the AMD I/O Virtualization Technology (IOMMU) Specification. */
#include "model_amdvi.h"

struct amdvi_model amdvi_model[AMDVI_UNITS];

#define MEMORY_BITS	0x000FFFFFFFFFF000ULL
#define QUEUE_BYTES	(AMDVI_QUEUE * 16)

/* Contiguous, as the real one. */
void *pool_take(u64 bytes)
{
	u64 first = pool_tables.alloc(&pool_tables);

	CHECK(first);
	for (u64 at = PAGE_SIZE; at < bytes; at += PAGE_SIZE)
		CHECK_EQ(pool_tables.alloc(&pool_tables), first + at);
	return phys(first);
}

/* --- "Event Logging" ------------------------------------------------------------------ */

static void record(struct amdvi_model *unit, u64 low, u64 high)
{
	u64 next = (unit->event_tail + 16) % QUEUE_BYTES;
	u64 *slot = phys((unit->events & MEMORY_BITS) + unit->event_tail);

	if ((unit->status & (EVENTLOGRUN | EVENTOVERFLOW)) != EVENTLOGRUN)
		return;
	if (next == unit->event_head) {
		unit->status |= EVENTOVERFLOW;
		return;
	}
	CHECK(!slot[0] && !slot[1]);	/* who reads knows a new one by this */
	if (unit->late) {
		unit->held[unit->event_tail / 16].low = low;
		unit->held[unit->event_tail / 16].high = high;
	} else {
		slot[0] = low;
		slot[1] = high;
	}
	unit->event_tail = next;
}

void amdvi_write_late(struct amdvi_model *unit)
{
	u64 *log = phys(unit->events & MEMORY_BITS);

	for (u32 i = 0; i < AMDVI_QUEUE; i++) {
		if (!unit->held[i].low)
			continue;
		log[2 * i] = unit->held[i].low;
		log[2 * i + 1] = unit->held[i].high;
		unit->held[i].low = 0;
	}
}

void amdvi_record(struct amdvi_model *unit, u16 requester, u64 address, u8 code, bool write)
{
	record(unit, requester | (write ? BIT(53) : 0) | (u64)code << 60, address);
}

/* --- "Device Table", "I/O Page Tables" ------------------------------------------------ */

static struct amdvi_entry *find_entry(struct amdvi_model *unit, u16 requester)
{
	static u32 victim;
	struct amdvi_entry *entry;

	for (u32 i = 0; i < AMDVI_CACHE; i++)
		if (unit->entry[i].used && unit->entry[i].requester == requester)
			return &unit->entry[i];
	entry = &unit->entry[victim++ % AMDVI_CACHE];
	entry->used = true;
	entry->requester = requester;
	for (u32 i = 0; i < 4; i++)
		entry->quad[i] = unit_read64((unit->table & MEMORY_BITS) + requester * 32U + i * 8);
	return entry;
}

static bool in_table(const struct amdvi_model *unit, u16 requester)
{
	return requester < ((unit->table & 0x1FF) + 1) * (PAGE_SIZE / 32);
}

/* Nothing but what this hypervisor has a use for. */
static void check_entry(const u64 quad[4])
{
	CHECK_EQ(quad[0] & ~(MEMORY_BITS | 3ULL << 61 | 7ULL << 9 | 3), 0);
	CHECK_EQ(quad[1] & ~(0xFFFFULL | 3ULL << 40), 0);
	CHECK_EQ(quad[2] & ~(BIT(0) | 0xF7ULL << 56), 0);
	CHECK_EQ(quad[3], 0);
}

/* A leaf's and all branches' rights: 1 read, 2 write; 0 if something is not present. */
static u64 walk(u64 table, u32 level, u64 address)
{
	u64 rights = 3;

	for (;; level--) {
		u64 size = table_size(level);
		u64 entry = unit_read64(table + (address / size % 512) * 8);
		u64 next = entry >> 9 & 7;

		if (!(entry & 1))
			return 0;
		rights &= entry >> 61;
		CHECK_EQ(entry & ~(MEMORY_BITS | 0xFULL << 60 | 0xFE0ULL | 1), 0);
		if (!next) {
			CHECK(level < 4 && entry & BIT(60));	/* force coherent */
			CHECK_EQ(entry & MEMORY_BITS, address & ~(size - 1));	/* identity */
			return rights;
		}
		CHECK_EQ(next, level - 1);
		CHECK(!(entry & BIT(60)));	/* reserved */
		table = entry & MEMORY_BITS;
	}
}

static u64 find_rights(struct amdvi_model *unit, const u64 quad[4], u64 address)
{
	static u32 victim;
	struct amdvi_page *page;
	u16 domain = quad[1];

	for (u32 i = 0; i < AMDVI_CACHE; i++)
		if (unit->page[i].used && unit->page[i].domain == domain &&
		    unit->page[i].page == address >> 12)
			return unit->page[i].rights;
	CHECK_EQ(quad[0] >> 9 & 7, 4);
	page = &unit->page[victim++ % AMDVI_CACHE];
	*page = (struct amdvi_page){ true, domain, address >> 12, quad[0] >> 61 & 3 };
	if (page->rights)
		page->rights &= walk(quad[0] & MEMORY_BITS, 4, address);
	return page->rights;
}

/* What is right for a request: an event code, or 0. Both caches may lie: that is the point. */
static u8 translate(struct amdvi_model *unit, u16 requester, u64 address, bool write)
{
	const struct amdvi_entry *entry;

	if (unit->exclusion & 1 && address >= (unit->exclusion & MEMORY_BITS) &&
	    address <= (unit->exclusion_limit | 0xFFF))
		return 0;
	if (!in_table(unit, requester))
		return ILLEGAL_DEV_TABLE_ENTRY;
	entry = find_entry(unit, requester);
	if (!(entry->quad[0] & 1))
		return 0;
	check_entry(entry->quad);
	CHECK(entry->quad[0] & 2);
	return find_rights(unit, entry->quad, address) & (write ? 2 : 1) ? 0 : IO_PAGE_FAULT;
}

bool amdvi_dma(struct amdvi_model *unit, u16 requester, u64 address, bool write)
{
	u8 code = unit->control & IOMMUEN ? translate(unit, requester, address, write) : 0;

	if (code)
		amdvi_record(unit, requester, address, code, write);
	return !code;
}

/* "Interrupt Remapping": by quads 1 and 2 of the entry. */
static bool passes(const u64 quad[4], unsigned int mode)
{
	switch (mode) {
	case FIXED:
	case ARBITRATED:
		return (quad[2] >> 60 & 3) == 1;
	case SMI:
		return quad[1] >> 40 & 3;
	case NMI:
		return quad[2] & BIT(58);
	case INIT:
		return quad[2] & BIT(56);
	case EXTINT:
		return quad[2] & BIT(57);
	}
	return false;
}

bool amdvi_interrupt(struct amdvi_model *unit, u16 requester, unsigned int mode)
{
	const struct amdvi_entry *entry;

	if (!(unit->control & IOMMUEN))
		return true;
	if (!in_table(unit, requester))
		return false;
	entry = find_entry(unit, requester);
	check_entry(entry->quad);
	/* SysMgt counts whether or not the entry confines interrupts */
	return (!(entry->quad[2] & 1) && mode != SMI) || passes(entry->quad, mode);
}

/* --- "Commands" ----------------------------------------------------------------------- */

static void completion_wait(struct amdvi_model *unit, u64 low, u64 high)
{
	u64 pa = low & (MEMORY_BITS | 0xFF8);

	CHECK_EQ(low & ~pa, 1ULL << 60 | 1);
	CHECK(pa >= POOL_BASE && pa < MAP_BASE);
	*(u64 *)phys(pa) = high;
	unit->waits++;
}

static void forget_entry(struct amdvi_model *unit, u64 low, u64 high)
{
	CHECK(!(low & 0x0FFFFFFFFFFF0000) && !high && in_table(unit, low));
	for (u32 i = 0; i < AMDVI_CACHE; i++)
		if (unit->entry[i].requester == (u16)low)
			unit->entry[i].used = false;
	unit->entries_forgotten++;
}

static void forget_pages(struct amdvi_model *unit, u64 low, u64 high)
{
	CHECK_EQ(low & 0x0FFF0000FFFFFFFF, 0);
	CHECK_EQ(high, 0x7FFFFFFFFFFFF003);	/* everything, and the directories */
	for (u32 i = 0; i < AMDVI_CACHE; i++)
		if (unit->page[i].domain == (low >> 32 & 0xFFFF))
			unit->page[i].used = false;
}

static void forget_all(struct amdvi_model *unit, u64 low, u64 high)
{
	CHECK(unit->efr & EFR_IA && low == 8ULL << 60 && !high);
	memset(unit->entry, 0, sizeof(unit->entry));
	memset(unit->page, 0, sizeof(unit->page));
}

static void execute(struct amdvi_model *unit, u64 low, u64 high)
{
	unit->executed++;
	unit->invalidations += low >> 60 != 1;
	switch (low >> 60) {
	case 1: completion_wait(unit, low, high); return;
	case 2: forget_entry(unit, low, high); return;
	case 3: forget_pages(unit, low, high); return;
	case 8: forget_all(unit, low, high); return;
	}
	CHECK(!"a command that the unit knows");
}

void amdvi_run(struct amdvi_model *unit, u32 count)
{
	while (count-- && unit->status & CMDBUFRUN && unit->command_head != unit->command_tail) {
		u64 pa = (unit->commands & MEMORY_BITS) + unit->command_head;

		if (unit->breaks) {
			record(unit, (u64)ILLEGAL_COMMAND << 60, pa);
			unit->status &= ~CMDBUFRUN;
			break;
		}
		execute(unit, unit_read64(pa), unit_read64(pa + 8));
		unit->command_head = (unit->command_head + 16) % QUEUE_BYTES;
	}
}

/* --- "IOMMU Registers" ---------------------------------------------------------------- */

static struct amdvi_model *unit_at(u64 pa)
{
	u64 i = (pa - AMDVI_BASE(0)) / 0x80000;

	CHECK(i < AMDVI_UNITS);
	return &amdvi_model[i];
}

static u64 read_command_head(struct amdvi_model *unit)
{
	if (unit->hold && unit->lag && !unit->lag_left--) {
		amdvi_run(unit, 1);
		unit->lag_left = unit->lag;
	}
	return unit->command_head;
}

/* What runs is known by the status. */
static void set_run(struct amdvi_model *unit)
{
	u64 change = ((unit->status & (CMDBUFRUN | EVENTLOGRUN | PPRLOGRUN)) ^ unit->run) &
		~unit->stuck;

	if (change & EVENTLOGRUN && !(unit->run & EVENTLOGRUN))
		amdvi_write_late(unit);	/* what is on its way arrives before it stands */
	unit->status ^= change;
	amdvi_run(unit, unit->hold ? 0 : AMDVI_ALL);
}

static u64 read_status(struct amdvi_model *unit)
{
	if (unit->slow_left && !--unit->slow_left)
		set_run(unit);
	return unit->status;
}

static u64 model_read(u64 pa, unsigned int size)
{
	struct amdvi_model *unit = unit_at(pa);

	CHECK(size == 8 || (size == 4 && (pa & 0x7FFFF) >= 0x2000));	/* those fit in 32 bits */
	if (unit->dead)
		return size == 4 ? ~0U : ~0ULL;
	switch (pa & 0x7FFFF) {
	case 0x0000: return unit->table;
	case 0x0018: return unit->control;
	case 0x0030: return unit->efr;
	case 0x2000: return read_command_head(unit);
	case 0x2020: return read_status(unit);
	}
	CHECK(!"a register that there is");
	return 0;
}

static void write_control(struct amdvi_model *unit, u64 value)
{
	bool on = value & IOMMUEN;

	unit->was_off |= unit->control & IOMMUEN && !on;
	unit->control = value;
	unit->run = (on && value & CMDBUFEN ? CMDBUFRUN : 0) |
		(on && value & EVENTLOGEN && !(unit->status & EVENTOVERFLOW) ? EVENTLOGRUN : 0) |
		(on && value & PPRLOGEN ? PPRLOGRUN : 0);
	unit->slow_left = unit->slow;
	if (!unit->slow)
		set_run(unit);
}

/* A buffer is moved while it does not run; it has 256 entries in its page. */
static void set_base(const struct amdvi_model *unit, u64 run, u64 *base, u64 value)
{
	CHECK(!(unit->status & run));
	CHECK_EQ(value & ~MEMORY_BITS, 8ULL << 56);
	*base = value;
}

static void set_offset(bool may, u64 *offset, u64 value)
{
	CHECK(may && value < QUEUE_BYTES && !(value & 15));
	*offset = value;
}

static void model_write(u64 pa, unsigned int size, u64 value)
{
	struct amdvi_model *unit = unit_at(pa);
	bool commands = unit->status & CMDBUFRUN, events = unit->status & EVENTLOGRUN;

	CHECK_EQ(size, 8);
	if (unit->dead)
		return;
	switch (pa & 0x7FFFF) {
	case 0x0000:	/* in two halves: while it is on, they must not make a third address */
		CHECK(!(unit->control & IOMMUEN) || !((unit->table | value) >> 32));
		unit->table = value;
		return;
	case 0x0008: set_base(unit, CMDBUFRUN, &unit->commands, value); return;
	case 0x0010: set_base(unit, EVENTLOGRUN, &unit->events, value); return;
	case 0x0018: write_control(unit, value); return;
	case 0x0020: unit->exclusion = value; return;
	case 0x2000: set_offset(!commands, &unit->command_head, value); return;
	case 0x2008:
		set_offset(true, &unit->command_tail, value);
		amdvi_run(unit, unit->hold ? 0 : AMDVI_ALL);
		return;
	case 0x2010: set_offset(true, &unit->event_head, value); return;
	case 0x2018: set_offset(!events, &unit->event_tail, value); return;
	case 0x2020: unit->status &= ~(value & EVENTOVERFLOW & ~unit->stuck); return;
	}
	CHECK(!"a register that there is");
}

static const struct mmio_model amdvi_registers = { model_read, model_write };

void amdvi_reset(u64 efr, bool coherent)
{
	memset(amdvi_model, 0, sizeof(amdvi_model));
	for (u32 i = 0; i < AMDVI_UNITS; i++)
		amdvi_model[i].efr = efr;
	unit_sees = coherent ? SEES_CACHES : SEES_MEMORY;
	mmio_model = &amdvi_registers;
}
