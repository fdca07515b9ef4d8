/* SPDX-License-Identifier: BSD-2-Clause */
#include "info.h"

#include <string.h>

#include <carrel/hypercall.h>
#include <mm/dma.h>

#include "apic.h"
#include "cpu.h"
#include "exit.h"
#include "platform.h"
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
	value[4] = platform_state()->state;
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
		value[3] = process->family->chunks;
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
	value[1] = dma_state();
	value[2] = apic_trap_armed();
}

static_assert(DMA_PROTECTED == CARREL_DMA_PROTECTED && DMA_LOST == CARREL_DMA_LOST, "as told");
static_assert(DMA_MSI_COMPATIBLE == CARREL_MSI_COMPATIBLE && DMA_MSI_FIXED == CARREL_MSI_FIXED,
	      "as told");

static void dma(u64 value[])
{
	struct dma_report report;

	dma_report(&report);
	value[0] = dma_state();
	value[1] = report.name ? text(report.name) : 0;
	value[2] = report.unit_count;
	value[3] = report.faults;
	value[4] = report.lost;
	value[5] = report.slot_count;
}

/* A text of `length` bytes, cut into parts. */
static int part_of(const char *string, size_t length, u64 part, u64 value[])
{
	size_t room = INFO_VALUES * sizeof(value[0]);

	if (part >= (length + room - 1) / room)
		return CARREL_EARG;
	memcpy(value, string + part * room, min_u64(room, length - part * room));
	return 0;
}

static int dma_text(u64 part, u64 value[])
{
	const char *problem = dma_problem();

	return part_of(problem, problem ? strlen(problem) : 0, part, value);
}

static int dma_unit(u64 index, u64 value[])
{
	const struct dma_unit *unit = dma_report_unit(index);

	if (!unit)
		return CARREL_EARG;
	value[0] = unit->registers;
	value[1] = unit->segment | (u64)unit->msi << 16;
	value[2] = unit->features[0];
	value[3] = unit->features[1];
	value[4] = unit->flushes;
	return 0;
}

static int dma_faults(u64 index, u64 value[])
{
	struct dma_requester row;

	if (!dma_report_requester(index, &row))
		return CARREL_EARG;
	value[0] = row.last.requester;
	value[1] = row.faults;
	value[2] = row.last.address;
	value[3] = row.last.code | (u64)row.last.write << 8;
	return 0;
}

static bool is_zero(const u8 hash[32])
{
	u8 any = 0;

	for (u32 i = 0; i < 32; i++)
		any |= hash[i];
	return !any;
}

/* The policy is there only if the launch passed all checks that come before it. */
static void launch(u64 value[])
{
	const struct platform *launched = platform_state();

	value[0] = launched->state;
	value[1] = launched->pcrs;
	value[2] = launched->pcrs && !is_zero(launched->policy);
}

static int launch_hash(u64 index, u64 value[])
{
	const struct platform *launched = platform_state();
	const u8 *const hashes[] = {
		[CARREL_HASH_PCRS] = launched->pcr_digest,
		[CARREL_HASH_POLICY] = launched->policy,
		[CARREL_HASH_KEY] = launched->fingerprint,
	};

	if (index >= ARRAY_SIZE(hashes))
		return CARREL_EARG;
	memcpy(value, hashes[index], 32);
	return 0;
}

static int launch_text(u64 part, u64 value[])
{
	const char *why = platform_state()->reason;

	return part_of(why, strnlen(why, PLATFORM_REASON), part, value);
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
	case CARREL_INFO_DMA:
		dma(value);
		return 0;
	case CARREL_INFO_DMA_TEXT:
		return dma_text(index, value);
	case CARREL_INFO_DMA_UNIT:
		return dma_unit(index, value);
	case CARREL_INFO_DMA_FAULTS:
		return dma_faults(index, value);
	case CARREL_INFO_LAUNCH:
		launch(value);
		return 0;
	case CARREL_INFO_LAUNCH_HASH:
		return launch_hash(index, value);
	case CARREL_INFO_LAUNCH_TEXT:
		return launch_text(index, value);
	}
	return CARREL_EARG;
}
