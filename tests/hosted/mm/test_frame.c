/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"

#include <pthread.h>
#include <sched.h>

/* --- Boot: a firmware map that nobody vouches for ------------------------------------- */

#define BOOT_CHUNKS 64U

/* The slow truth, a probe at a time: where ranges begin and end at multiples of GRAIN. */
#define GRAIN 0x8000UL

static bool model_touched(const struct ram_range *map, size_t count, u64 at, bool usable)
{
	for (size_t i = 0; i < count; i++) {
		u64 end = map[i].base + map[i].size;

		if (map[i].base + map[i].size < map[i].base)
			end = ~0UL;
		if (map[i].usable == usable && at >= map[i].base && at < end)
			return true;
	}
	return false;
}

static enum chunk_state model_state(const struct ram_range *map, size_t count, u64 chunk, u64 hv,
				    u64 hv_chunks)
{
	bool any = false, all = chunk != 0;

	if (chunk >= hv && chunk < hv + hv_chunks)
		return CHUNK_HV;
	for (u64 at = chunk << CHUNK_SHIFT; at < (chunk + 1) << CHUNK_SHIFT; at += GRAIN) {
		any |= model_touched(map, count, at, true);
		all &= model_touched(map, count, at, true) && !model_touched(map, count, at, false);
	}
	return !any ? CHUNK_NONE : all ? CHUNK_HOST : CHUNK_MIXED;
}

static void random_map(struct ram_range *map, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		map[i].base = random_below(BOOT_CHUNKS * CHUNK_SIZE / GRAIN + 8) * GRAIN;
		map[i].size = random_below(12 * CHUNK_SIZE / GRAIN) * GRAIN;
		map[i].usable = random_below(3) != 0;
		if (random_below(4) == 0) {
			map[i].base = ALIGN_DOWN(map[i].base, CHUNK_SIZE);
			map[i].size = ALIGN_DOWN(map[i].size, CHUNK_SIZE);
		}
		if (random_below(16) == 0)
			map[i].size = 0;
		if (random_below(40) == 0)
			map[i].size = 0 - map[i].base + random_below(4) * GRAIN;
		if (random_below(40) == 0)
			map[i] = (struct ram_range){ ~0UL - random_below(3), random_u64(),
						     random_below(2) };
	}
}

static void check_blocks(const struct ram_range *map, size_t count, u64 chunk,
			 const struct chunk *record)
{
	for (u64 pa = chunk << CHUNK_SHIFT; pa < (chunk + 1) << CHUNK_SHIFT; pa += GRAIN) {
		bool host = record->state == CHUNK_HOST || record->state == CHUNK_MIXED;

		CHECK_EQ(frame_is_host_ram(pa, GRAIN), host &&
			 model_touched(map, count, pa, true) && !model_touched(map, count, pa, false));
	}
}

static void boot_maps(void)
{
	static struct chunk array[BOOT_CHUNKS];
	struct ram_range map[10];
	unsigned int seen[CHUNK_FAMILY + 1] = { 0 };

	for (unsigned int round = 0; round < 400; round++) {
		size_t count = random_below(ARRAY_SIZE(map) + 1);
		u64 hv = 1 + random_below(BOOT_CHUNKS - 4), hv_chunks = random_below(4);

		random_map(map, count);
		memset(array, 0, sizeof(array));
		frame_boot(array, BOOT_CHUNKS, map, count, hv * CHUNK_SIZE, hv_chunks * CHUNK_SIZE);
		CHECK_EQ(frame_chunk_count(), BOOT_CHUNKS);
		for (u64 i = 0; i < BOOT_CHUNKS; i++) {
			CHECK_EQ(array[i].state, model_state(map, count, i, hv, hv_chunks));
			seen[array[i].state]++;
			check_blocks(map, count, i, &array[i]);
		}
	}
	CHECK(seen[CHUNK_NONE] > 99 && seen[CHUNK_MIXED] > 99 && seen[CHUNK_HOST] > 99);
}

