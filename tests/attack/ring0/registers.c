// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Registers of devices: in memory, and PCI configuration by either way. */
#include <linux/io.h>
#include <linux/spinlock.h>
#include <asm/asm.h>
#include "attacks.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define CONFIG_ENABLE	0x80000000u

/* With EX_TYPE_FAULT the handler leaves the trap's number in RAX. */
#define PROBE(insn, output, inputs...) ({					\
	int trap = -1;								\
	asm volatile("1: " insn "\n\t"						\
		     "jmp 3f\n"							\
		     "2: movl %%eax, %[trap]\n"					\
		     "3:\n"							\
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)			\
		     : [trap] "+r" (trap) output : inputs : "rax", "memory");	\
	trap + 1;								\
})
#define NONE

static int probe(void __iomem *at, u64 bytes, bool write, u64 *value)
{
	u64 got = 0;
	int trap;

	if (write && bytes == 8)
		return PROBE("movq %[v], (%[at])", NONE, [v] "r" (*value), [at] "r" (at));
	if (write && bytes == 4)
		return PROBE("movl %k[v], (%[at])", NONE, [v] "r" (*value), [at] "r" (at));
	if (write && bytes == 2)
		return PROBE("movw %w[v], (%[at])", NONE, [v] "r" (*value), [at] "r" (at));
	if (write)
		return PROBE("movb %b[v], (%[at])", NONE, [v] "q" (*value), [at] "r" (at));
#define GOT	, [got] "+r" (got)
	if (bytes == 8)
		trap = PROBE("movq (%[at]), %[got]", GOT, [at] "r" (at));
	else if (bytes == 4)
		trap = PROBE("movl (%[at]), %k[got]", GOT, [at] "r" (at));
	else if (bytes == 2)
		trap = PROBE("movzwl (%[at]), %k[got]", GOT, [at] "r" (at));
	else
		trap = PROBE("movzbl (%[at]), %k[got]", GOT, [at] "r" (at));
	*value = got;
	return trap;
}

long register_access(struct attack *a)
{
	void __iomem *page = ioremap(a->in[0] & PAGE_MASK, PAGE_SIZE);
	u64 value = a->in[2];

	if (!page)
		return -ENXIO;
	a->out[0] = probe(page + (a->in[0] & ~PAGE_MASK), a->in[3], a->in[1], &value);
	a->out[1] = value;
	iounmap(page);
	return 0;
}

/* --- configuration ------------------------------------------------------------------------- */

static int port_read(u16 port, u64 bytes, u64 *value)
{
	u32 got = ~0u;
	int trap = -1;

#define IN(insn)								\
	asm volatile("1: " insn "\n\t"						\
		     "jmp 3f\n"							\
		     "2: movl %%eax, %[trap]\n"					\
		     "3:\n"							\
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)			\
		     : [trap] "+r" (trap), "+a" (got) : "d" (port) : "memory")
	if (bytes == 4)
		IN("inl %%dx, %%eax");
	else if (bytes == 2)
		IN("inw %%dx, %%ax");
	else
		IN("inb %%dx, %%al");
	*value = bytes == 4 ? got : got & ((1u << bytes * 8) - 1);
	return trap + 1;
}

static int port_write(u16 port, u64 bytes, u64 value)
{
	int trap = -1;

#define OUT(insn)								\
	asm volatile("1: " insn "\n\t"						\
		     "jmp 3f\n"							\
		     "2: movl %%eax, %[trap]\n"					\
		     "3:\n"							\
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)			\
		     : [trap] "+r" (trap), "+a" (value) : "d" (port) : "memory")
	if (bytes == 4)
		OUT("outl %%eax, %%dx");
	else if (bytes == 2)
		OUT("outw %%ax, %%dx");
	else
		OUT("outb %%al, %%dx");
	return trap + 1;
}

static int by_ports(const struct attack *a, bool write, u64 *value)
{
	raw_spinlock_t *lock = symbol("pci_config_lock");
	u16 data = CONFIG_DATA + (a->in[1] & 3);
	unsigned long flags;
	int trap;

	if (!lock)
		return -1;
	raw_spin_lock_irqsave(lock, flags);
	trap = port_write(CONFIG_ADDRESS, 4, CONFIG_ENABLE | a->in[0] << 8 | (a->in[1] & 0xfc));
	if (!trap)
		trap = write ? port_write(data, a->in[2], *value) : port_read(data, a->in[2], value);
	raw_spin_unlock_irqrestore(lock, flags);
	return trap;
}

static int by_memory(const struct attack *a, bool write, u64 *value)
{
	void __iomem *page = ioremap(a->in[4] + (a->in[0] << 12), PAGE_SIZE);
	int trap;

	if (!page)
		return -1;
	trap = probe(page + a->in[1], a->in[2], write, value);
	iounmap(page);
	return trap;
}

static int config(const struct attack *a, bool write, u64 *value)
{
	return a->in[3] == CONFIG_MEMORY ? by_memory(a, write, value) : by_ports(a, write, value);
}

long config_access(struct attack *a)
{
	u64 before = 0, after = 0, value = a->in[6];
	int trap;

	if (a->in[0] > 0xffff || a->in[1] > 0xfff || !a->in[2] || a->in[2] > 4 || a->in[2] == 3)
		return -EINVAL;
	trap = config(a, false, &before);
	if (trap >= 0 && a->in[5]) {
		trap = config(a, true, &value);
		config(a, false, &after);
		if (a->in[7] && after != before) {
			value = before;
			config(a, true, &value);
		}
	}
	if (trap < 0)
		return -ENXIO;
	a->out[0] = trap;
	a->out[1] = before;
	a->out[2] = after;
	return 0;
}
