/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine and its CPUs, as the core knows them. `machine` is filled by
 * boot/main.c before the first guest instruction and constant afterwards, but
 * for the CPUs' own objects.
 */
#ifndef HV_CORE_CPU_H
#define HV_CORE_CPU_H

#include <base/trap.h>
#include <base/types.h>
#include <mm/view.h>
#include <virt/vt.h>

/* Life of a CPU. PARKED owes no flush (mm/flush.h). */
enum cpu_state {
	CPU_ABSENT,
	CPU_PARKED,		/* in the hypervisor, waiting for a SIPI of the guest */
	CPU_STARTING,		/* has its start page, about to enter */
	CPU_RUNNING,
};

struct thread;

/* MTRR MSRs 200h to 26Fh, and 2FFh as the last. */
#define CPU_MTRRS	113
/* AMD performance event selects. */
#define CPU_PERFS	6

struct cpu_perf {
	u32 msr;
	u64 value;
};

#define CPU_SIPI	0x100U

struct cpu {
	struct trap_gs gs;
	struct vt_cpu vt;		/* right behind: vmx/run.S */
	void *vt_memory;		/* the back end's, cpu_size() bytes */
	unsigned int id;
	u32 apic_id;
	volatile u32 state;		/* enum cpu_state */
	volatile u32 sipi_page;		/* CPU_SIPI | page, 0 none */
	struct thread *thread;		/* in its process view on this CPU, or NULL */
	u64 exits[VT_REASONS];
	u64 host_xcr0;			/* the host's, while in a process view (xstate.c) */
	u32 perf_on;			/* bit i: perf[i] counts */
	struct cpu_perf perf[CPU_PERFS];
	u64 mtrr[CPU_MTRRS];		/* what the guest wrote, where mtrr_written has a bit */
	u64 mtrr_written[2];
	u32 deliveries;			/* event deliveries cut short at one RIP */
	u64 delivery_rip;
	struct trap_cpu trap;
	u8 stack[16384] __attribute__((aligned(16)));
};

static_assert(offsetof(struct cpu, vt) == TRAP_GS_SIZE, "vmx/run.S");

struct machine {
	const struct vt_ops *vt;
	struct vt_machine vt_machine;
	struct view host_view;
	void *msr_bitmap;		/* of the host view */
	struct table_memory *pool;	/* the hypervisor's own frames */
	struct cpu *cpus[MAX_CPUS];
	unsigned int cpu_count;
	u64 hv_base, hv_size;		/* physical, 2 MiB-aligned */
	u64 ram_top;
	bool cpuid_hv_bit;		/* option cpuid=hv */
};
extern struct machine machine;

/* Allocate and fill the object of one CPU (boot CPU, before the others start). */
struct cpu *cpu_make(unsigned int id, u32 apic_id);

/* On the CPU itself: GS base, traps, control registers, back end. NULL, or what it lacks. */
const char *cpu_init(struct cpu *cpu);

/* It owes no flush and waits for a SIPI; it flushes and enters the host view again. */
void cpu_parked(struct cpu *cpu);
void cpu_unparked(struct cpu *cpu);

/* Wait in the hypervisor for a startup IPI of the guest, then enter the guest there. */
void cpu_park(struct cpu *cpu) __attribute__((noreturn));

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	asm volatile("mov %%gs:%c1, %0" : "=r"(cpu) : "i"(TRAP_GS_SELF));
	return cpu;
}

#endif
