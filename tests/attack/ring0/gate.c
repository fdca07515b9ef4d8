// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * A handler of our own in the interrupt descriptor table: first to see the
 * registers of whatever it interrupts, and free to change them.
 */
#include <linux/mm.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/fixmap.h>
#include <asm/special_insns.h>
#include "attacks.h"

#define REGISTERS	15

extern void gate_entry(void);
extern u64 gate_registers[REGISTERS];
extern u64 gate_count;
extern u64 gate_eoi;		/* where a 0 says "end of interrupt" */

static gate_desc *table, saved;
static unsigned int installed;

void write_anyway(void *to, const void *from, size_t size)
{
	unsigned long flags, cr0;

	local_irq_save(flags);
	asm volatile("mov %%cr0, %0" : "=r" (cr0));
	asm volatile("mov %0, %%cr0" : : "r" (cr0 & ~X86_CR0_WP) : "memory");
	memcpy(to, from, size);
	asm volatile("mov %0, %%cr0" : : "r" (cr0) : "memory");
	local_irq_restore(flags);
}

static void write_gate(unsigned int vector, const gate_desc *gate)
{
	write_anyway(&table[vector], gate, sizeof(*gate));
}

/* Linux has its APICs hold back the vectors of exceptions. */
static void set_priority(void *priority)
{
	apic_write(APIC_TASKPRI, (unsigned long)priority);
}

long gate_install(unsigned int vector)
{
	gate_desc gate;

	table = symbol("idt_table");
	if (!table)
		return -ENOSYS;
	/* User mode has neither this module nor the APIC in its page tables then. */
	if (boot_cpu_has(X86_FEATURE_PTI) || x2apic_mode)
		return -ENODEV;
	pack_gate(&gate, GATE_INTERRUPT, (unsigned long)gate_entry, 0, 0, __KERNEL_CS);
	gate_eoi = APIC_BASE + APIC_EOI;
	gate_count = 0;
	memset(gate_registers, 0, sizeof(gate_registers));
	installed = vector;
	saved = table[vector];
	write_gate(vector, &gate);
	on_each_cpu(set_priority, NULL, 1);
	return 0;
}

void gate_remove(void)
{
	on_each_cpu(set_priority, (void *)0x10, 1);
	write_gate(installed, &saved);
}

u64 gate_hits(void)
{
	return READ_ONCE(gate_count);
}

unsigned int gate_look(u64 key)
{
	return look_words(key, gate_registers, sizeof(gate_registers));
}
