/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process leaves for its successor across an exec: 32 bytes (the key of a
 * sealed start block, carrel/channel.h), for whoever has the ticket and the same
 * identity, once. The bytes are in no view meanwhile.
 */
#ifndef HV_CORE_PASS_H
#define HV_CORE_PASS_H

#include <base/types.h>

/* PASS: in place of the oldest of the identity with most if there is no room. 0, or CARREL_ERANDOM. */
int pass_leave(const u64 identity[4], const u64 bytes[4], u64 ticket[2]);

/* CLAIM. 0, or CARREL_ETICKET: no such ticket, or it is for another identity. */
int pass_claim(const u64 identity[4], const u64 ticket[2], u64 bytes[4]);

/* Panic: all other CPUs have stopped, perhaps with the lock. */
void pass_wipe(void);

#endif
