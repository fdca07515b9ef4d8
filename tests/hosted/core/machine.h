/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for the hosted tests of hv/core: memory with holes, four CPUs, a
 * back end that moves registers between plain structures, and what each CPU's
 * translation caches hold. The sources under test are the hypervisor's own.
 */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include <carrel/thread.h>

#include <core/cpu.h>
#include <core/process.h>
#include <core/thread.h>
#include <mm/dma.h>

/* A failed check is printed and fails the running test, which goes on. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((s64)(a), (s64)(b), __FILE__, __LINE__, #a " == " #b)
bool check(bool good, const char *file, int line, const char *what);
bool check_eq(s64 a, s64 b, const char *file, int line, const char *what);

extern bool test_failed;

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test legality_tests[], owner_tests[], life_tests[], crossing_tests[],
	thread_tests[], fork_tests[], family_tests[], order_tests[], race_tests[], random_tests[],
	crypto_tests[], platform_tests[];

#define CPUS		4U
#define RAM_SIZE	(48 * MIB)
#define RAM_CHUNKS	(RAM_SIZE >> CHUNK_SHIFT)
#define TAGS		(PROCESS_MAX + 1U)
#define HV_BASE		(32 * MIB)
#define HV_SIZE		(2 * MIB)
#define HOLE_BASE	(40 * MIB + 0x9000)	/* reserved, inside a chunk */
#define HOLE_SIZE	0x3000UL
#define NO_RAM_CHUNK	22UL			/* 44 to 46 MiB: no RAM */
#define HOST_BYTE	0xA5			/* what the host's memory is full of */
#define LEND_CHUNK	8UL			/* these tests lend blocks of this one */
#define FIRST_CHUNK	1UL			/* 2 MiB; HOST like all up to the hypervisor's */

/* Where a control structure's guest is. */
struct state {
	u64 rip, rsp, rflags, cr3, cpl, cs_l, efer;
	u64 fs_base, gs_base;
	const struct view *view;	/* process */
	u32 bounce, shadow;
	unsigned int injected;		/* host: vector + 1 */
	bool nmi;
};

struct test_cpu {
	struct cpu cpu;
	struct state host, process;
	unsigned int flushes;
	u64 vectors;			/* stands for the vector registers */
	bool ours;			/* the hypervisor's XCR0 is in force */
	bool counters_stopped;		/* the host's performance counters */
	unsigned int counter_switches;
	/* bitmaps of what is cached: translations of the host view by chunk, of process views by
	 * tag and frame; those of the view that it is in can be used */
	u64 host_cached[(RAM_CHUNKS + 63) / 64];
	u64 process_cached[TAGS][RAM_SIZE / PAGE_SIZE / 64];
	bool has_cached[TAGS];
	u32 tag;			/* of that view, or 0 */
	u64 writable_by[RAM_SIZE / PAGE_SIZE];	/* CR3 of what is cached and not for several processes */
};

extern struct test_cpu cpus[CPUS];
extern bool concurrent;		/* CPUs are threads: views change at any time */

/* A new machine, everything the host's. */
void machine_reset(void);

/* One VM exit by the hypercall instruction, in whatever view the CPU is. Registers after it
 * are in cpu.vt.regs. Returns RAX. */
s64 exit_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f);
/* The same after putting the host's control structure into ring 0 or 3. Ends the test if the
 * CPU is in a process view. */
s64 kernel_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d);
s64 user_call(struct test_cpu *c, u64 number, u64 cr3, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f);
/* Any other exit of a process view. */
void exit_other(struct test_cpu *c, const struct vt_exit *exit);
void exit_reason(struct test_cpu *c, enum vt_reason reason);
void exit_exception(struct test_cpu *c, u8 vector, u64 error, u64 address);

static inline bool inside(const struct test_cpu *c)
{
	return c->cpu.vt.current == 1;
}

/* A process of the host's making, and what its kernel knows of it. */
struct carrier {
	u64 id, ticket[2], cr3;
	u64 chunk[16];
	unsigned int chunks;
	u32 slots, blocks;
	u64 block[CARREL_BLOCKS_MAX];
};

#define CARRIER_CR3	0x123000UL

/* As the module does: repeat while PENDING (flushing all CPUs that are in the host view, and
 * interrupting the others) or MORE. */
s64 finish(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d);
void flush_all_cpus(void);
/* DONATE up to being nobody's or the process's. */
s64 donate(struct test_cpu *c, u64 chunk, u64 process);
/* A chunk that the host owns and has nothing lent of, from the low end; 0 if there is none. */
u64 host_chunk(void);
/* 64 KiB block `n` of LEND_CHUNK. */
u64 lend_block(unsigned int n);
/* CREATE with all blocks lent; `ready`: one page of shim added, and INIT. */
void make_process(struct carrier *carrier, u32 slots, u32 blocks, u32 limit, bool ready);
/* CREATE alone. */
void make_empty(struct carrier *carrier, u32 slots, u32 blocks, u32 limit);
void end_process(struct carrier *carrier);
s64 enter(struct test_cpu *c, const struct carrier *carrier);
s64 resume(struct test_cpu *c, const struct carrier *carrier, u64 value, u64 flags);
struct process *object(const struct carrier *carrier);

/* What the machine's owner of a chunk is. */
enum chunk_state owner(u64 chunk);

/* A walk by the CPU's own rules through the private tables and the view: every table and page
 * on the way is cached. Physical address, or 0. */
u64 touch(struct test_cpu *c, u64 va);
/* The same for a write: 0 where the private tables do not allow it. */
u64 touch_for(struct test_cpu *c, u64 va, bool write);
/* The word at `va` for a read or a write, faults taken and retried as a thread would; NULL if the
 * thread left its view or got an upcall meanwhile. */
u64 *reach(struct test_cpu *c, u64 va, bool write);
/* The host view's entry of the chunk is used and cached; false if there is none. */
bool touch_host(struct test_cpu *c, u64 chunk);

/* Every invariant that can be seen at once: caches against owners, families, spaces. */
void check_machine(void);

/* Steps of a change of owner, in the order in which they came. */
enum step { STEP_HIDE, STEP_DMA_HIDE, STEP_FLUSH, STEP_DRAINED, STEP_SCRUB, STEP_SHOW, STEP_DMA_SHOW,
	    STEP_UNLEND };
struct trace {
	enum step step;
	u64 what;	/* chunk, CPU or frame */
};
#define TRACE_MAX 4096
extern struct trace trace[TRACE_MAX];
extern unsigned int traced;
extern bool tracing;

/* Log lines so far, and the last. */
extern unsigned int log_lines;
extern char log_last[256];

/* Repeatable randomness; threads of race_tests have their own. */
u64 random_u64(void);
u64 random_below(u64 bound);
void random_seed(u64 seed);

/* What the fake generator gives next. */
extern bool generator_dry, generator_stuck;

/* CARREL_CREATE_* of the processes that make_empty and make_process make. */
extern u32 create_flags;

/* Devices, behind a fake IOMMU that keeps translations until a flush has ended (devices.c). */
void devices_reset(const struct ram_range *map, size_t count);
/* A transfer to that chunk: false if it was refused; else its translation is cached now. */
bool device_touch(u64 chunk);
bool device_cached(u64 chunk);
/* This many more questions whether a flush has ended are answered with "not yet". */
extern unsigned int drains_late;
/* What collect() says: NULL, or that the IOMMU failed. */
extern const char *device_failure;
extern unsigned int device_flushes;
/* What hv/core hears of the IOMMU: that there is none. */
extern bool no_iommu;

#endif
