/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy.h"

#include <string.h>

#include <base/log.h>
#include <base/x86.h>
#include <carrel/hypercall.h>

#include "apic.h"
#include "exit.h"
#include "leaves.h"
#include "pci.h"
#include "stats.h"

/* --- CPUID ------------------------------------------------------------------------- */

#define CPUID1_ECX_HIDDEN	(BIT(2) | BIT(4) | BIT(5) | BIT(6))	/* DTES64, DS-CPL, VMX, SMX */
#define CPUID1_EDX_DS		BIT(21)
#define CPUID1_ECX_OSXSAVE	BIT(27)
#define CPUID1_ECX_HYPERVISOR	BIT(31)
#define CPUID6_EAX_HFI		(BIT(19) | BIT(23))	/* hardware writes its table to memory */
#define CPUID7_EBX_HIDDEN	(BIT(2) | BIT(25))	/* SGX, PT */
#define CPUID7_ECX_OSPKE	BIT(4)
#define CPUID7_ECX_HIDDEN	(BIT(16) | BIT(30))	/* LA57, SGX_LC */
/* UINTR, architectural LBR, AMX */
#define CPUID7_EDX_HIDDEN	(BIT(5) | BIT(19) | BIT(22) | BIT(24) | BIT(25))
#define CPUIDD0_EAX_AMX		(BIT(17) | BIT(18))
#define CPUIDD1_EAX_HIDDEN	(BIT(3) | BIT(4))	/* XSAVES, XFD */
#define CPUID81_ECX_HIDDEN	(BIT(2) | BIT(10) | BIT(12))	/* SVM, IBS, SKINIT */
#define CPUID88_EBX_INVLPGB	BIT(3)
#define CR4_PKE			BIT(22)

/* Two bits of CPUID mirror CR4, and the CR4 that CPUID sees is the hypervisor's. */
static u32 mirror(u32 value, u32 bit, u64 cr4, u64 cr4_bit)
{
	return (value & ~bit) | (u32)(cr4 / cr4_bit & 1) * bit;
}

static void filter(struct cpuid *r, u32 leaf, u32 subleaf, u64 cr4)
{
	switch (leaf) {
	case 1:
		r->ecx &= ~(u32)CPUID1_ECX_HIDDEN;
		r->edx &= ~(u32)CPUID1_EDX_DS;
		r->ecx = mirror(r->ecx, CPUID1_ECX_OSXSAVE, cr4, CR4_OSXSAVE);
		if (machine.cpuid_hv_bit)
			r->ecx |= (u32)CPUID1_ECX_HYPERVISOR;
		break;
	case 6:
		r->eax &= ~(u32)CPUID6_EAX_HFI;
		break;
	case 7:
		if (subleaf)
			break;
		r->ebx &= ~(u32)CPUID7_EBX_HIDDEN;
		r->ecx &= ~(u32)CPUID7_ECX_HIDDEN;
		r->ecx = mirror(r->ecx, CPUID7_ECX_OSPKE, cr4, CR4_PKE);
		r->edx &= ~(u32)CPUID7_EDX_HIDDEN;
		break;
	case 0xD:
		if (subleaf == 0)	/* no AMX: its XFD is refused */
			r->eax &= ~(u32)CPUIDD0_EAX_AMX;
		if (subleaf == 1) {	/* no XSAVES: XSS has no bits */
			r->eax &= ~(u32)CPUIDD1_EAX_HIDDEN;
			r->ecx = r->edx = 0;
		}
		break;
	case 0x12: case 0x14: case 0x1B: case 0x1C:	/* SGX, PT, PCONFIG, LBR */
	/* SVM, IBS, SME and SEV, newer performance counters */
	case 0x8000000A: case 0x8000001B: case 0x8000001F: case 0x80000022:
		*r = (struct cpuid){ 0 };
		break;
	case 0x80000008:	/* INVLPGB is not for guests */
		r->ebx &= ~(u32)CPUID88_EBX_INVLPGB;
		break;
	case 0x80000001:
		r->ecx &= ~(u32)CPUID81_ECX_HIDDEN;
		break;
	}
}

