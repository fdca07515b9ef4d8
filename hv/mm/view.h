/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested views: what a guest-physical address leads to. One host view for the
 * machine, one process view per secure process. All maps are the identity; a
 * view differs from another only in what is absent and in rights.
 */
#ifndef HV_MM_VIEW_H
#define HV_MM_VIEW_H

#include "table.h"
#include "flush.h"
#include "frame.h"

struct view {
	struct table table;
	struct cpu_mask entered;
	u64 changed;		/* stamp of the newest change that owes a flush */
	u16 tag;		/* process views: VPID, and key of the ASID table; host view 0 */
};

/* Memory type of a physical range, for EPT; NPT ignores it. Returns the type at `pa` and
 * sets *end to where it changes. */
typedef enum memory_type (*memory_type_at)(u64 pa, u64 *end);

/*
 * Host view: identity map of [0, limit) with the largest leaves that memory
 * types allow, all rights, less [hv_base, hv_base + hv_size). `memory` is the
 * hypervisor's pool. Returns 0 or -1.
 */
int view_make_host(struct view *view, const struct table_format *format, unsigned int largest_leaf,
		   struct table_memory *memory, u64 limit, u64 hv_base, u64 hv_size,
		   memory_type_at type_at);

/* A chunk leaves or comes back to the host view. unmap never needs a frame where the
 * host view maps the chunk by its own 2 MiB entry, and may need one to split 1 GiB: -1. */
int view_hide_chunk(struct view *host, u64 chunk);
int view_show_chunk(struct view *host, u64 chunk);

/* Hide or limit one 4 KiB page of the host view (hypervisor pages below 1 MiB, APIC trap,
 * IOMMU registers): rights 0 hides. 0 or -1. */
int view_limit_page(struct view *host, u64 pa, unsigned int rights);

/* Process view, empty. Tables come from the family (FRAME_NESTED) through `memory`. */
int view_make_process(struct view *view, const struct table_format *format,
		      struct table_memory *memory, u16 tag);

/* Let a frame into, or out of, a process view; rights as TABLE_*. Adding owes nothing;
 * removing draws a stamp into view->changed. 0 or -1. */
int view_add(struct view *view, u64 pa, unsigned int rights);
void view_remove(struct view *view, u64 pa);

#endif
