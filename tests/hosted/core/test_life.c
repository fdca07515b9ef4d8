/* SPDX-License-Identifier: BSD-2-Clause */
/* CREATE, ADD, LEND, INIT, DESTROY: the measurement chain, and the end at every point. */
#include "machine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <base/phys.h>
#include <carrel/identity.h>
#include <core/stats.h>

/* SHA-256 of a file by coreutils. */
static void sha256sum(const char *path, u8 digest[32])
{
	char command[256], text[65] = "";
	unsigned int byte;
	FILE *pipe;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	pipe = popen(command, "r");
	CHECK(pipe && fscanf(pipe, "%64s", text) == 1);
	if (pipe)
		pclose(pipe);
	for (unsigned int i = 0; i < 32; i++) {
		sscanf(text + 2 * i, "%2x", &byte);
		digest[i] = (u8)byte;
	}
}

/* Little-endian words, so that the records are written apart from the structs. */
static void put(FILE *file, u64 value, unsigned int bytes)
{
	while (bytes-- > 0) {
		fputc((int)(value & 0xFF), file);
		value >>= 8;
	}
}

static void put_create(FILE *file, u32 limit, u32 slots, u32 blocks, u64 flags)
{
	fwrite("CREAREC1", 8, 1, file);
	put(file, CARREL_ABI_VERSION, 4);
	put(file, limit, 4);
	put(file, slots, 4);
	put(file, blocks, 4);
	put(file, 0x7E0040000000, 8);
	put(file, 0x7E0050000000, 8);
	put(file, 0x7E0000000000, 8);
	put(file, 0x7E0000200000, 8);
	put(file, flags, 8);
}

static void put_add(FILE *file, u64 address, u32 type, const void *page)
{
	fwrite("ADDPREC1", 8, 1, file);
	put(file, address, 8);
	put(file, type, 4);
	put(file, 0, 4);
	fwrite(page, PAGE_SIZE, 1, file);
}

static const struct {
	u64 address;
	u32 type;
} added[] = {
	{ CARREL_SHIM_VA, CARREL_R | CARREL_X },
	{ CARREL_SHIM_VA + 0x1000, CARREL_R },
	{ CARREL_SHIM_VA + 0x5000, CARREL_R | CARREL_W },
	{ CARREL_MANIFEST_VA, CARREL_R },
	{ 0x400000, CARREL_R | CARREL_X },
};

/* Adds the pages in `order`; the host rewrites its page after each. */
static void build(struct carrier *carrier, const unsigned int *order, u64 identity[4])
{
	u64 source = 13 * CHUNK_PAGES;

	make_process(carrier, 3, 4, 77, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(added); i++) {
		unsigned int n = order[i];

		memset(phys(source << PAGE_SHIFT), (int)n + 1, PAGE_SIZE);
		((u8 *)phys(source << PAGE_SHIFT))[n] = 0x99;
		CHECK_EQ(kernel_call(&cpus[i % CPUS], CARREL_HC_ADD, carrier->id, source,
				     added[n].address, added[n].type), 0);
		memset(phys(source << PAGE_SHIFT), 0xEE, PAGE_SIZE);
	}
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, carrier->id, 0, 0, 0), 0);
	identity[0] = cpus[0].cpu.vt.regs->rdi;
	identity[1] = cpus[0].cpu.vt.regs->rsi;
	identity[2] = cpus[0].cpu.vt.regs->rdx;
	identity[3] = cpus[0].cpu.vt.regs->r10;
}

/* The identity of what build() makes in this order, as the records' text has it. */
static void expected_identity(u64 flags, u8 want[32])
{
	char path[] = "/tmp/carrel-measure-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	u8 page[PAGE_SIZE];

	put_create(file, 77, 3, 4, flags);
	for (unsigned int n = 0; n < ARRAY_SIZE(added); n++) {
		memset(page, (int)n + 1, sizeof(page));
		page[n] = 0x99;
		put_add(file, added[n].address, added[n].type, page);
	}
	fwrite("FINIREC1", 8, 1, file);
	fclose(file);
	sha256sum(path, want);
	unlink(path);
}

