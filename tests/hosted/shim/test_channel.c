/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena's parts never overlap, and no block is used before the host has lent it. */
#include "guest-abi/shim/base/host.h"
#include "test.h"

#define SLOTS		8		/* 4 blocks */
#define BLOCKS		40
#define FIRST		4
#define PARTS		32

static bool there[BLOCKS], refuse[BLOCKS];
static unsigned int asked;

static int64_t host_lend(const struct ocall *c, uint64_t *flags)
{
	uint64_t block = c->arg[1] / PAGE_SIZE - 1;

	(void)flags;
	CHECK_EQ(c->number, SYS_msync);
	CHECK_EQ(c->arg[0], CARREL_BASE + CARREL_REQ_LEND * PAGE_SIZE);
	CHECK(c->arg[1] % PAGE_SIZE == 0 && block < BLOCKS);
	CHECK(!there[block]);
	asked++;
	if (refuse[block])
		return -12;
	there[block] = true;
	return 0;
}

static struct thread *begin(void)
{
	struct thread *t = fake_reset(SLOTS, BLOCKS);

	fake.host = host_lend;
	fake.requests = true;
	memset(there, 0, sizeof(there));
	memset(refuse, 0, sizeof(refuse));
	there[0] = there[FIRST] = true;
	asked = 0;
	return t;
}

static uint64_t block_of(const uint8_t *part)
{
	CHECK(((uint64_t)part - CARREL_CHANNEL_VA) % CARREL_BLOCK_SIZE == 0);
	return ((uint64_t)part - CARREL_CHANNEL_VA) / CARREL_BLOCK_SIZE;
}

static void check_part(const uint8_t *part, size_t got, const bool *taken)
{
	uint64_t first = block_of(part), count = got / CARREL_BLOCK_SIZE;

	CHECK(got % CARREL_BLOCK_SIZE == 0 && count > 0 && got <= ARENA_PIECE);
	CHECK(first >= FIRST && first + count <= BLOCKS);
	for (uint64_t i = first; i < first + count; i++)
		CHECK(there[i] && !taken[i]);
}

static void mark(bool *taken, const uint8_t *part, size_t got, bool value)
{
	for (uint64_t i = 0; i < got / CARREL_BLOCK_SIZE; i++)
		taken[block_of(part) + i] = value;
}

static void random_parts(void)
{
	struct { uint8_t *at; size_t got; } parts[PARTS] = { 0 };
	struct thread *t = begin();
	bool taken[BLOCKS] = { 0 };

	for (int i = 0; i < 20000; i++) {
		unsigned int k = random_below(PARTS);
		uint64_t size = 1 + random_below(random_below(4) ? 200000 : 3000000);

		if (parts[k].at) {
			arena_give(parts[k].at, parts[k].got);
			mark(taken, parts[k].at, parts[k].got, false);
			parts[k].at = NULL;
			continue;
		}
		parts[k].at = arena_take(t, size, &parts[k].got);
		if (!parts[k].at) {
			for (int b = FIRST; b < BLOCKS; b++)
				CHECK(taken[b]);
			continue;
		}
		check_part(parts[k].at, parts[k].got, taken);
		mark(taken, parts[k].at, parts[k].got, true);
	}
	/* Once each, and none of the slots'. */
	CHECK_EQ(asked, BLOCKS - FIRST - 1);
}

static void small_and_large(void)
{
	struct thread *t = begin();
	uint8_t *a, *b, *c;
	size_t got;

	a = arena_take(t, 1, &got);
	CHECK(a == arena.base && got == CARREL_BLOCK_SIZE && asked == 0);
	b = arena_take(t, CARREL_BLOCK_SIZE + 1, &got);
	CHECK(b == a + CARREL_BLOCK_SIZE && got == 2 * CARREL_BLOCK_SIZE && asked == 2);
	c = arena_take(t, UINT64_MAX, &got);
	CHECK(c == b + 2 * CARREL_BLOCK_SIZE && got == ARENA_PIECE);
	arena_give(a, CARREL_BLOCK_SIZE);
	CHECK(arena_take(t, 5, &got) == a);
}

/* A host that has no memory left: what is there serves, and what is not stays free. */
static void no_memory(void)
{
	struct thread *t = begin();
	uint8_t *a;
	size_t got;

	refuse[FIRST + 3] = true;
	a = arena_take(t, ARENA_PIECE, &got);
	CHECK(a == arena.base && got == 3 * CARREL_BLOCK_SIZE);
	CHECK(!arena_take(t, 1, &got));
	refuse[FIRST + 3] = false;
	CHECK(arena_take(t, 1, &got) == a + 3 * CARREL_BLOCK_SIZE);
	arena_give(a, 3 * CARREL_BLOCK_SIZE);
	CHECK(arena_take(t, 1, &got) == a);
}

static void slots(void)
{
	struct thread *t = begin();

	CHECK(channel_lend_slot(t, 1) && asked == 0);
	CHECK(channel_lend_slot(t, 2) && asked == 1 && there[1]);
	CHECK(channel_lend_slot(t, 3) && asked == 1);
	refuse[3] = true;
	CHECK(!channel_lend_slot(t, 7) && asked == 2);
	refuse[3] = false;
	CHECK(channel_lend_slot(t, 7) && asked == 3 && there[3]);
}

/* A child has no block but that of its slot. */
static void after_a_fork(void)
{
	struct thread *t = begin();
	size_t got;

	CHECK(arena_take(t, 3 * CARREL_BLOCK_SIZE, &got));
	t->slot = (uint8_t *)CARREL_CHANNEL_VA + 2 * CARREL_SLOT_STRIDE;
	memset(there, 0, sizeof(there));
	there[1] = true;
	asked = 0;
	channel_forked(t);
	CHECK(channel_lend_slot(t, 3) && asked == 0);
	CHECK(arena_take(t, 1, &got) == arena.base && asked == 1 && there[FIRST]);
}

const struct test channel_tests[] = {
	{ "parts of the arena never overlap", random_parts },
	{ "small and large parts", small_and_large },
	{ "a host that lends no more", no_memory },
	{ "slots are lent in pairs", slots },
	{ "what a child of a fork has of the channel", after_a_fork },
	{ NULL, NULL },
};
