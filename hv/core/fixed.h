/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three hypervisor-owned pages of every process view (carrel/layout.h): the
 * gate, the system-call bounce page and the constant descriptor page. They are
 * the same frames for all processes and hold nothing but constants.
 */
#ifndef HV_CORE_FIXED_H
#define HV_CORE_FIXED_H

#include <mm/space.h>

/* Boot, after machine.pool and machine.vt: make the pages. 0, or -1 (no frame). */
int fixed_boot(void);

/* Put them into a new address space and its view. 0 or CARREL_ENOMEM. */
int fixed_map(struct space *space);

#endif
