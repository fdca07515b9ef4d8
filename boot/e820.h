/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's memory map: sorted, without overlaps, neighbours of one type merged. */
#ifndef BOOT_E820_H
#define BOOT_E820_H

#include <base/types.h>

#define E820_MAX	256U

/* ACPI specification, "Address Range Types"; up to E820_LAST others are kept as they come. */
enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_BAD = 5,
		 E820_PMEM = 7, E820_PRAM = 12, E820_LAST = 12 };

struct e820_range {
	u64 base, size;
	u32 type;
};

struct e820_map {
	u32 count;
	struct e820_range range[E820_MAX];
};

/*
 * Add [base, base + size). Where it overlaps what is there, the less usable type
 * stands. What lies beyond 52 address bits is cut off. False when the map is full;
 * the map is then of no further use.
 */
bool e820_add(struct e820_map *map, u64 base, u64 size, u32 type);

/* Is every byte of [base, base + size) RAM? False for an empty or wrapping range. */
bool e820_is_ram(const struct e820_map *map, u64 base, u64 size);

/* Is any byte of [base, end)? */
bool e820_has_ram(const struct e820_map *map, u64 base, u64 end);

/* The end of the last range of RAM; 0 if there is none. */
u64 e820_ram_end(const struct e820_map *map);

#endif
