/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's memory as the shim reads and writes it: only where the map of
 * vm.h allows, and without harm if another thread unmaps it meanwhile.
 */
#ifndef SHIM_USER_H
#define SHIM_USER_H

#include "shim.h"

/* Copy; false (EFAULT) if not all of it is the program's to read or write, or went away. */
bool user_get(void *to, uint64_t address, size_t size);
bool user_put(uint64_t address, const void *from, size_t size);

/*
 * Copy between any two addresses. False if one could not be reached: then part of it may
 * have been copied. Every byte is read once.
 */
bool copy_try(void *to, const void *from, size_t size);

/*
 * *size = bytes of the string at `address` with its NUL, or 0 if it has none in `max` bytes. False
 * (EFAULT) if memory ends before it does.
 */
bool user_string(uint64_t address, size_t max, size_t *size);

/* *value = the aligned word at `address`; false (EFAULT) as above. */
bool user_load(uint32_t *value, uint64_t address);

/* In one access, of a word anywhere. False: EFAULT. */
bool user_store(uint64_t address, uint32_t value);

/* Atomically: if the aligned word at `address` is *expected, make it `value`, else set *expected
 * to what it is. *done says which. False: EFAULT. */
bool user_exchange(uint64_t address, uint32_t *expected, uint32_t value, bool *done);

#endif
