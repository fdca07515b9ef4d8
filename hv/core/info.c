/* SPDX-License-Identifier: BSD-2-Clause */
#include "info.h"

#include <string.h>

#include <carrel/hypercall.h>

#include "apic.h"
#include "cpu.h"
#include "exit.h"
#include "owner.h"
#include "process.h"
#include "stats.h"
#include "thread.h"

#define INIT_TRAPPED	1
#define INIT_NATIVE	2

static u64 text(const char *string)
{
	u64 word = 0;

	memcpy(&word, string, strnlen(string, sizeof(word)));
	return word;
}

static void version(u64 value[])
{
	u64 online = 0;

	for (unsigned int i = 0; i < machine.cpu_count; i++)
		online += machine.cpus[i] && machine.cpus[i]->state == CPU_RUNNING;
	value[0] = CARREL_ABI_VERSION;
	value[1] = text(CARREL_VERSION);
	value[2] = text(machine.vt->name);
	value[3] = online | (u64)machine.cpu_count << 32;
	value[4] = CARREL_LAUNCH_UNMEASURED;
}

static void memory(u64 value[])
{
	u64 ram = 0;

	for (u64 i = 0; i < frame_chunk_count(); i++)
		ram += frame_chunk(i)->state != CHUNK_NONE;
	value[0] = machine.hv_base;
	value[1] = machine.hv_size;
	value[2] = stats.chunks_donated;
	value[3] = ram;
	value[4] = stats.blocks_lent;
}

static int exits(u64 cpu, u64 first, u64 value[])
{
	if (cpu >= machine.cpu_count || !machine.cpus[cpu] || first >= VT_REASONS)
		return CARREL_EARG;
	for (u64 i = 0; i < INFO_VALUES && first + i < VT_REASONS; i++)
		value[i] = machine.cpus[cpu]->exits[first + i];
	return 0;
}

static int reason(u64 index, u64 value[])
{
	if (index >= VT_REASONS)
		return CARREL_EARG;
	strncpy((char *)value, exit_name((enum vt_reason)index), 3 * sizeof(u64));
	return 0;
}

static void refused(u64 value[])
{
	value[0] = stats.refused_reads;
	value[1] = stats.refused_writes;
	value[2] = stats.refused_fetches;
	value[3] = stats.refused_registers;
	value[4] = stats.refused_calls;
}

/* Threads may run meanwhile: their counters are read as they are. The lock keeps them there. */
static void count_threads(struct process *process, u64 value[])
{
	for (u32 i = 0; i < CARREL_SLOTS_MAX; i++) {
		const struct thread *thread = process->threads[i];

		if (!thread)
			continue;
		value[2]++;
		value[4] += __atomic_load_n(&thread->ocalls, __ATOMIC_RELAXED);
		value[5] += __atomic_load_n(&thread->exits, __ATOMIC_RELAXED);
	}
}

static int process_counts(u64 slot, u64 value[])
{
	struct process *process;

	if (slot >= PROCESS_MAX)
		return CARREL_EARG;
	process = process_get(__atomic_load_n(&process_slots[slot].id, __ATOMIC_RELAXED));
	if (!process)
		return 0;
	lock_take(&process->lock);
	if (process_state(process) != PROCESS_GONE) {
		value[0] = process->id;
		value[1] = process_state(process);
		value[3] = process->family.chunks;
		count_threads(process, value);
	}
	lock_release(&process->lock);
	process_put(process);
	return 0;
}

static int identity(u64 id, u64 value[])
{
	struct process *process = process_get(id);
	int error = CARREL_ESTATE;

	if (!process)
		return CARREL_EARG;
	if (process_state(process) == PROCESS_READY) {
		memcpy(value, process->identity, sizeof(process->identity));
		error = 0;
	}
	process_put(process);
	return error;
}

static void platform(u64 value[])
{
	if (apic_trap_armed() || machine.vt->holds_init())
		value[0] = apic_mode() == APIC_NATIVE ? INIT_NATIVE : INIT_TRAPPED;
	value[1] = dma_guard != NULL;
	value[2] = apic_trap_armed();
}

int info_get(u64 what, u64 index, u64 sub, u64 value[INFO_VALUES])
{
	memset(value, 0, INFO_VALUES * sizeof(value[0]));
	switch (what) {
	case CARREL_INFO_VERSION:
		version(value);
		return 0;
	case CARREL_INFO_MEMORY:
		memory(value);
		return 0;
	case CARREL_INFO_EXITS:
		return exits(index, sub, value);
	case CARREL_INFO_REASON:
		return reason(index, value);
	case CARREL_INFO_REFUSED:
		refused(value);
		return 0;
	case CARREL_INFO_PROCESS:
		return process_counts(index, value);
	case CARREL_INFO_IDENTITY:
		return identity(index, value);
	case CARREL_INFO_PLATFORM:
		platform(value);
		return 0;
	}
	return CARREL_EARG;
}
