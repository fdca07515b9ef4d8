/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which descriptors are open, as far as the shim has seen: a kernel that hands
 * out an open descriptor a second time would make the program write into the
 * wrong file. Those that were inherited are noted at the start, as far as the kernel tells: what
 * is behind them is the host's choice anyway.
 */
#ifndef SHIM_FDS_H
#define SHIM_FDS_H

#include "base/carrier.h"

/* A number that may be a descriptor here. */
bool fds_valid(int64_t fd);

/* Note a new descriptor. False if it was open already or is out of range. */
bool fds_add(int64_t fd);

/* At the start: which low ones the kernel says are open. */
void fds_inherit(struct thread *t);

void fds_remove(uint64_t fd);

/* All of [first, end). */
void fds_remove_range(uint64_t first, uint64_t end);

/* Descriptors of /dev/random and /dev/urandom, which the shim reads itself. */
void fds_set_random(uint64_t fd);
bool fds_is_random(uint64_t fd);

/* A descriptor of the shim's own: to the program it is not open. Until it is removed. */
void fds_hide(uint64_t fd);
bool fds_is_hidden(uint64_t fd);
/* False while there never was one: no call need look. */
extern bool fds_hiding;
/* The first such from `fd` on, or UINT64_MAX. */
uint64_t fds_next_hidden(uint64_t fd);

#endif
