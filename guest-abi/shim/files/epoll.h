/* SPDX-License-Identifier: BSD-2-Clause */
/* What the shim keeps of epoll: the program's data of each registration. */
#ifndef SHIM_EPOLL_H
#define SHIM_EPOLL_H

#include "base/carrier.h"

/* A descriptor of this carrier is about to be closed: so are its registrations, and what is registered there. */
void epoll_forget(struct carrier *c, uint64_t fd);

/* In the child of a fork. */
void epoll_forked(void);

#endif
