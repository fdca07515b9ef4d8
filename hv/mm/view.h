/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested views: what a guest-physical address leads to. One host view for the
 * machine, one process view per secure process. All maps are the identity; a
 * view differs from another only in what is absent and in rights.
 *
 * Not locked: frame_lock serialises changes of the host view, the process's lock
 * those of its view. The host view keeps its tables for ever, a process view those that
 * lead to something.
 */
#ifndef HV_MM_VIEW_H
#define HV_MM_VIEW_H

#include "table.h"
#include "flush.h"
#include "frame.h"

/* Memory type of a physical range, for EPT; NPT ignores it. Returns the type at `pa` and
 * sets *end to where it changes. */
typedef enum memory_type (*memory_type_at)(u64 pa, u64 *end);

struct view {
	struct table table;
	struct cpu_mask entered;
	u64 changed;		/* stamp of the newest change that owes a flush */
	u16 tag;		/* process views: VPID, and key of the ASID table; host view 0 */
	bool idle;		/* process views: no CPU is inside or can enter any more */
	memory_type_at type_at;	/* host view */
	u64 *last;		/* process views: the level-1 table used last ... */
	u64 last_chunk;		/* ... and the chunk that it covers; NULL: none */
};

/* Table memory of a process view: frames of the family (FRAME_NESTED), through limbo back. */
struct view_memory {
	struct table_memory memory;
	struct family *family;
	bool idle;		/* as the view */
};

void view_memory_init(struct view_memory *memory, struct family *family);

/*
 * Host view: identity map of [0, limit) with the largest leaves that memory
 * types allow, all rights, less [hv_base, hv_base + hv_size). `memory` is the
 * hypervisor's pool. Returns 0 or -1.
 */
int view_make_host(struct view *view, const struct table_format *format, unsigned int largest_leaf,
		   struct table_memory *memory, u64 limit, u64 hv_base, u64 hv_size,
		   memory_type_at type_at);

/*
 * A chunk leaves or comes back to the host view. hide draws a stamp; it may need
 * a frame to split 1 GiB: -1, nothing changed. show needs none (the host view
 * keeps its tables) and owes nothing, since absence is not cached.
 */
int view_hide_chunk(struct view *host, u64 chunk);
void view_show_chunk(struct view *host, u64 chunk);

/* Hide, limit or restore one 4 KiB page of the host view (hypervisor pages below 1 MiB, APIC
 * trap, IOMMU registers): rights 0 hides. Never a page of a hidden chunk. Always draws a stamp.
 * 0, or -1: no frame for a table, nothing changed. */
int view_limit_page(struct view *host, u64 pa, unsigned int rights);

/* Process view, empty. Tables come from the family (FRAME_NESTED) through `memory`, which
 * outlives the view. 0 or -1. */
int view_make_process(struct view *view, const struct table_format *format,
		      struct table_memory *memory, u16 tag);

/* Let a frame that is not in it into a process view; rights as TABLE_*. Owes nothing.
 * 0, or -1: no frame for a table. */
int view_add(struct view *view, u64 pa, unsigned int rights);

/* Out of a process view: the frame must be in it. Draws a stamp into view->changed. */
void view_remove(struct view *view, u64 pa);

/* Something was taken away: draw a stamp into view->changed. Also for changes of the private
 * tables of a process view, whose translations are cached together with the nested ones. */
void view_changed(struct view *view);

/* No CPU is inside a process view, and none can enter any more: from now on its changes owe
 * nothing, and their stamp is 0. */
void view_idle(struct view *view);

/* The rights a frame has in a process view, 0 if it is not in it. */
unsigned int view_rights(const struct view *view, u64 pa);

/* Give back the tables of a process view that no CPU can enter any more, at most `*budget`
 * frames, lowering it; true when done. What it mapped is not touched. */
bool view_destroy(struct view *view, unsigned int *budget);

#endif
