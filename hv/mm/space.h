/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private address space of a secure process: guest page tables that the
 * hypervisor owns (invariant 4) and the frames they lead to. Every frame comes
 * from the process's family and enters the process view when it is mapped.
 *
 * A not-present level-1 entry may carry "zero on demand" with rights in its
 * software bits: DEMAND is bit 1 (with bit 0 clear), R/W/X rights in bits 9-11.
 * Present entries are made with A = 1, D = 1 where writable, U/S = 1 except for
 * bounce and descriptor page, NX where not executable.
 *
 * Untouched reservations must cost nothing: a demand range that covers whole
 * 2 MiB regions is kept in the level-2 entry's software bits and needs no
 * level-1 table until its first touch.
 *
 * The caller holds the process's lock.
 */
#ifndef HV_MM_SPACE_H
#define HV_MM_SPACE_H

#include "view.h"
#include "frame.h"

struct space {
	struct table table;		/* private tables; root goes to CR3 */
	struct table_memory memory;	/* frames of FRAME_TABLE, entered into the view RW NX */
	struct view *view;
	struct family *family;
};

/* The address range that MAP, UNMAP and PROTECT take: below CARREL_BASE's fixed pages and
 * above page 0; [CARREL_GATE_VA, CARREL_SHIM_VA) and the top half are never a caller's. */
bool space_range_ok(u64 va, u64 pages);

int space_init(struct space *space, struct view *view, struct family *family);

/* One page with these bytes (ADD). CARREL_EARG if something is there, CARREL_ENOMEM. */
int space_add(struct space *space, u64 va, unsigned int rights, const void *content);

/* A fixed page or channel block: hypervisor or lent frame at an address of layout.h;
 * `user` false makes it supervisor. Also enters it into the view with the same rights. */
int space_fix(struct space *space, u64 va, u64 pa, u64 size, unsigned int rights, bool user);

/*
 * MAP: eager zero pages, or demand. EARG if any page of the range is in use. At most
 * `budget` pages are made in one call: returns pages done (>= 0; the caller goes on from
 * there) or a CARREL_E*.
 */
s64 space_map(struct space *space, u64 va, u64 pages, unsigned int rights, bool demand,
	      unsigned int budget);

/* UNMAP: frames go to limbo with a new stamp in view->changed; holes are fine. As above. */
s64 space_unmap(struct space *space, u64 va, u64 pages, unsigned int budget);

/* PROTECT present and demand pages; a hole in the range is EARG before anything changes. */
s64 space_protect(struct space *space, u64 va, u64 pages, unsigned int rights,
		  unsigned int budget);

/*
 * A #PF at `va` with this error code. Returns 1 when demand pages were filled (up to 16
 * neighbours of the same range) and the instruction can be retried; 0 when the fault is
 * the process's own; CARREL_ENOMEM when the family has no frame.
 */
int space_fault(struct space *space, u64 va, u64 error_code);

/* Physical address behind a private page, for the hypervisor's own reading of the thread
 * page; 0 if not present. */
u64 space_find(const struct space *space, u64 va);

/* Give back every frame and table (to limbo/free), at most `budget`; true when done. */
bool space_destroy(struct space *space, unsigned int *budget);

/* Invariant walker: every present private entry leads to a FRAME_PAGE of the family (or a
 * fixed frame), no translation leads to a FRAME_TABLE, counts agree. NULL or what is wrong. */
const char *space_check(const struct space *space);

#endif
