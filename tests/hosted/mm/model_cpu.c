/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUs of the model: what they cache, how they enter, leave and flush. */
#include "model.h"

void cache_add(struct cpu *cpu, struct cached entry)
{
	if (cpu->count < CACHE)
		cpu->cache[cpu->count++] = entry;
	else
		cpu->cache[random_below(CACHE)] = entry;
}

bool nested_walk(struct cpu *cpu, int view, const struct table *table, u64 gpa,
		 unsigned int *rights)
{
	u64 at = table->root;

	for (unsigned int level = 4;; level--) {
		u64 entry = ((u64 *)phys(at))[gpa >> (12 + 9 * (level - 1)) & 511];

		cache_add(cpu, (struct cached){ .view = view, .table = true, .pa = at });
		if (!table->format->present(entry))
			return false;
		at = entry & TABLE_ADDRESS;
		if (level == 1 || entry & TABLE_LEAF) {
			*rights = table->format->rights(entry) & 7;
			return at + (gpa & (table_size(level) - 1)) == gpa;
		}
	}
}

bool private_walk(struct cpu *cpu, int which, u64 va, struct cached *result)
{
	const struct world *world = &processes[which].world;
	u64 at = world->space.table.root, entry;
	unsigned int rights;

	for (unsigned int level = 4; level; level--) {
		CHECK(nested_walk(cpu, which, &world->view.table, at, &rights));
		CHECK_EQ(rights, TABLE_R | TABLE_W);
		cache_add(cpu, (struct cached){ .view = which, .table = true, .pa = at });
		entry = ((u64 *)phys(at))[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & 1))
			return false;
		CHECK((entry & 0x24) == 0x24);	/* user, accessed: nobody writes to the table */
		at = entry & 0x000FFFFFFFFFF000;
	}
	CHECK(!(entry & 2) == !(entry & 0x40));
	CHECK(nested_walk(cpu, which, &world->view.table, at, &rights));
	rights &= TABLE_R | (entry & 2 ? TABLE_W : 0) | (entry >> 63 ? 0 : TABLE_X);
	*result = (struct cached){ .view = which, .rights = rights, .va = va, .pa = at };
	cache_add(cpu, *result);
	return true;
}

struct cached *cache_find(struct cpu *cpu, int view, u64 va)
{
	for (unsigned int i = 0; i < cpu->count; i++)
		if (!cpu->cache[i].table && cpu->cache[i].view == view && cpu->cache[i].va == va)
			return &cpu->cache[i];
	return NULL;
}

void cache_drop(struct cpu *cpu, int view, u64 va)
{
	struct cached *entry;

	while ((entry = cache_find(cpu, view, va)))
		*entry = cpu->cache[--cpu->count];
}

void flush_at_once(unsigned int id)
{
	u64 begun = flush_begin();

	cpus[id].count = 0;
	flush_done(id, begun);
}

bool is_listening(const struct cpu *cpu)
{
	return !cpu->parked && !cpu->unparking;
}

/* As the core does: into the mask before the first entry, later flush what changed since. */
static bool enter(void)
{
	unsigned int id = random_below(CPUS), which = random_below(WORLDS);
	struct view *view = &processes[which].world.view;
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || !is_listening(cpu) || cpu->flushing ||
	    processes[which].life != ALIVE)
		return false;
	cpu_mask_set(&view->entered, id);
	flush_enter(id, &view->entered, &processes[which].world.family.entered);
	if (view->changed > flush_seen(id))
		flush_at_once(id);
	cpu->where = which;
	return true;
}

static bool leave(void)
{
	unsigned int id = random_below(CPUS);

	if (cpus[id].where == HOST_VIEW)
		return false;
	cpus[id].where = HOST_VIEW;
	flush_leave(id);
	return true;
}

/* A flush in its three parts, with anything of the others in between. */
static bool flush_part(void)
{
	unsigned int id = random_below(CPUS);
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || cpu->parked)
		return false;
	switch (cpu->flushing) {
	case IDLE:
		cpu->begun = flush_begin();
		cpu->flushing = BEGUN;
		break;
	case BEGUN:
		cpu->count = 0;
		cpu->flushing = CLEARED;
		break;
	case CLEARED:
		flush_done(id, cpu->begun);
		cpu->flushing = IDLE;
		cpu->unparking = false;
	}
	return true;
}

static bool park(void)
{
	unsigned int id = random_below(CPUS);
	struct cpu *cpu = &cpus[id];

	if (cpu->where != HOST_VIEW || cpu->flushing || cpu->unparking)
		return false;
	cpu->parked = !cpu->parked;
	cpu->unparking = !cpu->parked;	/* no entry before the flush */
	flush_park(id, cpu->parked);
	return true;
}

static bool host_touch(void)
{
	struct cpu *cpu = &cpus[random_below(CPUS)];
	u64 pa = random_below(HOST_LIMIT >> PAGE_SHIFT) << PAGE_SHIFT;
	unsigned int rights;

	if (cpu->where != HOST_VIEW || !is_listening(cpu))
		return false;
	if (nested_walk(cpu, HOST_VIEW, &host.table, pa, &rights)) {
		struct cached entry = { .view = HOST_VIEW, .rights = rights, .va = pa, .pa = pa };

		/* by what is cached the kernel writes even to a chunk that is leaving */
		cache_add(cpu, entry);
	}
	for (unsigned int i = 0; i < cpu->count; i++) {
		const struct cached *entry = &cpu->cache[i];

		if (entry->view == HOST_VIEW && !entry->table &&
		    frame_chunk(entry->pa >> CHUNK_SHIFT)->state != CHUNK_MIXED)
			frame_paint(entry->pa, HOST_COLOUR);
	}
	return true;
}

const struct step cpu_steps[] = {
	{ "enter", enter, 10 },
	{ "leave", leave, 5 },
	{ "flush", flush_part, 14 },
	{ "park", park, 2 },
	{ "host touch", host_touch, 4 },
	{ 0 },
};
