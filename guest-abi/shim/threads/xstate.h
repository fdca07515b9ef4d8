/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's vector state. The shim is compiled without vector registers, so at
 * any moment they hold what the program left there.
 */
#ifndef SHIM_XSTATE_H
#define SHIM_XSTATE_H

#include "shim.h"

/* XCR0, or 0 where there is no XSAVE; bytes of an area of the standard format. */
uint64_t xstate_features(void);
uint64_t xstate_size(void);

/*
 * To an area of the program's, aligned to 64, and back from it: these features, or FXRSTOR if 0.
 * False if it went away meanwhile: then part of it may have been done.
 */
bool xstate_try_save(uint8_t *area);
bool xstate_try_restore(const uint8_t *area, uint64_t features);

/* What programs and handlers start with. */
void xstate_initial(void);

/*
 * This thread's state into a thread page, at CARREL_TP_XSTATE, and back: from the call that
 * makes a thread or a process to its START. Without AMX, which does not fit and is no
 * program's: arch_prctl gives no permission to use it.
 */
void vectors_keep(struct carrel_thread_page *page);
void vectors_take(const struct carrel_thread_page *page);

#endif
