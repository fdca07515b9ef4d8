/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine: its memory and its CPUs. */
#include "parts.h"

#include <pthread.h>

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <core/stats.h>
#include <virt/svm/svm.h>

unsigned char *phys_base;
struct machine machine;
struct stats stats;
struct test_cpu cpus[CPUS];
bool concurrent;
struct chunk chunks[RAM_CHUNKS];
static u64 pool_next;

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;

static u64 pool_alloc(struct table_memory *memory)
{
	u64 pa;

	(void)memory;
	pthread_mutex_lock(&pool_mutex);
	pa = pool_next;
	pool_next += PAGE_SIZE;
	pthread_mutex_unlock(&pool_mutex);
	if (pa >= HV_BASE + HV_SIZE)
		return 0;
	memset(phys(pa), 0, PAGE_SIZE);
	return pa;
}

static void pool_free(struct table_memory *memory, u64 pa)
{
	(void)memory;
	memset(phys(pa), 0xDD, PAGE_SIZE);
}

struct table_memory pool_tables = { pool_alloc, pool_free };

static const struct ram_range map[] = {
	{ 0, 0x9F000, true },
	{ 0x9F000, 0x61000, false },
	{ MIB, NO_RAM_CHUNK * CHUNK_SIZE - MIB, true },
	{ HOLE_BASE, HOLE_SIZE, false },
	{ (NO_RAM_CHUNK + 1) * CHUNK_SIZE, CHUNK_SIZE - 0x5000, true },
};

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa;
	*end = RAM_SIZE;
	return MEMORY_WB;
}

static void reset_cpu(unsigned int id)
{
	struct test_cpu *c = &cpus[id];

	memset(c, 0, sizeof(*c));
	c->cpu.id = id;
	c->cpu.vt.id = id;
	c->cpu.vt.cpu = &c->cpu;
	c->cpu.vt.regs = &c->cpu.vt.host_regs;
	c->cpu.state = CPU_RUNNING;
	c->host = (struct state){ .efer = EFER_LMA | EFER_LME, .cs_l = 1, .rip = 0x1000 };
	machine.cpus[id] = &c->cpu;
	cpu_mask_set(&machine.host_view.entered, id);
}

void machine_reset(void)
{
	for (u64 i = 0; phys_base && i < PROCESS_MAX; i++)
		if (process_get(process_slots[i].id))
			panic("a test left a process behind");
	if (!phys_base)
		phys_base = aligned_alloc(CHUNK_SIZE, RAM_SIZE);
	memset(phys_base, HOST_BYTE, RAM_SIZE);
	memset(chunks, 0, sizeof(chunks));
	memset(&machine, 0, sizeof(machine));
	memset(&stats, 0, sizeof(stats));
	pool_next = HV_BASE;
	frame_boot(chunks, RAM_CHUNKS, map, ARRAY_SIZE(map), HV_BASE, HV_SIZE);
	machine.vt = &fake_ops;
	machine.pool = &pool_tables;
	machine.hv_base = HV_BASE;
	machine.hv_size = HV_SIZE;
	machine.cpu_count = CPUS;
	if (view_make_host(&machine.host_view, &svm_nested_format, 3, &pool_tables, RAM_SIZE, HV_BASE,
			   HV_SIZE, all_wb))
		panic("no host view");
	for (unsigned int i = 0; i < CPUS; i++)
		reset_cpu(i);
	devices_reset(map, ARRAY_SIZE(map));
	generator_dry = generator_stuck = no_iommu = false;
	create_flags = 0;
	if (process_boot())
		panic("process_boot");
	log_lines = traced = 0;
	tracing = false;
	log_last[0] = '\0';
}

enum chunk_state owner(u64 chunk)
{
	return (enum chunk_state)chunks[chunk].state;
}
