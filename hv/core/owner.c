/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes an owner: views, DMA and flush debts together. */
#include "owner.h"

#include <base/log.h>
#include <carrel/hypercall.h>
#include <mm/dma.h>

#include "family.h"
#include "stats.h"

void owner_flush(struct cpu *cpu)
{
	u64 begun = flush_begin();

	machine.vt->flush_all(&cpu->vt);
	flush_done(cpu->id, begun);
}

static int leave_host(struct chunk *record, u64 chunk)
{
	struct view *host = &machine.host_view;
	int error;

	if (record->state != CHUNK_HOST)
		return CARREL_EOWNER;
	if (record->lent)
		return CARREL_ESTATE;
	if (dma_state() == DMA_LOST)
		return CARREL_EDMA;
	if (view_hide_chunk(host, chunk))
		return CARREL_ELIMIT;
	if (dma_hide_chunk(chunk)) {
		view_show_chunk(host, chunk);
		return CARREL_ELIMIT;
	}
	error = frame_leave(chunk, host->changed);
	ASSERT(!error);
	stats_add(&stats.chunks_donated, 1);
	return 0;
}

static int arrive(struct chunk *record, u64 chunk)
{
	if (!flush_paid(&machine.host_view.entered, record->value))
		return CARREL_PENDING;
	if (!dma_drained())	/* for ever, if the IOMMU failed: then it stays nobody's */
		return dma_state() == DMA_LOST ? CARREL_EDMA : CARREL_PENDING;
	return frame_arrive(chunk);
}

/* As far as it gets without waiting, from whatever state the chunk is in. */
static int donate(u64 chunk, struct family *family)
{
	struct chunk *record = frame_chunk(chunk);
	int error = 0;

	if (!record)
		return CARREL_EARG;
	if (record->state == CHUNK_NOBODY)
		return family ? frame_bind(family, chunk) : CARREL_EOWNER;
	if (record->state != CHUNK_LEAVING)
		error = leave_host(record, chunk);
	if (!error)
		error = arrive(record, chunk);
	if (!error && family)
		error = frame_bind(family, chunk);
	return error;
}

int owner_donate(u64 chunk, struct family *family, u32 limit)
{
	int error = CARREL_ELIMIT;

	lock_take(&frame_lock);		/* processes of one family have different locks */
	if (!family || family->chunks < limit)
		error = donate(chunk, family);
	lock_release(&frame_lock);
	return error;
}

int owner_bind(u64 chunk, struct family *family, u64 *object)
{
	struct chunk *record;
	int error = CARREL_EOWNER;

	lock_take(&frame_lock);
	record = frame_chunk(chunk);
	if (record && record->state == CHUNK_NOBODY)
		error = frame_bind(family, chunk);
	if (!error)
		*object = frame_alloc(family, FRAME_OBJECT, false);
	lock_release(&frame_lock);
	return error;
}

/* A chunk that its family does not use, or not any more once frames whose debts are paid come out
 * of limbo. The one with the object of the last process is in use until it is unbound. */
static int leave_family(struct chunk *record, u64 chunk)
{
	struct family *family = family_of(record);
	u64 stamp;

	if (frame_waits(family, &stamp) && flush_paid_inside(&family->entered, stamp))
		frame_reclaim(family, stamp, CHUNK_PAGES);
	return frame_unbind(family, chunk);
}

/* Entries are added for the host: that owes no flush. */
static int give_back(u64 chunk)
{
	struct chunk *record = frame_chunk(chunk);
	int error;

	if (!record)
		return CARREL_EARG;
	if (record->state == CHUNK_LEAVING)
		return CARREL_ESTATE;
	if (record->state == CHUNK_FAMILY && leave_family(record, chunk))
		return CARREL_ESTATE;
	if (record->state != CHUNK_NOBODY)
		return CARREL_EOWNER;
	view_show_chunk(&machine.host_view, chunk);
	error = frame_return(chunk);
	ASSERT(!error);
	dma_show_chunk(chunk);
	stats_add(&stats.chunks_donated, -1);
	return 0;
}

int owner_return(u64 chunk)
{
	int error;

	lock_take(&frame_lock);
	error = give_back(chunk);
	lock_release(&frame_lock);
	return error;
}
