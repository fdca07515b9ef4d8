/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration by memory. */
#include "model.h"

#define PAGE(function)	(ECAM_BASE + (function) * PAGE_SIZE)

static unsigned int rights(u64 pa)
{
	return table_walk(&machine.host_view.table, pa).rights & (TABLE_R | TABLE_W | TABLE_X);
}

static bool fault(u64 pa, const void *code, unsigned int size)
{
	struct vt_exit exit = { .reason = VT_NESTED_FAULT, .write = true, .address = pa };

	memcpy(guest_code, code, size);
	guest_code_size = size;
	guest_rip = 0x1000;
	return pci_fault(&guest, &exit);
}

static const u8 movl[] = { 0x89, 0x03 };	/* mov %eax, (%rbx) */

static void test_rights(void)
{
	model_start(true);
	CHECK_EQ(rights(PAGE(GUARDED)), TABLE_R);
	CHECK_EQ(rights(PAGE(GUARDED) - PAGE_SIZE), TABLE_R | TABLE_W | TABLE_X);
	CHECK_EQ(rights(PAGE(FREE)), TABLE_R | TABLE_W | TABLE_X);
}

static void test_stores(void)
{
	static const u8 movb[] = { 0x88, 0x03 }, movw[] = { 0x66, 0x89, 0x03 },
		imm[] = { 0xC7, 0x43, 0x60, 1, 2, 3, 4 };

	model_start(true);
	CHECK(fault(PAGE(GUARDED) + 0x60, movb, sizeof(movb)));
	CHECK_EQ(guest_rip, 0x1002);
	CHECK(fault(PAGE(GUARDED) + 0x60, movw, sizeof(movw)));
	CHECK_EQ(guest_rip, 0x1003);
	CHECK(fault(PAGE(GUARDED) + 0x60, movl, sizeof(movl)));
	CHECK(fault(PAGE(GUARDED) + 0xFFC, imm, sizeof(imm)));
	CHECK_EQ(guest_rip, 0x1007);
	CHECK_EQ(stats.refused_registers, 4);
	CHECK_EQ(guest_lines, 4);
	CHECK(config_same(GUARDED));
}

/* What is not a plain store is refused as memory is, by the caller. */
static void test_others(void)
{
	static const u8 xchg[] = { 0x87, 0x03 }, orl[] = { 0x83, 0x0B, 0x02 };
	struct vt_exit exit = { .reason = VT_NESTED_FAULT, .address = PAGE(GUARDED) };

	model_start(true);
	CHECK(!fault(PAGE(GUARDED), xchg, sizeof(xchg)));
	CHECK(!fault(PAGE(GUARDED), orl, sizeof(orl)));
	CHECK(!fault(ECAM_BASE - 1, movl, sizeof(movl)));
	CHECK(!fault(ECAM_BASE + 256 * MIB, movl, sizeof(movl)));
	CHECK(!pci_fault(&guest, &exit));	/* a fetch */
	exit.write = exit.delivering = true;
	CHECK(!pci_fault(&guest, &exit));
	CHECK_EQ(guest_rip, 0x1000);
	CHECK_EQ(stats.refused_registers, 0);
}

static void test_segments(void)
{
	model_start(true);
	pci_window(0x40000000, 1, 0x10, 0x1F);
	CHECK_EQ(pci_guard(1, 0x1005), 0);
	CHECK_EQ(pci_guard(1, 0x0F05), 0);	/* in no window */
	CHECK_EQ(rights(0x40000000 + 0x1005 * PAGE_SIZE), TABLE_R);
	CHECK_EQ(rights(0x40000000 + 0x0F05 * PAGE_SIZE), TABLE_R | TABLE_W | TABLE_X);
	CHECK(fault(0x40000000 + 0x1005 * PAGE_SIZE + 0x60, movl, sizeof(movl)));
	/* segment 0 by its ports is another function */
	guest_out(0xCF8, 4, ADDRESS(0x1005, 0x60));
	CHECK_EQ(model_address, ADDRESS(0x1005, 0x60));
}

/* Beyond the host view the guest does not get, nor can the direct map read there. */
static void test_far_window(void)
{
	u32 value;

	model_start(false);
	pci_window(16 * GIB, 0, 0, 0xFF);
	CHECK_EQ(pci_guard(0, FREE), 0);
	CHECK(!table_walk(&machine.host_view.table, 16 * GIB + FREE * PAGE_SIZE).present);
	guest_out(0xCF8, 4, ADDRESS(FREE, 0x60));
	CHECK(guest_in(0xCFC, 4, &value));
	CHECK_EQ(value, 0x63626160);
}

/* The function that places the ports of power management: eight registers of it are guarded. */
static void test_power(void)
{
	static const u8 movb[] = { 0x88, 0x03 };

	model_start(true);
	CHECK_EQ(pci_guard_power(FREE), 0);
	CHECK_EQ(rights(PAGE(FREE)), TABLE_R);
	guest_regs.rax = 0x5A5A5A5A;
	for (u32 reg = 0x40; reg < 0x48; reg++)
		CHECK(fault(PAGE(FREE) + reg, movb, sizeof(movb)));
	CHECK(fault(PAGE(FREE) + 0x44, movl, sizeof(movl)));
	CHECK(fault(PAGE(FREE) + 0x3E, movl, sizeof(movl)));	/* reaches into them */
	CHECK(fault(PAGE(FREE), movl, sizeof(movl)));
	CHECK_EQ(stats.refused_registers, 9);
	CHECK(config_same(FREE));
	CHECK(fault(PAGE(FREE) + 0x48, movl, sizeof(movl)));
	CHECK(fault(PAGE(FREE) + 0x104, movb, sizeof(movb)));
	CHECK_EQ(stats.refused_registers, 9);
	CHECK(!memcmp(config(FREE) + 0x48, "ZZZZ", 4) && config(FREE)[0x4C] != 'Z');
	CHECK(config(FREE)[0x104] == 'Z' && config(FREE)[0x105] != 'Z');
}

static void power_by_ports(bool ecam)
{
	model_start(ecam);
	CHECK_EQ(pci_guard_power(FREE), 0);
	for (u32 reg = 0x40; reg < 0x48; reg += 4) {
		guest_out(0xCF8, 4, ADDRESS(FREE, reg));
		CHECK(guest_out(0xCFC, 4, 0x5A5A5A5A));
		CHECK(guest_out(0xCFE, 1, 0x5A));
	}
	CHECK(config_same(FREE));
	CHECK_EQ(stats.refused_registers, 4);
	guest_out(0xCF8, 4, ADDRESS(FREE, 0x48));
	CHECK_EQ(guest_out(0xCFC, 4, 0x5A5A5A5A), !ecam);
	CHECK(!memcmp(config(FREE) + 0x48, "ZZZZ", 4));
}

static void test_power_ports(void)
{
	power_by_ports(true);
}

static void test_power_no_ecam(void)
{
	power_by_ports(false);
}

const struct test ecam_tests[] = {
	{ "pages of guarded functions are read-only", test_rights },
	{ "stores to them are dropped", test_stores },
	{ "nothing else is", test_others },
	{ "other segments", test_segments },
	{ "a window out of reach", test_far_window },
	{ "power management: its place by ECAM", test_power },
	{ "power management: its place by ports", test_power_ports },
	{ "power management: its place by ports, without ECAM", test_power_no_ecam },
	{ 0 }
};