static void boot_edges(void)
{
	static const struct ram_range map[] = {
		{ 0, 2 * CHUNK_SIZE, true },
		{ 2 * CHUNK_SIZE, CHUNK_SIZE / 2, true },	/* two ranges make one chunk */
		{ 2 * CHUNK_SIZE + CHUNK_SIZE / 2, CHUNK_SIZE / 2, true },
		{ 3 * CHUNK_SIZE, CHUNK_SIZE - 1, true },	/* one byte short */
		{ 4 * CHUNK_SIZE, CHUNK_SIZE, true },
		{ 4 * CHUNK_SIZE + 4095, 1, false },		/* one byte reserved */
		{ 5 * CHUNK_SIZE, CHUNK_SIZE, false },
		{ 6 * CHUNK_SIZE, CHUNK_SIZE, true },
		{ 6 * CHUNK_SIZE + 5, 0, false },		/* nothing reserved */
		{ 0 - PAGE_SIZE, 2 * PAGE_SIZE, false },	/* past the end: does not reach 0 */
		{ 8 * CHUNK_SIZE, ~0UL, true },		/* past the end: reaches all above */
	};
	static const u8 expected[] = { CHUNK_MIXED, CHUNK_HOST, CHUNK_HOST, CHUNK_MIXED,
				       CHUNK_MIXED, CHUNK_NONE, CHUNK_HOST, CHUNK_HV, CHUNK_HOST, CHUNK_HOST };
	static struct chunk array[10];

	frame_boot(array, 10, map, ARRAY_SIZE(map), 7 * CHUNK_SIZE, CHUNK_SIZE);
	for (unsigned int i = 0; i < 10; i++)
		CHECK_EQ(array[i].state, expected[i]);
	CHECK(frame_is_host_ram(0, PAGE_SIZE));			/* host RAM, though not donated */
	CHECK(!frame_is_host_ram(4 * CHUNK_SIZE, PAGE_SIZE));
	CHECK(frame_is_host_ram(4 * CHUNK_SIZE + PAGE_SIZE, CHUNK_SIZE - PAGE_SIZE));
	CHECK(!frame_is_host_ram(4 * CHUNK_SIZE - PAGE_SIZE, PAGE_SIZE));
	CHECK(frame_is_host_ram(4 * CHUNK_SIZE - 2 * PAGE_SIZE, PAGE_SIZE));
	CHECK(frame_is_host_ram(CHUNK_SIZE, 2 * CHUNK_SIZE));
	CHECK(!frame_is_host_ram(6 * CHUNK_SIZE, CHUNK_SIZE + 1)); /* runs into the hypervisor */
	CHECK(frame_is_host_ram(8 * CHUNK_SIZE, 2 * CHUNK_SIZE));
	CHECK(!frame_is_host_ram(9 * CHUNK_SIZE, CHUNK_SIZE + 1));	/* past the array */
	CHECK(!frame_is_host_ram(CHUNK_SIZE, 0));
	CHECK(!frame_is_host_ram(CHUNK_SIZE, 0 - CHUNK_SIZE));
	CHECK(!frame_is_host_ram(CHUNK_SIZE, ~0UL));
	CHECK(!frame_is_host_ram(~0UL - 4095, PAGE_SIZE));
	CHECK(!frame_chunk(10) && !frame_chunk(~0UL) && frame_chunk(9) == &array[9]);
	CHECK_PANICS(frame_boot(array, 10, map, 1, 9 * CHUNK_SIZE, 2 * CHUNK_SIZE));
	CHECK_PANICS(frame_boot(array, 10, map, 1, 9 * CHUNK_SIZE + PAGE_SIZE, 0));
	CHECK_PANICS(frame_boot(array, 10, map, 1, 0, CHUNK_SIZE));
	CHECK_PANICS(frame_boot(array, BIT(23) + 1, map, 1, CHUNK_SIZE, CHUNK_SIZE));
}

/* --- Lending -------------------------------------------------------------------------- */

static void lending(void)
{
	u64 block = HOST_FIRST * 32;

	CHECK_EQ(frame_lend(block + 31), 0);
	CHECK_EQ(frame_lend(block + 31), -1);		/* once */
	CHECK_EQ(frame_unlend(block + 30), -1);		/* not lent */
	CHECK_EQ(frame_leave(HOST_FIRST, 0), CARREL_ESTATE);
	CHECK_EQ(frame_lend(block), 0);
	CHECK_EQ(frame_unlend(block + 31), 0);
	CHECK_EQ(frame_leave(HOST_FIRST, 0), CARREL_ESTATE);
	CHECK_EQ(frame_unlend(block), 0);
	CHECK_EQ(frame_leave(HOST_FIRST, 0), 0);
	CHECK_EQ(frame_lend(block), -1);		/* leaving */
	CHECK_EQ(frame_lend(HV_FIRST * 32), -1);	/* the hypervisor's */
	CHECK_EQ(frame_lend(0), 0);			/* low RAM */
	CHECK_EQ(frame_lend(0x9), -1);			/* half of it reserved */
	CHECK_EQ(frame_lend(0xF), -1);
	CHECK_EQ(frame_lend(MEMORY_CHUNKS * 32), -1);
	CHECK_EQ(frame_lend(MEMORY_CHUNKS * 32 - 1), 0);
	CHECK_EQ(frame_lend(~0UL), -1);
	CHECK_EQ(frame_lend(BIT(48) + block + 32), -1);	/* whose address would wrap */
	CHECK_EQ(frame_unlend(~0UL), -1);
	CHECK_EQ(frame_unlend(BIT(48)), -1);
	CHECK_EQ(frame_lock.next, frame_lock.serving);
}

