/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions and registers, one inline function each; names as in the manuals. */
#ifndef HV_BASE_X86_H
#define HV_BASE_X86_H

#include "types.h"

#define CR0_PE		BIT(0)
#define CR0_MP		BIT(1)
#define CR0_ET		BIT(4)
#define CR0_NE		BIT(5)
#define CR0_WP		BIT(16)
#define CR0_AM		BIT(18)
#define CR0_NW		BIT(29)
#define CR0_CD		BIT(30)
#define CR0_PG		BIT(31)

#define CR4_PAE		BIT(5)
#define CR4_MCE		BIT(6)
#define CR4_OSFXSR	BIT(9)
#define CR4_OSXMMEXCPT	BIT(10)
#define CR4_UMIP	BIT(11)
#define CR4_LA57	BIT(12)
#define CR4_VMXE	BIT(13)
#define CR4_SMXE	BIT(14)
#define CR4_FSGSBASE	BIT(16)
#define CR4_OSXSAVE	BIT(18)

#define EFER_SCE	BIT(0)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NXE	BIT(11)
#define EFER_SVME	BIT(12)

#define RFLAGS_FIXED	BIT(1)
#define RFLAGS_TF	BIT(8)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_DF	BIT(10)
#define RFLAGS_NT	BIT(14)
#define RFLAGS_RF	BIT(16)
#define RFLAGS_AC	BIT(18)

#define MSR_APIC_BASE		0x1B
#define MSR_FEATURE_CONTROL	0x3A
#define MSR_SPEC_CTRL		0x48
#define MSR_PRED_CMD		0x49
#define MSR_MTRRCAP		0xFE
#define MSR_DEBUGCTL		0x1D9
#define MSR_MTRR_PHYSBASE0	0x200
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2FF
#define MSR_PERF_GLOBAL_CTRL	0x38F
#define MSR_X2APIC_ICR		0x830
#define MSR_XSS			0xDA0
#define MSR_EFER		0xC0000080
#define MSR_STAR		0xC0000081
#define MSR_LSTAR		0xC0000082
#define MSR_SFMASK		0xC0000084
#define MSR_GS_BASE		0xC0000101
#define MSR_TSC_AUX		0xC0000103
#define MSR_VM_CR		0xC0010114
#define MSR_VM_HSAVE_PA		0xC0010117

#define DR6_RESET		0xFFFF0FF0UL
#define PAT_RESET		0x0007040600070406UL

#define VECTOR_DB	1
#define VECTOR_NMI	2
#define VECTOR_UD	6
#define VECTOR_DF	8
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_MC	18
#define VECTOR_SX	30

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* An instruction whose #GP makes operand 0 -1: the trap handler resumes at the label recorded in
 * the `fixup` section. */
#define SAFE(instruction) "1: " instruction "\n2:\n" \
	".pushsection fixup, \"a\"\n.quad 1b, 3f\n.popsection\n" \
	".pushsection .text.fixup, \"ax\"\n3: movl $-1, %0\n jmp 2b\n.popsection"

/* RDMSR and WRMSR of a number that a guest chose: 0, or -1 where the CPU raised #GP. */
static inline int rdmsr_safe(u32 msr, u64 *value)
{
	u32 low = 0, high = 0;
	int failed = 0;

	asm volatile(SAFE("rdmsr")
		     : "+r"(failed), "+a"(low), "+d"(high) : "c"(msr));
	*value = (u64)high << 32 | low;
	return failed;
}

static inline int wrmsr_safe(u32 msr, u64 value)
{
	int failed = 0;

	asm volatile(SAFE("wrmsr")
		     : "+r"(failed) : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
	return failed;
}

#define READ_CR(n) \
	static inline u64 read_cr##n(void) { u64 v; asm volatile("mov %%cr" #n ", %0" : "=r"(v)); return v; } \
	static inline void write_cr##n(u64 v) { asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory"); }
READ_CR(0)
READ_CR(2)
READ_CR(3)
READ_CR(4)
#undef READ_CR

static inline void write_dr6(u64 v) { asm volatile("mov %0, %%dr6" : : "r"(v)); }

static inline u64 xgetbv(void)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static inline void xsetbv(u64 value)
{
	asm volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline int xsetbv_safe(u32 index, u64 value)
{
	int failed = 0;

	asm volatile(SAFE("xsetbv")
		     : "+r"(failed) : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
	return failed;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

#ifdef CARREL_HOSTED	/* tests have a model of what is behind the ports */
u8 inb(u16 port);
u16 inw(u16 port);
u32 inl(u16 port);
void outb(u16 port, u8 v);
void outw(u16 port, u16 v);
void outl(u16 port, u32 v);
#else
static inline u8 inb(u16 port) { u8 v; asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u16 inw(u16 port) { u16 v; asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32 inl(u16 port) { u32 v; asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outb(u16 port, u8 v) { asm volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(u16 port, u16 v) { asm volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outl(u16 port, u32 v) { asm volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
#endif

/* IN and OUT of 1, 2 or 4 bytes. */
static inline u32 port_in(u16 port, u8 size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static inline void port_out(u16 port, u8 size, u32 value)
{
	if (size == 1)
		outb(port, (u8)value);
	else if (size == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

static inline void pause(void) { __builtin_ia32_pause(); }
static inline void wbinvd(void) { asm volatile("wbinvd" : : : "memory"); }

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

static inline struct table_pointer sgdt(void) { struct table_pointer p; asm volatile("sgdt %0" : "=m"(p)); return p; }
static inline struct table_pointer sidt(void) { struct table_pointer p; asm volatile("sidt %0" : "=m"(p)); return p; }

#endif
