/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every frame's owner (invariant 1), a 2 MiB chunk at a time; inside a donated
 * chunk, one record a frame, kept in donated memory.
 *
 * States of a chunk and who moves it (hv/core/owner.c alone calls the movers):
 *
 *   NONE      no RAM                                   fixed at boot
 *   MIXED     host, but partly reserved or below 1 MiB fixed at boot; never donated
 *   HOST      host                                     -> LEAVING by donation
 *   HV        the hypervisor                           fixed at boot
 *   LEAVING   nobody: unmapped, flush debts unpaid     -> NOBODY when they are paid
 *   NOBODY    nobody: donated, bound to no family      -> FAMILY, or -> HOST by return
 *   FAMILY    one family                               -> NOBODY when the last frame is free
 *
 * The chunk array is protected by one lock, `frame_lock`; the records inside a family's
 * chunks, and the links between these chunks, by that family's lock; a page's count of
 * mappings by itself, and what goes into limbo too, so that what a fork does to each page
 * waits for nobody. Order: frame_lock, then a family's. Both are taken with interrupts off.
 *
 * A free frame costs nothing until it is wanted: STALE ones, which the family never used,
 * are scrubbed when they are allocated and may go back to the host as they are; a frame
 * that was used is scrubbed as soon as it is free, and then CLEAN. Each chunk has its own
 * free list, so that a chunk leaves a family in one step however many frames it has.
 */
#ifndef HV_MM_FRAME_H
#define HV_MM_FRAME_H

#include <base/types.h>
#include <base/lock.h>

#include "flush.h"

enum chunk_state { CHUNK_NONE, CHUNK_MIXED, CHUNK_HOST, CHUNK_HV, CHUNK_LEAVING, CHUNK_NOBODY,
		   CHUNK_FAMILY };

struct chunk {
	union {
		u64 value;	/* LEAVING: stamp of the flush debt */
		struct {	/* FAMILY: neighbours in a list of the family, 0 ends it */
			u32 next, prev;
		};
	};
	u32 lent;	/* a bit per 64 KiB block lent as a channel (HOST and MIXED only) */
	u16 family;	/* FAMILY: id */
	u8 state;	/* enum chunk_state */
	u8 reserved;
};
static_assert(sizeof(struct chunk) == 16, "chunk record");

/* A stretch of the firmware's memory map, in bytes, copied at boot. Ranges that overlap, are
 * empty or run past 2^64 do no harm: whatever an unusable range touches is unusable. */
struct ram_range {
	u64 base, size;
	bool usable;
};

enum frame_use {
	FRAME_STALE,		/* free; still holds bytes of the host: scrub before use */
	FRAME_CLEAN,		/* free and zero */
	FRAME_LIMBO,		/* unmapped, waiting for flush debts, then scrubbed */
	FRAME_RECORDS,		/* frame records of a chunk */
	FRAME_OBJECT,		/* process, thread: hypervisor data, in no view */
	FRAME_TABLE,		/* private guest page table */
	FRAME_NESTED,		/* nested table of the process view: in no view */
	FRAME_PAGE,		/* private page */
};

struct frame {		/* 8 bytes; 512 of them, in the chunk's first frame, describe a chunk */
	u32 next;	/* free: index in the chunk of the next free frame, 0 ends the list;
			   LIMBO: frame number of the next; RECORDS: index of the first free one */
	u8 use;		/* enum frame_use */
	u8 flags;	/* of the invariant walker */
	u16 count;	/* PAGE: mappings; RECORDS: free frames of the chunk */
};
static_assert(sizeof(struct frame) == 8, "frame record");

/* The memory of one family (hv/core/family.h makes them): id not 0, all else 0 at first. */
struct family {
	struct lock lock;
	u16 id;
	u16 members;		/* processes */
	u32 chunks;		/* bound */
	u32 free;		/* frames in the free lists */
	u32 used;		/* frames in use, limbo included, records not */
	u32 open, full;		/* chunks with free frames, and without: the first, 0 none */
	/* without the lock, but that only its holder takes frames out of limbo */
	u32 limbo;		/* frame number of the first frame in limbo, 0 none */
	u64 limbo_stamp;	/* newest flush debt of anything in limbo, or that one member gave up and
				   others still have */
	u64 dropped;		/* the same of the latter, if several CPUs were inside; 0 once paid */
	struct cpu_mask entered;	/* CPUs that ever entered a view of the family's */
};

