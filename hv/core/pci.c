/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI Local Bus 3.0, 3.2.2.3.2: the ports; PCI Express Base, 7.2.2: ECAM, 4 KiB a function. */
#include "pci.h"

#include <base/lock.h>
#include <base/log.h>
#include <base/x86.h>
#include <mm/frame.h>

#include "stats.h"
#include "store.h"

#define ADDRESS_ENABLE	BIT(31)
#define ECAM_BUS	BIT(20)
#define ECAM_FUNCTION	BIT(12)
#define HOST_VIEW_MAX	BIT(46)		/* boot/main.c, physical_limit() */
#define WINDOWS_MAX	64U

/* Held from the look at the address to the write of data, so that no CPU moves it meanwhile. */
static struct lock ports_lock;
static u8 guarded[0x10000 / 8];		/* of segment 0, a bit a function */

static struct window {
	u64 base, begin, end;
	u16 segment;
} windows[WINDOWS_MAX];
static unsigned int window_count;

/* --- Boot -------------------------------------------------------------------------- */

/* Pages of RAM that comes and goes must not be looked for behind a window. */
static bool holds_ram(u64 begin, u64 end)
{
	for (u64 i = begin >> CHUNK_SHIFT; i << CHUNK_SHIFT < end; i++) {
		const struct chunk *chunk = frame_chunk(i);

		if (!chunk)
			break;
		if (chunk->state != CHUNK_NONE && chunk->state != CHUNK_MIXED)
			return true;
	}
	return false;
}

void pci_window(u64 base, u16 segment, u8 first_bus, u8 last_bus)
{
	u64 begin = base + first_bus * ECAM_BUS, end = base + (last_bus + 1) * ECAM_BUS;

	if (!IS_ALIGNED(base, ECAM_BUS) || base >= HOST_VIEW_MAX || end > HOST_VIEW_MAX ||
	    begin >= end || holds_ram(begin, end) || window_count == WINDOWS_MAX)
		log_line("PCI segment %x: ECAM at %lx for buses %x to %x is not guarded", segment,
			 base, first_bus, last_bus);
	else
		windows[window_count++] = (struct window){ base, begin, end, segment };
}

int pci_guard(u16 segment, u16 function)
{
	if (!segment)
		guarded[function / 8] |= (u8)(1U << function % 8);
	for (unsigned int i = 0; i < window_count; i++) {
		const struct window *window = &windows[i];
		u64 page = window->base + function * ECAM_FUNCTION;

		if (window->segment != segment || page < window->begin || page >= window->end ||
		    !table_walk(&machine.host_view.table, page).present)
			continue;
		if (view_limit_page(&machine.host_view, page, TABLE_R))
			return -1;
	}
	return 0;
}

/* --- Writes of the guest ------------------------------------------------------------ */

static void __attribute__((noinline)) refuse(u16 segment, u32 function, u32 reg)
{
	stats_add(&stats.refused_registers, 1);
	log_guest("write to PCI %x:%02x:%02x.%x, register %x, dropped", segment, function >> 8,
		  function >> 3 & 31, function & 7, reg);
}

/* Whether CF8h, as it is now, selects a function whose data is not to be written. AMD has more
 * bits of the register's number in 27:24. */
static bool selects_guarded(u32 address)
{
	u32 function = address >> 8 & 0xFFFF;

	return address & ADDRESS_ENABLE && guarded[function / 8] >> function % 8 & 1;
}

/*
 * Every write of these ports is an exit, of whatever size and alignment, and takes the lock:
 * the address is asked of the hardware, which alone knows what it took for one.
 */
void pci_out(u16 port, u8 size, u32 value)
{
	bool data = port < PCI_PORTS_END && port + size > PCI_PORTS_DATA, drop;
	u32 address = 0;

	lock_take(&ports_lock);
	if (data)
		address = inl(PCI_PORTS);
	drop = data && selects_guarded(address);
	if (!drop)
		port_out(port, size, value);
	lock_release(&ports_lock);
	if (drop)
		refuse(0, address >> 8 & 0xFFFF, (address & 0xFC) | (address >> 16 & 0xF00));
}

static const struct window *window_at(u64 pa)
{
	for (unsigned int i = 0; i < window_count; i++) {
		if (pa >= windows[i].begin && pa < windows[i].end)
			return &windows[i];
	}
	return NULL;
}

/* Of a window, only pages of guarded functions lack a right. */
bool pci_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	const struct window *window = window_at(exit->address);
	struct vt_exit skip = *exit;
	struct store store;
	u64 offset;

	if (!window || !exit->write || exit->delivering || !store_decode(cpu, &store) ||
	    store.exchange)
		return false;
	offset = exit->address - window->base;
	refuse(window->segment, (u32)(offset / ECAM_FUNCTION), offset % ECAM_FUNCTION);
	skip.length = store.length;
	machine.vt->skip(&cpu->vt, &skip);
	return true;
}
