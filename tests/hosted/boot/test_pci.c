/* SPDX-License-Identifier: BSD-2-Clause */
/* The scan against a tree of functions, seen by ports and by ECAM. */
#include <base/log.h>
#include <base/mmio.h>
#include <base/x86.h>
#include <drivers/pci/pci.h>

#include "test.h"

#define ECAM	0xE0000000UL

struct function {
	u16 segment, number;
	u16 class;
	u8 header;		/* with the multi-function bit */
	u8 secondary;
	u8 express;		/* type of its PCI Express capability + 1; 0 none */
	bool loop;		/* its list of capabilities never ends */
	u32 power;		/* register 40h */
};

static const struct function *functions;
static size_t function_count;
static u32 address;
static unsigned int reads, lines;

static const struct function *find(u16 segment, u16 number)
{
	for (size_t i = 0; i < function_count; i++)
		if (functions[i].segment == segment && functions[i].number == number)
			return &functions[i];
	return NULL;
}

static u32 config(u16 segment, u16 number, u32 reg)
{
	const struct function *f = find(segment, number);

	reads++;
	if (!f)
		return 0xFFFFFFFF;
	switch (reg) {
	case 0x00: return 0x12348086;
	case 0x04: return f->express || f->loop ? 0x00100007 : 0x00000007;
	case 0x08: return (u32)f->class << 16 | 0x0102;
	case 0x0C: return (u32)f->header << 16 | 0x4000;
	case 0x18: return 0x00FF0000 | f->secondary << 8;
	case 0x34: return 0xAABBCC51;		/* the low bits are reserved */
	case 0x40: return f->power;
	case 0x50: return f->loop ? 0x00005005 : 0x00006005;
	case 0x60: return 0x00020010 | (f->express - 1U) << 20;
	}
	return 0;
}

u32 inl(u16 port)
{
	CHECK_EQ(port, 0xCFC);
	CHECK(address >> 31 && !(address & 0x7F000003));
	return config(0, (u16)(address >> 8), address & 0xFC);
}

void outl(u16 port, u32 value)
{
	CHECK_EQ(port, 0xCF8);
	address = value;
}

u32 mmio_read32(u64 pa)
{
	CHECK(pa >= ECAM && pa < ECAM + 256 * MIB && !(pa & 3));
	return config(1, (u16)((pa - ECAM) >> 12), pa & 0xFFF);
}

void log_line(const char *format, ...)
{
	(void)format;
	lines++;
}

static struct dma_platform platform;
static u32 guarded[16];
static unsigned int guarded_count, guard_room;

static int guard(u16 segment, u16 function)
{
	if (guarded_count == guard_room)
		return -1;
	guarded[guarded_count++] = (u32)segment << 16 | function;
	return 0;
}

static bool left_out;
static u16 power;
static const struct pci_scan scan = { &platform, guard, &left_out, 0x604, &power };

static void start(const struct function *list, size_t count)
{
	functions = list;
	function_count = count;
	memset(&platform, 0, sizeof(platform));
	dma_platform_serve(&platform, 0, DMA_SLOTS - 1);
	left_out = false;
	power = DMA_NO_FUNCTION;
	guarded_count = lines = reads = 0;
	guard_room = ARRAY_SIZE(guarded);
}

static unsigned int slots(void)
{
	unsigned int n = 0;

	for (u32 i = 0; i < DMA_SLOTS; i++)
		n += dma_platform_has(&platform, i);
	return n;
}

static bool has(u16 requester)
{
	return dma_platform_has(&platform, dma_slot(requester));
}

static void test_devices(void)
{
	static const struct function list[] = {
		{ .number = 0x0000, .class = 0x0600 },
		{ .number = 0x0001, .class = 0x0600 },		/* not there: 00:00 has one function */
		{ .number = 0x0010, .class = 0x0300, .header = 0x80 },
		{ .number = 0x0012, .class = 0x0806 },
		{ .number = 0x0017, .class = 0x0600 },
		{ .number = 0x001A, .class = 0x0200 },		/* not there: no function 0 */
		{ .number = 0xFFF8, .class = 0x0200, .header = 0x80 },
		{ .number = 0xFFFF, .class = 0x0600 },
	};

	start(list, ARRAY_SIZE(list));
	CHECK_EQ(pci_scan_ports(&scan), 0);
	CHECK_EQ(slots(), 3);
	CHECK(has(0) && has(0x10) && has(0xFFF8));
	CHECK_EQ(guarded_count, 4);
	CHECK_EQ(guarded[0], 0);
	CHECK_EQ(guarded[1], 0x12);
	CHECK_EQ(guarded[2], 0x17);
	CHECK_EQ(guarded[3], 0xFFFF);
	CHECK_EQ(address, 0);
	CHECK(reads < DMA_SLOTS + 100);
}

