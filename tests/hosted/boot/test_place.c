/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/place.h>

#include "make.h"
#include "place_check.h"
#include "test.h"

static struct boot_info info;
static struct placement place;
static struct block block;
static struct e820_map map;

static const struct linux_image debian = {
	.setup_size = 0x4000, .kernel_size = 0x700000, .pref_address = 0x1000000,
	.init_size = 0x2800000, .alignment = 0x200000, .relocatable = true,
	.line_max = 2047, .initrd_max = 0x7FFFFFFF, .header_size = 0x7B,
};

static void parse(void)
{
	memory_add(0, 0x1000);		/* where the search for an RSDP looks */
	memory_add(0xE0000, 0x20000);
	memory_add(0x5000, 0x4000);
	memcpy(phys(0x5000), block.bytes, block.size);
	CHECK_ERROR(multiboot_parse(&info, MULTIBOOT2_MAGIC, 0x5000, 4 * GIB), NULL);
}

static void test_pc(void)
{
	mb2_pc(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x400000), NULL);
	CHECK_ERROR(check_place_hypervisor(&place, &info, 0x100000, 0x200000, 0x400000), NULL);
	CHECK_EQ(place.hv_base, 0x3FA00000);
	CHECK_EQ(place.trampoline, 0x7F000);	/* Linux searches the upper half for an iBFT */
	CHECK_EQ(place.host_base, 0x3FFD0000);
	CHECK_ERROR(place_linux(&place, &info, &debian), NULL);
	CHECK_ERROR(check_place_linux(&place, &info, &debian), NULL);
	CHECK_EQ(place.kernel, 0x1000000);
	CHECK_EQ(place.initrd, 0x3FA00000 - 0xC01000);	/* it does not fit above the hypervisor */
	CHECK(place_e820(&map, &info, &place));
	CHECK_ERROR(check_place_e820(&map, &info, &place), NULL);
}

static void test_ovmf(void)
{
	static u8 efi[4096];
	struct linux_image other = debian;
	u64 size;

	mb2_ovmf(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x200000, 0x300000, 0x400000), NULL);
	CHECK_ERROR(check_place_hypervisor(&place, &info, 0x200000, 0x300000, 0x400000), NULL);
	CHECK_EQ(place.hv_base, 0x3DE00000);
	CHECK_EQ(place.trampoline, 0x7F000);
	CHECK_ERROR(place_linux(&place, &info, &debian), NULL);
	CHECK_ERROR(check_place_linux(&place, &info, &debian), NULL);
	CHECK_EQ(place.kernel, 0x1600000);	/* 16 MiB is boot-services data */
	other.pref_address = 0x2100000;		/* conventional: no reason to go elsewhere */
	CHECK_ERROR(place_linux(&place, &info, &other), NULL);
	CHECK_EQ(place.kernel, 0x2100000);
	CHECK(place_e820(&map, &info, &place));
	CHECK_ERROR(check_place_e820(&map, &info, &place), NULL);
	CHECK(place_efi_map_room(&info) <= sizeof(efi));
	size = place_efi_map(efi, &info, &place);
	CHECK_ERROR(check_place_efi_map(efi, size, &info, &place), NULL);
}

/* No place left but boot-services memory: better there than not at all. */
static void test_kernel_in_boot_services(void)
{
	struct linux_image fixed = debian;

	mb2_ovmf(&block);
	parse();
	fixed.relocatable = false;
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x200000, 0x300000, 0x400000), NULL);
	CHECK_ERROR(place_linux(&place, &info, &fixed), NULL);
	CHECK_EQ(place.kernel, 0x1000000);
}

static void test_initrd_stays(void)
{
	mb2_pc(&block);
	parse();
	info.module[1].base = 0x8000000;
	info.module[1].end = 0x9000000;
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x400000), NULL);
	CHECK_ERROR(place_linux(&place, &info, &debian), NULL);
	CHECK_EQ(place.initrd, 0x8000000);
	info.module[1].base++;		/* not at a page: moved */
	CHECK_ERROR(place_linux(&place, &info, &debian), NULL);
	CHECK_ERROR(check_place_linux(&place, &info, &debian), NULL);
	CHECK(place.initrd != 0x8000001);
	info.module_count = 1;
	CHECK_ERROR(place_linux(&place, &info, &debian), NULL);
	CHECK_EQ(place.initrd_size, 0);
}