static void measurement(void)
{
	static const unsigned int order[] = { 0, 1, 2, 3, 4 }, swapped[] = { 1, 0, 2, 3, 4 };
	u64 identity[4], other[4];
	struct carrier carrier;
	u8 want[32];

	expected_identity(0, want);
	build(&carrier, order, identity);
	CHECK(memcmp(identity, want, sizeof(want)) == 0);
	/* what was added is there, with those rights and no more, and the host changed nothing */
	CHECK_EQ(enter(&cpus[1], &carrier), 0);
	for (unsigned int n = 0; n < ARRAY_SIZE(added); n++) {
		const u8 *bytes = phys(touch(&cpus[1], added[n].address));
		unsigned int rights = table_walk(&object(&carrier)->space.table,
						 added[n].address).rights;

		CHECK(bytes[n] == 0x99 && bytes[100] == n + 1);
		CHECK_EQ(rights & 7, added[n].type);
	}
	CHECK_EQ(exit_call(&cpus[1], CARREL_HC_IDENTITY, 0, 0, 0, 0, 0, 0), 0);
	CHECK_EQ(cpus[1].cpu.vt.regs->rdi, identity[0]);
	CHECK_EQ(cpus[1].cpu.vt.regs->r10, identity[3]);
	exit_reason(&cpus[1], VT_INTERRUPT);
	CHECK_EQ(kernel_call(&cpus[2], CARREL_HC_INFO, CARREL_INFO_IDENTITY, carrier.id, 0, 0), 0);
	CHECK_EQ(cpus[2].cpu.vt.regs->rsi, identity[1]);
	end_process(&carrier);

	build(&carrier, swapped, other);
	CHECK(memcmp(identity, other, sizeof(other)) != 0);
	end_process(&carrier);

	create_flags = CARREL_CREATE_DMA;
	expected_identity(CARREL_CREATE_DMA, want);
	build(&carrier, order, other);
	CHECK(memcmp(other, want, sizeof(want)) == 0 && memcmp(identity, other, sizeof(other)) != 0);
	end_process(&carrier);
}

/* Limits and shape are measured too, and a page cannot be added twice or overlap anything. */
static void shapes(void)
{
	u64 identity[3][4];
	struct carrier carrier;

	for (unsigned int i = 0; i < 3; i++) {
		make_process(&carrier, i == 1 ? 2 : 1, 2 + (i == 1), 5 + (i == 2), true);
		memcpy(identity[i], object(&carrier)->identity, sizeof(identity[i]));
		end_process(&carrier);
	}
	CHECK(memcmp(identity[0], identity[1], 32) && memcmp(identity[0], identity[2], 32));
	make_process(&carrier, 1, 2, 1, false);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADD, carrier.id, 13 * 512, CARREL_SHIM_VA, 1), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_ADD, carrier.id, 13 * 512, CARREL_SHIM_VA, 1), CARREL_EARG);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_LEND, carrier.id, lend_block(9), 0, 0), CARREL_ESTATE);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INFO, CARREL_INFO_IDENTITY, carrier.id, 0, 0),
		 CARREL_ESTATE);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, carrier.id, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, carrier.id, 0, 0, 0), CARREL_ESTATE);
	end_process(&carrier);
}

