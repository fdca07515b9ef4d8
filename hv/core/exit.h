/* SPDX-License-Identifier: BSD-2-Clause */
/* One dispatch for every exit of every view. */
#ifndef HV_CORE_EXIT_H
#define HV_CORE_EXIT_H

#include "cpu.h"

/* The handler that boot gives to the back end; `cpu` is a struct cpu. */
void exit_handle(void *cpu, const struct vt_exit *exit);

/* Before power goes or the machine resets: no secret stays in memory. */
void exit_wipe(void);

/* Called when they are gone, if it is set: boot has something to tell the chipset. */
extern void (*exit_wiped)(void);

/* Wipe, then reset the machine. */
void exit_reset(void) __attribute__((noreturn));

/* Names of the exit counters, for INFO. */
const char *exit_name(enum vt_reason reason);

#endif
