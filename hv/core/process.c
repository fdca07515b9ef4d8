/* SPDX-License-Identifier: BSD-2-Clause */
/* Secure processes: the table, and the way from a donated chunk to a measured process. */
#include "process.h"

#include <string.h>

#include <base/log.h>
#include <base/phys.h>
#include <carrel/hypercall.h>
#include <carrel/identity.h>
#include <mm/dma.h>

#include "cpu.h"
#include "destroy.h"
#include "family.h"
#include "fixed.h"
#include "owner.h"
#include "random.h"
#include "stats.h"
#include "thread.h"
#include "xstate.h"

static_assert(CARREL_R == TABLE_R && CARREL_W == TABLE_W && CARREL_X == TABLE_X,
	      "rights of the ABI are those of the tables");
static_assert(CARREL_BLOCKS_MAX * CARREL_BLOCK_SIZE <= CARREL_SHIM_VA - CARREL_CHANNEL_VA,
	      "the channel has room for all blocks");
static_assert(FAMILY_MAX == PROCESS_MAX, "no process lacks a family");

struct process_slot process_slots[PROCESS_MAX];
static struct lock table_lock;

u64 process_claim_slot(void)
{
	u64 id = 0;

	lock_take(&table_lock);
	for (u64 i = 0; i < PROCESS_MAX && !id; i++) {
		struct process_slot *slot = &process_slots[i];

		if (slot->taken)
			continue;
		slot->taken = true;
		slot->generation++;
		__atomic_fetch_add(&slot->references, 1, __ATOMIC_SEQ_CST);
		id = slot->generation << 16 | i;
	}
	lock_release(&table_lock);
	return id;
}

void process_release_slot(u64 id)
{
	struct process_slot *slot = process_slot(id);

	lock_take(&table_lock);
	slot->taken = false;
	process_put_slot(slot);
	lock_release(&table_lock);
}

void process_publish(struct process *process)
{
	struct process_slot *slot = process_slot(process->id);

	slot->process = process;
	__atomic_store_n(&slot->id, process->id, __ATOMIC_SEQ_CST);
	process_put_slot(slot);
}

bool process_shared(const struct process *process)
{
	return __atomic_load_n(&process_slot(process->id)->references, __ATOMIC_SEQ_CST) != 1;
}

/*
 * Each of the others is inside one hypercall, with interrupts off: the wait is short. The wipe of
 * a panic, which follows pointers of the object, must not find it when it may be the host's again.
 */
void process_retire(struct process *process)
{
	struct process_slot *slot = process_slot(process->id);

	__atomic_store_n(&process->state, PROCESS_GONE, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->id, 0, __ATOMIC_SEQ_CST);
	lock_release(&process->lock);
	while (__atomic_load_n(&slot->references, __ATOMIC_SEQ_CST) != 1)
		__builtin_ia32_pause();
	slot->process = NULL;
}

static void measure_create(struct process *process)
{
	struct carrel_measure_create record = {
		.magic = CARREL_MEASURE_CREATE,
		.abi = CARREL_ABI_VERSION,
		.limit = process->limit,
		.slots = process->slots,
		.blocks = process->blocks,
		.entry = CARREL_SHIM_START,
		.threads = CARREL_THREADS_VA,
		.gate = CARREL_GATE_VA,
		.channel = CARREL_CHANNEL_VA,
		.flags = process->flags,
	};

	sha256_init(&process->measure);
	sha256_update(&process->measure, &record, sizeof(record));
}

int process_build(struct process *process)
{
	u16 tag = (u16)(process->id % PROCESS_MAX + 1);

	view_memory_init(&process->nested, process->family);
	if (view_make_process(&process->view, machine.vt->nested, &process->nested.memory, tag))
		return CARREL_ENOMEM;
	if (space_init(&process->space, &process->view, process->family))
		return CARREL_ENOMEM;
	process->vt.cr3 = process->space.table.root;
	process->vt.view = &process->view;
	return fixed_map(&process->space);
}

/* A family of one, its object in a frame of the chunk that is the family's first. */
static int make_object(u64 chunk, u64 id, struct process **made)
{
	struct family *family = family_make();
	struct process *process;
	u64 pa;
	int error;

	if (!family)
		return CARREL_ELIMIT;
	error = owner_bind(chunk, family, &pa);
	if (error) {
		family_end(family);
		return error;
	}
	process = phys(pa);
	process->family = family;
	process->id = id;
	*made = process;
	return 0;
}