/* The channel and the fixed pages, as the process sees them. */
static void layout(void)
{
	struct carrier carrier;
	struct process *process;
	struct table_walk walk;

	make_process(&carrier, 2, 3, 1, true);
	process = object(&carrier);
	enter(&cpus[0], &carrier);
	for (u32 i = 0; i < carrier.blocks * 16; i++) {
		u64 va = CARREL_CHANNEL_VA + i * PAGE_SIZE;

		walk = table_walk(&process->space.table, va);
		CHECK_EQ(walk.pa, (carrier.block[i / 16] << 16) + i % 16 * PAGE_SIZE);
		CHECK_EQ(walk.rights, TABLE_R | TABLE_W | TABLE_USER);
		CHECK_EQ(view_rights(&process->view, walk.pa), TABLE_R | TABLE_W);
	}
	walk = table_walk(&process->space.table, CARREL_GATE_VA);
	CHECK_EQ(walk.rights, TABLE_R | TABLE_X | TABLE_USER);
	CHECK_EQ(view_rights(&process->view, walk.pa), TABLE_R | TABLE_X);
	CHECK(memcmp(phys(walk.pa), "\x0F\x01\xC1\xC3\xCC", 5) == 0);
	walk = table_walk(&process->space.table, CARREL_BOUNCE_VA);
	CHECK_EQ(walk.rights, TABLE_R | TABLE_X);
	/* mov %rcx,%gs:0; mov %r11,%gs:8; movabs SYSCALL,%rcx; mov $202h,%r11d; sysretq */
	CHECK(memcmp(phys(walk.pa), "\x65\x48\x89\x0C\x25\0\0\0\0" "\x65\x4C\x89\x1C\x25\x08\0\0\0"
		     "\x48\xB9\x40\0\0\x40\0\x7E\0\0" "\x41\xBB\x02\x02\0\0" "\x48\x0F\x07\xCC", 38) == 0);
	walk = table_walk(&process->space.table, CARREL_DESC_VA);
	CHECK_EQ(walk.rights, TABLE_R);
	CHECK_EQ(view_rights(&process->view, walk.pa), TABLE_R);
	CHECK_EQ(((const u64 *)phys(walk.pa))[CARREL_USER_CS / 8], 0x00AFFB000000FFFF);
	CHECK_EQ(((const u64 *)phys(walk.pa))[CARREL_USER_SS / 8], 0x00CFF3000000FFFF);
	exit_reason(&cpus[0], VT_INTERRUPT);
	end_process(&carrier);
}