/* --- Movers: every state against every move ------------------------------------------- */

enum { LEAVE, ARRIVE, BIND, UNBIND, RETURN, MOVES };

static void put_into(u64 chunk, enum chunk_state state, struct family *family)
{
	if (state >= CHUNK_LEAVING)
		CHECK_EQ(frame_leave(chunk, 7), 0);
	if (state >= CHUNK_NOBODY)
		CHECK_EQ(frame_arrive(chunk), 0);
	if (state >= CHUNK_FAMILY)
		CHECK_EQ(frame_bind(family, chunk), 0);
}

static int move(u64 chunk, unsigned int which, struct family *family)
{
	switch (which) {
	case LEAVE:
		return frame_leave(chunk, 7);
	case ARRIVE:
		return frame_arrive(chunk);
	case BIND:
		return frame_bind(family, chunk);
	case UNBIND:
		return frame_unbind(family, chunk);
	default:
		return frame_return(chunk);
	}
}

static void movers(void)
{
	static const u8 from[MOVES] = { CHUNK_HOST, CHUNK_LEAVING, CHUNK_NOBODY, CHUNK_FAMILY,
					CHUNK_NOBODY };
	static const u8 to[MOVES] = { CHUNK_LEAVING, CHUNK_NOBODY, CHUNK_FAMILY, CHUNK_NOBODY,
				      CHUNK_HOST };

	for (unsigned int which = 0; which < MOVES; which++) {
		for (unsigned int state = 0; state <= CHUNK_FAMILY; state++) {
			struct family family = { .id = 3 };
			u64 chunk = state == CHUNK_MIXED ? 0 : state == CHUNK_HV ? HV_FIRST :
				HOST_FIRST;

			memory_reset();
			if (state == CHUNK_NONE)
				memory_chunks[chunk].state = CHUNK_NONE;
			put_into(chunk, state, &family);
			CHECK_EQ(frame_chunk(chunk)->state, state);
			CHECK_EQ(move(chunk, which, &family),
				 state == from[which] ? 0 : CARREL_EOWNER);
			CHECK_EQ(frame_chunk(chunk)->state,
				 state == from[which] ? to[which] : state);
			CHECK_SOUND(frame_check(&family));
			CHECK_EQ(move(MEMORY_CHUNKS, which, &family), CARREL_EARG);
			CHECK_EQ(move(~0UL, which, &family), CARREL_EARG);
		}
	}
	memory_reset();
	CHECK_EQ(frame_leave(HOST_FIRST, 1234), 0);
	CHECK_EQ(frame_chunk(HOST_FIRST)->value, 1234);
}

static void other_family(void)
{
	struct family a = { .id = 1 }, b = { .id = 2 }, none = { 0 };
	u64 pa;

	give_chunk(&a, HOST_FIRST);
	give_chunk(&b, HOST_FIRST + 1);
	CHECK_EQ(frame_unbind(&b, HOST_FIRST), CARREL_EOWNER);
	CHECK_EQ(frame_bind(&b, HOST_FIRST), CARREL_EOWNER);
	pa = frame_alloc(&a, FRAME_PAGE, false);
	CHECK(frame_record(&a, pa) && !frame_record(&b, pa));
	CHECK(!frame_record(&a, ~0UL) && !frame_record(&a, 0));
	CHECK(!frame_record(&a, (HOST_FIRST + 2) * CHUNK_SIZE));
	CHECK_PANICS(frame_free(&b, pa));
	CHECK_PANICS(frame_limbo(&b, pa, 1));
	b.lock = (struct lock){ 0 };		/* the panic left it taken */
	give_chunk(NULL, HOST_FIRST + 2);
	CHECK_PANICS(frame_bind(&none, HOST_FIRST + 2));
	CHECK_SOUND(frame_check(&a));
	CHECK_SOUND(frame_check(&b));
}

/* --- Frames --------------------------------------------------------------------------- */