static void test_initrd_limit(void)
{
	struct linux_image low = debian;

	mb2_pc(&block);
	parse();
	info.module[1].base = 0x30000000;
	info.module[1].end = 0x31000000;
	low.initrd_max = 0x10000000 - 1;
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x400000), NULL);
	CHECK_ERROR(place_linux(&place, &info, &low), NULL);
	CHECK_EQ(place.initrd, 0xF000000);
	low.initrd_max = 0x1FFFFFF;	/* below it the kernel and its file fill all */
	low.pref_address = 0x100000;
	low.init_size = 0x1F00000;
	info.module[0].end = 0x500000;
	CHECK_ERROR(place_linux(&place, &info, &low), "no free range for the initrd");
}

static void test_too_small(void)
{
	static const struct e820_range tiny[] = { { 0x1000, 0x90000, 1 }, { 0x100000, 0x500000, 1 } };
	static const struct e820_range no_low[] = { { 0x100000, 0x10000000, 1 } };

	mb2_begin(&block);
	mb2_module(&block, 0x400000, 0x500000, "");
	mb2_map(&block, tiny, 2);
	mb2_end(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x200000, 0x210000, 0x200000),
		    "for the hypervisor: give the machine more memory");
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x200000), NULL);
	CHECK_EQ(place.hv_base, 0x200000);
	CHECK_ERROR(place_linux(&place, &info, &debian), "no free range for the kernel");
	mb2_begin(&block);
	mb2_module(&block, 0x400000, 0x500000, "");
	mb2_map(&block, no_low, 1);
	mb2_end(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x200000, 0x210000, 0x200000),
		    "below 512 KiB");
}

/* What devices reach on their own is never the hypervisor's, wherever the firmware put it. */
static void test_device_ranges(void)
{
	static struct dma_platform dma;
	u64 taken[3];

	mb2_pc(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x200000, 0x300000, 0x400000), NULL);
	taken[0] = place.hv_base;
	taken[1] = place.host_base;
	taken[2] = place.trampoline;
	dma.range[0] = (struct dma_range){ taken[0] + 0x3FF000, taken[0] + 0x400000 };
	dma.range[1] = (struct dma_range){ taken[1], taken[1] + 0x1000 };
	dma.range[2] = (struct dma_range){ taken[2], taken[2] + 0x1000 };
	dma.range_count = 3;
	CHECK_ERROR(place_hypervisor(&place, &info, &dma, 0x200000, 0x300000, 0x400000), NULL);
	CHECK_ERROR(check_place_hypervisor(&place, &info, 0x200000, 0x300000, 0x400000), NULL);
	CHECK(place.hv_base < taken[0]);
	CHECK(place.host_base != taken[1] && place.trampoline < taken[2]);
	dma.range[0] = (struct dma_range){ 0, 1UL << 52 };
	CHECK_ERROR(place_hypervisor(&place, &info, &dma, 0x200000, 0x300000, 0x400000),
		    "below 512 KiB");
}

/* Descriptors that overlap: nothing is written past the room, and the caller is told. */
static void test_efi_map_overlaps(void)
{
	static u8 efi[65536];
	struct block overlapping = { .size = 0 };

	for (int i = 0; i < 40; i++)
		efi_put(&overlapping, 7, 0x1000, 0x3FFFF, 0xF);
	mb2_begin(&block);
	mb2_module(&block, 0x400000, 0x500000, "");
	mb2_map(&block, pc_map, pc_map_count);
	mb2_efi(&block, 0x1000, &overlapping);
	mb2_end(&block);
	parse();
	CHECK_ERROR(place_hypervisor(&place, &info, &no_dma, 0x100000, 0x200000, 0x400000), NULL);
	memset(efi, 0xA5, sizeof(efi));
	CHECK_EQ(place_efi_map(efi, &info, &place), 0);
	CHECK_EQ(efi[place_efi_map_room(&info)], 0xA5);
}

