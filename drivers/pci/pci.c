/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI Local Bus 3.0: 3.2.2.3.2 (configuration mechanism #1), 6.1 and 6.2 (the header), 6.7
 * (capabilities); PCI Express Base: 7.5.3.2 (the type of a port). */
#include <base/log.h>
#include <base/mmio.h>
#include <base/x86.h>
#include <drivers/pci/pci.h>

#define CONFIG_ADDRESS	0xCF8
#define CONFIG_DATA	0xCFC
#define CONFIG_ENABLE	BIT(31)

#define REG_ID		0x00	/* vendor, device */
#define REG_STATUS	0x04	/* command, status */
#define REG_CLASS	0x08	/* revision, interface, sub-class, class */
#define REG_HEADER	0x0C	/* cache line, latency, header type, self test */
#define REG_BUSES	0x18	/* bridges: primary, secondary, subordinate */
#define REG_CAPABILITY	0x34
#define REG_PMBASE	0x40	/* of ICH, PCH and PIIX4: the block that PM1_CNT is in */

#define ID_NONE		0xFFFF
#define STATUS_LIST	BIT(20)
#define HEADER_TYPE(r)	((r) >> 16 & 0x7F)
#define HEADER_MULTI	BIT(23)
#define HEADER_BRIDGE	1
#define CLASS_BRIDGE	0x06
#define CLASS_PMC	0x0580
#define CLASS_HOST	0x0600
#define CLASS_IOMMU	0x0806
#define CAP_EXPRESS	0x10
#define CAP_MAX		48	/* more do not fit */
#define EXPRESS_TO_PCI	7

#define ECAM_BUS	BIT(20)
#define ECAM_FUNCTION	BIT(12)

struct segment {
	u64 ecam;		/* 0: by the ports */
	u16 number;
};

static u32 read(const struct segment *segment, u16 function, u8 reg)
{
	if (segment->ecam)
		return mmio_read32(segment->ecam + function * ECAM_FUNCTION + reg);
	outl(CONFIG_ADDRESS, (u32)CONFIG_ENABLE | (u32)function << 8 | reg);
	return inl(CONFIG_DATA);
}

/* A port of PCI Express, which passes the names of requesters on as they are. */
static bool keeps_names(const struct segment *segment, u16 function)
{
	u32 at, capability;

	if (!(read(segment, function, REG_STATUS) & STATUS_LIST))
		return false;
	at = read(segment, function, REG_CAPABILITY);
	for (unsigned int i = 0; i < CAP_MAX && (at & 0xFC); i++, at = capability >> 8) {
		capability = read(segment, function, at & 0xFC);
		if ((capability & 0xFF) == CAP_EXPRESS)
			return (capability >> 20 & 15) != EXPRESS_TO_PCI;
	}
	return false;
}

/*
 * A bridge from PCI Express to PCI takes requests over as function 0 of its secondary bus
 * (PCI Express to PCI/PCI-X Bridge 1.0, 2.3). Some hide that they are one, and have no
 * capability of PCI Express.
 */
static void admit_alias(const struct pci_scan *scan, const struct segment *segment, u16 function)
{
	u32 secondary = read(segment, function, REG_BUSES) >> 8 & 0xFF;

	if (secondary && !keeps_names(segment, function))
		dma_platform_slot(scan->platform, (u16)(secondary << 8));
}

/* What is behind a bridge is served with it; what bridges pass on is not their own. */
static void check_served(const struct pci_scan *scan, const struct segment *segment, u16 function,
			 u32 header, u32 class)
{
	u32 buses;

	if (dma_platform_serves(scan->platform, dma_slot(function))) {
		buses = HEADER_TYPE(header) == HEADER_BRIDGE ? read(segment, function, REG_BUSES) : 0;
		if (buses & 0xFF00)
			dma_platform_serve(scan->platform, (buses >> 8 & 0xFF) * 32,
					   (buses >> 16 & 0xFF) * 32 + 31);
	} else if (class >> 8 != CLASS_BRIDGE && class != CLASS_IOMMU) {
		log_line("PCI %02x:%02x.%x: no IOMMU serves it, says the firmware", function >> 8,
			 function >> 3 & 31, function & 7);
		*scan->left_out = true;
	}
}

/* An ISA bridge, another bridge or (PCH since 2015) a memory controller. */
static bool places_power(const struct pci_scan *scan, const struct segment *segment, u16 function,
			 u32 class)
{
	if (segment->number || !scan->pm1_control || (class >> 8 != CLASS_BRIDGE && class != CLASS_PMC))
		return false;
	return (read(segment, function, REG_PMBASE) & 0xFF81) == ((scan->pm1_control & 0xFF80U) | 1);
}

static int found(const struct pci_scan *scan, const struct segment *segment, u16 function,
		 u32 header)
{
	u32 class = read(segment, function, REG_CLASS) >> 16;

	dma_platform_slot(scan->platform, function);
	if (HEADER_TYPE(header) == HEADER_BRIDGE)
		admit_alias(scan, segment, function);
	if (!segment->number && scan->platform->unit_count)
		check_served(scan, segment, function, header, class);
	if (places_power(scan, segment, function, class))
		*scan->power = function;
	if (class != CLASS_HOST && class != CLASS_IOMMU)
		return 0;
	return scan->guard(segment->number, function);
}

static bool present(const struct segment *segment, u16 function)
{
	return (read(segment, function, REG_ID) & 0xFFFF) != ID_NONE;
}

static int scan_device(const struct pci_scan *scan, const struct segment *segment, u16 first)
{
	u32 header = read(segment, first, REG_HEADER);

	if (found(scan, segment, first, header))
		return -1;
	if (!(header & HEADER_MULTI))
		return 0;
	for (u16 i = 1; i < 8; i++) {
		u16 function = first + i;

		if (present(segment, function) &&
		    found(scan, segment, function, read(segment, function, REG_HEADER)))
			return -1;
	}
	return 0;
}

/* Every bus: which of them are roots is told by AML alone, which nobody here reads. Without a
 * function 0 there is no device. */
static int scan_buses(const struct pci_scan *scan, const struct segment *segment, u8 first, u8 last)
{
	for (u32 slot = first * 32U; slot < (last + 1U) * 32; slot++) {
		u16 function = (u16)(slot * 8);

		if (present(segment, function) && scan_device(scan, segment, function))
			return -1;
	}
	return 0;
}

int pci_scan_ports(const struct pci_scan *scan)
{
	const struct segment ports = { 0 };
	int failed;

	for (u32 i = 0; i < scan->platform->unit_count; i++) {
		const struct dma_unit *unit = &scan->platform->unit[i];

		if (unit->function != DMA_NO_FUNCTION && scan->guard(unit->segment, unit->function))
			return -1;
	}
	failed = scan_buses(scan, &ports, 0, 0xFF);
	outl(CONFIG_ADDRESS, 0);	/* selects nothing */
	return failed;
}

int pci_scan_ecam(const struct pci_scan *scan, u64 base, u16 segment, u8 first_bus, u8 last_bus,
		  u64 reach)
{
	const struct segment ecam = { base, segment };
	u64 size = (last_bus + 1) * ECAM_BUS;

	if (!segment || first_bus > last_bus)
		return 0;
	if (!base || !IS_ALIGNED(base, ECAM_BUS) || base >= reach || size > reach - base) {
		log_line("PCI segment %x is out of reach at %lx: its devices get no DMA, and its host "
			 "bridges are not guarded", segment, base);
		return 0;
	}
	return scan_buses(scan, &ecam, first_bus, last_bus);
}