static void answer(struct cpu *cpu, const struct vt_exit *exit, struct cpuid r)
{
	struct vt_regs *regs = cpu->vt.regs;

	regs->rax = r.eax;
	regs->rbx = r.ebx;
	regs->rcx = r.ecx;
	regs->rdx = r.edx;
	machine.vt->skip(&cpu->vt, exit);
}

static void __attribute__((noinline)) own_leaf(struct cpu *cpu, const struct vt_exit *exit)
{
	answer(cpu, exit, leaves_own((u32)cpu->vt.regs->rax));
}

void policy_cpuid(struct cpu *cpu, const struct vt_exit *exit)
{
	u32 leaf = (u32)cpu->vt.regs->rax, subleaf = (u32)cpu->vt.regs->rcx;
	struct cpuid r;

	if (leaf >> 8 == CARREL_CPUID_BASE >> 8) {
		own_leaf(cpu, exit);
		return;
	}
	r = cpuid(leaf, subleaf);
	/* leaves 1 to 22h and 80000001h to 80000022h: the range of what filter() knows */
	if ((leaf & 0x7FFFFFFF) - 1 < 0x22)
		filter(&r, leaf, subleaf, exit->cr4);
	answer(cpu, exit, r);
}

/* --- MSRs -------------------------------------------------------------------------- */

/*
 * An allowlist: what no row names is #GP. PASS is no exit at all. DO exits and is carried
 * out, so that it is counted and can be refused later. DROP ignores a write, with a line in
 * the log. Rows may overlap; the last that names an MSR counts.
 */
enum action {
	GP, PASS, DO, DROP, EFER, DEBUGCTL, MISC_ENABLE, APIC_BASE, MTRR, X2APIC_ICR,
	FEATURE_CONTROL, PERF_CTL
};

struct msr_rule {
	u32 first, last;
	u8 read, write;
};

