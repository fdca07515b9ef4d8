/* SPDX-License-Identifier: BSD-2-Clause */
/* What is opened to devices and closed again, over a map that only remembers. */
#include <base/x86.h>
#include <boot/devices.h>
#include <core/cpu.h>
#include <core/pci.h>

#include "test.h"

#define PAGES	0x10000U		/* of the remembered map: 256 MiB, and the rest is one bit */
#define UNIT	0xFED90000UL
#define TXT	0xFED20000UL
#define TPM_END	0xFED45000UL

struct machine machine;

static bool open_pages[PAGES], started, opened_high, opened_launch[(TPM_END - TXT) / PAGE_SIZE];
static unsigned int windows, written_back;
static bool hypervisor;
static u32 grown;			/* registers of units, as the driver finds them */
static const char *failure;
static struct acpi_info acpi;
static const struct dma_ops driver;

struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	return (struct cpuid){ .ecx = leaf == 1 && hypervisor ? BIT(31) : 0 };
}

void wbinvd(void)
{
	written_back++;
}

static int set_pages(u64 base, u64 size, bool value)
{
	for (u64 pa = base; pa < base + size; pa += PAGE_SIZE) {
		if (pa / PAGE_SIZE < PAGES)
			open_pages[pa / PAGE_SIZE] = value;
		else if (pa >= UNIT && pa < UNIT + grown)
			opened_high = value;
		else if (pa >= TXT && pa < TPM_END)
			opened_launch[(pa - TXT) / PAGE_SIZE] = value;
	}
	return 0;
}

const char *dma_probe(const struct dma_ops *ops, struct dma_platform *dma, u32 ranges, u64 top)
{
	CHECK(ops == &driver);
	CHECK_EQ(top, machine.ram_top);
	CHECK(ranges >= dma->range_count);
	for (u32 i = 0; i < dma->unit_count; i++)
		dma->unit[i].size = grown;
	return failure;
}

u64 dma_pages(const struct dma_ops *ops, const struct dma_platform *dma, u32 ranges, u64 top)
{
	(void)ops, (void)dma, (void)top;
	return 100 + ranges;
}

int dma_open(u64 base, u64 size)
{
	return set_pages(base, size, true);
}

int dma_close(u64 base, u64 size)
{
	return set_pages(base, size, false);
}

const char *dma_start(struct view *host)
{
	CHECK(host == &machine.host_view);
	CHECK_EQ(written_back, 1);
	started = true;
	return NULL;
}

void pci_window(u64 base, u16 segment, u8 first_bus, u8 last_bus)
{
	(void)base, (void)segment, (void)first_bus, (void)last_bus;
	windows++;
}

int pci_guard(u16 segment, u16 function)
{
	(void)segment, (void)function;
	return 0;
}

int pci_guard_power(u16 function)
{
	(void)function;
	return 0;
}

/* 128 MiB, with a hole and a bad page in the middle, and the hypervisor at its top. */
static const struct e820_map map = { .count = 4, .range = {
	{ 0, 0x9F000, E820_RAM }, { 0x100000, 0x3F00000, E820_RAM },
	{ 0x4000000, 0x1000, E820_BAD }, { 0x4001000, 0x3FFF000, E820_RAM },
} };
static const struct placement place = {
	.hv_base = 0x7C00000, .hv_size = 0x400000, .trampoline = 0x8000,
};

static void reset(void)
{
	memset(open_pages, 0, sizeof(open_pages));
	memset(opened_launch, 0, sizeof(opened_launch));
	memset(&acpi, 0, sizeof(acpi));
	started = opened_high = hypervisor = false;
	windows = written_back = 0;
	failure = NULL;
	grown = 0x2000;
	machine.ram_top = 0x8000000;
	acpi.dma.kind = DMA_VTD;
	acpi.dma.unit_count = 1;
	acpi.dma.unit[0] = (struct dma_unit){ .registers = UNIT, .size = 0x1000,
					      .function = DMA_NO_FUNCTION };
}

