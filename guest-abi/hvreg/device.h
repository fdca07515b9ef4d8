/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/carrel, with errors that say what to do. Failures exit 125. */
#ifndef HVREG_DEVICE_H
#define HVREG_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <carrel/ioctl.h>

/* A descriptor of the device, close-on-exec. */
int device_open(void);

/* INFO. False: `index` or `sub` is past the last. */
bool device_info(int device, uint64_t what, uint64_t index, uint64_t sub, uint64_t value[6]);

/* Ends hvreg after ioctl or mmap `what` failed with `error`. */
_Noreturn void device_fail(const char *what, int error);

#endif
