/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests' machine: its memory, a pool, families; and the record of what happened. */
#include "test.h"

#include <mm/cache.h>
#include <mm/scrub.h>

struct chunk memory_chunks[MEMORY_CHUNKS];
struct event events[EVENTS_MAX];
unsigned int event_count;
void (*on_scrub)(u64 pa), (*on_stamp)(void), (*on_alone)(void), (*on_paid)(void);

void events_clear(void)
{
	event_count = 0;
}

static void record(struct event event)
{
	unsigned int at = __atomic_fetch_add(&event_count, 1, __ATOMIC_RELAXED);

	if (at < EVENTS_MAX)
		events[at] = event;
}

void __real_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa)
{
	if (on_scrub)
		on_scrub(pa);
	record((struct event){ .kind = EVENT_SCRUB, .pa = pa });
	__real_scrub_page(pa);
	record((struct event){ .kind = EVENT_SCRUBBED, .pa = pa });
}

void __real_cache_write_back(u64 pa);
void __wrap_cache_write_back(u64 pa);
void __wrap_cache_write_back(u64 pa)
{
	record((struct event){ .kind = EVENT_WRITE_BACK, .pa = pa, .zero = frame_is_zero(pa) });
	__real_cache_write_back(pa);
}

u64 __real_flush_stamp(void);
u64 __wrap_flush_stamp(void);
u64 __wrap_flush_stamp(void)
{
	u64 stamp;

	if (on_stamp)
		on_stamp();
	stamp = __real_flush_stamp();
	record((struct event){ .kind = EVENT_STAMP, .stamp = stamp });
	return stamp;
}

bool __real_flush_alone(const struct cpu_mask *mask);
bool __wrap_flush_alone(const struct cpu_mask *mask);
bool __wrap_flush_alone(const struct cpu_mask *mask)
{
	if (on_alone)
		on_alone();
	return __real_flush_alone(mask);
}

bool __real_flush_paid_inside(const struct cpu_mask *mask, u64 stamp);
bool __wrap_flush_paid_inside(const struct cpu_mask *mask, u64 stamp);
bool __wrap_flush_paid_inside(const struct cpu_mask *mask, u64 stamp)
{
	bool paid = __real_flush_paid_inside(mask, stamp);

	if (on_paid)
		on_paid();
	return paid;
}

void __real_frame_limbo(struct family *family, u64 pa, u64 stamp);
void __wrap_frame_limbo(struct family *family, u64 pa, u64 stamp);
void __wrap_frame_limbo(struct family *family, u64 pa, u64 stamp)
{
	record((struct event){ .kind = EVENT_LIMBO, .pa = pa, .stamp = stamp });
	__real_frame_limbo(family, pa, stamp);
}

void frame_paint(u64 pa, u64 colour)
{
	u64 *words = phys(pa);

	for (unsigned int i = 0; i < 512; i++)
		words[i] = colour << 32 | (pa >> PAGE_SHIFT) << 12 | i;
}

bool frame_has(u64 pa, u64 colour)
{
	const u64 *words = phys(pa);

	for (unsigned int i = 0; i < 512; i++)
		if (words[i] != (colour << 32 | (pa >> PAGE_SHIFT) << 12 | i))
			return false;
	return true;
}

bool frame_is_zero(u64 pa)
{
	static const u8 zeros[PAGE_SIZE];

	return !memcmp(phys(pa), zeros, PAGE_SIZE);
}

/* --- The pool ------------------------------------------------------------------------- */

unsigned int pool_limit, pool_out;
static bool pool_used[POOL_ALL];

static u64 pool_alloc(struct table_memory *memory)
{
	(void)memory;
	if (pool_out >= pool_limit)
		return 0;
	for (unsigned int i = 0; i < POOL_ALL; i++) {
		u64 pa = HV_FIRST * CHUNK_SIZE + i * PAGE_SIZE;

		if (pool_used[i])
			continue;
		pool_used[i] = true;
		pool_out++;
		memset(phys(pa), 0, PAGE_SIZE);
		return pa;
	}
	return 0;
}

static void pool_free(struct table_memory *memory, u64 pa)
{
	u64 i = (pa - HV_FIRST * CHUNK_SIZE) >> PAGE_SHIFT;

	(void)memory;
	CHECK(i < POOL_ALL && pool_used[i]);
	pool_used[i] = false;
	pool_out--;
	memset(phys(pa), 0xEE, PAGE_SIZE);
}

struct table_memory pool = { pool_alloc, pool_free };
/* what hv/mm/dma.c calls it */
extern struct table_memory pool_tables __attribute__((alias("pool")));

/* --- Memory and families -------------------------------------------------------------- */

static const struct ram_range ram[] = {
	{ 0, 0x9F000, true },
	{ 0x9F000, 0x61000, false },
	{ 0x100000, MEMORY_SIZE - 0x100000, true },
};

void memory_reset(void)
{
	memset(memory_chunks, 0, sizeof(memory_chunks));
	frame_boot(memory_chunks, MEMORY_CHUNKS, ram, ARRAY_SIZE(ram), HV_FIRST * CHUNK_SIZE,
		   HV_CHUNKS * CHUNK_SIZE);
	frame_lock = (struct lock){ 0 };
	for (u64 pa = 0; pa < MEMORY_SIZE; pa += PAGE_SIZE)
		frame_paint(pa, HOST_COLOUR);
	memset(pool_used, 0, sizeof(pool_used));
	pool_out = 0;
	pool_limit = POOL_ALL;
	events_clear();
}

void give_chunk(struct family *family, u64 chunk)
{
	CHECK_EQ(frame_leave(chunk, 0), 0);
	CHECK_EQ(frame_arrive(chunk), 0);
	if (family)
		CHECK_EQ(frame_bind(family, chunk), 0);
}

void make_family(struct family *family, unsigned int chunks)
{
	*family = (struct family){ .id = 1 };
	for (unsigned int i = 0; i < chunks; i++)
		give_chunk(family, HOST_FIRST + i);
}

void drain_family(struct family *family, unsigned int left)
{
	while (family->free > left)
		CHECK(frame_alloc(family, FRAME_OBJECT, true));
}

void make_world(struct world *world, unsigned int chunks, const struct table_format *format)
{
	make_family(&world->family, chunks);
	view_memory_init(&world->nested, &world->family);
	CHECK_EQ(view_make_process(&world->view, format, &world->nested.memory, 1), 0);
	CHECK_EQ(space_init(&world->space, &world->view, &world->family), 0);
}

void check_world(const struct world *world)
{
	CHECK_SOUND(frame_check(&world->family));
	CHECK_SOUND(space_check(&world->space));
}
