/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI Local Bus 3.0, 3.2.2.3.2: the ports; PCI Express Base, 7.2.2: ECAM, 4 KiB a function. */
#include "pci.h"

#include <base/lock.h>
#include <base/log.h>
#include <base/mmio.h>
#include <base/x86.h>

#include "stats.h"
#include "store.h"

#define ADDRESS_ENABLE	BIT(31)
#define HEADER_SIZE	0x40
#define POWER_REGISTERS	0x40		/* eight bytes */
#define NO_FUNCTION	0xFFFF
#define ECAM_BUS	BIT(20)
#define ECAM_FUNCTION	BIT(12)
#define INTERCEPT_ADDRESS	0x0F	/* CF8h to CFBh: CF9h is the reset register */
#define INTERCEPT_ALL		0xFF

/*
 * The ports. A function that is guarded is never selected in the hardware's CF8h: its data is
 * read by ECAM, so that the data ports may be open to the guest, and whatever CPUs do at one
 * time, a write of theirs goes elsewhere. They exit only while the guest has such a function
 * selected, in `hidden`. Without ECAM they always exit, and CF8h is what the guest wrote.
 */
static struct lock ports_lock;
static u32 hidden;			/* 0: none */
static bool no_ecam;
static u8 *intercepts;			/* of CF8h to CFFh in the I/O bitmap */
static u8 guarded[0x10000 / 8];		/* of segment 0, a bit a function */
static u16 power = NO_FUNCTION;		/* of segment 0: guarded in POWER_REGISTERS */

static struct window {
	u64 base, begin, end;
	u16 segment;
} windows[PCI_WINDOWS_MAX];
static unsigned int window_count;

/* --- Boot -------------------------------------------------------------------------- */

void pci_window(u64 base, u16 segment, u8 first_bus, u8 last_bus)
{
	ASSERT(window_count < PCI_WINDOWS_MAX);
	windows[window_count++] = (struct window){
		base, base + first_bus * ECAM_BUS, base + (last_bus + 1) * ECAM_BUS, segment };
}

/* Of a function's ECAM, 0: there is none. */
static u64 page_of(u16 segment, u16 function)
{
	for (unsigned int i = 0; i < window_count; i++) {
		u64 page = windows[i].base + function * ECAM_FUNCTION;

		if (windows[i].segment == segment && page >= windows[i].begin && page < windows[i].end)
			return page;
	}
	return 0;
}

static int limit(u16 segment, u16 function)
{
	u64 page = page_of(segment, function);

	if (!segment && (!page || page >= max_u64(machine.ram_top, BIT(32))))	/* phys() */
		no_ecam = true;
	if (!page || !table_walk(&machine.host_view.table, page).present)
		return 0;
	return view_limit_page(&machine.host_view, page, TABLE_R);
}

int pci_guard(u16 segment, u16 function)
{
	if (!segment)
		guarded[function / 8] |= (u8)(1U << function % 8);
	return limit(segment, function);
}

int pci_guard_power(u16 function)
{
	power = function;
	return limit(0, function);
}

void pci_ports(u8 *io_bitmap)
{
	intercepts = &io_bitmap[PCI_PORTS / 8];
	*intercepts = INTERCEPT_ALL;
}

/* --- Ports ------------------------------------------------------------------------- */

/* A kernel writes the header of each function while it sizes BARs: that is no attack. */
static void __attribute__((noinline)) refuse(u16 segment, u32 function, u32 reg)
{
	if (reg < HEADER_SIZE)
		return;
	stats_add(&stats.refused_registers, 1);
	log_guest("write to PCI %x:%02x:%02x.%x, register %x, dropped", segment, function >> 8,
		  function >> 3 & 31, function & 7, reg);
}

static u16 function_of(u32 address)
{
	return (u16)(address >> 8);
}

/* AMD has more bits of the register's number in 27:24. */
static u32 register_of(u32 address)
{
	return (address & 0xFC) | (address >> 16 & 0xF00);
}

static bool is_guarded(u16 function, u32 reg)
{
	return guarded[function / 8] >> function % 8 & 1 ||
		(function == power && (reg & ~7U) == POWER_REGISTERS);
}

static bool selects_guarded(u32 address)
{
	return address & ADDRESS_ENABLE && is_guarded(function_of(address), register_of(address));
}

void pci_select(u32 address)
{
	bool secret = selects_guarded(address);

	lock_take(&ports_lock);
	hidden = secret && !no_ecam ? address : 0;
	if (!hidden)
		outl(PCI_PORTS, address);
	/* For the CPU that selects: it is what the others see at their next exit for CF8h. */
	*intercepts = secret || no_ecam ? INTERCEPT_ALL : INTERCEPT_ADDRESS;
	lock_release(&ports_lock);
}

void pci_out(u16 port, u8 size, u32 value)
{
	bool data = port < PCI_PORTS_END && port + size > PCI_PORTS_DATA, drop;
	u32 address = 0;

	lock_take(&ports_lock);
	if (data)
		address = hidden ? hidden : inl(PCI_PORTS);
	drop = selects_guarded(address);
	if (!drop)
		port_out(port, size, value);
	lock_release(&ports_lock);
	if (drop)
		refuse(0, function_of(address), register_of(address));
}

u32 pci_in(u16 port, u8 size)
{
	u32 value;

	lock_take(&ports_lock);
	if (hidden && port == PCI_PORTS && size == 4)
		value = hidden;
	else if (hidden && port >= PCI_PORTS_DATA && port < PCI_PORTS_END)
		value = mmio_read32(page_of(0, function_of(hidden)) + register_of(hidden)) >>
			8 * (port & 3);
	else
		value = port_in(port, size);
	lock_release(&ports_lock);
	return value;
}

/* --- ECAM -------------------------------------------------------------------------- */

static const struct window *window_at(u64 pa)
{
	for (unsigned int i = 0; i < window_count; i++) {
		if (pa >= windows[i].begin && pa < windows[i].end)
			return &windows[i];
	}
	return NULL;
}

/* Beneath a hypervisor that tells the page alone, every store seems to be for a header. */
static void store_to(const struct window *window, u64 pa, const struct store *store)
{
	u32 function = (u32)((pa - window->base) / ECAM_FUNCTION), reg = pa % ECAM_FUNCTION;

	if (!window->segment && function == power && reg >= HEADER_SIZE && !no_ecam &&
	    !is_guarded((u16)function, reg))
		mmio_store(pa, store->size, store->value);
	else
		refuse(window->segment, function, reg);
}

/* Of a window, only pages of guarded functions lack a right. */
bool pci_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	const struct window *window = window_at(exit->address);
	struct vt_exit skip = *exit;
	struct store store;

	if (!window || !exit->write || exit->delivering || !store_decode(cpu, &store) ||
	    store.exchange)
		return false;
	store_to(window, exit->address, &store);
	skip.length = store.length;
	machine.vt->skip(&cpu->vt, &skip);
	return true;
}