static void all_frames(void)
{
	static bool seen[MEMORY_SIZE >> PAGE_SHIFT];
	struct family family;
	unsigned int count = 0;
	u64 pa;

	memset(seen, 0, sizeof(seen));
	make_family(&family, 3);
	CHECK_EQ(family.free, 3 * 511);
	while ((pa = frame_alloc(&family, FRAME_OBJECT + count % 4, false))) {
		u64 chunk = pa >> CHUNK_SHIFT;

		CHECK(IS_ALIGNED(pa, PAGE_SIZE) && !seen[pa >> PAGE_SHIFT]);
		CHECK(chunk >= HOST_FIRST && chunk < HOST_FIRST + 3 && pa % CHUNK_SIZE);
		CHECK(frame_is_zero(pa));
		CHECK_EQ(frame_record(&family, pa)->use, FRAME_OBJECT + count % 4);
		seen[pa >> PAGE_SHIFT] = true;
		frame_paint(pa, 1);
		count++;
	}
	CHECK_EQ(count, 3 * 511);
	CHECK(!family.open && family.full && family.used == 3 * 511 && !family.free);
	CHECK_SOUND(frame_check(&family));
	for (pa = HOST_FIRST * CHUNK_SIZE; pa < (HOST_FIRST + 3) * CHUNK_SIZE; pa += PAGE_SIZE) {
		if (!seen[pa >> PAGE_SHIFT])
			continue;
		CHECK(frame_has(pa, 1));	/* nobody else wrote to it */
		frame_free(&family, pa);
		CHECK(frame_is_zero(pa));
	}
	CHECK_SOUND(frame_check(&family));
	CHECK_EQ(family.used, 0);
}

/* Never used: untouched until wanted, and as it was when it goes back. Used: clean at once. */
static void lazy_scrub(void)
{
	u64 first = HOST_FIRST * CHUNK_SIZE, pa, raw;
	struct family family;

	make_family(&family, 1);
	for (u64 at = first + PAGE_SIZE; at < first + CHUNK_SIZE; at += PAGE_SIZE)
		CHECK(frame_has(at, HOST_COLOUR));
	pa = frame_alloc(&family, FRAME_PAGE, false);
	events_clear();
	raw = frame_alloc(&family, FRAME_PAGE, true);
	CHECK(frame_is_zero(pa) && frame_has(raw, HOST_COLOUR));
	CHECK_EQ(event_count, 1);		/* the host's dirty lines must not land on ours */
	CHECK(events[0].kind == EVENT_WRITE_BACK && events[0].pa == raw);
	frame_paint(raw, 2);
	CHECK_EQ(frame_unbind(&family, HOST_FIRST), CARREL_ESTATE);
	frame_free(&family, raw);
	frame_free(&family, pa);
	CHECK(frame_is_zero(raw));
	events_clear();
	CHECK_EQ(frame_alloc(&family, FRAME_PAGE, false), pa);	/* clean ones first */
	CHECK_EQ(event_count, 0);				/* and they cost nothing */
	frame_free(&family, pa);
	CHECK_EQ(frame_unbind(&family, HOST_FIRST), 0);
	CHECK_EQ(frame_return(HOST_FIRST), 0);
	for (u64 at = first; at < first + CHUNK_SIZE; at += PAGE_SIZE) {
		bool used = at == first || at == pa || at == raw;

		CHECK(used ? frame_is_zero(at) : frame_has(at, HOST_COLOUR));
	}
}

/* Write back, zero, write back: for a first use, a free frame, limbo and the records. */
static void check_scrub_events(u64 pa)
{
	CHECK_EQ(event_count, 4);
	CHECK(events[0].kind == EVENT_SCRUB && events[0].pa == pa);
	CHECK(events[1].kind == EVENT_WRITE_BACK && events[1].pa == pa && !events[1].zero);
	CHECK(events[2].kind == EVENT_WRITE_BACK && events[2].pa == pa && events[2].zero);
	CHECK(events[3].kind == EVENT_SCRUBBED && events[3].pa == pa);
	events_clear();
}

static void scrub_order(void)
{
	struct family family = { .id = 1 };
	u64 pa;

	give_chunk(NULL, HOST_FIRST);
	CHECK_EQ(event_count, 0);
	CHECK_EQ(frame_bind(&family, HOST_FIRST), 0);
	check_scrub_events(HOST_FIRST * CHUNK_SIZE);
	pa = frame_alloc(&family, FRAME_PAGE, false);
	check_scrub_events(pa);
	frame_paint(pa, 3);
	frame_free(&family, pa);
	check_scrub_events(pa);
	pa = frame_alloc(&family, FRAME_PAGE, false);
	frame_paint(pa, 3);
	frame_limbo(&family, pa, 5);
	CHECK(frame_has(pa, 3));
	events_clear();
	CHECK(frame_reclaim(&family, 5, 1));
	check_scrub_events(pa);
	CHECK_EQ(frame_unbind(&family, HOST_FIRST), 0);
	check_scrub_events(HOST_FIRST * CHUNK_SIZE);
}

