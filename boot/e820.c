/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's memory map as a sorted list of disjoint ranges. */
#include <string.h>

#include <boot/e820.h>

#define ADDRESS_END	BIT(52)

/* How little a type can be used: in an overlap the higher rank stands. */
static unsigned int rank(u32 type)
{
	static const u8 ranks[] = {	/* Linux may reclaim E820_ACPI */
		[E820_RAM] = 0, [E820_ACPI] = 1, [E820_NVS] = 2, [E820_RESERVED] = 4, [E820_BAD] = 5,
	};

	return type >= E820_RAM && type <= E820_BAD ? ranks[type] : 3;
}

static u64 range_end(const struct e820_range *range)
{
	return range->base + range->size;
}

static bool insert(struct e820_map *map, u32 index, u64 base, u64 end, u32 type)
{
	if (map->count == E820_MAX)
		return false;
	memmove(&map->range[index + 1], &map->range[index],
		(map->count - index) * sizeof(map->range[0]));
	map->range[index] = (struct e820_range){ base, end - base, type };
	map->count++;
	return true;
}

/* Make `at` a border, so that no range has it inside. */
static bool split(struct e820_map *map, u64 at)
{
	for (u32 i = 0; i < map->count; i++) {
		struct e820_range *range = &map->range[i];
		u64 end = range_end(range);

		if (range->base < at && at < end) {
			range->size = at - range->base;
			return insert(map, i + 1, at, end, range->type);
		}
	}
	return true;
}

/* Fill the holes of [base, end); what is there gives way to a higher rank. */
static bool fill(struct e820_map *map, u64 base, u64 end, u32 type)
{
	u32 i = 0;

	while (i < map->count && range_end(&map->range[i]) <= base)
		i++;
	while (base < end) {
		if (i == map->count || map->range[i].base > base) {
			u64 hole = i == map->count ? end : min_u64(end, map->range[i].base);

			if (!insert(map, i, base, hole, type))
				return false;
		} else if (rank(type) > rank(map->range[i].type)) {
			map->range[i].type = type;
		}
		base = range_end(&map->range[i++]);
	}
	return true;
}

static void merge(struct e820_map *map)
{
	u32 kept = 0;

	for (u32 i = 1; i < map->count; i++) {
		struct e820_range *last = &map->range[kept];
		const struct e820_range *range = &map->range[i];

		if (range_end(last) == range->base && last->type == range->type)
			last->size += range->size;
		else
			map->range[++kept] = *range;
	}
	if (map->count)
		map->count = kept + 1;
}

bool e820_add(struct e820_map *map, u64 base, u64 size, u32 type)
{
	u64 end;

	if (!size || base >= ADDRESS_END)
		return true;
	end = base + min_u64(size, ADDRESS_END - base);
	if (!split(map, base) || !split(map, end) || !fill(map, base, end, type))
		return false;
	merge(map);
	return true;
}

bool e820_is_ram(const struct e820_map *map, u64 base, u64 size)
{
	for (u32 i = 0; size && i < map->count; i++) {
		const struct e820_range *range = &map->range[i];

		if (range->type == E820_RAM && base >= range->base && base < range_end(range))
			return size <= range_end(range) - base;	/* neighbours are merged */
	}
	return false;
}

bool e820_has_ram(const struct e820_map *map, u64 base, u64 end)
{
	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == E820_RAM && base < range_end(&map->range[i]) &&
		    map->range[i].base < end)
			return true;
	return false;
}

u64 e820_ram_end(const struct e820_map *map)
{
	for (u32 i = map->count; i-- > 0; )
		if (map->range[i].type == E820_RAM)
			return range_end(&map->range[i]);
	return 0;
}