static const struct msr_rule msr_rules[] = {
	/* first, last, read, write */
	{ 0x00000000, 0x00000001, DO, DO },		/* P5 machine check */
	{ 0x00000006, 0x00000006, DO, GP },		/* MONITOR_FILTER_SIZE */
	{ 0x00000010, 0x00000010, PASS, DROP },		/* TIME_STAMP_COUNTER */
	{ 0x00000017, 0x00000017, DO, GP },		/* PLATFORM_ID */
	{ 0x0000001B, 0x0000001B, PASS, APIC_BASE },
	{ 0x0000002A, 0x0000002A, DO, DO },		/* EBL_CR_POWERON */
	{ 0x00000034, 0x00000034, DO, GP },		/* SMI_COUNT */
	{ 0x0000003A, 0x0000003A, FEATURE_CONTROL, GP },
	{ 0x0000003B, 0x0000003B, PASS, DROP },		/* TSC_ADJUST */
	{ 0x00000048, 0x00000049, PASS, PASS },		/* SPEC_CTRL, PRED_CMD */
	{ 0x00000079, 0x00000079, GP, DROP },		/* BIOS_UPDT_TRIG */
	{ 0x0000008B, 0x0000008B, DO, DO },		/* BIOS_SIGN_ID */
	{ 0x000000C1, 0x000000C8, PASS, PASS },		/* PMCx */
	{ 0x000000CE, 0x000000CF, DO, GP },		/* PLATFORM_INFO, CORE_CAPABILITIES */
	{ 0x000000E1, 0x000000E1, DO, DO },		/* UMWAIT_CONTROL */
	{ 0x000000E2, 0x000000E2, DO, GP },		/* PKG_CST_CONFIG_CONTROL */
	{ 0x000000E7, 0x000000E8, PASS, PASS },		/* MPERF, APERF */
	{ 0x000000FE, 0x000000FE, DO, GP },		/* MTRRCAP */
	{ 0x0000010A, 0x0000010B, PASS, PASS },		/* ARCH_CAPABILITIES, FLUSH_CMD */
	{ 0x00000122, 0x00000122, DO, DO },		/* TSX_CTRL */
	{ 0x00000140, 0x00000140, DO, DO },		/* MISC_FEATURES_ENABLES */
	{ 0x00000174, 0x00000176, PASS, PASS },		/* SYSENTER_* */
	{ 0x00000179, 0x0000017B, DO, DO },		/* MCG_* */
	{ 0x00000186, 0x0000018D, PASS, PASS },		/* PERFEVTSELx */
	{ 0x00000198, 0x00000199, DO, DO },		/* PERF_STATUS, PERF_CTL */
	{ 0x0000019A, 0x0000019D, DO, DO },		/* thermal */
	{ 0x000001A0, 0x000001A0, DO, MISC_ENABLE },
	{ 0x000001A1, 0x000001A2, DO, DO },		/* temperature target */
	{ 0x000001A6, 0x000001A7, DO, DO },		/* OFFCORE_RSP */
	{ 0x000001AD, 0x000001B2, DO, DO },		/* turbo, ENERGY_PERF_BIAS, package thermal */
	{ 0x000001C8, 0x000001C9, DO, DO },		/* LBR_SELECT, TOS */
	{ 0x000001D9, 0x000001D9, DEBUGCTL, DEBUGCTL },
	{ 0x000001DB, 0x000001DE, DO, DO },		/* LASTBRANCH, LASTINT */
	{ 0x00000200, 0x00000213, MTRR, MTRR },
	{ 0x00000250, 0x00000250, MTRR, MTRR },
	{ 0x00000258, 0x00000259, MTRR, MTRR },
	{ 0x00000268, 0x0000026F, MTRR, MTRR },
	{ 0x00000277, 0x00000277, PASS, PASS },		/* PAT */
	{ 0x00000280, 0x0000029F, DO, DO },		/* MCi_CTL2 */
	{ 0x000002FF, 0x000002FF, MTRR, MTRR },
	{ 0x00000309, 0x0000030C, PASS, PASS },		/* FIXED_CTRx */
	{ 0x00000345, 0x00000345, DO, GP },		/* PERF_CAPABILITIES */
	{ 0x0000038D, 0x00000390, PASS, PASS },		/* PERF_GLOBAL_* */
	{ 0x00000400, 0x0000047F, DO, DO },		/* MCi_* */
	{ 0x000004C1, 0x000004C8, PASS, PASS },		/* full-width PMCx */
	{ 0x000006A0, 0x000006A8, PASS, PASS },		/* CET: off in a process view's CR4 */
	{ 0x000006E0, 0x000006E0, PASS, PASS },		/* TSC_DEADLINE */
	{ 0x00000600, 0x0000060F, DO, GP },		/* power units, RAPL (DS_AREA: see below) */
	{ 0x00000600, 0x00000600, GP, GP },		/* DS_AREA: BTS and PEBS buffers */
	{ 0x00000610, 0x0000064F, DO, GP },		/* RAPL, C-state residency: read only */
	{ 0x00000770, 0x00000777, DO, DO },		/* HWP */
	{ 0x00000800, 0x000008FF, PASS, PASS },		/* x2APIC */
	{ 0x00000830, 0x00000830, PASS, X2APIC_ICR },	/* PASS while the trap is down: apic.c */
	{ 0x00000981, 0x00000982, DO, GP },		/* TME_CAPABILITY, TME_ACTIVATE */
	{ 0xC0000080, 0xC0000080, EFER, EFER },
	{ 0xC0000081, 0xC0000084, PASS, PASS },		/* STAR .. SFMASK; tracked on VMX */
	{ 0xC0000100, 0xC0000103, PASS, PASS },		/* FS, GS, kernel GS base; TSC_AUX: tracked */
	{ 0xC0000104, 0xC0000104, DO, GP },		/* TSC ratio */
	{ 0xC00000E7, 0xC00000E9, PASS, GP },		/* read-only MPERF, APERF, IRPERF */
	{ 0xC0010000, 0xC0010003, PASS, PERF_CTL },	/* AMD PerfEvtSel */
	{ 0xC0010004, 0xC0010007, PASS, PASS },		/* PerfCtr */
	{ 0xC0010010, 0xC0010010, DO, GP },		/* SYSCFG */
	{ 0xC0010015, 0xC0010015, DO, DROP },		/* HWCR */
	{ 0xC0010016, 0xC001001D, DO, GP },		/* IORR, TOP_MEM, TOP_MEM2 */
	{ 0xC001001F, 0xC001001F, DO, DROP },		/* NB_CFG */
	{ 0xC0010020, 0xC0010020, GP, DROP },		/* PATCH_LOADER */
	{ 0xC0010055, 0xC0010055, DO, DROP },		/* interrupt pending message */
	{ 0xC0010058, 0xC0010058, DO, GP },		/* MMIO configuration base */
	{ 0xC0002000, 0xC00023FF, DO, DO },		/* MCA_* of scalable MCA */
	{ 0xC0010061, 0xC0010068, DO, GP },		/* P-states */
	{ 0xC0010062, 0xC0010062, DO, DO },		/* P-state control */
	{ 0xC0010111, 0xC0010113, GP, GP },		/* SMM base, address, mask */
	{ 0xC0010114, 0xC0010118, GP, GP },		/* VM_CR .. SVM key */
	{ 0xC0010140, 0xC0010141, DO, DROP },		/* OSVW */
	{ 0xC0010200, 0xC001020B, PASS, PASS },		/* PERF_CTL and PERF_CTR, in turn */
	{ 0xC0010200, 0xC0010200, PASS, PERF_CTL }, { 0xC0010202, 0xC0010202, PASS, PERF_CTL },
	{ 0xC0010204, 0xC0010204, PASS, PERF_CTL }, { 0xC0010206, 0xC0010206, PASS, PERF_CTL },
	{ 0xC0010208, 0xC0010208, PASS, PERF_CTL }, { 0xC001020A, 0xC001020A, PASS, PERF_CTL },
	{ 0xC0011020, 0xC0011023, DO, DROP },		/* LS_CFG and its like */
	{ 0xC0011029, 0xC0011029, DO, DROP },		/* DE_CFG */
};

