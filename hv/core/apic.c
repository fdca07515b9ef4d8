/* SPDX-License-Identifier: BSD-2-Clause */
#include "apic.h"

#include <base/lock.h>
#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <carrel/hypercall.h>
#include <mm/flush.h>
#include <mm/frame.h>

#include "store.h"
#include "trampoline.h"

#define APIC_PAGE		0xFEE00000UL
#define APIC_ICR_LOW		0x300
#define APIC_ICR_HIGH		0x310
#define APIC_BASE_X2APIC	BIT(10)
#define APIC_BASE_ENABLE	BIT(11)
#define APIC_BASE_ADDRESS	(BIT(52) - BIT(12))
#define ICR_DELIVERY		0x700U
#define ICR_NMI			0x400U
#define ICR_INIT		0x500U
#define ICR_STARTUP		0x600U
#define ICR_LOGICAL		BIT(11)
#define ICR_PENDING		BIT(12)
#define ICR_ASSERT		BIT(14)
#define ICR_LEVEL		BIT(15)
#define ICR_SHORTHAND		0xC0000U
#define ICR_OTHERS		0xC0000U
#define ICR_ALL			0x80000U
#define ICR_SELF		0x40000U

/* One INIT or SIPI of the guest at a time; also the trampoline's lock. */
static struct lock apic_lock;
static enum apic_mode mode;
static bool keep_trap, armed;

static bool x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static void icr_write(u32 low, u32 destination)
{
	volatile u32 *apic = phys(APIC_PAGE);

	if (x2apic()) {
		wrmsr(MSR_X2APIC_ICR, (u64)destination << 32 | low);
		return;
	}
	/* a guest may have switched it off, and it would be pending for ever */
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	while (apic[APIC_ICR_LOW / 4] & ICR_PENDING)
		pause();
	apic[APIC_ICR_HIGH / 4] = destination << 24;
	apic[APIC_ICR_LOW / 4] = low;
	while (apic[APIC_ICR_LOW / 4] & ICR_PENDING)
		pause();
}

/* About a microsecond each on every PC: a write to the POST port. */
static void delay_us(unsigned int us)
{
	while (us--)
		outb(0x80, 0), pause();	/* emulators let another CPU run */
}

/* By INIT: the one thing that takes a CPU out of the host view. Where it is an exit,
 * apic_init halts the CPU; where it is not, the CPU waits for a SIPI that nobody sends. */
void apic_stop_others(void)
{
	__atomic_store_n(&trap_stopping, true, __ATOMIC_SEQ_CST);
	icr_write(ICR_INIT | ICR_ASSERT | ICR_OTHERS, 0);
	delay_us(10000);
}

static bool wait_parked(const struct cpu *cpu, unsigned int us)
{
	for (unsigned int i = 0; i < us; i += 50) {
		if (__atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) == CPU_PARKED)
			return true;
		delay_us(50);
	}
	return false;
}

/* SDM "MP Initialization": INIT, 10 ms, SIPI, 200 us, SIPI. */
static bool start_parked(struct cpu *cpu)
{
	u8 page = trampoline_prepare(cpu);

	__atomic_store_n(&cpu->state, CPU_ABSENT, __ATOMIC_RELEASE);
	icr_write(ICR_INIT | ICR_ASSERT, cpu->apic_id);
	delay_us(10000);
	for (unsigned int attempt = 0; attempt < 2; attempt++) {
		icr_write(ICR_STARTUP | ICR_ASSERT | page, cpu->apic_id);
		if (wait_parked(cpu, attempt ? 1000000 : 20000))
			return true;
	}
	return false;
}

bool apic_start_parked(struct cpu *cpu)
{
	bool parked;

	lock_take(&apic_lock);
	parked = start_parked(cpu);
	lock_release(&apic_lock);
	return parked;
}

/* --- The trap ---------------------------------------------------------------------- */

static void arm(bool up)
{
	if (mode != APIC_TRAP || armed == up)
		return;
	/* donations change the host view under the same lock */
	lock_take(&frame_lock);
	if (view_limit_page(&machine.host_view, APIC_PAGE,
			    up ? TABLE_R : TABLE_R | TABLE_W | TABLE_X))
		panic("no memory to change the APIC page's rights");
	lock_release(&frame_lock);
	machine.vt->msr_intercept(machine.msr_bitmap, MSR_X2APIC_ICR, false, up);
	armed = up;
	/* Taking the right away owes only the writer's own flush: that CPU sends the INIT.
	 * Giving it back owes none: a stale entry exits once more and is let through. */
	if (up)
		machine.vt->flush_all(&this_cpu()->vt);
}

static bool any_parked(void)
{
	for (unsigned int i = 0; i < machine.cpu_count; i++) {
		if (machine.cpus[i]->state == CPU_PARKED)
			return true;
	}
	return false;
}

/* Once, with whatever the bitmap was made with. */
static void disarm_native(void)
{
	machine.vt->msr_intercept(machine.msr_bitmap, MSR_X2APIC_ICR, false, false);
}

static void rearm(void)
{
	arm(keep_trap || any_parked());
}

void apic_boot(enum apic_mode chosen, bool keep)
{
	if ((rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS) != APIC_PAGE)
		panic("the firmware moved the local APIC");
	mode = chosen;
	keep_trap = keep;
	if (mode == APIC_NATIVE)
		disarm_native();
	armed = mode == APIC_TRAP && !keep && !any_parked();	/* so that rearm() changes it */
	rearm();
}

bool apic_trap_armed(void)
{
	return armed;
}

enum apic_mode apic_mode(void)
{
	return mode;
}

void apic_expect_start(void)
{
	lock_take(&apic_lock);
	arm(true);
	lock_release(&apic_lock);
}

