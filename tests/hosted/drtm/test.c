/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A good launch, then the same with one thing changed, each with the check that must fail first.
 * With a folder as argument: leaves the good launch there, a seed for the fuzzer.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

static unsigned int passed, failed;
static bool seen[LAUNCH_CHECKS];

static void result(bool good, const char *what)
{
	if (!good)
		printf("FAIL drtm: %s\n", what);
	passed += good;
	failed += !good;
}

/* The machine as it is now must fail with `want`; then it is made good again. */
static void expect(enum launch_check want, const char *what)
{
	static struct launch_info info;
	enum launch_check got = machine_check(&info);

	if (got != want)
		printf("     \"%s\", not \"%s\"\n", launch_reason(got), launch_reason(want));
	result(got == want && info.failed == want, what);
	seen[want] = true;
	machine_make();
}

static void expect_reg(u64 at, u64 value, enum launch_check want)
{
	char what[64];

	snprintf(what, sizeof(what), "register 0x%lx = 0x%lx", at, value);
	reg_set(at, value);
	expect(want, what);
}

static void expect_heap32(u32 at, u32 value, enum launch_check want)
{
	char what[64];

	snprintf(what, sizeof(what), "heap: 32 bits at %u = 0x%x", at, value);
	put32(heap_bytes() + at, value);
	expect(want, what);
}

static void expect_heap64(u32 at, u64 value, enum launch_check want)
{
	char what[64];

	snprintf(what, sizeof(what), "heap: 64 bits at %u = 0x%lx", at, value);
	put64(heap_bytes() + at, value);
	expect(want, what);
}

static void expect_page(u32 at, u32 value, enum launch_check want)
{
	char what[64];

	snprintf(what, sizeof(what), "shared page: 0x%x = 0x%x", at, value);
	put32(shared_page() + at, value);
	expect(want, what);
}

static void expect_line(const char *line, enum launch_check want)
{
	strcpy(command_line, line);
	expect(want, line);
}

static void test_good(void)
{
	static struct launch_info info;

	result(machine_check(&info) == LAUNCH_GOOD, "a good launch");
	result(info.tboot.words == 1 && info.tboot.page == SHARED && info.tboot.version == 6 &&
	       info.tboot.log == 0x60000 && info.tboot.range.end == SHARED + TBOOT_BYTES,
	       "facts of tboot");
	result(info.txt.sts == 0x1C091 && info.txt.e2sts == 6 && info.txt.heap.base == HEAP,
	       "facts of TXT");
	result(info.heap.mdr_count == 2 && info.heap.sinit_version == 9 &&
	       info.heap.dmar.size == DMAR_BYTES && info.heap.pmr[1].base == 126 * MIB,
	       "facts of the heap");
	seen[LAUNCH_GOOD] = true;
}

static void test_line(void)
{
	expect_line("", LAUNCH_NO_WORD);
	expect_line("serial=com1 xtboot=0x80000", LAUNCH_NO_WORD);
	expect_line("tboot", LAUNCH_NO_WORD);
	expect_line("tboot=0x1000 tboot=0x80000", LAUNCH_GOOD);
	expect_line("tboot=junk tboot=80000", LAUNCH_GOOD);
	expect_line("tboot=0x80000 tboot=0x90000", LAUNCH_PAGE_RAM);
	expect_line("tboot=0x80000 tboot=", LAUNCH_BAD_WORD);
	expect_line("tboot=0x80000 tboot=no", LAUNCH_BAD_WORD);
	expect_line("tboot=0x", LAUNCH_BAD_WORD);
	expect_line("tboot=0x80000,", LAUNCH_BAD_WORD);
	expect_line("tboot=-80000", LAUNCH_BAD_WORD);
	expect_line("tboot=0x80000000000000000000000z", LAUNCH_BAD_WORD);
	expect_line("tboot=0", LAUNCH_PAGE_HIGH);
	expect_line("tboot=0x100000000", LAUNCH_PAGE_HIGH);
	expect_line("tboot=0x10000000000080000", LAUNCH_PAGE_HIGH);
	expect_line("tboot=0x100000000000000080000", LAUNCH_PAGE_HIGH);
	expect_line("tboot=0xFFFFF000", LAUNCH_PAGE_HIGH);	/* phys() does not reach it */
	expect_line("tboot=0x80004", LAUNCH_PAGE_UNALIGNED);
	page_reserved = false;
	expect(LAUNCH_PAGE_RAM, "the shared page in RAM");
}