/* How far a process gets before it is destroyed. */
static void go(struct carrier *carrier, unsigned int point)
{
	make_process(carrier, 2, 3, 8, point >= 2);
	if (point == 1)
		kernel_call(&cpus[0], CARREL_HC_ADD, carrier->id, 14 * 512, CARREL_SHIM_VA, 5);
	if (point < 3)
		return;
	CHECK_EQ(enter(&cpus[1], carrier), 0);
	touch(&cpus[1], CARREL_SHIM_VA);
	touch(&cpus[1], CARREL_CHANNEL_VA + 0x3000);
	if (point == 4)
		exit_call(&cpus[1], CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
	if (point == 5)
		exit_reason(&cpus[1], VT_INTERRUPT);
	if (point < 6)
		return;
	exit_call(&cpus[1], CARREL_HC_MAP, 0x10000, 400, 3, 0, 0, 0);
	touch(&cpus[1], 0x20000);
	exit_call(&cpus[1], CARREL_HC_UNMAP, 0x10000, 100, 0, 0, 0, 0);
	if (point == 7) {	/* thrown out, goes on elsewhere: two CPUs owe */
		exit_reason(&cpus[1], VT_NMI);
		CHECK_EQ(resume(&cpus[2], carrier, 0, 0), 0);
		touch(&cpus[2], 0x80000);
		exit_call(&cpus[2], CARREL_HC_UNMAP, 0x80000, 9, 0, 0, 0, 0);
	}
	if (point == 8)
		exit_call(&cpus[1], CARREL_HC_DIE, 19, 0, 0, 0, 0, 0);
	if (point == 9) {	/* more memory */
		exit_reason(&cpus[1], VT_INTERRUPT);
		for (u64 chunk = 10; chunk < 14; chunk++) {
			CHECK_EQ(donate(&cpus[0], chunk, carrier->id), 0);
			carrier->chunk[carrier->chunks++] = chunk;
		}
		CHECK_EQ(resume(&cpus[1], carrier, 0, 0), 0);
		for (u64 i = 0; i < 3; i++)
			exit_call(&cpus[1], CARREL_HC_MAP, 0x1000000 + i * 0x200000, 500, 3, 0, 0, 0);
	}
}

/* DESTROY, one call at a time, with a look at the machine after each. */
static void destroy_everywhere(void)
{
	struct carrier carrier;
	unsigned int calls;
	s64 result;

	for (unsigned int point = 0; point < 10; point++) {
		go(&carrier, point);
		check_machine();
		for (calls = 0; calls < 200; calls++) {
			result = kernel_call(&cpus[3], CARREL_HC_DESTROY, carrier.id, 0, 0, 0);
			check_machine();
			if (result == 0)
				break;
			CHECK(result == CARREL_PENDING || result == CARREL_MORE);
			CHECK(enter(&cpus[3], &carrier) < 0);
			CHECK(resume(&cpus[3], &carrier, 0, 0) < 0);
			CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_ADD, carrier.id, 512, 0x900000, 1),
				 CARREL_EDEAD);
			CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_DONATE, 15, carrier.id, 0, 0),
				 CARREL_EDEAD);
			CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_RETURN, carrier.chunk[0], 0, 0, 0),
				 CARREL_ESTATE);
			if (result == CARREL_PENDING)
				flush_all_cpus();
		}
		CHECK_EQ(result, 0);
		CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), CARREL_EARG);
		for (unsigned int i = 0; i < carrier.chunks; i++) {
			CHECK_EQ(owner(carrier.chunk[i]), CHUNK_NOBODY);
			CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_RETURN, carrier.chunk[i], 0, 0, 0), 0);
		}
		CHECK_EQ(stats.blocks_lent, 0);
		CHECK_EQ(stats.chunks_donated, 0);
	}
}

/* The carrier of a dying thread sees the gate's last entry, once its CPU exits. */
static void dying_while_inside(void)
{
	struct carrier carrier;

	make_process(&carrier, 1, 2, 1, true);
	CHECK_EQ(enter(&cpus[1], &carrier), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), CARREL_PENDING);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), CARREL_PENDING);
	CHECK(inside(&cpus[1]));
	exit_call(&cpus[1], CARREL_HC_OCALL, 1, 2, 3, 4, 5, 6);
	CHECK(!inside(&cpus[1]));
	CHECK_EQ(cpus[1].host.rip, CARREL_GATE_VA + CARREL_GATE_DEAD);
	CHECK_EQ(cpus[1].cpu.vt.regs->rdi, 0);
	/* it has left: what it has cached is of no use to it */
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), 0);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, carrier.chunk[0], 0, 0, 0), 0);
}

/* A thread that pays every debt by flushes of its own and never leaves is waited for all the same. */
static void paying_while_inside(void)
{
	struct carrier carrier;

	make_process(&carrier, 1, 2, 1, true);
	CHECK_EQ(enter(&cpus[1], &carrier), 0);
	for (unsigned int i = 0; i < 5; i++) {
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), CARREL_PENDING);
		CHECK_EQ(exit_call(&cpus[1], CARREL_HC_MAP, 0x10000, 1, 3, 0, 0, 0), 0);
		CHECK_EQ(exit_call(&cpus[1], CARREL_HC_UNMAP, 0x10000, 1, 0, 0, 0, 0), 0);
		CHECK(inside(&cpus[1]));
		check_machine();
	}
	end_process(&carrier);
}

/* A call under way on another CPU, between finding the process and letting go of it. */
static void call_under_way(void)
{
	struct carrier carrier;
	struct process *process;

	make_process(&carrier, 1, 2, 1, true);
	process = process_get(carrier.id);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, carrier.id, 0, 0, 0), CARREL_MORE);
		CHECK(process->threads[0] && process->threads[0]->state == THREAD_NEW);
		flush_all_cpus();
	}
	process_put(process);
	end_process(&carrier);
}

