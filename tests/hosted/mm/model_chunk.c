/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunks of the model that change hands. */
#include "model.h"

u64 random_chunk(void)
{
	return random_below(MEMORY_CHUNKS);
}

static bool any_lent(u64 chunk)
{
	for (unsigned int i = 0; i < 32; i++)
		if (lent[chunk * 32 + i])
			return true;
	return false;
}

static bool donate(void)
{
	u64 chunk = random_chunk();
	enum chunk_state state = frame_chunk(chunk)->state;

	if (state != CHUNK_HOST || any_lent(chunk)) {
		CHECK_EQ(frame_leave(chunk, 0),
			 state != CHUNK_HOST ? CARREL_EOWNER : CARREL_ESTATE);
		return false;
	}
	CHECK_EQ(view_hide_chunk(&host, chunk), 0);
	CHECK_EQ(frame_leave(chunk, host.changed), 0);
	return true;
}

static bool arrive(void)
{
	u64 chunk = random_chunk();

	if (frame_chunk(chunk)->state != CHUNK_LEAVING ||
	    !flush_paid(&host.entered, frame_chunk(chunk)->value))
		return false;
	CHECK_EQ(frame_arrive(chunk), 0);
	return true;
}

static bool bind(void)
{
	u64 chunk = random_chunk();
	struct process *process = &processes[random_below(WORLDS)];

	if (process->life != ALIVE || process->world.family.chunks >= CHUNK_LIMIT)
		return false;
	if (frame_chunk(chunk)->state != CHUNK_NOBODY) {
		CHECK_EQ(frame_bind(&process->world.family, chunk), CARREL_EOWNER);
		return false;
	}
	CHECK_EQ(frame_bind(&process->world.family, chunk), 0);
	return true;
}

static bool unbind(void)
{
	u64 chunk = random_chunk();
	struct family *family = &processes[random_below(WORLDS)].world.family;
	bool idle = true;

	if (!frame_record(family, chunk << CHUNK_SHIFT)) {
		CHECK_EQ(frame_unbind(family, chunk), CARREL_EOWNER);
		return false;
	}
	for (u64 i = 1; i < 512; i++)
		idle &= frame_record(family, (chunk << CHUNK_SHIFT) + i * PAGE_SIZE)->use <=
			FRAME_CLEAN;
	CHECK_EQ(frame_unbind(family, chunk), idle ? 0 : CARREL_ESTATE);
	return idle;
}

/* Nothing but zeros and what the host itself had left there. */
static bool give_back(void)
{
	u64 chunk = random_chunk();

	if (frame_chunk(chunk)->state != CHUNK_NOBODY) {
		CHECK_EQ(frame_return(chunk), CARREL_EOWNER);
		return false;
	}
	view_show_chunk(&host, chunk);
	CHECK_EQ(frame_return(chunk), 0);
	for (u64 pa = chunk << CHUNK_SHIFT; pa < (chunk + 1) << CHUNK_SHIFT; pa += PAGE_SIZE) {
		CHECK(frame_is_zero(pa) || frame_has(pa, HOST_COLOUR));
		frame_paint(pa, HOST_COLOUR);
	}
	return true;
}

static bool lend(void)
{
	u64 block = random_below(MEMORY_CHUNKS * 32);
	u8 state = frame_chunk(block / 32)->state;

	if (state != CHUNK_HOST || lent[block]) {
		if (state != CHUNK_MIXED)
			CHECK_EQ(frame_lend(block), -1);
		return false;
	}
	CHECK_EQ(frame_lend(block), 0);
	CHECK_EQ(frame_unlend(block), 0);
	return true;
}

const struct step chunk_steps[] = {
	{ "donate", donate, 6 },
	{ "arrive", arrive, 12 },
	{ "bind", bind, 5 },
	{ "unbind", unbind, 16 },
	{ "return", give_back, 4 },
	{ "lend", lend, 1 },
	{ 0 },
};
