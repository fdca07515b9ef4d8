/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private address space of a secure process: guest page tables that the
 * hypervisor owns (invariant 4) and the frames they lead to. Every frame comes
 * from the process's family and enters the process view when it is mapped.
 *
 * What an entry may hold is told in guest_format.h. Untouched reservations cost
 * nothing: a "zero on demand" range is kept in the highest entries that it
 * covers, 1 GiB and 2 MiB at a time, and needs tables below only where it is
 * touched or cut. Pages without any right (rights 0) keep their contents.
 *
 * A table that holds nothing is given back at once, so an entry that leads to a
 * table means that something is there.
 *
 * Rights are TABLE_R, TABLE_W, TABLE_X (the same bits as CARREL_R, W, X). The CPU
 * knows no page that is not readable: W or X without R is refused.
 *
 * The caller holds the process's lock. Budgets count entries that are looked at
 * or changed, so a call's work is bounded whatever the range.
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
	u64 settling;			/* share.c: newest stamp of what a write to a page waits for */
};

/* The address range that MAP, UNMAP and PROTECT take: page-aligned, in the lower half but its
 * first and last page, and outside [CARREL_GATE_VA, CARREL_SHIM_VA), the fixed pages and the
 * channel. `pages` is not 0. */
bool space_range_ok(u64 va, u64 pages);

/* An empty space whose root is in the view. 0 or CARREL_ENOMEM. */
int space_init(struct space *space, struct view *view, struct family *family);

/* One page with these 4096 bytes (ADD), which no other CPU can change meanwhile. CARREL_EARG if
 * something is there, or address or rights are not allowed; CARREL_ENOMEM. */
int space_add(struct space *space, u64 va, unsigned int rights, const void *content);

/* A fixed page or channel block: hypervisor or lent frames at an address between
 * CARREL_GATE_VA and CARREL_SHIM_VA; `user` false makes it supervisor; never W and X. Also
 * enters them into the view with the same rights. 0, CARREL_EARG if something is there,
 * CARREL_ENOMEM: nothing of it is there then, or ever was. */
int space_fix(struct space *space, u64 va, u64 pa, u64 size, unsigned int rights, bool user);

/*
 * MAP: eager zero pages, or demand; with TABLE_SHARED they stay one memory of parent and child
 * after a fork. EARG, before anything changes, if any page of the range is in use. Returns the pages done (at least 1: the caller goes on
 * from there) or CARREL_EARG or, when not a single page could be done,
 * CARREL_ENOMEM.
 */
s64 space_map(struct space *space, u64 va, u64 pages, unsigned int rights, bool demand,
	      unsigned int budget);

/* UNMAP: frames go to limbo with a new stamp in view->changed; holes are fine. As above;
 * ENOMEM when a demand range is cut and there is no frame for the table, EARG at a pinned
 * page: what lies before it is unmapped then. */
s64 space_unmap(struct space *space, u64 va, u64 pages, unsigned int budget);

/* PROTECT present and demand pages. A hole or a pinned page within what the budget reaches is
 * EARG before any of that changes. Taking rights away from a present page draws a stamp;
 * rights given come into effect at once, at the price of one spurious fault where a CPU
 * cached less. */
s64 space_protect(struct space *space, u64 va, u64 pages, unsigned int rights,
		  unsigned int budget);

/*
 * A #PF at `va` with this error code. Returns 1 when demand pages were filled (up to 16
 * neighbours of the same range), or when the entry allows the access by now, and the
 * instruction can be retried; 0 when the fault is the process's own; CARREL_ENOMEM when
 * the family has no frame; SPACE_WAIT when a write must wait until the CPUs inside,
 * this one too, have flushed: `settling`.
 */
#define SPACE_WAIT	2
int space_fault(struct space *space, u64 va, u64 error_code);

/*
 * Share what `parent` has from *va (0 at first) on with `child`, an empty space of the same family
 * but for its fixed pages: all but these, the channel, and the threads' pages. *va moves on. 0;
 * CARREL_MORE; CARREL_ENOMEM: call again. The child may run when 0 came and the parent is settled.
 */
int space_fork(struct space *parent, struct space *child, u64 *va, unsigned int budget);

/* Copy a range, page by page, that space_fork leaves out. 0, or CARREL_ENOMEM: call again. */
int space_copy(const struct space *parent, struct space *child, u64 va, u64 pages);

/* No CPU can use an older translation of the space than its tables give. */
bool space_settled(const struct space *space);

/* Physical address behind a present private page (of its byte `va`), for the hypervisor's own
 * access; 0 if there is none. Good until the lock is given up: the process
 * may unmap the page, and the frame may become anything else of the family. */
u64 space_find(const struct space *space, u64 va);

/* The same for as long as the space lives: the page is never unmapped and keeps its rights, so the
 * hypervisor may keep the address that this returns. 0 if there is no such page. */
u64 space_pin(struct space *space, u64 va);

/*
 * Give back every frame and table (to limbo), at most `*budget` steps, lowering it; true when
 * done. No thread of the process can enter any more. Fixed and lent frames leave the view: they
 * are the caller's again once view->changed is paid.
 */
bool space_destroy(struct space *space, unsigned int *budget);

/*
 * Invariant walkers. Every private entry leads to a FRAME_PAGE of the family or a fixed frame,
 * every table is a FRAME_TABLE that no private address reaches and holds something; the view
 * holds these frames and no others, none with rights it should not have; what is writable is
 * shared or has one mapping. Of all spaces of a family together: each page is mapped as often as
 * its count says. NULL or what is wrong.
 */
const char *space_check(const struct space *space);
const char *spaces_check(const struct space *const spaces[], unsigned int count);

#endif