/* The table of processes fills up; handles of the dead never come back. */
static void many(void)
{
	static struct carrier carriers[8];
	u64 last = 0;

	for (unsigned int round = 0; round < 40; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(carriers); i++) {
			make_process(&carriers[i], 1, 2, 1, true);
			for (unsigned int k = 0; k < i; k++)
				CHECK(carriers[k].id != carriers[i].id);
		}
		CHECK(carriers[0].id > last || round == 0);
		last = carriers[0].id;
		for (unsigned int i = 0; i < ARRAY_SIZE(carriers); i++) {
			if (random_below(2)) {
				enter(&cpus[i % CPUS], &carriers[i]);
				if (inside(&cpus[i % CPUS])) {
					touch(&cpus[i % CPUS], CARREL_SHIM_VA);
					exit_reason(&cpus[i % CPUS], VT_INTERRUPT);
				}
			}
		}
		check_machine();
		for (unsigned int i = 0; i < ARRAY_SIZE(carriers); i++)
			end_process(&carriers[(i * 3 + round) % ARRAY_SIZE(carriers)]);
	}
	CHECK_EQ(stats.chunks_donated, 0);
	CHECK_EQ(stats.blocks_lent, 0);
}

static bool all_zero(const void *bytes, u64 size)
{
	for (u64 i = 0; i < size; i++)
		if (((const u8 *)bytes)[i])
			return false;
	return true;
}

/* A panic leaves no context and no private frame; what is not private stays. */
/* Not even when a place in the table has had more processes than 32 bits count. */
static void handles(void)
{
	struct carrier carrier;
	u64 last = 0;

	process_slots[0].generation = UINT32_MAX - 1;
	for (unsigned int i = 0; i < 4; i++) {
		make_process(&carrier, 1, 2, 1, true);
		CHECK(carrier.id > last && carrier.id % PROCESS_MAX == 0);
		last = carrier.id;
		end_process(&carrier);
	}
}

static void wipe(void)
{
	struct carrier carrier;
	struct process *process;

	make_process(&carrier, 1, 2, 1, true);
	process = object(&carrier);
	enter(&cpus[1], &carrier);
	exit_call(&cpus[1], CARREL_HC_MAP, 0x10000, 4, 3, 0, 0, 0);
	memset(phys(touch(&cpus[1], 0x10000)), 0x5C, PAGE_SIZE);
	cpus[1].cpu.vt.regs->rbx = 0x5C5C;
	process->lock.next++;	/* held by a CPU that stopped */
	process_wipe();
	CHECK(all_zero(phys(carrier.chunk[0] << CHUNK_SHIFT), CHUNK_SIZE));
	CHECK_EQ(cpus[1].cpu.vt.regs->rbx, 0);
	CHECK(*(u8 *)phys(5 * MIB) == HOST_BYTE);
}

/* In a child, since nothing lives after a wipe. */
static void panic_wipe(void)
{
	int status = system("true");	/* keeps stdio flushed before the fork */
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		wipe();
		fflush(stdout);
		_exit(test_failed);
	}
	CHECK(status == 0 && child > 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

const struct test life_tests[] = {
	{ "the measurement chain, against sha256sum", measurement },
	{ "what else is measured; what cannot be added", shapes },
	{ "channel and fixed pages in both tables", layout },
	{ "DESTROY at every point, step by step", destroy_everywhere },
	{ "a thread that is inside when its process is destroyed", dying_while_inside },
	{ "a thread that flushes and never leaves", paying_while_inside },
	{ "a call under way while its process is destroyed", call_under_way },
	{ "320 processes, no handle twice, no frame lost", many },
	{ "a handle is never used again", handles },
	{ "a panic wipes contexts and private frames", panic_wipe },
	{ 0 },
};
