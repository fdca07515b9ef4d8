/* SPDX-License-Identifier: BSD-2-Clause */
#include "exit.h"

#include <string.h>

#include <base/log.h>
#include <base/x86.h>

#include "apic.h"
#include "hypercall.h"
#include "pass.h"
#include "pci.h"
#include "platform.h"
#include "policy.h"
#include "process.h"
#include "stats.h"
#include "thread.h"
#include "withhold.h"

#define PORT_RESET_CONTROL	0xCF9
#define PORT_KBC_COMMAND	0x64
/* An event whose delivery was cut short is delivered again; after so many times at one place
 * the guest's stack or IDT is gone for good and it gets a #DF. */
#define DELIVERIES_MAX		4

struct stats stats;

const char *exit_name(enum vt_reason reason)
{
	static const char *const names[VT_REASONS] = {
		[VT_CPUID] = "cpuid", [VT_HYPERCALL] = "hypercall", [VT_XSETBV] = "xsetbv",
		[VT_MSR_READ] = "rdmsr", [VT_MSR_WRITE] = "wrmsr", [VT_IO] = "io",
		[VT_CR_WRITE] = "cr-write", [VT_NESTED_FAULT] = "nested-fault",
		[VT_EXCEPTION] = "exception", [VT_INTERRUPT] = "interrupt", [VT_NMI] = "nmi",
		[VT_INIT] = "init", [VT_SIPI] = "sipi", [VT_SHUTDOWN] = "shutdown",
		[VT_VIRT_INSN] = "virt-insn", [VT_INVD] = "invd", [VT_OTHER_INSN] = "other-insn",
		[VT_ENTRY_FAILED] = "entry-failed",
	};

	return reason < VT_REASONS ? names[reason] : NULL;
}

/* RIP, RSP, flags and (SVM) RAX of the last thread on each CPU are in its control structure.
 * VMX may still hold them in the CPU, where a reset ends them. */
static void wipe_control(void)
{
	for (unsigned int i = 0; i < machine.cpu_count; i++) {
		if (machine.cpus[i]->vt.control[1])
			memset(machine.cpus[i]->vt.control[1], 0, PAGE_SIZE);
	}
}

void (*exit_wiped)(void);

void exit_wipe(void)
{
	bool wiped;

	apic_stop_others();	/* nobody works on what is wiped */
	process_wipe();
	pass_wipe();
	wiped = platform_wipe();
	wipe_control();
	wbinvd();
	if (wiped && exit_wiped)
		exit_wiped();
}

void exit_reset(void)
{
	exit_wipe();
	outb(PORT_RESET_CONTROL, 0x02);
	outb(PORT_RESET_CONTROL, 0x06);
	for (unsigned int i = 0; i < 100000; i++)
		inb(0x80);
	outb(PORT_KBC_COMMAND, 0xFE);
	for (;;)
		asm volatile("cli; hlt");
}

/* An access to memory that is not the host's: never satisfied, never fatal (invariant 10). */
static void refuse_memory(struct cpu *cpu, const struct vt_exit *exit)
{
	u64 rip = machine.vt->get(&cpu->vt, VT_RIP);

	stats_add(exit->fetch ? &stats.refused_fetches : exit->write ? &stats.refused_writes :
		  &stats.refused_reads, 1);
	log_guest("refused %s of %lx by the host kernel or a device driver",
		  exit->fetch ? "fetch" : exit->write ? "write" : "read", exit->address);
	if (!exit->delivering) {
		machine.vt->inject(&cpu->vt, VECTOR_GP, 0);
		return;
	}
	cpu->deliveries = rip == cpu->delivery_rip ? cpu->deliveries + 1 : 0;
	cpu->delivery_rip = rip;
	if (cpu->deliveries < DELIVERIES_MAX)
		machine.vt->reinject(&cpu->vt);
	else
		machine.vt->inject(&cpu->vt, VECTOR_DF, 0);
}

static void host_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	if (apic_fault(cpu, exit) || pci_fault(cpu, exit) || withhold_fault(cpu, exit))
		return;
	refuse_memory(cpu, exit);
}

static void __attribute__((noinline)) host_exit(struct cpu *cpu, const struct vt_exit *exit)
{
	switch (exit->reason) {
	case VT_XSETBV:
		policy_xsetbv(cpu, exit);
		break;
	case VT_MSR_READ: case VT_MSR_WRITE:
		policy_msr(cpu, exit);
		break;
	case VT_IO:
		policy_io(cpu, exit);
		break;
	case VT_CR_WRITE:
		policy_cr(cpu, exit);
		break;
	case VT_NESTED_FAULT:
		host_fault(cpu, exit);
		break;
	case VT_INIT:
		apic_init(cpu);
		break;
	case VT_SIPI:
		apic_sipi(cpu, exit->vector);
		break;
	case VT_SHUTDOWN:
		log_line("CPU %u: triple fault of the host; resetting", cpu->id);
		exit_reset();
	case VT_VIRT_INSN:
		machine.vt->inject(&cpu->vt, VECTOR_UD, -1);
		break;
	case VT_INVD:	/* would throw away our own dirty lines */
		wbinvd();
		machine.vt->skip(&cpu->vt, exit);
		break;
	case VT_NMI:	/* one that arrived in root mode */
		machine.vt->inject_nmi(&cpu->vt);
		break;
	case VT_CPUID: case VT_HYPERCALL:	/* exit_handle() */
	case VT_INTERRUPT: case VT_EXCEPTION: case VT_OTHER_INSN: case VT_ENTRY_FAILED:
	case VT_REASONS:
		panic("CPU %u: exit %lx of the host view at %lx", cpu->id, exit->raw,
		      machine.vt->get(&cpu->vt, VT_RIP));
	}
}

/* An INIT that met a process view: when the thread is saved, it is the host's. */
static void __attribute__((noinline)) process_init_exit(struct cpu *cpu, const struct vt_exit *exit)
{
	thread_exit(cpu, exit);
	apic_init(cpu);
}

static void process_exit(struct cpu *cpu, const struct vt_exit *exit)
{
	if (exit->reason == VT_INIT)
		process_init_exit(cpu, exit);
	else
		thread_exit(cpu, exit);
}

void exit_handle(void *object, const struct vt_exit *exit)
{
	struct cpu *cpu = object;

	cpu->exits[exit->reason]++;
	if (exit->reason == VT_HYPERCALL)
		hypercall(cpu, exit);
	else if (exit->process)
		process_exit(cpu, exit);
	else if (exit->reason == VT_CPUID)	/* the one exit of the steady state */
		policy_cpuid(cpu, exit);
	else
		host_exit(cpu, exit);
}
