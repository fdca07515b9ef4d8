/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of owner (invariant 2), always in this order: unmap from the host
 * view and from devices; every CPU that owes it flushes; devices drain; write
 * back caches and scrub (hv/mm/frame.c, when the frame is first used); map for
 * the new owner. What waits is nobody's.
 *
 * `frame_lock` serialises all changes of the host view. Lock order: a process's
 * lock, frame_lock, a family's lock.
 */
#ifndef HV_CORE_OWNER_H
#define HV_CORE_OWNER_H

#include <mm/frame.h>

#include "cpu.h"

/*
 * Host -> nobody, and nobody -> `family` unless that is NULL (its process's lock is held).
 * 0; CARREL_PENDING: flushes are owed, ask again; CARREL_EOWNER not the host's to give, or
 * already given; CARREL_ESTATE lent; CARREL_ELIMIT the family has `limit` chunks, or no
 * frame is left to split a large entry of the host view; CARREL_EDMA an IOMMU failed while it ran.
 */
int owner_donate(u64 chunk, struct family *family, u32 limit);

/* Nobody -> family, for CREATE, with a frame for its object, so that no RETURN finds the chunk
 * idle. 0 or CARREL_EOWNER. */
int owner_bind(u64 chunk, struct family *family, u64 *object);

/* Nobody -> host, or a family that has nothing in it -> host. 0, CARREL_ESTATE while something is
 * in it or it is leaving, CARREL_EOWNER if never donated. */
int owner_return(u64 chunk);

/* Forget every cached translation of this CPU and say so in the ledger. On `cpu` itself. */
void owner_flush(struct cpu *cpu);

#endif
