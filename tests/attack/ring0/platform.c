// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* The machine itself: another CPU's start, ports, address line 20. */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/realmode.h>
#include <asm/set_memory.h>
#include <asm/smp.h>
#include "attacks.h"

/* --- a CPU of our own ---------------------------------------------------------------------- */

#define RESULT	0x200	/* in the page of the code */
#define FXSAVE	0x240
#define BLOB	2048

/*
 * CR4.OSFXSR on; fxsave %cs:FXSAVE; mov $0x40000000, %eax; cpuid; %cs: RESULT+4 .. +12 = ebx, ecx, edx; %cs: RESULT = 1;
 * cli; hlt for ever. Sixteen-bit code.
 */
static const u8 real_mode[] = {
	0xfa,
	0x0f, 0x20, 0xe0, 0x66, 0x0d, 0x00, 0x02, 0x00, 0x00, 0x0f, 0x22, 0xe0,
	0x2e, 0x0f, 0xae, 0x06, 0x40, 0x02,
	0x66, 0xb8, 0x00, 0x00, 0x00, 0x40, 0x0f, 0xa2,
	0x2e, 0x66, 0x89, 0x1e, 0x04, 0x02,
	0x2e, 0x66, 0x89, 0x0e, 0x08, 0x02,
	0x2e, 0x66, 0x89, 0x16, 0x0c, 0x02,
	0x2e, 0x66, 0xc7, 0x06, 0x00, 0x02, 0x01, 0x00, 0x00, 0x00,
	0xf4, 0xeb, 0xfd,
};

static void init_and_start(u32 apic_id, u8 page)
{
	apic_icr_write(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT, apic_id);
	mdelay(10);
	apic_icr_write(APIC_INT_LEVELTRIG | APIC_DM_INIT, apic_id);
	mdelay(10);
	apic_icr_write(APIC_DM_STARTUP | page, apic_id);
	udelay(300);
	apic_icr_write(APIC_DM_STARTUP | page, apic_id);
}

/* The page that Linux itself starts CPUs in; it is put back afterwards. */
long platform_start_cpu(struct attack *a)
{
	struct real_mode_header **header = symbol("real_mode_header");
	static u8 saved[BLOB], ours[BLOB];
	u8 *page;
	volatile u32 *result;
	unsigned int i;
	u32 pa;

	if (!header || a->in[0] >= nr_cpu_ids || (cpu_online(a->in[0]) && !a->in[1]))
		return -EINVAL;
	pa = (*header)->trampoline_start;
	if (pa & ~PAGE_MASK || pa >= SZ_1M)
		return -ENXIO;
	page = phys_to_virt(pa);
	memcpy(saved, page, sizeof(saved));
	memcpy(ours, real_mode, sizeof(real_mode));
	write_anyway(page, ours, sizeof(ours));
	result = (u32 *)(page + RESULT);
	init_and_start(per_cpu(x86_cpu_to_apicid, a->in[0]), pa >> PAGE_SHIFT);
	for (i = 0; i < 1000 && !result[0]; i++)
		mdelay(1);
	for (i = 0; i < 4; i++)
		a->out[i] = result[i];
	a->out[4] = look_words(a->in[2], page + FXSAVE, 512);
	write_anyway(page, saved, sizeof(saved));
	return 0;
}

/* --- ports --------------------------------------------------------------------------------- */

long platform_port(struct attack *a)
{
	u16 port = a->in[0];

	switch (a->in[2]) {
	case 1:
		a->out[0] = inb(port);
		outb(a->in[1], port);
		return 0;
	case 2:
		a->out[0] = inw(port);
		outw(a->in[1], port);
		return 0;
	case 4:
		a->out[0] = inl(port);
		outl(a->in[1], port);
		return 0;
	}
	return -EINVAL;
}

/* --- address line 20 ----------------------------------------------------------------------- */

static void wait_keyboard(void)
{
	unsigned int i;

	for (i = 0; i < 10000 && inb(0x64) & 2; i++)
		udelay(1);
}

static void set_a20(u64 method, bool open)
{
	if (method == 0) {
		outb((inb(0x92) & ~3) | (open ? 2 : 0), 0x92);
		return;
	}
	wait_keyboard();
	outb(0xd1, 0x64);
	wait_keyboard();
	outb(open ? 0xdf : 0xdd, 0x60);
	wait_keyboard();
}

/*
 * With the line closed, bit 20 of every physical address is 0, for this kernel too: its own
 * code may be gone for as long as that lasts, so it lasts for a few instructions only, and
 * a machine that dies here has shown what was to be shown.
 */
long platform_a20(struct attack *a)
{
	struct page *chunk = alloc_pages(GFP_KERNEL, 9);
	volatile u64 *low, *high;
	unsigned long flags;
	u64 seen;

	if (!chunk)
		return -ENOMEM;
	low = page_address(chunk);
	high = low + SZ_1M / sizeof(u64);
	*low = 1;
	*high = 2;
	local_irq_save(flags);
	set_a20(a->in[0], false);
	seen = *high;
	set_a20(a->in[0], true);
	local_irq_restore(flags);
	a->out[0] = seen == 1;
	__free_pages(chunk, 9);
	return 0;
}

long platform_triple_fault(struct attack *a)
{
	const struct desc_ptr nothing = { 0 };
	u64 base;

	local_irq_disable();
	if (a->in[0]) {
		rdmsrl(MSR_IA32_APICBASE, base);
		wrmsrl(MSR_IA32_APICBASE, base & ~(u64)MSR_IA32_APICBASE_ENABLE);
	}
	asm volatile("lidt %0; int3" : : "m" (nothing));
	return -EIO;
}
