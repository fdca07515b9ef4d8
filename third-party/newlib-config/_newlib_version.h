/* SPDX-License-Identifier: BSD-2-Clause */
/* The version newlib's own headers report; scripts/sources.lock decides which one is built. */
#ifndef CARREL_NEWLIB_VERSION_H
#define CARREL_NEWLIB_VERSION_H

#define _NEWLIB_VERSION "3.3.0"
#define __NEWLIB__ 3
#define __NEWLIB_MINOR__ 3
#define __NEWLIB_PATCHLEVEL__ 0

#endif