static void test_page(void)
{
	for (u32 i = 0; i < 16; i++) {
		shared_page()[i] ^= 0x10;
		expect(LAUNCH_PAGE_UUID, "a byte of the UUID");
	}
	memset(shared_page(), 0, PAGE_SIZE);
	expect(LAUNCH_PAGE_UUID, "an empty shared page");
	expect_page(0x10, 5, LAUNCH_PAGE_VERSION);
	expect_page(0x10, 7, LAUNCH_PAGE_VERSION);
	expect_page(0x6C, 0, LAUNCH_PAGE_RANGE);
	expect_page(0x6C, 0xFFFFFFFF, LAUNCH_PAGE_RANGE);
	expect_page(0x6C, 0xFFF80000, LAUNCH_PAGE_OVERLAP);
	expect_page(0x18, 0, LAUNCH_PAGE_ENTRY);
	expect_page(0x18, SHARED - 1, LAUNCH_PAGE_ENTRY);
	expect_page(0x18, SHARED + TBOOT_BYTES, LAUNCH_PAGE_ENTRY);
	expect_page(0x18, SHARED + TBOOT_BYTES - 1, LAUNCH_GOOD);
	expect_page(0x6C, 64 * MIB - SHARED, LAUNCH_GOOD);
	expect_page(0x6C, 64 * MIB - SHARED + 1, LAUNCH_PAGE_OVERLAP);
}

static void test_registers(void)
{
	expect_reg(TXT + 0x110, 0, LAUNCH_NO_TXT);
	expect_reg(TXT + 0x110, ~0ULL, LAUNCH_NO_TXT);
	expect_reg(TXT, 0, LAUNCH_NO_SENTER);
	expect_reg(TXT, 2, LAUNCH_NO_SENTER);
	expect_reg(TXT, 3, LAUNCH_SEXIT);
	expect_reg(TXT, 0x1C093, LAUNCH_SEXIT);
	expect_reg(TXT, 0x1C011, LAUNCH_PRIVATE_CLOSED);
	expect_reg(TXT, 0x14091, LAUNCH_LOCALITY);
	expect_reg(TXT, 0x0C091, LAUNCH_LOCALITY);
	expect_reg(TXT + 0x08, 1, LAUNCH_TXT_RESET);
	expect_reg(TXT + 0x30, 0xC0000401, LAUNCH_ERRORCODE);
	expect_reg(TXT + 0x30, 0xC0000001, LAUNCH_GOOD);
	expect_reg(TXT + 0x30, 1, LAUNCH_ERRORCODE);
	expect_reg(TXT + 0x100, 0x1D003000, LAUNCH_DEBUG_FUSE);
	expect_reg(TXT + 0x100, 0x9D003000, LAUNCH_GOOD);
	expect_reg(TXT + 0x100, 0, LAUNCH_GOOD);
	expect_reg(TXT + 0x200, 0x1D003000, LAUNCH_DEBUG_FUSE);
	expect_reg(TXT + 0x200, 0, LAUNCH_DEBUG_FUSE);
	expect_reg(TXT + 0x200, 0xFFFFFFFF, LAUNCH_DEBUG_FUSE);
	expect_reg(TXT + 0x8F0, 4, LAUNCH_NO_SECRETS);
}

static void test_ranges(void)
{
	expect_reg(TXT + 0x330, DPR_END | 1 << 4, LAUNCH_DPR_OPEN);
	expect_reg(TXT + 0x330, DPR_END | 1, LAUNCH_DPR_RANGE);
	expect_reg(TXT + 0x330, DPR_END | 3 << 4 | 1, LAUNCH_DPR_RANGE);
	expect_reg(TXT + 0x330, 2 * DPR_END | 1 << 4 | 1, LAUNCH_SINIT_OUTSIDE);
	expect_reg(TXT + 0x270, 0xFF000, LAUNCH_SINIT_OUTSIDE);
	expect_reg(TXT + 0x278, 0, LAUNCH_SINIT_OUTSIDE);
	expect_reg(TXT + 0x278, -(u64)SINIT, LAUNCH_SINIT_OUTSIDE);
	expect_reg(TXT + 0x278, SINIT_BYTES + 1, LAUNCH_HEAP_OUTSIDE);
	expect_reg(TXT + 0x300, DPR_END - HEAP_BYTES + 8, LAUNCH_HEAP_OUTSIDE);
	expect_reg(TXT + 0x308, 0, LAUNCH_HEAP_OUTSIDE);
	expect_reg(TXT + 0x308, ~0ULL, LAUNCH_HEAP_OUTSIDE);
	expect_reg(TXT + 0x308, HEAP_BYTES + 1, LAUNCH_HEAP_LARGE);
}

