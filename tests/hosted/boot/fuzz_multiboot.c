/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input is a byte that says which multiboot it is, then all of physical memory, with the
 * information at its start. What parses is also placed, and the placement checked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/bytes.h>

#include "place_check.h"

unsigned char *phys_base;

static void demand(const char *wrong)
{
	if (wrong) {
		fprintf(stderr, "wrong: %s\n", wrong);
		abort();
	}
}

static void place(const struct boot_info *info)
{
	static struct e820_map map;
	struct linux_image image = { .pref_address = 16 * MIB, .init_size = 40 * MIB,
				     .alignment = 2 * MIB, .relocatable = true,
				     .initrd_max = 0x7FFFFFFF };
	struct placement place;
	u8 *efi;

	if (place_hypervisor(&place, info, &no_dma, MIB, 2 * MIB, 4 * MIB))
		return;
	demand(check_place_hypervisor(&place, info, MIB, 2 * MIB, 4 * MIB));
	if (place_e820(&map, info, &place))
		demand(check_place_e820(&map, info, &place));
	if (!place_linux(&place, info, &image))
		demand(check_place_linux(&place, info, &image));
	efi = malloc(place_efi_map_room(info));
	place_efi_map(efi, info, &place);
	free(efi);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct boot_info info;
	u32 magic;

	if (size < 1)
		return 0;
	magic = data[0] & 1 ? MULTIBOOT1_MAGIC : MULTIBOOT2_MAGIC;
	phys_base = malloc(size - 1);
	memcpy(phys_base, data + 1, size - 1);
	if (!multiboot_parse(&info, magic, 0, size - 1))
		place(&info);
	free(phys_base);
	return 0;
}
