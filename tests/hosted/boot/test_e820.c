/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/e820.h>

#include "test.h"

static struct e820_map map;

static bool is(u32 index, u64 base, u64 size, u32 type)
{
	const struct e820_range *range = &map.range[index];

	return index < map.count && range->base == base && range->size == size &&
	       range->type == type;
}

static void test_sorts(void)
{
	map.count = 0;
	CHECK(e820_add(&map, 0x100000, 0x1000, E820_RAM));
	CHECK(e820_add(&map, 0, 0x9F000, E820_RAM));
	CHECK(e820_add(&map, 0x101000, 0x1000, E820_RAM));
	CHECK(e820_add(&map, 0x5000, 0, E820_RESERVED));
	CHECK_EQ(map.count, 2);
	CHECK(is(0, 0, 0x9F000, 1));
	CHECK(is(1, 0x100000, 0x2000, 1));
	CHECK_EQ(e820_ram_end(&map), 0x102000);
}

static void test_overlap_is_reserved(void)
{
	map.count = 0;
	CHECK(e820_add(&map, 0x3000, 0x2000, E820_RESERVED));
	CHECK(e820_add(&map, 0x1000, 0x8000, E820_RAM));
	CHECK(e820_add(&map, 0x8000, 0x4000, E820_ACPI));
	CHECK_EQ(map.count, 4);
	CHECK(is(0, 0x1000, 0x2000, 1) && is(1, 0x3000, 0x2000, 2));
	CHECK(is(2, 0x5000, 0x3000, 1) && is(3, 0x8000, 0x4000, 3));
	CHECK(e820_is_ram(&map, 0x1000, 0x2000));
	CHECK(!e820_is_ram(&map, 0x1000, 0x2001));
	CHECK(!e820_is_ram(&map, 0x2000, ~0ULL));
	CHECK(!e820_is_ram(&map, 0x1000, 0));
	CHECK(!e820_is_ram(&map, 0x0FFF, 0x10));
	CHECK(e820_has_ram(&map, 0, 0x1001));
	CHECK(e820_has_ram(&map, 0x2FFF, 0x5000));
	CHECK(e820_has_ram(&map, 0x4000, 0x5001));
	CHECK(e820_has_ram(&map, 0, BIT(46)));
	CHECK(!e820_has_ram(&map, 0, 0x1000));
	CHECK(!e820_has_ram(&map, 0x3000, 0x5000));
	CHECK(!e820_has_ram(&map, 0x8000, BIT(46)));
}

static void test_end_of_addresses(void)
{
	map.count = 0;
	CHECK(e820_add(&map, BIT(52) - 0x1000, ~0ULL, E820_RAM));
	CHECK(e820_add(&map, ~0ULL - 5, 100, E820_RAM));
	CHECK_EQ(map.count, 1);
	CHECK(is(0, BIT(52) - 0x1000, 0x1000, 1));
}

static void test_full(void)
{
	map.count = 0;
	for (u32 i = 0; i < E820_MAX; i++)
		CHECK(e820_add(&map, i * 0x2000, 0x1000, E820_RAM));
	CHECK(!e820_add(&map, E820_MAX * 0x2000, 0x1000, E820_RAM));
	map.count = E820_MAX;
	CHECK(!e820_add(&map, 0x100, 0x100, E820_RESERVED));
}

/* Against a model: a type for each of 64 units, the less usable one stands. */
static void test_model(void)
{
	static const u32 types[] = { 1, 3, 4, 9, 2, 5 };	/* by rising rank */

	for (unsigned int round = 0; round < 20000; round++) {
		u8 model[64] = { 0 };
		u64 end = 0;

		map.count = 0;
		for (u64 adds = 1 + random_below(12); adds; adds--) {
			u64 base = random_below(64), size = random_below(64 - base + 1);
			u64 rank = random_below(6);

			CHECK(e820_add(&map, base << 12, size << 12, types[rank]));
			for (u64 i = base; i < base + size; i++)
				if (model[i] < rank + 1)
					model[i] = rank + 1;
		}
		for (u32 i = 0; i < map.count; i++) {
			const struct e820_range *range = &map.range[i];

			CHECK(range->size && range->base >= end);
			CHECK(!i || range->base > end || range->type != range[-1].type);
			end = range->base + range->size;
			for (u64 at = range->base; at < end; at += 4096) {
				CHECK(model[at >> 12] && types[model[at >> 12] - 1] == range->type);
				model[at >> 12] = 0;
			}
		}
		for (u32 i = 0; i < 64; i++)
			if (!CHECK(model[i] == 0))
				return;
	}
}

const struct test e820_tests[] = {
	{ "e820: sorts and merges", test_sorts },
	{ "e820: in an overlap the less usable type stands", test_overlap_is_reserved },
	{ "e820: cut at 52 bits", test_end_of_addresses },
	{ "e820: a full map says so", test_full },
	{ "e820: 20,000 random maps against a model", test_model },
	{ 0 }
};
