/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the hypervisor could not finish yet, because a CPU does not pay its
 * flush, and nobody can wait for: tried again every second until it is done.
 * The module stays loaded meanwhile.
 */
#ifndef CARREL_MODULE_RETRY_H
#define CARREL_MODULE_RETRY_H

#include <linux/list.h>
#include <linux/types.h>

struct retry {
	struct list_head list;
	bool (*try)(struct retry *retry);
};

/*
 * Has `try` called, in a task that may sleep, until it returns true; it may have
 * freed what `retry` is part of then. The caller's module is in use.
 */
void retry_later(struct retry *retry, bool (*try)(struct retry *retry));

/* Module exit: nothing is left to try. */
void retry_exit(void);

#endif