static void limbo(void)
{
	struct family family;
	u64 pa[10];

	make_family(&family, 1);
	CHECK(frame_reclaim(&family, 0, 1));
	for (unsigned int i = 0; i < 10; i++) {
		pa[i] = frame_alloc(&family, FRAME_PAGE, false);
		frame_paint(pa[i], 4);
	}
	for (unsigned int i = 0; i < 10; i++)
		frame_limbo(&family, pa[i], i == 4 ? 100 : 90 + i);
	CHECK_EQ(family.limbo_stamp, 100);	/* the newest, not the last */
	CHECK(family.used == 10 && family.limbo);
	CHECK_SOUND(frame_check(&family));
	CHECK(!frame_reclaim(&family, 99, 100));
	for (unsigned int i = 0; i < 10; i++)
		CHECK(frame_has(pa[i], 4));	/* not one before the debt is paid */
	CHECK_EQ(frame_unbind(&family, HOST_FIRST), CARREL_ESTATE);
	CHECK_PANICS(frame_free(&family, pa[0]));
	CHECK_PANICS(frame_limbo(&family, pa[0], 1));
	family.lock = (struct lock){ 0 };
	CHECK(!frame_reclaim(&family, 100, 4));
	CHECK_EQ(family.used, 6);
	CHECK_SOUND(frame_check(&family));
	CHECK(!frame_reclaim(&family, 100, 0));
	CHECK(frame_reclaim(&family, 100, 6));
	CHECK(family.used == 0 && !family.limbo);
	for (unsigned int i = 0; i < 10; i++)
		CHECK(frame_is_zero(pa[i]));
	CHECK_SOUND(frame_check(&family));
	CHECK_EQ(frame_unbind(&family, HOST_FIRST), 0);
}

static void frame_errors(void)
{
	struct family family;
	u64 pa;

	make_family(&family, 1);
	pa = frame_alloc(&family, FRAME_PAGE, false);
	CHECK_PANICS(frame_alloc(&family, FRAME_RECORDS, false));
	CHECK_PANICS(frame_alloc(&family, FRAME_LIMBO, false));
	CHECK_PANICS(frame_free(&family, HOST_FIRST * CHUNK_SIZE));	/* the records */
	CHECK_PANICS(frame_free(&family, pa + 8));
	CHECK_PANICS(frame_free(&family, 0));
	CHECK_PANICS(frame_free(&family, ~0UL << PAGE_SHIFT));
	frame_free(&family, pa);
	CHECK_PANICS(frame_free(&family, pa));				/* twice */
	CHECK_SOUND(frame_check(&family));
}

/* Chunks in both lists, taken out of the middle and of the ends. */
static void many_chunks(void)
{
	const unsigned int chunks = MEMORY_CHUNKS - HOST_FIRST;
	static u64 held[(MEMORY_CHUNKS) * 512];
	struct family family;
	unsigned int count = 0;

	make_family(&family, chunks);
	while (count < (chunks - 5) * 511) {
		held[count] = frame_alloc(&family, FRAME_PAGE, true);
		count++;
	}
	for (unsigned int round = 0; round < 300; round++) {
		u64 chunk = HOST_FIRST + random_below(chunks);
		enum chunk_state state = frame_chunk(chunk)->state;

		if (state == CHUNK_NOBODY) {
			CHECK_EQ(frame_bind(&family, chunk), 0);
		} else {
			bool busy = false;

			for (unsigned int i = 0; i < count; i++)
				busy |= held[i] >> CHUNK_SHIFT == chunk;
			CHECK_EQ(frame_unbind(&family, chunk), busy ? CARREL_ESTATE : 0);
		}
		for (unsigned int i = random_below(600); i && count; i--) {
			unsigned int which = random_below(count);

			frame_free(&family, held[which]);
			held[which] = held[--count];
		}
		for (unsigned int i = random_below(500); i && family.free; i--)
			held[count++] = frame_alloc(&family, FRAME_PAGE, true);
		CHECK_SOUND(frame_check(&family));
	}
	while (count)
		frame_free(&family, held[--count]);
	while (family.chunks) {
		u64 chunk = frame_idle_chunk(&family);

		CHECK(chunk);
		CHECK_EQ(frame_unbind(&family, chunk), 0);
	}
	CHECK(!frame_idle_chunk(&family) && !family.open && !family.full && !family.free);
}