static void test_tables(void)
{
	static const u32 tables[] = { BIOS_AT, OS_MLE_AT, OS_SINIT_AT, SINIT_AT };

	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		expect_heap64(tables[i], 0, LAUNCH_HEAP_SIZE);
		expect_heap64(tables[i], 7, LAUNCH_HEAP_SIZE);
		expect_heap64(tables[i], ~0ULL, LAUNCH_HEAP_PAST);
		expect_heap64(tables[i], i ? -(u64)tables[i] : -1ULL, LAUNCH_HEAP_PAST);
		expect_heap64(tables[i], BIT(63), LAUNCH_HEAP_PAST);
		expect_heap64(tables[i], HEAP_BYTES - tables[i] + 1, LAUNCH_HEAP_PAST);
	}
	expect_heap64(BIOS_AT, HEAP_BYTES, LAUNCH_HEAP_PAST);
	expect_heap64(BIOS_AT, HEAP_BYTES - 4, LAUNCH_HEAP_PAST);
	put64(heap_bytes() + OS_MLE_AT, 56);
	put64(heap_bytes() + OS_MLE_AT + 56, 71);
	put64(heap_bytes() + OS_MLE_AT + 56 + 71, SINIT_TABLE);
	expect(LAUNCH_OS_SINIT_SHORT, "OsSinitData of 71 bytes");
	expect_heap64(SINIT_AT, 8 + 147, LAUNCH_SINIT_SHORT);
	expect_heap64(SINIT_AT, 8 + 148, LAUNCH_EXT_DAMAGED);
	expect_heap64(SINIT_AT, HEAP_BYTES - SINIT_AT, LAUNCH_GOOD);
}

static void test_sinit(void)
{
	u8 *heap = heap_bytes();

	expect_heap64(OS_SINIT_AT + 8 + 40, ~0ULL, LAUNCH_GOOD);	/* 0 + that: no wrap */
	expect_heap64(OS_SINIT_AT + 8 + 56, ~0ULL, LAUNCH_PMR_WRAPS);
	expect_heap32(SINIT_FIELD(0), 8, LAUNCH_SINIT_VERSION);
	expect_heap32(SINIT_FIELD(128), 0, LAUNCH_MDR_COUNT);
	expect_heap32(SINIT_FIELD(128), LAUNCH_MDRS_MAX + 1, LAUNCH_MDR_COUNT);
	expect_heap32(SINIT_FIELD(128), 0x0AAAAAAB, LAUNCH_MDR_COUNT);
	expect_heap32(SINIT_FIELD(132), 0, LAUNCH_MDR_PLACE);
	expect_heap32(SINIT_FIELD(132), HEAP_BYTES - SINIT_AT - 71, LAUNCH_MDR_PLACE);
	expect_heap32(SINIT_FIELD(132), 0xFFFFFFFF, LAUNCH_MDR_PLACE);
	expect_heap64(SINIT_AT + MDR_AT + 8, ~0ULL, LAUNCH_MDR_WRAPS);
	expect_heap32(SINIT_FIELD(140), 0, LAUNCH_DMAR_PLACE);
	expect_heap32(SINIT_FIELD(140), HEAP_BYTES - SINIT_AT - 63, LAUNCH_DMAR_PLACE);
	expect_heap32(SINIT_FIELD(140), 0xFFFFFFF0, LAUNCH_DMAR_PLACE);
	expect_heap32(SINIT_FIELD(136), 35, LAUNCH_DMAR_PLACE);
	expect_heap32(SINIT_FIELD(136), 0xFFFFFFFF, LAUNCH_DMAR_PLACE);
	expect_heap32(SINIT_FIELD(136), 60, LAUNCH_DMAR_DAMAGED);
	heap[SINIT_AT + DMAR_AT + 40] ^= 1;
	expect(LAUNCH_DMAR_DAMAGED, "a byte of the DMAR");
	heap[SINIT_AT + DMAR_AT] = 'X';
	dmar_sum();
	expect(LAUNCH_DMAR_DAMAGED, "another table than the DMAR");
	expect_heap32(EXT_AT + 4, 0, LAUNCH_EXT_DAMAGED);
	expect_heap32(EXT_AT + 4, 7, LAUNCH_EXT_DAMAGED);
	expect_heap32(EXT_AT + 4, 0xFFFFFFFF, LAUNCH_EXT_DAMAGED);
	expect_heap32(EXT_AT + 4, SINIT_TABLE - 8 - 148, LAUNCH_EXT_DAMAGED);
	expect_heap32(EXT_AT + 20, 7, LAUNCH_EXT_DAMAGED);	/* of the last one, too */
	expect_heap32(EXT_AT + 20, SINIT_TABLE - 8 - 148, LAUNCH_EXT_DAMAGED);
}