#define MISC_ENABLE_REFUSED	(BIT(22) | BIT(34))	/* limit CPUID; no no-execute */
#define DEBUGCTL_REFUSED	(BIT(6) | BIT(7) | BIT(8) | BIT(13))	/* TR, BTS, BTINT, uncore PMI */

static struct msr_rule rule_of(u32 msr)
{
	struct msr_rule found = { .read = GP, .write = GP };

	for (unsigned int i = 0; i < ARRAY_SIZE(msr_rules); i++) {
		if (msr >= msr_rules[i].first && msr <= msr_rules[i].last)
			found = msr_rules[i];
	}
	return found;
}

/* MTRRs: the hardware keeps the firmware's values, which EPT types were derived from; the
 * guest sees what it wrote. */
static unsigned int mtrr_index(u32 msr)
{
	return msr == MSR_MTRR_DEF_TYPE ? CPU_MTRRS - 1 : msr - MSR_MTRR_PHYSBASE0;
}

static int mtrr_read(struct cpu *cpu, u32 msr, u64 *value)
{
	unsigned int i = mtrr_index(msr);

	if (cpu->mtrr_written[i / 64] & BIT(i % 64)) {
		*value = cpu->mtrr[i];
		return 0;
	}
	return rdmsr_safe(msr, value);
}

static int mtrr_write(struct cpu *cpu, u32 msr, u64 value)
{
	unsigned int i = mtrr_index(msr);
	u64 present;

	if (rdmsr_safe(msr, &present))
		return -1;
	cpu->mtrr[i] = value;
	cpu->mtrr_written[i / 64] |= BIT(i % 64);
	return 0;
}

/*
 * AMD's counters have no common switch that SVM changes at an entry, so the core stops those
 * that run before it enters a process view. Writes of the selects exit, to know which run.
 */
#define PERF_CTL_EN	BIT(22)
#define MSR_PERF_EVTSEL	0xC0010000
#define MSR_PERF_CTL	0xC0010200

static int perf_write(struct cpu *cpu, u32 msr, u64 value)
{
	/* 0 to 3 are the old names of the first four */
	u32 i = msr < MSR_PERF_CTL ? msr - MSR_PERF_EVTSEL : (msr - MSR_PERF_CTL) / 2;

	if (wrmsr_safe(msr, value))
		return -1;
	cpu->perf[i] = (struct cpu_perf){ msr, value };
	if (value & PERF_CTL_EN)
		cpu->perf_on |= 1U << i;
	else
		cpu->perf_on &= ~(1U << i);
	return 0;
}