/* A family that lies in its own last chunk. */
static void family_inside_itself(void)
{
	struct family seed = { .id = 1 }, copy, *family;
	u64 pa, chunk;

	give_chunk(&seed, HOST_FIRST);
	pa = frame_alloc(&seed, FRAME_OBJECT, false);
	family = phys(pa);
	*family = seed;
	give_chunk(family, HOST_FIRST + 1);
	chunk = frame_idle_chunk(family);
	CHECK_EQ(chunk, HOST_FIRST + 1);	/* the other one is not idle */
	CHECK_EQ(frame_unbind(family, chunk), 0);
	CHECK_EQ(frame_idle_chunk(family), 0);
	copy = *family;
	frame_free(&copy, pa);
	CHECK_EQ(frame_unbind(&copy, HOST_FIRST), 0);
	CHECK(frame_is_zero(pa));
}

/* --- Several CPUs at one family ------------------------------------------------------- */

#define HELD 200U

struct worker {
	struct family *family;
	u64 seed;
	bool wrong;
};

static u64 next_random(struct worker *worker)
{
	worker->seed = worker->seed * 6364136223846793005 + 1442695040888963407;
	return worker->seed >> 33;
}

/* Take, mark, look again, give back by either way; a frame that two hold loses its mark. */
static void *work(void *argument)
{
	struct worker *worker = argument;
	u64 held[HELD] = { 0 };

	for (unsigned int i = 0; i < 6000; i++) {
		u64 *slot = &held[next_random(worker) % HELD], *words;

		if (!*slot) {
			*slot = frame_alloc(worker->family, FRAME_PAGE, false);
			words = phys(*slot);
			worker->wrong |= !*slot || words[0] || words[511];
			words[0] = words[511] = worker->seed ^ *slot;
			words[1] = worker->seed;
			continue;
		}
		words = phys(*slot);
		worker->wrong |= words[0] != (words[1] ^ *slot) || words[511] != words[0];
		if (next_random(worker) % 2)
			frame_free(worker->family, *slot);
		else
			frame_limbo(worker->family, *slot, i);
		*slot = 0;
		if (next_random(worker) % 8 == 0)
			frame_reclaim(worker->family, ~0UL, 5);
	}
	for (unsigned int i = 0; i < HELD; i++)
		if (held[i])
			frame_free(worker->family, held[i]);
	return NULL;
}

static void many_cpus(void)
{
	struct worker workers[4];
	pthread_t threads[4];
	struct family family;

	make_family(&family, 16);
	for (unsigned int i = 0; i < 4; i++) {
		workers[i] = (struct worker){ .family = &family, .seed = i + 1 };
		CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		CHECK(!workers[i].wrong);
	}
	CHECK_SOUND(frame_check(&family));
	CHECK(frame_reclaim(&family, ~0UL, 100000));
	CHECK_EQ(family.used, 0);
	CHECK_SOUND(frame_check(&family));
}

/* --- Pages that several CPUs share and give up at once --- */

#define SHARED 24U
#define SHARERS 4U

static struct {
	struct family family;
	struct cpu_mask entered;	/* the one view that all are in */
	u64 pa[SHARED];
	u32 holders[SHARED];	/* a bit a CPU */
	u64 given_up[SHARED];	/* newest stamp of a mapping that went */
	u32 lasts, made, alone;
	u32 done;		/* CPUs; until all are, each goes on, since the others' debts are its own */
	bool wrong;
} sharing;

