/* SPDX-License-Identifier: BSD-2-Clause */
/* Donation and return: what may be donated, and the order of every change of owner. */
#include "machine.h"

#include <base/phys.h>
#include <core/owner.h>
#include <core/stats.h>

/* Position of the first such step at or after `from`; traced if there is none. */
static unsigned int find_step(unsigned int from, enum step step, u64 what)
{
	while (from < traced && (trace[from].step != step || trace[from].what != what))
		from++;
	return from;
}

/* Everything of the machine's memory map is tried; only HOST chunks can go, and once. */
static void every_chunk_twice(void)
{
	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		bool donatable = owner(i) == CHUNK_HOST;
		s64 first = kernel_call(&cpus[0], CARREL_HC_DONATE, i, 0, 0, 0);
		s64 second = kernel_call(&cpus[1], CARREL_HC_DONATE, i, 0, 0, 0);

		CHECK_EQ(first, donatable ? CARREL_PENDING : CARREL_EOWNER);
		CHECK_EQ(second, donatable ? CARREL_PENDING : CARREL_EOWNER);
		check_machine();
		flush_all_cpus();
		CHECK_EQ(kernel_call(&cpus[2], CARREL_HC_DONATE, i, 0, 0, 0),
			 donatable ? 0 : CARREL_EOWNER);
		CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_DONATE, i, 0, 0, 0), CARREL_EOWNER);
		CHECK_EQ(owner(i) == CHUNK_NOBODY, donatable);
		check_machine();
	}
	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		bool donated = owner(i) == CHUNK_NOBODY;

		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, i, 0, 0, 0),
			 donated ? 0 : CARREL_EOWNER);
		CHECK_EQ(kernel_call(&cpus[1], CARREL_HC_RETURN, i, 0, 0, 0), CARREL_EOWNER);
	}
	check_machine();
	CHECK_EQ(stats.chunks_donated, 0);
}

/* Which chunks the map of machine.c makes donatable, said apart from frame.c. */
static void edges(void)
{
	CHECK_EQ(owner(0), CHUNK_MIXED);		/* below 1 MiB, and the ROM hole */
	CHECK_EQ(owner(1), CHUNK_HOST);
	CHECK_EQ(owner(15), CHUNK_HOST);		/* up to the hypervisor */
	CHECK_EQ(owner(16), CHUNK_HV);
	CHECK_EQ(owner(17), CHUNK_HOST);
	CHECK_EQ(owner(20), CHUNK_MIXED);		/* three reserved pages */
	CHECK_EQ(owner(21), CHUNK_HOST);
	CHECK_EQ(owner(NO_RAM_CHUNK), CHUNK_NONE);
	CHECK_EQ(owner(23), CHUNK_MIXED);		/* ends five pages early */
}

static void debts(void)
{
	const u64 chunk = 5;

	for (unsigned int i = 0; i < CPUS; i++)
		CHECK(touch_host(&cpus[i], chunk));
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, chunk, 0, 0, 0), CARREL_PENDING);
	for (unsigned int i = 0; i < CPUS; i++) {
		CHECK(!touch_host(&cpus[i], chunk));
		CHECK_EQ(kernel_call(&cpus[i], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, chunk, 0, 0, 0),
			 i + 1 < CPUS ? CARREL_PENDING : 0);
		check_machine();
	}
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, chunk, 0, 0, 0), 0);
	CHECK(touch_host(&cpus[0], chunk));
}

/* A CPU that is parked owes nothing; it flushes before it enters any view. */
static void parked(void)
{
	flush_park(3, true);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0), CARREL_PENDING);
	for (unsigned int i = 0; i < 3; i++)
		kernel_call(&cpus[i], CARREL_HC_FLUSH, 0, 0, 0, 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 5, 0, 0, 0), 0);
	flush_park(3, false);
}