void policy_perf(struct cpu *cpu, bool run)
{
	for (u32 left = cpu->perf_on; left; left &= left - 1) {
		const struct cpu_perf *perf = &cpu->perf[__builtin_ctz(left)];

		wrmsr(perf->msr, run ? perf->value : perf->value & ~PERF_CTL_EN);
	}
}

#define APIC_BASE_ENABLE	BIT(11)
#define APIC_BASE_X2APIC	BIT(10)

/* The APIC keeps its address: moving it over another frame would redirect accesses. */
static int apic_base_write(u64 value)
{
	u64 now = rdmsr(MSR_APIC_BASE);

	if ((value ^ now) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC))
		return -1;
	return wrmsr_safe(MSR_APIC_BASE, value);
}

#define EFER_SETTABLE	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_OPTIONAL)
/* LMSLE, FFXSR, TCE, UAIE, AutoIBRS */
#define EFER_OPTIONAL	(BIT(13) | BIT(14) | BIT(15) | BIT(20) | BIT(21))

/* The CPU itself is asked which of the optional bits it has; LME is fixed while paging is on. */
static int efer_write(struct cpu *cpu, u64 value)
{
	const struct vt_ops *vt = machine.vt;
	u64 own = rdmsr(MSR_EFER);

	if (value & ~EFER_SETTABLE || wrmsr_safe(MSR_EFER, own | (value & EFER_OPTIONAL)))
		return -1;
	value = (value & ~EFER_OPTIONAL) | (rdmsr(MSR_EFER) & EFER_OPTIONAL);
	wrmsr(MSR_EFER, own);
	if ((value ^ vt->get(&cpu->vt, VT_EFER)) & EFER_LME && vt->get(&cpu->vt, VT_CR0) & CR0_PG)
		return -1;
	vt->set(&cpu->vt, VT_EFER, value);
	return 0;
}

/* Where the CPU switches it with the view, what the guest has is in the control structure. */
static int debugctl_write(struct cpu *cpu, u64 value)
{
	if (value & DEBUGCTL_REFUSED || wrmsr_safe(MSR_DEBUGCTL, value))
		return -1;
	machine.vt->set(&cpu->vt, VT_DEBUGCTL, value);
	return 0;
}

static int do_read(struct cpu *cpu, u32 msr, enum action action, u64 *value)
{
	switch (action) {
	case DO: case PASS:
		return rdmsr_safe(msr, value);
	case MTRR:
		return mtrr_read(cpu, msr, value);
	case EFER:
		*value = machine.vt->get(&cpu->vt, VT_EFER);
		return 0;
	case DEBUGCTL:
		*value = machine.vt->get(&cpu->vt, VT_DEBUGCTL);
		return 0;
	case FEATURE_CONTROL:	/* locked, with VMX and SMX off */
		*value = 1;
		return 0;
	case GP: case DROP: case APIC_BASE: case X2APIC_ICR: case PERF_CTL: case MISC_ENABLE:
		break;
	}
	return -1;
}

static int do_write(struct cpu *cpu, u32 msr, enum action action, u64 value)
{
	switch (action) {
	case MISC_ENABLE:
		if (value & MISC_ENABLE_REFUSED)
			return -1;
		return wrmsr_safe(msr, value);
	case DO: case PASS:
		return wrmsr_safe(msr, value);
	case DROP:
		log_guest("write of MSR %x dropped", msr);
		return 0;
	case MTRR:
		return mtrr_write(cpu, msr, value);
	case EFER:
		return efer_write(cpu, value);
	case DEBUGCTL:
		return debugctl_write(cpu, value);
	case APIC_BASE:
		return apic_base_write(value);
	case X2APIC_ICR:
		apic_icr_write((u32)value, (u32)(value >> 32));
		return 0;
	case PERF_CTL:
		return perf_write(cpu, msr, value);
	case GP: case FEATURE_CONTROL:
		break;
	}
	return -1;
}

static void refuse(struct cpu *cpu)
{
	stats_add(&stats.refused_registers, 1);
	machine.vt->inject(&cpu->vt, VECTOR_GP, 0);
}