static void test_bridges(void)
{
	static const struct function list[] = {
		{ .number = 0x0008, .class = 0x0604, .header = 1, .secondary = 1, .express = 4 + 1 },
		{ .number = 0x0010, .class = 0x0604, .header = 1, .secondary = 2, .express = 7 + 1 },
		{ .number = 0x0018, .class = 0x0604, .header = 1, .secondary = 3 },
		{ .number = 0x0020, .class = 0x0604, .header = 1, .secondary = 0 },
		{ .number = 0x0028, .class = 0x0604, .header = 1, .secondary = 4, .express = 8 + 1 },
		{ .number = 0x0030, .class = 0x0604, .header = 1, .secondary = 5, .loop = true },
		{ .number = 0x0038, .class = 0x0200, .header = 0, .secondary = 6 },
		{ .number = 0x0100, .class = 0x0200 },
	};

	start(list, ARRAY_SIZE(list));
	CHECK_EQ(pci_scan_ports(&scan), 0);
	CHECK(has(0x0200) && has(0x0300) && has(0x0500));
	CHECK(!has(0x0400) && !has(0x0600) && !has(0x0000));
	CHECK_EQ(slots(), 8 + 3);
	CHECK_EQ(guarded_count, 0);
}

static void test_nothing(void)
{
	start(NULL, 0);
	CHECK_EQ(pci_scan_ports(&scan), 0);
	CHECK_EQ(slots(), 0);
	CHECK_EQ(reads, DMA_SLOTS);
}

static void test_units(void)
{
	start(NULL, 0);
	platform.unit_count = 3;
	platform.unit[0].function = 0x0002;
	platform.unit[1].function = DMA_NO_FUNCTION;
	platform.unit[2].function = 0x4002;
	platform.unit[2].segment = 2;
	CHECK_EQ(pci_scan_ports(&scan), 0);
	CHECK_EQ(guarded_count, 2);
	CHECK_EQ(guarded[0], 0x0002);
	CHECK_EQ(guarded[1], 0x24002);
	guarded_count = 0;
	guard_room = 1;
	CHECK_EQ(pci_scan_ports(&scan), -1);
}

static void test_no_memory(void)
{
	static const struct function list[] = {
		{ .number = 0x0000, .class = 0x0200, .header = 0x80 },
		{ .number = 0x0003, .class = 0x0600 },
	};

	start(list, ARRAY_SIZE(list));
	guard_room = 0;
	CHECK_EQ(pci_scan_ports(&scan), -1);
}

static void test_ecam(void)
{
	static const struct function list[] = {
		{ .segment = 1, .number = 0x1000, .class = 0x0600, .header = 0x80 },
		{ .segment = 1, .number = 0x1002, .class = 0x0806 },
		{ .segment = 1, .number = 0x1108, .class = 0x0604, .header = 1, .secondary = 0x12 },
		{ .segment = 1, .number = 0x1300, .class = 0x0200 },	/* beyond the last bus */
		{ .segment = 0, .number = 0x1008, .class = 0x0200 },
	};

	start(list, ARRAY_SIZE(list));
	CHECK_EQ(pci_scan_ecam(&scan, ECAM, 1, 0x10, 0x12, 4 * GIB), 0);
	CHECK(has(0x1000) && has(0x1108) && has(0x1200));
	CHECK_EQ(slots(), 3);
	CHECK_EQ(guarded_count, 2);
	CHECK_EQ(guarded[0], 0x11000);
	CHECK_EQ(guarded[1], 0x11002);
	CHECK_EQ(lines, 0);
	CHECK_EQ(pci_scan_ecam(&scan, ECAM, 1, 0xFF, 0xFF, 0xF0000000), 0);
	CHECK_EQ(lines, 0);
}