static void order(void)
{
	struct carrier carrier;
	unsigned int hide, dma, flush, drained, scrub, show, dma_show;

	tracing = true;
	drains_late = 2;
	make_process(&carrier, 1, 2, 2, true);
	hide = find_step(0, STEP_HIDE, carrier.chunk[0]);
	dma = find_step(hide, STEP_DMA_HIDE, carrier.chunk[0]);
	CHECK(hide < dma && dma < traced);
	scrub = find_step(0, STEP_SCRUB, carrier.chunk[0] * CHUNK_PAGES);
	drained = find_step(dma, STEP_DRAINED, 0);
	for (unsigned int i = 0; i < CPUS; i++) {
		flush = find_step(dma, STEP_FLUSH, i);
		CHECK(flush < drained);
	}
	CHECK(drained < scrub && scrub < traced);
	CHECK_EQ(drains_late, 0);
	for (unsigned int i = 0; i < traced; i++)
		if (trace[i].step == STEP_SCRUB && trace[i].what / CHUNK_PAGES == carrier.chunk[0])
			CHECK(i > drained);
	CHECK_EQ(enter(&cpus[2], &carrier), 0);
	touch(&cpus[2], CARREL_CHANNEL_VA);
	traced = 0;
	end_process(&carrier);
	/* unlent only when CPU 2 had flushed; shown only when all was scrubbed; devices last */
	CHECK(find_step(0, STEP_FLUSH, 2) < find_step(0, STEP_UNLEND, carrier.block[0]));
	show = find_step(0, STEP_SHOW, carrier.chunk[0]);
	dma_show = find_step(show, STEP_DMA_SHOW, carrier.chunk[0]);
	CHECK(show < dma_show && dma_show < traced);
	for (unsigned int i = show; i < traced; i++)
		CHECK(trace[i].step != STEP_SCRUB);
}

/* One flush of the IOMMU for 512 pages; what a device may still reach is nobody's until it has
 * ended, however long that takes; returned, it is the devices' again. */
static void devices(void)
{
	const u64 chunk = 5;
	unsigned int before = device_flushes;

	CHECK(device_touch(chunk) && !device_touch(16) && !device_touch(NO_RAM_CHUNK));
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, chunk, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(device_flushes, before + 1);
	flush_all_cpus();
	drains_late = 3;
	while (drains_late) {
		CHECK(device_cached(chunk));
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, chunk, 0, 0, 0), CARREL_PENDING);
		CHECK_EQ(owner(chunk), CHUNK_LEAVING);
	}
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, chunk, 0, 0, 0), 0);
	CHECK_EQ(device_flushes, before + 1);
	CHECK(!device_touch(chunk));
	check_machine();
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, chunk, 0, 0, 0), 0);
	CHECK(device_touch(chunk));
}

/* An IOMMU that stopped: what was on its way stays nobody's, nothing more is taken. */
static void devices_lost(void)
{
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0), CARREL_PENDING);
	flush_all_cpus();
	drains_late = ~0U;
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0), CARREL_PENDING);
	device_failure = "it stopped";
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0), CARREL_EDMA);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 6, 0, 0, 0), CARREL_EDMA);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 5, 0, 0, 0), CARREL_ESTATE);
	CHECK_EQ(owner(5), CHUNK_LEAVING);
	CHECK(!device_touch(5) && device_touch(6));
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_DMA, 0, 0, 0), 0);
	CHECK_EQ(cpus[0].cpu.vt.regs->rdi, CARREL_DMA_LOST);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, 0, 0, 0), 0);
	CHECK(!memcmp(&cpus[0].cpu.vt.regs->rdi, "it stopp", 8));
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, 1, 0, 0), CARREL_EARG);
	machine_reset();
}

static void admitted(void)
{
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADMIT, 0x10000, 0, 0, 0), CARREL_EARG);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADMIT, 0x00FF, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADMIT, 0x00FF, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADMIT, 0x0100, 0, 0, 0), CARREL_ELIMIT);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_DMA, 0, 0, 0), 0);
	CHECK_EQ(cpus[0].cpu.vt.regs->r9, 1);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_ADMIT, CARRIER_CR3, 0, 0, 0, 0, 0, 0), CARREL_ECALLER);
}