void policy_msr(struct cpu *cpu, const struct vt_exit *exit)
{
	struct vt_regs *regs = cpu->vt.regs;
	struct msr_rule rule = rule_of(exit->msr);
	u64 value = (regs->rdx << 32) | (u32)regs->rax;
	int failed;

	if (exit->reason == VT_MSR_READ)
		failed = do_read(cpu, exit->msr, rule.read, &value);
	else
		failed = do_write(cpu, exit->msr, rule.write, value);
	cpu->vt.msrs_written = true;
	if (failed) {
		refuse(cpu);
		return;
	}
	if (exit->reason == VT_MSR_READ) {
		regs->rax = (u32)value;
		regs->rdx = value >> 32;
	}
	machine.vt->skip(&cpu->vt, exit);
}

/* --- Ports ------------------------------------------------------------------------- */

#define PORT_KBC_COMMAND	0x64
#define PORT_CMOS_INDEX		0x70
#define PORT_CMOS_DATA		0x71
#define PORT_SYSTEM_CONTROL	0x92
#define PORT_RESET_CONTROL	0xCF9	/* by a byte: four at CF8h are PCI's */
#define CMOS_SHUTDOWN_STATUS	0x0F
#define CMOS_WARM_RESET		0x0A
#define PM1_SLP_EN		BIT(13)

static struct platform_ports platform;
static u8 cmos_index;

/* A bit a port on both vendors' CPUs. */
static void io_intercept(u8 *bitmap, u16 port, unsigned int count)
{
	for (unsigned int p = port; p < port + count && p < 0x10000; p++)
		bitmap[p / 8] |= (u8)(1U << p % 8);
}

void policy_bitmaps(const struct vt_ops *vt, void *msr_bitmap, void *io_bitmap,
		    const struct platform_ports *ports)
{
	memset(msr_bitmap, 0xFF, VT_BITMAP);
	/* bits past port FFFFh: of an access that wraps there (APM "IOIO Permission Map") */
	memset((u8 *)io_bitmap + 0x10000 / 8, 0xFF, VT_BITMAP - 0x10000 / 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(msr_rules); i++) {
		const struct msr_rule *rule = &msr_rules[i];

		for (u32 msr = rule->first; msr <= rule->last; msr++)
			vt->msr_intercept(msr_bitmap, msr, rule->read != PASS, rule->write != PASS);
	}
	for (const u32 *msr = vt->tracked_msrs; *msr; msr++)
		vt->msr_intercept(msr_bitmap, *msr, rule_of(*msr).read != PASS, true);
	platform = *ports;
	io_intercept(io_bitmap, PORT_KBC_COMMAND, 1);
	io_intercept(io_bitmap, PORT_CMOS_INDEX, 2);
	io_intercept(io_bitmap, PORT_SYSTEM_CONTROL, 1);
	pci_ports(io_bitmap);
	for (unsigned int i = 0; i < 2; i++) {
		if (ports->pm1_cnt[i])
			io_intercept(io_bitmap, ports->pm1_cnt[i], 2);
	}
	if (ports->reset_port)
		io_intercept(io_bitmap, ports->reset_port, 1);
}

/* Ports that PCI's are among. */
static bool has_pci(const struct vt_exit *exit)
{
	return exit->port < PCI_PORTS_END && exit->port + exit->size > PCI_PORTS;
}

static u32 io_in(const struct vt_exit *exit)
{
	return has_pci(exit) ? pci_in(exit->port, exit->size) : port_in(exit->port, exit->size);
}

/* The byte that this write puts into `port`, or -1 when it does not touch it. */
static int byte_for(const struct vt_exit *exit, u32 value, u16 port)
{
	if (port < exit->port || port >= exit->port + exit->size)
		return -1;
	return (int)(value >> 8 * (port - exit->port) & 0xFF);
}

/* Does this write take power from the machine or reset it? Then secrets go first. */
static bool ends_machine(const struct vt_exit *exit, u32 value)
{
	int kbc = byte_for(exit, value, PORT_KBC_COMMAND);
	int control = byte_for(exit, value, PORT_SYSTEM_CONTROL);
	int reset = byte_for(exit, value, PORT_RESET_CONTROL);
	int fadt = platform.reset_port ? byte_for(exit, value, platform.reset_port) : -1;

	if ((kbc >= 0 && (kbc & 0xF1) == 0xF0 && !(kbc & 1)) || (control >= 0 && control & 1) ||
	    (reset >= 0 && reset & 4) || (fadt >= 0 && fadt == platform.reset_value))
		return true;
	for (unsigned int i = 0; i < 2; i++) {
		int high = platform.pm1_cnt[i] ?
			byte_for(exit, value, (u16)(platform.pm1_cnt[i] + 1)) : -1;

		if (high >= 0 && (u32)high << 8 & PM1_SLP_EN)
			return true;
	}
	return false;
}

