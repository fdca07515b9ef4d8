/* SPDX-License-Identifier: BSD-2-Clause */
/* The attacking module, and what the hypervisor tells of itself by /dev/carrel. */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>
#include <stdint.h>
#include <attack.h>

/* Carry it out; errno of the ioctl, or 0. */
int module_try(struct attack *a);
/* ... which must be possible. */
void module_do(struct attack *a);

/* This kernel runs under Carrel; without, nothing below can be asked. */
bool carrel_there(void);

/* INFO `what` of `index`, `sub`. False: no such thing. */
bool carrel_info(uint64_t what, uint64_t index, uint64_t sub, uint64_t value[6]);

/* Accesses and calls that the hypervisor has refused so far. */
struct refused {
	uint64_t reads, writes, fetches, registers, calls;
};
struct refused carrel_refused(void);

/* Chunks that are donated at this moment. */
uint64_t carrel_donated(void);

/* What was logged since the last call of it; at most the last 16 KiB. */
const char *carrel_new_log(void);

/* True for SVM and its VMMCALL. */
bool carrel_is_svm(void);

#endif
