/* SPDX-License-Identifier: BSD-2-Clause */
/* Birth and death of the processes of the model. */
#include "model.h"

static u64 find_chunk(enum chunk_state state)
{
	for (u64 chunk = HOST_FIRST; chunk < MEMORY_CHUNKS; chunk++)
		if (frame_chunk(chunk)->state == state)
			return chunk;
	return 0;
}

static bool create(void)
{
	unsigned int which = random_below(WORLDS);
	struct process *process = &processes[which];
	struct world *world = &process->world;
	u64 chunk = find_chunk(CHUNK_NOBODY), home = find_chunk(CHUNK_HOST);

	if (process->life != ABSENT || !chunk || !home)
		return false;
	memset(process, 0, sizeof(*process));
	world->family.id = which + 1;
	CHECK_EQ(frame_bind(&world->family, chunk), 0);
	view_memory_init(&world->nested, &world->family);
	CHECK_EQ(view_make_process(&world->view, which ? &vmx_nested_format : &svm_nested_format,
				   &world->nested.memory, which + 1), 0);
	CHECK_EQ(space_init(&world->space, &world->view, &world->family), 0);
	process->block = home * 32 + which;
	CHECK_EQ(frame_lend(process->block), 0);
	lent[process->block] = true;
	CHECK_EQ(space_fix(&world->space, CARREL_CHANNEL_VA, process->block << 16,
			   CARREL_BLOCK_SIZE, TABLE_R | TABLE_W, true), 0);
	process->life = ALIVE;
	return true;
}

/* The end begins: nobody is inside any more, and nobody enters. */
static bool kill(void)
{
	unsigned int which = random_below(WORLDS);
	struct process *process = &processes[which];

	if (process->life != ALIVE || random_below(8))
		return false;
	for (unsigned int i = 0; i < CPUS; i++)
		if (cpus[i].where == (int)which) {
			cpus[i].where = HOST_VIEW;
			flush_leave(i);
		}
	process->life = ENDING;
	process->early = random_below(2);
	view_changed(&process->world.view);
	return true;
}

static bool everything_paid(const struct process *process)
{
	return flush_paid_inside(&process->world.view.entered, process->world.view.changed) &&
		flush_paid_inside(&process->world.view.entered, process->world.family.limbo_stamp);
}

/* One step on the way; true when the next one can follow. */
static bool end_step(struct process *process)
{
	struct world *world = &process->world;
	unsigned int budget = 1 + random_below(300);

	switch (process->step) {
	case 0:
		return !process->early || everything_paid(process);
	case 1:
		return space_destroy(&world->space, &budget);
	case 2:
		return view_destroy(&world->view, &budget);
	case 3:		/* the CPUs that were inside flush now, if they did not before */
		return process->early || everything_paid(process);
	case 4:
		CHECK_EQ(frame_unlend(process->block), 0);
		lent[process->block] = false;
		return true;
	case 5:
		return frame_reclaim(&world->family, world->family.limbo_stamp, budget);
	default:
		CHECK_EQ(world->family.used, 0);
		while (world->family.chunks)
			CHECK_EQ(frame_unbind(&world->family, frame_idle_chunk(&world->family)), 0);
		process->life = ABSENT;
		return false;
	}
}

static bool end(void)
{
	struct process *process = &processes[random_below(WORLDS)];

	if (process->life != ENDING)
		return false;
	if (end_step(process)) {
		if (process->step == 0 && process->early)
			memset(&process->world.view.entered, 0, sizeof(struct cpu_mask));
		process->step++;
	}
	return true;
}

const struct step life_steps[] = {
	{ "create", create, 8 },
	{ "kill", kill, 2 },
	{ "end", end, 12 },
	{ 0 },
};
