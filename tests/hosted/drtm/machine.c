/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/mmio.h>

static u8 memory[REACH];
unsigned char *phys_base = memory;

static u8 txt[0x1000], unit[UNITS][0x1000];
bool page_reserved;
u32 commands[4], command_count;
char command_line[256];

/* Two memory descriptors of type 0 meet inside the second image. */
const struct launch_range images[IMAGES] = {
	{ 64 * MIB, 72 * MIB }, { 120 * MIB, 130 * MIB },
};
const struct launch_range own = { 64 * MIB, 72 * MIB };

static u8 *reg_at(u64 pa)
{
	if (pa >= TXT && pa - TXT <= sizeof(txt) - 8)
		return txt + (pa - TXT);
	for (u32 i = 0; i < UNITS; i++)
		if (pa >= UNIT(i) && pa - UNIT(i) <= sizeof(unit[i]) - 8)
			return unit[i] + (pa - UNIT(i));
	printf("a register that is not there: 0x%lx\n", pa);
	abort();
}

u32 mmio_read32(u64 pa) { return get32(reg_at(pa)); }
u64 mmio_read64(u64 pa) { return get64(reg_at(pa)); }

void mmio_write64(u64 pa, u64 value)
{
	if (pa < TXT_PRIVATE || pa >= TXT_PRIVATE + 0x1000 || !value ||
	    command_count == sizeof(commands) / sizeof(commands[0])) {
		printf("a command that nobody asked for: 0x%lx\n", pa);
		abort();
	}
	commands[command_count++] = (u32)(pa - TXT_PRIVATE);
}

/* TXT registers have 64 bits each; of a unit, the caller keeps what lies beside. */
void reg_set(u64 pa, u64 value) { put64(reg_at(pa), value); }
u8 *shared_page(void) { return memory + SHARED; }
u8 *heap_bytes(void) { return memory + HEAP; }

static void make_registers(void)
{
	memset(txt, 0, sizeof(txt));
	reg_set(TXT + 0x000, 0x0001C091);
	reg_set(TXT + 0x100, 0xFFFFFFFF);
	reg_set(TXT + 0x110, 0x00000001B0018086);
	reg_set(TXT + 0x200, 0x9D003000);
	reg_set(TXT + 0x270, SINIT);
	reg_set(TXT + 0x278, SINIT_BYTES);
	reg_set(TXT + 0x300, HEAP);
	reg_set(TXT + 0x308, HEAP_BYTES);
	reg_set(TXT + 0x330, DPR_END | 1 << 4 | 1);
	reg_set(TXT + 0x8F0, 6);
	for (u32 i = 0; i < UNITS; i++) {
		memset(unit[i], 0, sizeof(unit[i]));
		reg_set(UNIT(i) + 0x08, 0x00D2008C40660462 | BIT(5) | BIT(6));
		put32(unit[i] + 0x64, 0x80000001);
		put32(unit[i] + 0x68, 0);
		put32(unit[i] + 0x6C, 126 * MIB);
		reg_set(UNIT(i) + 0x70, 126 * MIB);
		reg_set(UNIT(i) + 0x78, 1 * GIB);
	}
}

static void put_range(u8 *to, u64 base, u64 size)
{
	put64(to, base);
	put64(to + 8, size);
}

void dmar_sum(void)
{
	u8 *dmar = heap_bytes() + SINIT_AT + DMAR_AT;

	dmar[9] = 0;
	dmar[9] = -bytes_sum((struct bytes){ dmar, DMAR_BYTES });
}

static void make_heap(void)
{
	u8 *heap = heap_bytes(), *mdr = heap + SINIT_AT + MDR_AT;

	memset(heap, 0, HEAP_BYTES);
	put64(heap + BIOS_AT, OS_MLE_AT - BIOS_AT);
	put64(heap + OS_MLE_AT, OS_SINIT_AT - OS_MLE_AT);
	put64(heap + OS_SINIT_AT, SINIT_AT - OS_SINIT_AT);
	put_range(heap + OS_SINIT_AT + 8 + 32, 0, 126 * MIB);
	put_range(heap + OS_SINIT_AT + 8 + 48, 126 * MIB, 1 * GIB);
	put64(heap + SINIT_AT, SINIT_TABLE);
	put32(heap + SINIT_FIELD(0), 9);
	put32(heap + SINIT_FIELD(128), 3);
	put32(heap + SINIT_FIELD(132), MDR_AT);
	put32(heap + SINIT_FIELD(136), DMAR_BYTES);
	put32(heap + SINIT_FIELD(140), DMAR_AT);
	put_range(mdr, 125 * MIB, 1 * GIB);
	put_range(mdr + 24, 200 * MIB, MIB);
	mdr[24 + 16] = 1;
	put_range(mdr + 48, 0, 125 * MIB);
	memcpy(heap + SINIT_AT + DMAR_AT, "DMAR", 4);
	put32(heap + SINIT_AT + DMAR_AT + 4, DMAR_BYTES);
	dmar_sum();
	put32(heap + EXT_AT, 6);
	put32(heap + EXT_AT + 4, 16);
	put32(heap + EXT_AT + 16, 0);
	put32(heap + EXT_AT + 20, 8);
}

static void make_shared(void)
{
	static const u8 uuid[16] = { 0xFF, 0x8D, 0x3C, 0x66, 0xB3, 0xE8, 0x82, 0x4B,
				     0xBF, 0xAA, 0x19, 0xEA, 0x4D, 0x05, 0x7A, 0x08 };
	u8 *page = shared_page();

	memset(page, 0, PAGE_SIZE);
	memcpy(page, uuid, sizeof(uuid));
	put32(page + 0x10, 6);
	put32(page + 0x14, 0x60000);
	put32(page + 0x18, SHARED + 0x2000);
	put32(page + 0x68, SHARED);
	put32(page + 0x6C, TBOOT_BYTES);
}

void machine_make(void)
{
	make_registers();
	make_heap();
	make_shared();
	page_reserved = true;
	strcpy(command_line, "serial=com1 screen=off tboot=0x80000");
}

static bool reserved(const void *map, u64 base, u64 size)
{
	return map == &page_reserved && page_reserved && base == SHARED && size == PAGE_SIZE;
}

static bool check_tboot(struct launch_info *info)
{
	u8 *copy = malloc(TBOOT_SHARED_SIZE);	/* so that a read past it is seen */
	bool good = launch_note(info, tboot_word(&info->tboot, command_line)) &&
		launch_note(info, tboot_copy(&info->tboot, copy, REACH, reserved, &page_reserved)) &&
		launch_note(info, tboot_parse(&info->tboot, copy, own));

	free(copy);
	return good;
}

static bool check_heap(struct launch_info *info)
{
	struct bytes copy;
	u8 *to = malloc(HEAP_BYTES);
	bool good = launch_note(info, heap_copy(&copy, to, HEAP_BYTES, info->txt.heap, REACH)) &&
		launch_note(info, heap_parse(&info->heap, copy));

	free(to);
	return good;
}

enum launch_check machine_check(struct launch_info *info)
{
	static const u64 units[UNITS] = { UNIT(0), UNIT(1) };

	memset(info, 0, sizeof(*info));
	if (!check_tboot(info))
		return info->failed;
	txt_read(&info->txt);
	if (launch_note(info, txt_check(&info->txt)) && check_heap(info) &&
	    launch_note(info, memory_check(&info->heap, images, IMAGES)))
		launch_note(info, pmr_check(units, UNITS, images, IMAGES));
	return info->failed;
}