static void test_ecam_reach(void)
{
	start(NULL, 0);
	CHECK_EQ(pci_scan_ecam(&scan, ECAM, 0, 0, 0xFF, 4 * GIB), 0);	/* by the ports */
	CHECK_EQ(pci_scan_ecam(&scan, ECAM, 1, 2, 1, 4 * GIB), 0);
	CHECK_EQ(lines, 0);
	CHECK_EQ(pci_scan_ecam(&scan, ECAM, 1, 0, 0xFF, 0xEFFFFFFF), 0);
	CHECK_EQ(pci_scan_ecam(&scan, 0, 1, 0, 0xFF, 4 * GIB), 0);
	CHECK_EQ(pci_scan_ecam(&scan, ECAM + 4, 1, 0, 0, 4 * GIB), 0);
	CHECK_EQ(pci_scan_ecam(&scan, ~0UL - MIB + 1, 1, 0, 1, 4 * GIB), 0);
	CHECK_EQ(lines, 4);
	CHECK_EQ(reads, 0);
}

/* A disk and, behind a bridge, a card: by the firmware's word, units serve some of these. */
static void test_served(void)
{
	static const struct function list[] = {
		{ .number = 0x0000, .class = 0x0600 },
		{ .number = 0x0008, .class = 0x0604, .header = 1, .secondary = 3, .express = 4 + 1 },
		{ .number = 0x00FA, .class = 0x0106 },
		{ .number = 0x00F8, .class = 0x0601, .header = 0x80 },
		{ .number = 0x0300, .class = 0x0200 },
	};
	static const struct { u16 first, last; bool left_out; } kinds[] = {
		{ 0x00, 0x1F, false }, { 0x01, 0x1F, false }, { 0x02, 0x1F, true }, { 0x00, 0x1E, true },
		{ 0x1F, 0x1FFF, false }, { 0x60, 0x60, true },
	};

	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		start(list, ARRAY_SIZE(list));
		platform.unit_count = 1;
		platform.unit[0].function = DMA_NO_FUNCTION;
		memset(platform.served, 0, sizeof(platform.served));
		dma_platform_serve(&platform, kinds[i].first, kinds[i].last);
		CHECK_EQ(pci_scan_ports(&scan), 0);
		CHECK_EQ(left_out, kinds[i].left_out);
		platform.unit_count = 0;
		left_out = false;
		CHECK_EQ(pci_scan_ports(&scan), 0);
		CHECK(!left_out);
	}
}

/* Which function places the ports of power management. */
static void test_power(void)
{
	static const struct {
		struct function function;
		bool placing;
	} cases[] = {
		{ { .number = 0xF8, .class = 0x0601, .power = 0x601 }, true },
		{ { .number = 0xFA, .class = 0x0580, .power = 0x12340601 }, true },
		{ { .number = 0x0B, .class = 0x0680, .power = 0x641 }, true },
		{ { .number = 0xF8, .class = 0x0601, .power = 0x600 }, false },
		{ { .number = 0xF8, .class = 0x0601, .power = 0x681 }, false },
		{ { .number = 0xF8, .class = 0x0200, .power = 0x601 }, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct function list[2] = { { .number = cases[i].function.number & 0xF8, .header = 0x80 },
					    cases[i].function };

		if (!(cases[i].function.number & 7))
			list[0] = cases[i].function;
		start(list, cases[i].function.number & 7 ? 2 : 1);
		CHECK_EQ(pci_scan_ports(&scan), 0);
		CHECK_EQ(power, cases[i].placing ? cases[i].function.number : DMA_NO_FUNCTION);
	}
}

const struct test pci_tests[] = {
	{ "pci: devices and functions", test_devices },
	{ "pci: bridges and the names of requesters", test_bridges },
	{ "pci: devices that no IOMMU serves", test_served },
	{ "pci: an empty machine", test_nothing },
	{ "pci: who places the ports of power management", test_power },
	{ "pci: functions of AMD-Vi units", test_units },
	{ "pci: no memory to guard", test_no_memory },
	{ "pci: another segment by ECAM", test_ecam },
	{ "pci: ECAM that cannot be reached", test_ecam_reach },
	{ 0 }
};
