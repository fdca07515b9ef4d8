/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu.h"

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <mm/flush.h>
#include <mm/pool.h>

#include "apic.h"
#include "exit.h"
#include "owner.h"
#include "thread.h"

struct machine machine;

/* trampoline.S */
void cpu_wait_sipi(volatile u32 *page);
void cpu_entry(struct cpu *cpu) __attribute__((noreturn));

struct cpu *cpu_make(unsigned int id, u32 apic_id)
{
	struct cpu *cpu = pool_take(sizeof(*cpu));

	cpu->gs.self = cpu;
	cpu->vt.nmi = &cpu->gs.nmi;
	cpu->id = id;
	cpu->apic_id = apic_id;
	cpu->vt.id = id;
	cpu->vt.cpu = cpu;
	cpu->vt.handler = exit_handle;
	cpu->vt.stack_top = (u64)(cpu->stack + sizeof(cpu->stack));
	cpu->vt_memory = pool_take(machine.vt->cpu_size());
	return cpu;
}

/* What the hypervisor itself runs with, beyond what boot/entry.S and trampoline.S set. */
static void control_registers(void)
{
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpuid(1, 0).ecx & BIT(26))
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
}

const char *cpu_init(struct cpu *cpu)
{
	const char *missing = machine.vt->missing();

	if (missing)
		return missing;
	control_registers();
	trap_cpu_init(&cpu->trap);
	wrmsr(MSR_GS_BASE, (u64)cpu);
	cpu->vt.current = 0;
	cpu->vt.regs = &cpu->vt.host_regs;
	if (machine.vt->cpu_start(&cpu->vt, &machine.vt_machine, cpu->vt_memory))
		return "a working virtualization extension (see the lines above)";
	return NULL;
}

void cpu_parked(struct cpu *cpu)
{
	flush_park(cpu->id, true);
	__atomic_store_n(&cpu->sipi_page, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&cpu->state, CPU_PARKED, __ATOMIC_RELEASE);
}

/* Leave the parked state first, then flush: see mm/flush.h. */
void cpu_unparked(struct cpu *cpu)
{
	flush_park(cpu->id, false);
	owner_flush(cpu);
	cpu_mask_set(&machine.host_view.entered, cpu->id);
}

void cpu_park(struct cpu *cpu)
{
	machine.vt->host_enter_sipi(&cpu->vt, 0);
	if (apic_mode() == APIC_NATIVE && machine.vt->host_wait_sipi(&cpu->vt)) {
		cpu_parked(cpu);
		machine.vt->run(&cpu->vt);
	}
	cpu_parked(cpu);
	cpu_wait_sipi(&cpu->sipi_page);
	cpu_unparked(cpu);
	machine.vt->host_enter_sipi(&cpu->vt, (u8)cpu->sipi_page);
	cpu->gs.nmi = 0;
	__atomic_store_n(&cpu->state, CPU_RUNNING, __ATOMIC_RELEASE);
	machine.vt->run(&cpu->vt);
}

/* Where a CPU comes from the trampoline: at boot, and after each INIT. */
void cpu_entry(struct cpu *cpu)
{
	const char *missing = cpu_init(cpu);

	if (missing) {
		log_line("CPU %u lacks %s", cpu->id, missing);
		for (;;)
			asm volatile("cli; hlt");
	}
	/* a reset that met a process view: INIT leaves the vector registers as they were */
	thread_lost(cpu);
	cpu_park(cpu);
}
