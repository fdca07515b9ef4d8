/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that somebody else wrote (firmware, loader, a kernel image): a start
 * and a length that was checked. What lies outside does not exist: asking for
 * it gives no bytes, never a stray access.
 */
#ifndef HV_BASE_BYTES_H
#define HV_BASE_BYTES_H

#include "phys.h"
#include "types.h"

struct bytes {
	const u8 *at;	/* NULL: there are none */
	u64 size;
};

/* Part of `bytes`; no bytes unless [offset, offset + size) lies inside. */
static inline struct bytes bytes_part(struct bytes bytes, u64 offset, u64 size)
{
	if (!bytes.at || offset > bytes.size || size > bytes.size - offset)
		return (struct bytes){ 0 };
	return (struct bytes){ bytes.at + offset, size };
}

/* Physical memory [pa, pa + size) through phys(), which reaches [0, reach). */
static inline struct bytes bytes_phys(u64 pa, u64 size, u64 reach)
{
	if (pa > reach || size > reach - pa)
		return (struct bytes){ 0 };
	return (struct bytes){ phys(pa), size };
}

typedef u16 unaligned_u16 __attribute__((aligned(1), may_alias));
typedef u32 unaligned_u32 __attribute__((aligned(1), may_alias));
typedef u64 unaligned_u64 __attribute__((aligned(1), may_alias));

static inline bool bytes_zero(const u8 *at, size_t size)
{
	u8 any = 0;

	while (size-- > 0)
		any |= *at++;
	return !any;
}

/* Little-endian numbers at any alignment. The caller checked the length. */
static inline u16 get16(const u8 *at) { return *(const unaligned_u16 *)at; }
static inline u32 get32(const u8 *at) { return *(const unaligned_u32 *)at; }
static inline u64 get64(const u8 *at) { return *(const unaligned_u64 *)at; }
static inline void put16(u8 *at, u16 value) { *(unaligned_u16 *)at = value; }
static inline void put32(u8 *at, u32 value) { *(unaligned_u32 *)at = value; }
static inline void put64(u8 *at, u64 value) { *(unaligned_u64 *)at = value; }

/* The sum of all bytes, modulo 256: zero for ACPI structures. */
static inline u8 bytes_sum(struct bytes bytes)
{
	u8 sum = 0;

	for (u64 i = 0; i < bytes.size; i++)
		sum += bytes.at[i];
	return sum;
}

#endif
