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
 * chunks by that family's lock.
 */
#ifndef HV_MM_FRAME_H
#define HV_MM_FRAME_H

#include <base/types.h>
#include <base/lock.h>

enum chunk_state { CHUNK_NONE, CHUNK_MIXED, CHUNK_HOST, CHUNK_HV, CHUNK_LEAVING, CHUNK_NOBODY,
		   CHUNK_FAMILY };

struct chunk {
	u64 value;	/* LEAVING: stamp of the flush debt; FAMILY: pa of the 512 frame records */
	u32 lent;	/* a bit per 64 KiB block lent as a channel (HOST and MIXED only) */
	u16 family;	/* FAMILY: id */
	u8 state;
	u8 reserved;
};
static_assert(sizeof(struct chunk) == 16, "chunk record");

/* A stretch of the firmware's memory map, copied at boot, sorted, not overlapping. */
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

struct frame {		/* 8 bytes; 512 of them describe a chunk */
	u32 next;	/* free lists: frame number of the next, 0 ends it */
	u8 use;		/* enum frame_use */
	u8 flags;
	u16 count;	/* PAGE: mappings */
};
static_assert(sizeof(struct frame) == 8, "frame record");

/* The memory of one family. Lives in the process object; id 1 .. FAMILY_MAX. */
struct family {
	struct lock lock;
	u16 id;
	u32 chunks;		/* bound */
	u32 free;		/* frames in the free lists */
	u32 used;		/* frames in use, limbo included, records not */
	u32 stale, clean, limbo;	/* list heads: frame numbers, 0 empty */
	u64 limbo_stamp;	/* newest flush debt of anything in limbo */
	u32 first_chunk;	/* chunks are found through the chunk array; a hint */
};

extern struct lock frame_lock;

/*
 * Boot: take the array (zeroed, `chunks` records), classify from the firmware's
 * map. [hv_base, hv_base + hv_size) is 2 MiB-aligned and becomes HV; a chunk that
 * is usable RAM throughout, above 1 MiB and outside every `reserved` range becomes
 * HOST; one that touches usable RAM MIXED; the rest NONE.
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

/* Movers, each under frame_lock; 0 or a CARREL_E* code. See the table above. */
int frame_leave(u64 chunk, u64 stamp);		/* HOST, nothing lent -> LEAVING */
int frame_arrive(u64 chunk);			/* LEAVING -> NOBODY */
int frame_bind(struct family *family, u64 chunk);	/* NOBODY -> FAMILY; builds the records in its
							   first frame; all others STALE and free */
int frame_unbind(struct family *family, u64 chunk);	/* FAMILY -> NOBODY; every frame free, all
							   CLEAN or STALE; else CARREL_ESTATE */
int frame_return(u64 chunk);			/* NOBODY -> HOST */

/* A scrubbed frame for `use`, or 0 when the family has none. Takes the family's lock.
 * `raw` frames are handed out unscrubbed: the caller overwrites all 4096 bytes at once. */
u64 frame_alloc(struct family *family, enum frame_use use, bool raw);

/* Give back a frame that no CPU can reach any more: write back caches, scrub, CLEAN. */
void frame_free(struct family *family, u64 pa);

/* Give back a frame that CPUs may still reach until debts of `stamp` are paid. */
void frame_limbo(struct family *family, u64 pa, u64 stamp);

/* Scrub and free everything in limbo (the caller saw that limbo_stamp is paid); at most
 * `budget` frames: true when limbo is empty. */
bool frame_reclaim(struct family *family, unsigned int budget);

/* The record of a frame of this family, NULL if it is not its. */
struct frame *frame_record(const struct family *family, u64 pa);

/* Invariant walker, for tests and assertions: lists against records against counters.
 * Returns NULL or what is wrong. */
const char *frame_check(const struct family *family);

#endif