static void lent(void)
{
	struct carrier carrier, other;
	u64 block;

	make_process(&carrier, 1, 2, 1, true);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, LEND_CHUNK, 0, 0, 0), CARREL_ESTATE);
	make_process(&other, 1, 2, 1, false);
	/* neither another process's channel, nor private memory, nor what is nobody's */
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, carrier.block[0], 0, 0), CARREL_ESTATE);
	end_process(&other);

	CHECK_EQ(donate(&cpus[0], 3, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, 3, CARREL_ABI_VERSION,
			     1 | 2 << 16, 1), 0);
	other.id = cpus[0].cpu.vt.regs->rdi;
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, carrier.block[0], 0, 0), CARREL_EOWNER);
	block = carrier.chunk[0] * 32;
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, block, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, 16 * 32, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, HOLE_BASE >> 16, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, NO_RAM_CHUNK * 32, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADD, other.id, carrier.chunk[0] * 512 + 3,
			     CARREL_SHIM_VA, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADD, other.id, HV_BASE / PAGE_SIZE + 1,
			     CARREL_SHIM_VA, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADD, other.id, HOLE_BASE / PAGE_SIZE,
			     CARREL_SHIM_VA, 1), CARREL_EOWNER);
	/* nor later, when its threads run */
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, other.id, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, carrier.block[0], 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, other.id, block, 0, 0), CARREL_EOWNER);
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, other.id, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 3, 0, 0, 0), 0);

	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, carrier.chunk[0], 0, 0, 0), CARREL_ESTATE);
	end_process(&carrier);
	CHECK_EQ(donate(&cpus[0], LEND_CHUNK, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, LEND_CHUNK, 0, 0, 0), 0);
	check_machine();
}

/* To a process: within its limit; a chunk of nobody's can be bound later. */
static void limits(void)
{
	struct carrier carrier;

	make_process(&carrier, 1, 2, 3, true);
	CHECK_EQ(donate(&cpus[0], 11, carrier.id), 0);
	CHECK_EQ(owner(11), CHUNK_FAMILY);
	CHECK_EQ(donate(&cpus[0], 12, 0), 0);
	CHECK_EQ(donate(&cpus[0], 12, carrier.id), 0);
	CHECK_EQ(owner(12), CHUNK_FAMILY);
	CHECK_EQ(object(&carrier)->family->chunks, 3);
	CHECK_EQ(donate(&cpus[0], 13, carrier.id), CARREL_ELIMIT);
	CHECK_EQ(owner(13), CHUNK_HOST);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 11, carrier.id, 0, 0), CARREL_ELIMIT);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 11, 0, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, carrier.chunk[0], 0, 0, 0), CARREL_ESTATE);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 12, 0, 0, 0), 0);
	CHECK_EQ(donate(&cpus[0], 12, carrier.id), 0);
	CHECK_EQ(donate(&cpus[0], 13, carrier.id), CARREL_ELIMIT);
	carrier.chunk[1] = 11;
	carrier.chunk[2] = 12;
	carrier.chunks = 3;
	check_machine();
	end_process(&carrier);
	check_machine();
}

/* The other process may be named by a repeated call: who has it in the end gets it. */
static void change_of_mind(void)
{
	struct carrier a, b;

	make_process(&a, 1, 2, 2, true);
	make_process(&b, 1, 2, 2, true);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 11, a.id, 0, 0), CARREL_PENDING);
	flush_all_cpus();
	CHECK_EQ(kernel_call(&cpus[1], CARREL_HC_DONATE, 11, b.id, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 11, a.id, 0, 0), CARREL_EOWNER);
	CHECK_EQ(frame_chunk(11)->family, object(&b)->family->id);
	b.chunk[b.chunks++] = 11;
	end_process(&a);
	end_process(&b);
}

/* CREATE takes what is nobody's; what fails on the way leaves it so. */
static void create_from(void)
{
	const u64 good = 1 | 2 << 16, abi = CARREL_ABI_VERSION;

	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, 3, abi, good, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, 16, abi, good, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, NO_RAM_CHUNK, abi, good, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DONATE, 3, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, 3, abi, good, 1), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 3, 0, 0, 0), CARREL_ESTATE);
	CHECK_EQ(donate(&cpus[0], 3, 0), 0);
	generator_dry = true;
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_CREATE, 3, abi, good, 1), CARREL_ERANDOM);
	CHECK_EQ(owner(3), CHUNK_NOBODY);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 3, 0, 0, 0), 0);
}

