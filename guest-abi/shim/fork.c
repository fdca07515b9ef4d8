/* SPDX-License-Identifier: BSD-2-Clause */
#include <carrel/hypercall.h>
#include "emulate.h"
#include "fork.h"
#include "host.h"

int64_t fork_clone(struct thread *t, const struct clone_request *request)
{
	(void)t;
	(void)request;
	note(CARREL_NOTE_ENOSYS, SYS_clone);
	return -LINUX_ENOSYS;
}
