/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * A secret that is random, and yet can be recognised by who knows the key: the
 * high half of each word follows from the low half. So an attacker needs no copy
 * of what it looks for, and a secret of an earlier run, which has another key, is
 * not taken for it. Leaf header for kernel and user.
 */
#ifndef ATTACK_SECRET_H
#define ATTACK_SECRET_H

#ifdef __KERNEL__
#include <linux/types.h>
typedef __u32 secret_u32;
typedef __u64 secret_u64;
#else
#include <stdint.h>
typedef uint32_t secret_u32;
typedef uint64_t secret_u64;
#endif

static inline secret_u32 secret_mix(secret_u64 key, secret_u32 low)
{
	return (low ^ (secret_u32)key) * 0x9e3779b1u + (secret_u32)(key >> 32);
}

static inline secret_u64 secret_word(secret_u64 key, secret_u32 low)
{
	return (secret_u64)secret_mix(key, low) << 32 | low;
}

/* Wrong for one random word in 2^32. */
static inline int secret_is(secret_u64 key, secret_u64 word)
{
	return (secret_u32)(word >> 32) == secret_mix(key, (secret_u32)word);
}
#endif