/*
 * With address line 20 closed, bit 20 of every physical address is 0, for the hypervisor and
 * its tables too: the guest would choose what they become. Port 92h bit 1 closes it, and of
 * the keyboard controller the commands to write or pulse its output port, and DDh.
 */
static bool closes_a20(const struct vt_exit *exit, u32 value)
{
	int kbc = byte_for(exit, value, PORT_KBC_COMMAND);
	int control = byte_for(exit, value, PORT_SYSTEM_CONTROL);

	return (control >= 0 && !(control & 2)) || kbc == 0xD1 || kbc == 0xDD ||
		(kbc >= 0xF0 && !(kbc & 2));
}

/*
 * The other CPUs are stopped for good and secrets are gone, so there is no way back into the
 * guest: a write that did not end the machine after all is followed by a reset.
 */
static void __attribute__((noreturn)) end_machine(const struct vt_exit *exit, u32 value)
{
	log_line("power-off or reset by port %x; wiping", exit->port);
	exit_wipe();
	port_out(exit->port, exit->size, value);
	for (unsigned int us = 0; us < 2000000; us++)
		inb(0x80);
	log_line("port %x did not end the machine; resetting", exit->port);
	exit_reset();
}

/* Linux writes 0Ah to the shutdown status byte before it wakes a CPU: the APIC trap goes
 * up for the INIT that follows. */
static void watch_cmos(const struct vt_exit *exit, u32 value)
{
	int index = byte_for(exit, value, PORT_CMOS_INDEX);
	int data = byte_for(exit, value, PORT_CMOS_DATA);

	if (index >= 0)
		cmos_index = (u8)index & 0x7F;
	if (data == CMOS_WARM_RESET && cmos_index == CMOS_SHUTDOWN_STATUS)
		apic_expect_start();
}

static void __attribute__((noinline)) io_out(const struct vt_exit *exit, u32 value)
{
	watch_cmos(exit, value);
	if (ends_machine(exit, value))
		end_machine(exit, value);
	if (closes_a20(exit, value)) {
		stats_add(&stats.refused_registers, 1);
		log_guest("address line 20 stays open");
	} else if (has_pci(exit)) {
		pci_out(exit->port, exit->size, value);
	} else {
		port_out(exit->port, exit->size, value);
	}
}

void policy_io(struct cpu *cpu, const struct vt_exit *exit)
{
	u64 *rax = &cpu->vt.regs->rax, mask = exit->size == 4 ? ~0ULL : (1ULL << 8 * exit->size) - 1;

	if (exit->string) {	/* nobody does this to these ports in earnest */
		refuse(cpu);
		return;
	}
	if (exit->port == PCI_PORTS && exit->size == 4 && !exit->in)
		pci_select((u32)*rax);	/* thousands, while Linux finds its devices */
	else if (exit->in)
		*rax = (*rax & ~mask) | (io_in(exit) & mask);
	else
		io_out(exit, (u32)(*rax & mask));
	machine.vt->skip(&cpu->vt, exit);
}

/* --- Control registers and XCR0 ---------------------------------------------------- */

void policy_cr(struct cpu *cpu, const struct vt_exit *exit)
{
	if (exit->cr == 4 && exit->value & machine.vt_machine.cr4_host_owned) {
		refuse(cpu);
		return;
	}
	if (exit->cr == 0)
		machine.vt->set(&cpu->vt, VT_CR0, exit->value);
	machine.vt->skip(&cpu->vt, exit);
}

void policy_xsetbv(struct cpu *cpu, const struct vt_exit *exit)
{
	const struct vt_regs *regs = cpu->vt.regs;

	if (xsetbv_safe((u32)regs->rcx, (regs->rdx << 32) | (u32)regs->rax))
		machine.vt->inject(&cpu->vt, VECTOR_GP, 0);
	else
		machine.vt->skip(&cpu->vt, exit);
}