static void test_memory(void)
{
	u32 mdr = SINIT_AT + MDR_AT;

	expect_heap32(mdr + 16, 1, LAUNCH_MDR_NOT);		/* not of type 0 */
	expect_heap64(mdr, 125 * MIB + 1, LAUNCH_MDR_NOT);	/* a byte between two of them */
	expect_heap64(mdr + 48 + 8, 64 * MIB, LAUNCH_MDR_NOT);
	expect_heap64(OS_SINIT_AT + 8 + 40, 71 * MIB, LAUNCH_PMR_NOT);
	expect_heap64(OS_SINIT_AT + 8 + 40, 0, LAUNCH_PMR_NOT);
	expect_heap64(OS_SINIT_AT + 8 + 56, 3 * MIB, LAUNCH_PMR_NOT);
	for (u32 i = 0; i < UNITS; i++) {
		expect_reg(UNIT(i) + 0x08, 0, LAUNCH_UNIT_SILENT);
		expect_reg(UNIT(i) + 0x08, ~0ULL, LAUNCH_UNIT_SILENT);
		expect_reg(UNIT(i) + 0x08, 0x00D2008C40660402 | BIT(5), LAUNCH_UNIT_NO_PMR);
		expect_reg(UNIT(i) + 0x08, 0x00D2008C40660402 | BIT(6), LAUNCH_UNIT_NO_PMR);
		/* PMEN with PLMBASE behind it, PLMBASE with PLMLIMIT */
		expect_reg(UNIT(i) + 0x64, 0, LAUNCH_UNIT_OFF);
		expect_reg(UNIT(i) + 0x64, 1, LAUNCH_UNIT_OFF);
		expect_reg(UNIT(i) + 0x64, BIT(31), LAUNCH_UNIT_OFF);
		expect_reg(UNIT(i) + 0x68, 126 * MIB << 32 | (65 * MIB), LAUNCH_UNIT_RANGE);
		expect_reg(UNIT(i) + 0x68, 71 * MIB << 32, LAUNCH_UNIT_RANGE);
		expect_reg(UNIT(i) + 0x70, 127 * MIB, LAUNCH_UNIT_RANGE);
		expect_reg(UNIT(i) + 0x78, 129 * MIB, LAUNCH_UNIT_RANGE);
	}
	result(pmr_check(NULL, 0, images, IMAGES) == LAUNCH_NO_UNIT, "no unit");
	seen[LAUNCH_NO_UNIT] = true;
}

/* Every check has its own sentence, and failed once above. */
static void test_reasons(void)
{
	for (u32 i = 0; i < LAUNCH_CHECKS; i++) {
		const char *reason = launch_reason(i);

		result(reason && *reason, "a check without a sentence");
		for (u32 j = 0; reason && j < i; j++)
			if (launch_reason(j) && !strcmp(reason, launch_reason(j)))
				result(false, reason);
		result(seen[i], reason ? reason : "a check");
	}
}

static bool leave_seed(const char *folder)
{
	char path[512];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/good", folder);
	file = fopen(path, "w");
	good = file && fwrite(shared_page(), TBOOT_SHARED_SIZE, 1, file) == 1 &&
		fwrite(heap_bytes(), 1024, 1, file) == 1;
	return (!file || !fclose(file)) && good;
}

int main(int argc, char **argv)
{
	machine_make();
	if (argc > 1)
		result(leave_seed(argv[1]), "leave a seed");
	test_good();
	test_line();
	test_page();
	test_registers();
	test_ranges();
	test_tables();
	test_sinit();
	test_memory();
	test_reasons();
	txt_close_locality1();
	txt_no_secrets();
	result(command_count == 3 && commands[0] == 0x388 && commands[1] == 0x8E8 &&
	       commands[2] == 0x048, "commands: close locality 1; no secrets, close the private space");
	printf("%u checks passed, %u failed\n", passed, failed);
	return failed != 0;
}