static bool is_open(u64 pa)
{
	return open_pages[pa / PAGE_SIZE];
}

static void test_memory(void)
{
	reset();
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), NULL);
	CHECK(started);
	CHECK(is_open(0) && is_open(0x7000) && !is_open(0x8000) && is_open(0x9000));
	CHECK(!is_open(0x9F000) && !is_open(0xFF000) && is_open(0x100000));
	CHECK(!is_open(0x4000000) && is_open(0x4001000));
	CHECK(is_open(0x7BFF000) && !is_open(0x7C00000) && !is_open(0x7FFF000) && !is_open(0x8000000));
}

/* What the firmware wants devices to reach, if it is more than it should be. */
static void test_greedy_ranges(void)
{
	reset();
	acpi.dma.range[0] = (struct dma_range){ 0, 0x8000000 };
	acpi.dma.range[1] = (struct dma_range){ 0xFED00000, 0xFEE00000 };
	acpi.dma.range[2] = (struct dma_range){ 0x9000000, 0x9001000 };
	acpi.dma.range_count = 3;
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), NULL);
	CHECK(is_open(0x9F000) && is_open(0x9000000));
	CHECK(!is_open(0x8000) && !is_open(0x7C00000) && !is_open(0x7FFF000));
	CHECK(!opened_high);
	for (u32 i = 0; i < ARRAY_SIZE(opened_launch); i++)
		CHECK(!opened_launch[i]);
}

static void test_registers(void)
{
	reset();
	acpi.dma.unit[0].registers = 0x200000;
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "lie in RAM");
	reset();
	acpi.dma.unit[0].registers = 0xFF000;	/* by what the driver finds */
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "lie in RAM");
	reset();
	acpi.dma.unit[0].registers = 0x100000000;
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "out of reach");
	reset();
	acpi.dma.unit[0].registers = ~0UL - 0xFFF;
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "out of reach");
	CHECK(!started);
}

static void test_unprotected(void)
{
	reset();
	CHECK_ERROR(devices_guard_memory(&acpi, NULL, &map, &place), "no IOMMU");
	acpi.dma.broken = "the DMAR is damaged";
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "the DMAR is damaged");
	CHECK_EQ(devices_pages(&acpi, &driver, 4, machine.ram_top), 2);
	acpi.dma.broken = NULL;
	failure = "it lacks something";
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), "it lacks something");
	CHECK(!started);
	CHECK_EQ(devices_pages(&acpi, &driver, 4, machine.ram_top), 100 + 4 + 4 + 4 + 2);
	CHECK_EQ(devices_pages(&acpi, NULL, 4, machine.ram_top), 2);
}

static void test_beneath_a_hypervisor(void)
{
	reset();
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), NULL);
	CHECK(!acpi.dma.interrupts_pass);
	reset();
	hypervisor = true;
	CHECK_ERROR(devices_guard_memory(&acpi, &driver, &map, &place), NULL);
	CHECK(acpi.dma.interrupts_pass);
}

/* Configuration space that lies in RAM, or past everything, is none. */
static void test_windows(void)
{
	reset();
	acpi.ecam[0] = (struct acpi_ecam){ .base = 0xE0000000, .last_bus = 255 };
	acpi.ecam[1] = (struct acpi_ecam){ .base = 0x2000000, .last_bus = 1 };
	acpi.ecam[2] = (struct acpi_ecam){ .base = BIT(46) - MIB, .last_bus = 1 };
	acpi.ecam_count = 3;
	CHECK_ERROR(devices_guard_pci(&acpi, &map), NULL);
	CHECK_EQ(windows, 1);
}

const struct test devices_tests[] = {
	{ "devices: RAM is opened, the hypervisor's is not", test_memory },
	{ "devices: ranges of the firmware that are too wide", test_greedy_ranges },
	{ "devices: registers where they cannot be", test_registers },
	{ "devices: unprotected, and why", test_unprotected },
	{ "devices: interrupts beneath another hypervisor", test_beneath_a_hypervisor },
	{ "devices: configuration space where it cannot be", test_windows },
	{ 0 }
};