static void give_up(unsigned int me, unsigned int page)
{
	u64 stamp = flush_stamp(), old = sharing.given_up[page], pa = sharing.pa[page];

	while (old < stamp && !__atomic_compare_exchange_n(&sharing.given_up[page], &old, stamp, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	__atomic_fetch_and(&sharing.holders[page], ~BIT(me), __ATOMIC_SEQ_CST);
	if (!frame_drop(&sharing.family, pa, stamp, &sharing.entered))
		return;
	sharing.wrong |= __atomic_load_n(&sharing.holders[page], __ATOMIC_SEQ_CST) != 0;
	frame_limbo(&sharing.family, pa, stamp);
	__atomic_fetch_add(&sharing.lasts, 1, __ATOMIC_SEQ_CST);
	pa = frame_alloc(&sharing.family, FRAME_PAGE, false);
	sharing.wrong |= !pa;
	frame_record(&sharing.family, pa)->count = 1;
	sharing.pa[page] = pa;
	sharing.given_up[page] = 0;
	__atomic_fetch_add(&sharing.made, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&sharing.holders[page], BIT(me), __ATOMIC_SEQ_CST);
}

/* Only who has a page gives it to another, who may have it from somebody else meanwhile. */
static void give_to(unsigned int other, unsigned int page)
{
	u64 pa = sharing.pa[page];

	frame_share(&sharing.family, pa);
	if (__atomic_fetch_or(&sharing.holders[page], BIT(other), __ATOMIC_SEQ_CST) & BIT(other))
		sharing.wrong |= frame_drop(&sharing.family, pa, flush_stamp(), &sharing.entered);
}

/* Alone means that nobody else has it, and none who had it can still read it. */
static void look(unsigned int me, unsigned int page)
{
	if (!frame_exclusive(&sharing.family, sharing.pa[page])) {
		sched_yield();		/* whom it waits for may not be running */
		return;
	}
	sharing.wrong |= __atomic_load_n(&sharing.holders[page], __ATOMIC_SEQ_CST) != BIT(me);
	for (unsigned int cpu = 0; cpu < SHARERS; cpu++)
		sharing.wrong |= flush_seen(cpu) < sharing.given_up[page];
	__atomic_fetch_add(&sharing.alone, 1, __ATOMIC_SEQ_CST);
}

static void reclaim_shared(void)
{
	u64 stamp;

	if (frame_waits(&sharing.family, &stamp) &&
	    flush_paid_inside(&sharing.family.entered, stamp))
		frame_reclaim(&sharing.family, stamp, 5);
}

static void *share_and_give_up(void *argument)
{
	struct worker *worker = argument;
	unsigned int me = worker->seed - 1;

	for (unsigned int i = 0; __atomic_load_n(&sharing.done, __ATOMIC_SEQ_CST) < SHARERS; i++) {
		u64 random = next_random(worker);
		unsigned int page = random % SHARED;

		if (random >> 8 & 1)
			flush_done(me, flush_begin());
		if (__atomic_load_n(&sharing.holders[page], __ATOMIC_SEQ_CST) & BIT(me)) {
			if (random >> 9 & 1)
				look(me, page);
			else if (random >> 10 & 3)
				give_up(me, page);
			else
				give_to(random >> 12 & (SHARERS - 1), page);
		}
		if (!(random >> 16 & 15))
			reclaim_shared();
		if (i == 20000)
			__atomic_fetch_add(&sharing.done, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void pages_of_many(void)
{
	struct worker workers[SHARERS];
	pthread_t threads[SHARERS];

	memset(&sharing, 0, sizeof(sharing));
	make_family(&sharing.family, 4);
	for (unsigned int page = 0; page < SHARED; page++) {
		sharing.pa[page] = frame_alloc(&sharing.family, FRAME_PAGE, false);
		frame_record(&sharing.family, sharing.pa[page])->count = 1;
		sharing.holders[page] = BIT(page % SHARERS);
	}
	for (unsigned int i = 0; i < SHARERS; i++) {
		cpu_mask_set(&sharing.entered, i);
		cpu_mask_set(&sharing.family.entered, i);
		flush_enter(i, &sharing.entered, &sharing.family.entered);
		workers[i] = (struct worker){ .family = &sharing.family, .seed = i + 1 };
	}
	for (unsigned int i = 0; i < SHARERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, share_and_give_up, &workers[i]), 0);
	for (unsigned int i = 0; i < SHARERS; i++) {
		pthread_join(threads[i], NULL);
		flush_leave(i);
	}
	CHECK(!sharing.wrong);
	CHECK(sharing.lasts > 100 && sharing.lasts == sharing.made && sharing.alone > 100);
	CHECK(frame_reclaim(&sharing.family, ~0UL, 100000));
	CHECK_EQ(sharing.family.used, SHARED);
	CHECK_SOUND(frame_check(&sharing.family));
}

/* --- The same at the one moment that matters, with another CPU doing its part there --- */

static struct {
	struct family family;
	struct cpu_mask entered;
	u64 pa;
	bool exclusive, last;
} between;

static void ask_between(void)
{
	between.exclusive |= frame_exclusive(&between.family, between.pa);
}

static void drop_between(void)
{
	on_alone = on_paid = NULL;
	between.last = frame_drop(&between.family, between.pa, flush_stamp(), &between.entered);
}

static void flush_both(void)
{
	flush_done(0, flush_begin());
	flush_done(1, flush_begin());
}

/* A page that `count` spaces have; two CPUs are inside. */
static u64 page_between(u16 count)
{
	u64 pa = frame_alloc(&between.family, FRAME_PAGE, false);

	frame_record(&between.family, pa)->count = count;
	return pa;
}

static void make_between(void)
{
	memset(&between, 0, sizeof(between));
	make_family(&between.family, 1);
	for (unsigned int cpu = 0; cpu < 2; cpu++) {
		cpu_mask_set(&between.entered, cpu);
		cpu_mask_set(&between.family.entered, cpu);
		flush_enter(cpu, &between.entered, &between.family.entered);
	}
}

/* Who asks while another gives a page up does not have it alone before that one's debt is known. */
static void asked_while_given_up(void)
{
	make_between();
	between.pa = page_between(2);
	on_alone = ask_between;
	CHECK(!frame_drop(&between.family, between.pa, flush_stamp(), &between.entered));
	on_alone = NULL;
	CHECK(!between.exclusive);
	CHECK(!frame_exclusive(&between.family, between.pa));
	flush_both();
	CHECK(frame_exclusive(&between.family, between.pa));
	flush_leave(0);
	flush_leave(1);
}

/* Of two who give up the last two mappings one is the last. */
static void given_up_by_two(void)
{
	u64 pa;

	make_between();
	pa = between.pa = page_between(2);
	on_alone = drop_between;
	CHECK(frame_drop(&between.family, pa, flush_stamp(), &between.entered));
	CHECK(!between.last);
	flush_leave(0);
	flush_leave(1);
}

/* What was given up while older debts were found paid is not forgotten with them. */
static void given_up_while_asked(void)
{
	u64 first;

	make_between();
	first = page_between(2);
	between.pa = page_between(2);
	CHECK(!frame_drop(&between.family, first, flush_stamp(), &between.entered));
	flush_both();
	on_paid = drop_between;
	CHECK(frame_exclusive(&between.family, first));
	CHECK(!between.last);
	CHECK(!frame_exclusive(&between.family, between.pa));
	flush_both();
	CHECK(frame_exclusive(&between.family, between.pa));
	CHECK_EQ(between.family.dropped, 0);
	flush_leave(0);
	flush_leave(1);
}

/* The walker must find what it is there to find. */
static void walker_sees(void)
{
	struct family family;
	struct frame *frame;
	u64 pa, other;

	make_family(&family, 2);
	pa = frame_alloc(&family, FRAME_PAGE, false);
	other = frame_alloc(&family, FRAME_PAGE, false);
	frame = frame_record(&family, pa);
	frame_limbo(&family, other, 1);
	CHECK_SOUND(frame_check(&family));
#define SPOIL(lvalue, value) \
	do { \
		typeof(lvalue) old = (lvalue); \
		(lvalue) = (value); \
		CHECK(frame_check(&family)); \
		(lvalue) = old; \
		CHECK_SOUND(frame_check(&family)); \
	} while (0)
	SPOIL(frame->use, FRAME_CLEAN);
	SPOIL(frame->use, FRAME_LIMBO);
	SPOIL(frame->use, FRAME_RECORDS);
	SPOIL(frame->use, FRAME_PAGE + 1);
	SPOIL(family.free, family.free - 1);
	SPOIL(family.used, family.used + 1);
	SPOIL(family.chunks, 3);
	SPOIL(family.chunks, 1);
	SPOIL(family.limbo, 0);
	SPOIL(family.limbo, pa >> PAGE_SHIFT);
	SPOIL(family.full, family.open);
	SPOIL(family.open, 0);
	SPOIL(frame_record(&family, ALIGN_DOWN(pa, CHUNK_SIZE))->next, pa >> PAGE_SHIFT & 511);
	SPOIL(frame_record(&family, ALIGN_DOWN(pa, CHUNK_SIZE))->count, 17);
	SPOIL(frame_record(&family, ALIGN_DOWN(pa, CHUNK_SIZE))->next, 0);
	SPOIL(frame_chunk(HOST_FIRST)->family, 2);
	SPOIL(frame_chunk(HOST_FIRST)->state, CHUNK_NOBODY);
	SPOIL(frame_chunk(HOST_FIRST)->prev, HOST_FIRST);
#undef SPOIL
}

const struct test frame_tests[] = {
	{ "boot: random firmware maps against a slow model", boot_maps },
	{ "boot: edges, overlaps, ranges past 2^64", boot_edges },
	{ "blocks are lent once, and keep their chunk", lending },
	{ "every move from every state", movers },
	{ "a family reaches its own frames alone", other_family },
	{ "every frame of a chunk once, zeroed", all_frames },
	{ "lazy scrubbing", lazy_scrub },
	{ "write back, scrub, write back", scrub_order },
	{ "limbo waits for the newest debt", limbo },
	{ "frames given back wrongly", frame_errors },
	{ "many chunks come and go", many_chunks },
	{ "a family that lies in its own chunk", family_inside_itself },
	{ "four CPUs at one family", many_cpus },
	{ "pages that several CPUs share, give up and ask for", pages_of_many },
	{ "a page asked for while it is given up", asked_while_given_up },
	{ "a page given up by two", given_up_by_two },
	{ "a page given up while another is asked for", given_up_while_asked },
	{ "the walker sees what is wrong", walker_sees },
	{ 0 }
};