int process_create(u64 chunk, u32 slots, u32 blocks, u32 limit, u32 flags, u64 *id,
		   u64 ticket[2])
{
	struct process *process;
	u8 random[RANDOM_SIZE];
	int error;

	if (flags & CARREL_CREATE_DMA && dma_state() != DMA_PROTECTED)
		return CARREL_EDMA;
	if (random_get(random))
		return CARREL_ERANDOM;
	*id = process_claim_slot();
	if (!*id)
		return CARREL_ELIMIT;
	error = make_object(chunk, *id, &process);
	if (error) {
		process_release_slot(*id);
		return error;
	}
	memcpy(process->ticket, random, sizeof(process->ticket));
	memcpy(ticket, random, sizeof(process->ticket));
	process->slots = slots;
	process->blocks = blocks;
	process->limit = limit;
	process->flags = flags;
	measure_create(process);
	error = process_build(process);
	if (!error)
		error = thread_create(process, 0);
	if (error)
		destroy_unborn(process);
	else
		process_publish(process);
	return error;
}

/*
 * The page is copied while frame_lock keeps its owner from changing, and hashed
 * from the copy, which nobody else can reach. Content that the host changes
 * meanwhile is measured as it arrived.
 */
int process_add(struct process *process, u64 frame, u64 address, u64 type)
{
	struct carrel_measure_add record = {
		.magic = CARREL_MEASURE_ADD,
		.address = address,
		.type = (u32)type,
	};
	u64 source = frame << PAGE_SHIFT;
	int error = CARREL_EOWNER;

	lock_take(&frame_lock);
	if (frame_is_host_ram(source, PAGE_SIZE))
		error = space_add(&process->space, address, type & CARREL_RIGHTS, phys(source));
	lock_release(&frame_lock);
	if (error)
		return error;
	sha256_update(&process->measure, &record, sizeof(record));
	sha256_update(&process->measure, phys(space_find(&process->space, address)), PAGE_SIZE);
	return 0;
}

/* Never executable: invariant 3. */
int process_lend(struct process *process, u64 block, u64 index)
{
	int error;

	if (index >= process->blocks)
		return CARREL_EARG;
	if (process->block[index])
		return CARREL_ESTATE;
	if (frame_lend(block))
		return CARREL_EOWNER;
	error = space_fix(&process->space, CARREL_CHANNEL_VA + index * CARREL_BLOCK_SIZE,
			  block << CARREL_BLOCK_SHIFT, CARREL_BLOCK_SIZE, TABLE_R | TABLE_W, true);
	if (error) {
		frame_unlend(block);
		return error;
	}
	process->block[index] = (u32)block + 1;
	stats_add(&stats.blocks_lent, 1);
	return 0;
}

int process_init(struct process *process)
{
	struct carrel_measure_init record = { .magic = CARREL_MEASURE_INIT };
	u32 building = PROCESS_BUILDING;

	sha256_update(&process->measure, &record, sizeof(record));
	sha256_digest(&process->measure, (u8 *)process->identity);
	__atomic_compare_exchange_n(&process->state, &building, PROCESS_READY, false,
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	return 0;
}

bool process_reclaim(struct process *process)
{
	struct family *family = process->family;
	u64 stamp;

	if (!frame_waits(family, &stamp) || !flush_paid_inside(&family->entered, stamp))
		return false;
	frame_reclaim(family, stamp, PROCESS_BUDGET);
	return true;
}

void process_kill(struct process *process, const char *what, u64 number, u64 detail)
{
	if (__atomic_exchange_n(&process->state, PROCESS_DYING, __ATOMIC_ACQ_REL) != PROCESS_DYING)
		log_kill("process %lx killed: %s (%lx, %lx)", process->id, what, number, detail);
}

int process_boot(void)
{
	xstate_boot();
	if (fixed_boot()) {
		log_line("no memory for the fixed pages of process views");
		return -1;
	}
	random_boot(&random_cpu);	/* without it, CREATE answers ERANDOM */
	return 0;
}

static void wipe_contexts(void)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++) {
		struct process *process = process_slots[i].process;

		for (u32 t = 0; process && t < CARREL_SLOTS_MAX; t++) {
			if (process->threads[t])
				memset(process->threads[t], 0, sizeof(struct thread));
		}
	}
}

void process_wipe(void)
{
	wipe_contexts();
	for (u64 chunk = 0; chunk < frame_chunk_count(); chunk++) {
		if (frame_chunk(chunk)->state == CHUNK_FAMILY)
			memset(phys(chunk << CHUNK_SHIFT), 0, CHUNK_SIZE);
	}
}