/* A process that wants protection from devices is refused where there is none; others are not. */
static void required(void)
{
	const u64 plain = 1 | 2 << 16, wants = plain | (u64)CARREL_CREATE_DMA << 32;
	const u64 abi = CARREL_ABI_VERSION;
	struct test_cpu *c = &cpus[0];

	CHECK_EQ(donate(c, 3, 0), 0);
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, 3, abi, wants, 1), 0);
	CHECK_EQ(finish(c, CARREL_HC_DESTROY, c->cpu.vt.regs->rdi, 0, 0, 0), 0);
	no_iommu = true;
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, 3, abi, wants, 1), CARREL_EDMA);
	/* refused before the chunk is looked at: this one is the host's */
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, 4, abi, wants, 1), CARREL_EDMA);
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, 3, abi, plain, 1), 0);
	CHECK_EQ(finish(c, CARREL_HC_DESTROY, c->cpu.vt.regs->rdi, 0, 0, 0), 0);
	no_iommu = false;
	device_failure = "it stopped";
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, 3, abi, wants, 1), CARREL_EDMA);
	CHECK_EQ(owner(3), CHUNK_NOBODY);
	CHECK_EQ(kernel_call(c, CARREL_HC_RETURN, 3, 0, 0, 0), 0);
	machine_reset();
}

/* Private frames hold nothing of the host, and the host finds nothing of theirs. */
static void scrubbed(void)
{
	struct carrier carrier;
	u64 pa;

	make_process(&carrier, 1, 2, 1, true);
	CHECK_EQ(enter(&cpus[1], &carrier), 0);
	CHECK_EQ(exit_call(&cpus[1], CARREL_HC_MAP, 0x400000, 300, 3, 0, 0, 0), 0);
	for (u64 i = 0; i < 300; i++) {
		pa = touch(&cpus[1], 0x400000 + i * PAGE_SIZE);
		CHECK_EQ(pa >> CHUNK_SHIFT, carrier.chunk[0]);
		for (u64 at = 0; at < PAGE_SIZE; at++)
			if (!CHECK(((u8 *)phys(pa))[at] == 0))
				break;
		memset(phys(pa), 0x5C, PAGE_SIZE);
	}
	end_process(&carrier);
	for (u64 at = 0; at < CHUNK_SIZE; at++)
		if (!CHECK(((u8 *)phys(carrier.chunk[0] << CHUNK_SHIFT))[at] != 0x5C))
			break;
}

/* Views' tables run out of the hypervisor's own frames: refused, nothing changed. */
static void no_frame_to_split(void)
{
	u64 taken = 0;

	while (machine.pool->alloc(machine.pool))
		taken++;
	CHECK(taken > 0);
	if (kernel_call(&cpus[0], CARREL_HC_DONATE, 5, 0, 0, 0) == CARREL_ELIMIT) {
		CHECK_EQ(owner(5), CHUNK_HOST);
		check_machine();
	} else {	/* the host view had been split already */
		CHECK_EQ(donate(&cpus[0], 5, 0), 0);
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 5, 0, 0, 0), 0);
	}
}

const struct test owner_tests[] = {
	{ "the map's edges", edges },
	{ "every chunk donated twice, returned twice", every_chunk_twice },
	{ "each CPU that owes a flush is waited for", debts },
	{ "a parked CPU is not", parked },
	{ "unmap, flush, drain, scrub, map: in this order", order },
	{ "devices: private only after one flush has ended", devices },
	{ "devices: an IOMMU that failed", devices_lost },
	{ "devices: admitted slots", admitted },
	{ "lent blocks cannot be donated, nor anything else lent or added", lent },
	{ "limits of a process", limits },
	{ "two processes want one chunk", change_of_mind },
	{ "CREATE from chunks of every owner", create_from },
	{ "CREATE that requires DMA protection", required },
	{ "nothing of the host's inside, nothing private outside", scrubbed },
	{ "the hypervisor's frames are used up", no_frame_to_split },
	{ 0 },
};
