/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/devices.h>

#include <base/log.h>
#include <base/x86.h>
#include <core/cpu.h>
#include <core/pci.h>
#include <drivers/pci/pci.h>
#include <drivers/tpm/tpm.h>

#define FOUR_GIB	0x100000000UL
#define HOST_VIEW_MAX	BIT(46)		/* main.c, physical_limit() */
#define GUARDED_MAX	256U
#define TXT_BASE	0xFED20000UL	/* both spaces, up to the TPM (315168, appendix B) */
#define TPM_END		(TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE)
static_assert(ACPI_ECAM_MAX <= PCI_WINDOWS_MAX, "each has room");

/* Functions whose configuration the guest must not change. */
static struct { u16 segment, function; } guarded[GUARDED_MAX];
static u32 guarded_count;
static u16 power = DMA_NO_FUNCTION;	/* places the ports of power management */

static int remember(u16 segment, u16 function)
{
	if (guarded_count == GUARDED_MAX)
		return -1;
	guarded[guarded_count].segment = segment;
	guarded[guarded_count++].function = function;
	return 0;
}

const char *devices_find(struct acpi_info *acpi)
{
	bool left_out = false;
	const struct pci_scan scan = { &acpi->dma, remember, &left_out, acpi->pm1_control[0], &power };
	int error = pci_scan_ports(&scan);

	for (u32 i = 0; i < acpi->ecam_count && !error; i++) {
		const struct acpi_ecam *ecam = &acpi->ecam[i];

		error = pci_scan_ecam(&scan, ecam->base, ecam->segment, ecam->first_bus,
				      ecam->last_bus, FOUR_GIB);
	}
	if (left_out)
		acpi->dma.broken = "the firmware names a device that no IOMMU serves";
	return error ? "PCI: more host bridges than GUARDED_MAX: raise it and build again" : NULL;
}

u64 devices_pages(const struct acpi_info *acpi, const struct dma_ops *driver, u32 ranges, u64 top)
{
	u64 pages = 2 * (guarded_count + 1);

	if (!driver || acpi->dma.broken)
		return pages;
	pages += 4;	/* close_own(): the same for TPM and TXT */
	for (u32 i = 0; i < acpi->dma.unit_count; i++)	/* hidden registers: tables of levels 2 and 1 */
		pages += 4 + (acpi->dma.unit[i].size >> CHUNK_SHIFT);
	return pages + dma_pages(driver, &acpi->dma, ranges + acpi->dma.range_count, top);
}

/* Stores to RAM that comes and goes must not be taken for stores to ECAM. */
static void guard_ecam(const struct acpi_ecam *ecam, const struct e820_map *map)
{
	u64 begin = ecam->base + ecam->first_bus * MIB, end = ecam->base + (ecam->last_bus + 1) * MIB;

	if (end > HOST_VIEW_MAX || e820_has_ram(map, begin, end))
		log_line("PCI segment %x: ECAM at %lx is not guarded", ecam->segment, begin);
	else
		pci_window(ecam->base, ecam->segment, ecam->first_bus, ecam->last_bus);
}

const char *devices_guard_pci(const struct acpi_info *acpi, const struct e820_map *map)
{
	for (u32 i = 0; i < acpi->ecam_count; i++)
		guard_ecam(&acpi->ecam[i], map);
	for (u32 i = 0; i < guarded_count; i++)
		if (pci_guard(guarded[i].segment, guarded[i].function))
			return "no memory to guard the configuration of host bridges";
	if (power != DMA_NO_FUNCTION && pci_guard_power(power))
		return "no memory to guard the place of power management";
	return NULL;
}

/* The firmware may say anything: registers are where phys() reaches and no RAM is. */
static const char *check_registers(const struct dma_platform *dma, const struct e820_map *map)
{
	for (u32 i = 0; i < dma->unit_count; i++) {
		u64 base = dma->unit[i].registers, end = base + dma->unit[i].size;

		if (end < base || end > max_u64(machine.ram_top, FOUR_GIB))
			return "the registers of an IOMMU are out of reach";
		if (e820_has_ram(map, base, end))
			return "the registers of an IOMMU lie in RAM";
	}
	return NULL;
}

static const char *probe(struct dma_platform *dma, const struct dma_ops *driver,
			 const struct e820_map *map)
{
	const char *problem = check_registers(dma, map);

	/* Of a message that shall pass as it is, QEMU's AMD-Vi unit (7.2 to 10) makes vector 0. */
	if (cpuid(1, 0).ecx & BIT(31))
		dma->interrupts_pass = true;
	if (!problem)
		problem = dma_probe(driver, dma, map->count + dma->range_count, machine.ram_top);
	return problem ? problem : check_registers(dma, map);	/* the driver knows their size */
}

/* RAM that the firmware lists, and what devices need for the firmware's sake. Registers and
 * holes are not memory. */
static int open_memory(const struct dma_platform *dma, const struct e820_map *map)
{
	int error = 0;

	for (u32 i = 0; i < map->count && !error; i++) {
		const struct e820_range *range = &map->range[i];

		if (range->type == E820_RAM || range->type == E820_PMEM || range->type == E820_PRAM)
			error = dma_open(range->base, range->size);
	}
	for (u32 i = 0; i < dma->range_count && !error; i++)
		error = dma_open(dma->range[i].base, dma->range[i].end - dma->range[i].base);
	return error;
}

/* Whatever the firmware's ranges say: the hypervisor's, and the registers of TPM and TXT, which
 * take what a device writes for the word of the CPU. */
static int close_own(const struct dma_platform *dma, const struct placement *place)
{
	int error = dma_close(place->hv_base, place->hv_size);

	if (!error)
		error = dma_close(place->trampoline, PAGE_SIZE);
	if (!error)
		error = dma_close(TXT_BASE, TPM_END - TXT_BASE);
	for (u32 i = 0; i < dma->unit_count && !error; i++)
		error = dma_close(dma->unit[i].registers, dma->unit[i].size);
	return error;
}

const char *devices_guard_memory(struct acpi_info *acpi, const struct dma_ops *driver,
				 const struct e820_map *map, const struct placement *place)
{
	struct dma_platform *dma = &acpi->dma;
	const char *problem = dma->broken;

	if (!driver)
		return "this machine shows no IOMMU";
	if (!problem)
		problem = probe(dma, driver, map);
	if (!problem && (open_memory(dma, map) || close_own(dma, place)))
		problem = "no memory for the device map";
	if (problem)
		return problem;
	wbinvd();	/* some units read tables past the caches */
	problem = dma_start(&machine.host_view);
	if (!problem)
		acpi_hide_iommu(acpi);
	return problem;
}
