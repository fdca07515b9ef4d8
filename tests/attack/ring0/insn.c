// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Instructions of the virtualization extensions, executed in ring 0. */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/special_insns.h>
#include "attacks.h"

/* RAX = physical address of a page, RCX RDX = 0, RDI = the page's address. */
#define EXECUTE(instruction) ({							\
	u64 pa = virt_to_phys(page), zero = 0, zero2 = 0;			\
	int trap = -1;								\
	asm volatile("1: " instruction "\n\t"					\
		     "jmp 3f\n"							\
		     "2: movl %%eax, %[trap]\n"					\
		     "3:\n"							\
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)			\
		     : "+a" (pa), "+c" (zero), "+d" (zero2), [trap] "+rm" (trap)	\
		     : "D" (page) : "rbx", "memory", "cc");			\
	trap + 1; })

#define CASE(number, mnemonic, instruction)					\
	case number:								\
		*name = mnemonic;						\
		return EXECUTE(instruction)

static int execute(u64 number, void *page, const char **name)
{
	switch (number) {
	CASE(0, "vmxon", "vmxon (%%rdi)");
	CASE(1, "vmxoff", "vmxoff");
	CASE(2, "vmptrld", "vmptrld (%%rdi)");
	CASE(3, "vmclear", "vmclear (%%rdi)");
	CASE(4, "vmlaunch", "vmlaunch");
	CASE(5, "vmresume", "vmresume");
	CASE(6, "vmread", "vmread %%rcx, %%rdx");
	CASE(7, "vmwrite", "vmwrite %%rcx, %%rdx");
	CASE(8, "invept", "invept (%%rdi), %%rcx");
	CASE(9, "invvpid", "invvpid (%%rdi), %%rcx");
	CASE(10, "vmfunc", ".byte 0x0f, 0x01, 0xd4");
	CASE(11, "getsec", ".byte 0x0f, 0x37");
	CASE(12, "vmrun", "vmrun %%rax");
	CASE(13, "vmload", "vmload %%rax");
	CASE(14, "vmsave", "vmsave %%rax");
	CASE(15, "stgi", "stgi");
	CASE(16, "clgi", "clgi");
	CASE(17, "skinit", "skinit %%eax");
	CASE(18, "invlpga", "invlpga %%rax, %%ecx");
	CASE(19, "encls", ".byte 0x0f, 0x01, 0xcf");
	CASE(20, "pconfig", ".byte 0x0f, 0x01, 0xc5");
	}
	*name = NULL;
	return 0;
}

long insn(struct attack *a)
{
	const char *name;
	void *page = (void *)__get_free_page(GFP_KERNEL | __GFP_ZERO);
	int trap;

	if (!page)
		return -ENOMEM;
	trap = execute(a->in[0], page, &name);
	free_page((unsigned long)page);
	a->out[0] = name ? trap : -1;
	if (name && copy_to_user(u64_to_user_ptr(a->buffer), name,
				 min_t(u64, a->size, strlen(name) + 1)))
		return -EFAULT;
	return 0;
}