extern struct lock frame_lock;

/*
 * Boot: take the array (zeroed, `chunks` records), classify from the firmware's
 * map. [hv_base, hv_base + hv_size) is 2 MiB-aligned, lies below the array's end
 * and becomes HV; a chunk that is usable RAM throughout, above 1 MiB and outside
 * every unusable range becomes HOST; one that touches usable RAM MIXED; the rest
 * NONE. Array and map are kept, not copied: they stay for ever and unchanged.
 */
void frame_boot(struct chunk *array, u64 chunks, const struct ram_range *map, size_t count,
		u64 hv_base, u64 hv_size);

/* The record of chunk `index` (gpa >> 21), or NULL past the end of RAM. */
struct chunk *frame_chunk(u64 index);
u64 frame_chunk_count(void);

/* True if the host owns all of [pa, pa + size) and it is usable RAM of the firmware's map:
 * the test of every source frame and channel block. Caller holds frame_lock. */
bool frame_is_host_ram(u64 pa, u64 size);

/* Lend or unlend the 64 KiB block at gpa `block << 16`. 0, or -1 when it is not host RAM,
 * already lent (lend), or not lent (unlend). Takes frame_lock. */
int frame_lend(u64 block);
int frame_unlend(u64 block);

/*
 * Movers: the caller holds frame_lock. 0, or
 * CARREL_EARG    no such chunk
 * CARREL_EOWNER  the chunk is not in the state (or the family) that the move starts from
 * CARREL_ESTATE  HOST, but with blocks lent; FAMILY, but with frames in use
 */
int frame_leave(u64 chunk, u64 stamp);		/* HOST, nothing lent -> LEAVING */
int frame_arrive(u64 chunk);			/* LEAVING -> NOBODY; the caller saw it paid */
int frame_bind(struct family *family, u64 chunk);	/* NOBODY -> FAMILY; the first frame takes the
							   records, the others are STALE and free */
int frame_unbind(struct family *family, u64 chunk);	/* FAMILY -> NOBODY; every frame free */
int frame_return(u64 chunk);			/* NOBODY -> HOST */

/* A chunk of the family whose frames are all free, or 0. Looks at 512 chunks with free
 * frames at most, so 0 is final only when so many are not in use. */
u64 frame_idle_chunk(struct family *family);

/* A scrubbed frame for `use` (OBJECT or later), or 0 when the family has none. Takes the
 * family's lock. `raw` frames are handed out unscrubbed: the caller overwrites all 4096 bytes
 * at once, before any CPU can reach it. */
u64 frame_alloc(struct family *family, enum frame_use use, bool raw);

/* Give back a frame that no CPU can reach any more: write back caches, scrub, CLEAN. */
void frame_free(struct family *family, u64 pa);

/* One mapping more, in another space of the family, of a page that has one. */
void frame_share(struct family *family, u64 pa);

/*
 * One mapping less of a page; true if it was the last: then it is the caller's, for
 * frame_limbo. CPUs may still reach it by that mapping until debts of `stamp` are paid; of
 * those in the space's view (`entered`), one is this CPU, which flushes before it goes on.
 */
bool frame_drop(struct family *family, u64 pa, u64 stamp, const struct cpu_mask *entered);

/*
 * True if a page has one mapping, and no CPU that runs may still read it by another: then its
 * space may write to it. The caller holds the lock of that space's process, so it stays true.
 */
bool frame_exclusive(struct family *family, u64 pa);

/* Give back a frame that CPUs may still reach until debts of `stamp` are paid. */
void frame_limbo(struct family *family, u64 pa, u64 stamp);

/* True if frames are in limbo; *stamp is limbo_stamp. */
bool frame_waits(struct family *family, u64 *stamp);

/*
 * Scrub and free frames in limbo, at most `budget`; true when limbo is empty. `paid` is a
 * limbo_stamp that the caller read and then saw paid: if a newer debt came meanwhile, the
 * rest stays where it is.
 */
bool frame_reclaim(struct family *family, u64 paid, unsigned int budget);

/* The record of a frame of this family, NULL if it is not its. */
struct frame *frame_record(const struct family *family, u64 pa);

/* Invariant walker, for tests and assertions: lists against records against counters.
 * Returns NULL or what is wrong. */
const char *frame_check(const struct family *family);

#endif
