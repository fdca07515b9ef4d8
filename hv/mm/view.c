/* SPDX-License-Identifier: BSD-2-Clause */
#include "view.h"

#include <base/log.h>
#include <base/phys.h>

#define RIGHTS_ALL (TABLE_R | TABLE_W | TABLE_X)

void view_changed(struct view *view)
{
	/* CPUs about to enter read it without the lock. A barrier, because whoever sees that no
	 * thread is inside after this relies on threads that enter later to see the stamp. */
	if (!view->idle)
		__atomic_store_n(&view->changed, flush_stamp(), __ATOMIC_SEQ_CST);
}

void view_idle(struct view *view)
{
	view->entered = (struct cpu_mask){ 0 };
	view->changed = 0;
	view->idle = true;
	container_of(view->table.memory, struct view_memory, memory)->idle = true;
}

/* Identity-map [pa, end) in pieces of one memory type. */
static int map_typed(struct view *host, u64 pa, u64 end, unsigned int rights)
{
	while (pa < end) {
		u64 until = end;
		enum memory_type type = host->type_at(pa, &until);

		ASSERT(until > pa && IS_ALIGNED(until, PAGE_SIZE));
		until = min_u64(until, end);
		if (table_map(&host->table, pa, pa, until - pa, rights, type))
			return -1;
		pa = until;
	}
	return 0;
}

int view_make_host(struct view *view, const struct table_format *format, unsigned int largest_leaf,
		   struct table_memory *memory, u64 limit, u64 hv_base, u64 hv_size,
		   memory_type_at type_at)
{
	ASSERT(hv_base + hv_size >= hv_base && hv_base + hv_size <= limit);
	*view = (struct view){ .type_at = type_at };
	if (table_init(&view->table, format, memory, largest_leaf))
		return -1;
	if (map_typed(view, 0, hv_base, RIGHTS_ALL))
		return -1;
	return map_typed(view, hv_base + hv_size, limit, RIGHTS_ALL);
}

int view_hide_chunk(struct view *host, u64 chunk)
{
	if (table_unmap(&host->table, chunk << CHUNK_SHIFT, CHUNK_SIZE))
		return -1;
	view_changed(host);
	return 0;
}

void view_show_chunk(struct view *host, u64 chunk)
{
	u64 pa = chunk << CHUNK_SHIFT;
	int failed = map_typed(host, pa, pa + CHUNK_SIZE, RIGHTS_ALL);

	ASSERT(!failed);
}

int view_limit_page(struct view *host, u64 pa, unsigned int rights)
{
	struct table *table = &host->table;
	int failed;

	if (!rights)
		failed = table_unmap(table, pa, PAGE_SIZE);
	else if (table_walk(table, pa).present)
		failed = table_protect(table, pa, PAGE_SIZE, rights);
	else
		failed = map_typed(host, pa, pa + PAGE_SIZE, rights);
	if (failed)
		return -1;
	view_changed(host);
	return 0;
}

static u64 nested_alloc(struct table_memory *memory)
{
	struct view_memory *own = container_of(memory, struct view_memory, memory);

	return frame_alloc(own->family, FRAME_NESTED, false);
}

static void nested_free(struct table_memory *memory, u64 pa)
{
	struct view_memory *own = container_of(memory, struct view_memory, memory);

	frame_limbo(own->family, pa, own->idle ? 0 : flush_stamp());
}

void view_memory_init(struct view_memory *memory, struct family *family)
{
	memory->memory.alloc = nested_alloc;
	memory->memory.free = nested_free;
	memory->family = family;
	memory->idle = false;
}

int view_make_process(struct view *view, const struct table_format *format,
		      struct table_memory *memory, u16 tag)
{
	/* a CPU may still have something of the view that had this tag before */
	*view = (struct view){ .tag = tag, .changed = flush_stamp() };
	return table_init(&view->table, format, memory, 1);
}

/* The level-1 entry of a frame; the frames of one chunk share one table, and frames are
 * handed out chunk by chunk, so the table used last is mostly the right one. */
static u64 *entry_of(struct view *view, u64 pa)
{
	u64 chunk = pa >> CHUNK_SHIFT;
	unsigned int index = pa >> PAGE_SHIFT & (CHUNK_PAGES - 1);
	u64 *slot;

	if (view->last && view->last_chunk == chunk)
		return &view->last[index];
	slot = table_slot(&view->table, pa);
	if (!slot)
		return NULL;
	view->last = slot - index;
	view->last_chunk = chunk;
	return slot;
}

int view_add(struct view *view, u64 pa, unsigned int rights)
{
	u64 *entry = entry_of(view, pa);

	if (!entry)
		return -1;
	ASSERT(!table_get(entry) && rights);
	table_set(entry, view->table.format->make_leaf(pa, 1, rights, MEMORY_WB));
	return 0;
}

void view_remove(struct view *view, u64 pa)
{
	u64 *entry = entry_of(view, pa);

	ASSERT(entry && view->table.format->present(table_get(entry)));
	table_set(entry, 0);
	/* it may lie in the very chunk that it covers, and is not to keep that from going back */
	if (table_is_empty(entry)) {
		view->last = NULL;
		table_prune(&view->table, pa);
	}
	view_changed(view);
}

bool view_destroy(struct view *view, unsigned int *budget)
{
	view->last = NULL;
	return table_destroy(&view->table, budget);
}
