/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Families: the processes that descend by fork from one CREATE, and the memory
 * that they share (mm/frame.h). A family outlives the process that began it; its
 * id is taken until the last one is gone. There are never more families than
 * processes, so their objects are the hypervisor's own.
 */
#ifndef HV_CORE_FAMILY_H
#define HV_CORE_FAMILY_H

#include <mm/frame.h>

#define FAMILY_MAX	256	/* PROCESS_MAX */

/* A new family with one member; NULL if all ids are taken. */
struct family *family_make(void);

/* One member more. The caller is one, so the family stays. */
void family_join(struct family *family);

/* One member less; false: the caller is the last, and remains to take the family apart. */
bool family_leave(struct family *family);

/* The last member is gone, and no chunk is left: the id is free. */
void family_end(struct family *family);

/* The family of a chunk in state FAMILY. frame_lock is held: it stays bound meanwhile. */
struct family *family_of(const struct chunk *chunk);

#endif