/* The highest place, found the slow way. */
static u64 slow_highest(u64 floor, u64 ceiling, u64 size, u64 align, u64 image, u64 image_end)
{
	for (u64 at = ALIGN_DOWN(ceiling - size, align); at >= floor && at < ceiling; at -= align) {
		bool free = e820_is_ram(&info.map, at, size) &&
			    (at + size <= image || image_end <= at) &&
			    (at + size <= info.info_base || info.info_end <= at);

		for (u32 i = 0; i < info.module_count; i++)
			free = free && (at + size <= info.module[i].base ||
					info.module[i].end <= at);
		if (free)
			return at;
	}
	return 0;
}

static void random_map(void)
{
	struct e820_range ranges[12];
	u32 count = 2 + random_below(10);

	for (u32 i = 0; i < count; i++) {
		u64 unit = random_below(2) ? 0x1000 : 0x100000;

		ranges[i].base = random_below(0x200000000 / unit) * unit;
		ranges[i].size = random_below(0x80000000 / unit) * unit + random_below(2) * 0x123;
		ranges[i].type = 1 + random_below(2) * random_below(3);
	}
	ranges[0] = (struct e820_range){ 0, 0x9FC00, 1 };
	ranges[1] = (struct e820_range){ 0x100000, 0x100000 * (16 + random_below(4000)), 1 };
	mb2_begin(&block);
	mb2_map(&block, ranges, count);
	for (u32 i = 0, modules = 1 + random_below(4); i < modules; i++) {
		u32 base = 0x800000 + i * 0x4000000 + random_below(0x1000) * 0x1000;

		mb2_module(&block, base, base + random_below(0x3000) * 0x1000 + 5, "");
	}
	mb2_end(&block);
}

static void test_random(void)
{
	unsigned int placed = 0;

	for (unsigned int round = 0; round < 3000; round++) {
		u64 image = 0x100000 * (1 + random_below(60)), hv_size = 0x200000 * (1 + random_below(4));
		struct linux_image kernel = debian;

		random_map();
		memory_add(0, 0x9000);
		memory_add(0xE0000, 0x20000);
		memcpy(phys(0x5000), block.bytes, block.size);
		if (multiboot_parse(&info, MULTIBOOT2_MAGIC, 0x5000, 4 * GIB))
			continue;
		if (place_hypervisor(&place, &info, &no_dma, image, image + 0x123456, hv_size))
			continue;
		CHECK_ERROR(check_place_hypervisor(&place, &info, image, image + 0x123456, hv_size),
			    NULL);
		CHECK_EQ(place.hv_base, slow_highest(MIB, 4 * GIB, hv_size, CHUNK_SIZE, image,
						     image + 0x123456));
		CHECK_EQ(place.trampoline, slow_highest(PAGE_SIZE, 512 * KIB, PAGE_SIZE, PAGE_SIZE, image,
							image + 0x123456));
		CHECK(place_e820(&map, &info, &place));
		CHECK_ERROR(check_place_e820(&map, &info, &place), NULL);
		kernel.pref_address = random_below(64) * 0x200000;
		kernel.init_size = 0x700000 + random_below(0x4000000);
		kernel.initrd_max = 0x1000000 + random_below(0x7F000000);
		if (place_linux(&place, &info, &kernel))
			continue;
		placed++;
		if (!CHECK_ERROR(check_place_linux(&place, &info, &kernel), NULL))
			return;
	}
	CHECK(placed > 500);
}

const struct test place_tests[] = {
	{ "place: a PC", test_pc },
	{ "place: an EFI machine", test_ovmf },
	{ "place: a kernel that cannot move, in boot-services memory", test_kernel_in_boot_services },
	{ "place: the initrd stays where it can", test_initrd_stays },
	{ "place: the initrd's highest address", test_initrd_limit },
	{ "place: machines too small", test_too_small },
	{ "place: clear of what devices reach on their own", test_device_ranges },
	{ "place: an EFI map that overlaps itself", test_efi_map_overlaps },
	{ "place: 3,000 random machines against a slow search", test_random },
	{ 0 }
};