/* INIT to a CPU that runs the guest: it is reset for real and comes back parked, by the
 * trampoline. To one that is parked already: nothing is left to do. */
static void send_init(struct cpu *cpu)
{
	if (cpu == this_cpu()) {
		log_guest("INIT of CPU %u to itself refused", cpu->id);
		return;
	}
	if (cpu->state == CPU_PARKED || cpu->state == CPU_STARTING)
		return;
	if (!start_parked(cpu))
		log_line("CPU %u did not come back after INIT", cpu->id);
	else
		arm(true);
}

static void send_startup(struct cpu *cpu, u8 page)
{
	if (cpu->state != CPU_PARKED)
		return;		/* a second SIPI is ignored, as by hardware */
	__atomic_store_n(&cpu->state, CPU_STARTING, __ATOMIC_RELEASE);
	__atomic_store_n(&cpu->sipi_page, CPU_SIPI | page, __ATOMIC_RELEASE);
	icr_write(ICR_NMI | ICR_ASSERT, cpu->apic_id);
}

static bool addressed(const struct cpu *cpu, u32 low, u32 destination)
{
	switch (low & ICR_SHORTHAND) {
	case ICR_OTHERS: return cpu != this_cpu();
	case ICR_ALL: return true;
	case ICR_SELF: return cpu == this_cpu();
	default: break;
	}
	/* logical destinations are not used for INIT and SIPI by anyone we know */
	return !(low & ICR_LOGICAL) && cpu->apic_id == destination;
}

static void start_command(u32 low, u32 destination)
{
	lock_take(&apic_lock);
	for (unsigned int i = 0; i < machine.cpu_count; i++) {
		struct cpu *cpu = machine.cpus[i];

		if (!addressed(cpu, low, destination))
			continue;
		if ((low & ICR_DELIVERY) == ICR_STARTUP)
			send_startup(cpu, (u8)low);
		else if (!(low & ICR_LEVEL) || low & ICR_ASSERT)
			send_init(cpu);
	}
	rearm();
	lock_release(&apic_lock);
}

void apic_icr_write(u32 low, u32 high)
{
	u32 delivery = low & ICR_DELIVERY;

	if (mode == APIC_TRAP && (delivery == ICR_INIT || delivery == ICR_STARTUP))
		start_command(low, x2apic() ? high : high >> 24);
	else if (x2apic())
		wrmsr_safe(MSR_X2APIC_ICR, (u64)high << 32 | low);
	else
		((volatile u32 *)phys(APIC_PAGE))[APIC_ICR_LOW / 4] = low;
}

static struct cpu *find(u32 apic_id)
{
	for (unsigned int i = 0; i < machine.cpu_count; i++) {
		if (machine.cpus[i]->apic_id == apic_id && machine.cpus[i] != this_cpu())
			return machine.cpus[i];
	}
	return NULL;
}

int apic_park(u32 apic_id)
{
	struct cpu *cpu = find(apic_id);
	bool parked;

	if (!cpu)
		return CARREL_EARG;
	lock_take(&apic_lock);
	parked = cpu->state == CPU_PARKED;
	if (!parked && mode == APIC_TRAP) {
		arm(true);	/* no SIPI but ours while it waits for one */
		parked = start_parked(cpu);
		if (parked)	/* else it may wait for a SIPI still */
			rearm();
	} else if (!parked) {
		icr_write(ICR_INIT | ICR_ASSERT, apic_id);
		parked = wait_parked(cpu, 1000000);
	}
	lock_release(&apic_lock);
	return parked ? 0 : CARREL_EBUSY;
}

bool apic_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	volatile u32 *apic = phys(APIC_PAGE);
	u32 offset = (u32)(exit->address - APIC_PAGE);
	struct vt_exit skip = *exit;
	struct store store;

	if (mode != APIC_TRAP || exit->address < APIC_PAGE || offset >= PAGE_SIZE || !exit->write)
		return false;
	if (!armed)
		return true;	/* a stale entry: retry */
	/* Linux writes `mov %r32, m32`, `movl $imm, m32`, or `xchg` where X86_BUG_11AP holds */
	if (!store_decode(cpu, &store) || store.size != 4 || offset & 15) {
		log_guest("write to the APIC page at offset %x not understood", offset);
		machine.vt->inject(&cpu->vt, VECTOR_GP, 0);
		return true;
	}
	if (store.exchange)
		*store.exchange = apic[offset / 4];
	if (offset == APIC_ICR_LOW)
		apic_icr_write(store.value, apic[APIC_ICR_HIGH / 4]);
	else
		apic[offset / 4] = store.value;
	skip.length = store.length;
	machine.vt->skip(&cpu->vt, &skip);
	return true;
}

/* --- Native mode ------------------------------------------------------------------- */

void apic_init(struct cpu *cpu)
{
	while (__atomic_load_n(&trap_stopping, __ATOMIC_SEQ_CST))
		asm volatile("cli; hlt");
	if (mode == APIC_TRAP) {
		/* sent by start_parked: either it resets this CPU, which comes back by the trampoline,
		 * or it is gone and this CPU parks at once, never outside the hypervisor */
		machine.vt->take_init(&cpu->vt);
		cpu_park(cpu);
	}
	if (!machine.vt->host_wait_sipi(&cpu->vt))
		panic("CPU %u: INIT exit without wait-for-SIPI", cpu->id);
	cpu_parked(cpu);
}

void apic_sipi(struct cpu *cpu, u8 page)
{
	cpu_unparked(cpu);
	machine.vt->host_enter_sipi(&cpu->vt, page);
	cpu->gs.nmi = 0;	/* as cpu_park: what met the waiting CPU is not for real mode */
	__atomic_store_n(&cpu->state, CPU_RUNNING, __ATOMIC_RELEASE);
}
