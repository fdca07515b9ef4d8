/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shim keeps of the program's timers: the value that each signal brings. */
#ifndef SHIM_TIMER_H
#define SHIM_TIMER_H

#include "shim.h"

/* In the siginfo of a timer's signal: the program's value for the token; 0 for one that is none. */
void timer_restore(uint8_t siginfo[SIGINFO_SIZE]);

/* The same in the program's memory, with `signal` as its number. False: EFAULT. */
bool timer_take(uint64_t siginfo, uint32_t signal);

#endif
