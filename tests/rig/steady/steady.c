// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * steady.ko - an NMI to the first CPU at a fixed rate, for ever: engine_nested_vmx.py tells why. The
 * CMOS clock's periodic interrupt is the source; Linux itself makes no use of it.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <asm/nmi.h>

#define IOAPIC			0xFEC00000
#define IOAPIC_SIZE		0x20
#define IOAPIC_INDEX		0x00
#define IOAPIC_DATA		0x10
#define IOAPIC_ENTRY(line)	(0x10 + 2 * (line))
#define ENTRY_NMI		0x400		/* edge, physical destination, not masked */

#define CMOS_LINE		8
#define CMOS_INDEX		0x70
#define CMOS_DATA		0x71
#define CMOS_A			0x0A
#define CMOS_A_256_HZ		0x28
#define CMOS_B			0x0B
#define CMOS_B_PERIODIC		0x42		/* and hours from 0 to 23 */
#define CMOS_C			0x0C

static void cmos_write(u8 number, u8 value)
{
	outb(number, CMOS_INDEX);
	outb(value, CMOS_DATA);
}

/* Without this the clock is silent after its first interrupt. */
static int acknowledge(unsigned int type, struct pt_regs *regs)
{
	outb(CMOS_C, CMOS_INDEX);
	inb(CMOS_DATA);
	return NMI_HANDLED;
}

static void ioapic_write(void __iomem *ioapic, u32 number, u32 value)
{
	writel(number, ioapic + IOAPIC_INDEX);
	writel(value, ioapic + IOAPIC_DATA);
}

static int __init steady_init(void)
{
	void __iomem *ioapic = ioremap(IOAPIC, IOAPIC_SIZE);
	unsigned long flags;

	if (!ioapic)
		return -ENOMEM;
	if (register_nmi_handler(NMI_LOCAL, acknowledge, 0, "steady")) {
		iounmap(ioapic);
		return -EBUSY;
	}
	local_irq_save(flags);
	ioapic_write(ioapic, IOAPIC_ENTRY(CMOS_LINE) + 1, 0);
	ioapic_write(ioapic, IOAPIC_ENTRY(CMOS_LINE), ENTRY_NMI);
	cmos_write(CMOS_A, CMOS_A_256_HZ);
	cmos_write(CMOS_B, CMOS_B_PERIODIC);
	acknowledge(0, NULL);
	local_irq_restore(flags);
	iounmap(ioapic);
	return 0;
}
module_init(steady_init);
MODULE_DESCRIPTION("NMIs at a fixed rate, for tests of Carrel");
MODULE_LICENSE("Dual BSD/GPL");
