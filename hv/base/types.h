/* SPDX-License-Identifier: BSD-2-Clause */
/* Words, sizes and the few macros that every room uses. */
#ifndef HV_BASE_TYPES_H
#define HV_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE_SHIFT	12
#define PAGE_SIZE	0x1000UL
#define CHUNK_SHIFT	21
#define CHUNK_SIZE	0x200000UL
#define CHUNK_PAGES	512UL
#define KIB		1024UL
#define MIB		0x100000UL
#define GIB		0x40000000UL

#define MAX_CPUS	64U

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a) ((x) & ~((u64)(a) - 1))
#define ALIGN_UP(x, a)	(((x) + (a) - 1) & ~((u64)(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((u64)(a) - 1)) == 0)
#define BIT(n)		(1ULL << (n))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define static_assert	_Static_assert

static inline u64 min_u64(u64 a, u64 b) { return a < b ? a : b; }
static inline u64 max_u64(u64 a, u64 b) { return a > b ? a : b; }

#endif
