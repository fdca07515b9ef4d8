/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks by way of the machine: MSRs, memory-map edges, CPUs, power, address line
 * 20 (42 of the catalogue, and those of the security review).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

/* --- MSRs ---------------------------------------------------------------------------------- */

static const struct {
	uint64_t first, last;
} ranges[] = {
	{ 0, 0x1fff }, { 0x40000000, 0x400000ff }, { 0x4b564d00, 0x4b564d0f },
	{ 0xc0000000, 0xc0001fff }, { 0xc0010000, 0xc0011fff },
};

static void every_msr(void)
{
	uint64_t written = 0, refused = 0, changed = 0;
	struct victim victim;

	victim_start(&victim, PROTECTED);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		struct attack a = { .op = ATTACK_MSR_SWEEP, .in = { ranges[i].first, ranges[i].last } };

		module_do(&a);
		written += a.out[0];
		refused += a.out[1];
		changed += a.out[2];
	}
	victim_finish(&victim);
	judge(refused && refused < written && victim_right(&victim), "attack-msr-all", "%" PRIu64
	      " MSRs written with their own value: %" PRIu64 " refused, %" PRIu64 " read otherwise "
	      "after it; victim: %s", written, refused, changed, victim_fate(&victim));
}

/* What would let the kernel see or steer the hypervisor or a process view. */
static const struct {
	const char *name;
	uint64_t msr, value;
} steering[] = {
	{ "EFER, reserved bits", 0xc0000080, 1UL << 63 },
	{ "EFER, long mode off under paging", 0xc0000080, 0x801 },
	{ "VM_CR", 0xc0010114, 0x10 },
	{ "VM_HSAVE_PA", 0xc0010117, 0x1000 },
	{ "SMM_BASE", 0xc0010111, 0x30000 },
	{ "SMM_ADDR", 0xc0010112, 0x100000 },
	{ "SMM_MASK", 0xc0010113, 3 },
	{ "SYSCFG", 0xc0010010, 1UL << 23 },
	{ "IORR_BASE0", 0xc0010016, 0x100000 },
	{ "TOP_MEM", 0xc001001a, 0x1000000 },
	{ "TOP_MEM2", 0xc001001d, 0x1000000 },
	{ "PATCH_LOADER", 0xc0010020, 0xffff888000000000 },
	{ "CPUID features 1", 0xc0011004, 0 },
	{ "CPUID features 80000001h", 0xc0011005, 0 },
	{ "IBS_FETCH_CTL", 0xc0011030, 1UL << 48 },
	{ "IBS_OP_CTL", 0xc0011033, 1UL << 17 },
	{ "FEATURE_CONTROL", 0x3a, 5 },
	{ "TSC_ADJUST", 0x3b, 1UL << 40 },
	{ "BIOS_UPDT_TRIG", 0x79, 0xffff888000000000 },
	{ "SGXLEPUBKEYHASH0", 0x8c, 1 },
	{ "MCU_OPT_CTRL", 0x123, 1 },
	{ "OC mailbox", 0x150, 1UL << 63 },
	{ "XFD", 0x1c4, 1UL << 18 },
	{ "DEBUGCTL, BTS", 0x1d9, 0x80 },
	{ "DEBUGCTL, trace", 0x1d9, 0x40 },
	{ "VMX_BASIC", 0x480, 0 },
	{ "VMX_VMFUNC", 0x491, 1 },
	{ "PEBS_ENABLE", 0x3f1, 1 },
	{ "RTIT_OUTPUT_BASE", 0x560, 0x1000000 },
	{ "RTIT_CTL", 0x570, 1 },
	{ "DS_AREA", 0x600, 0xffff888000000000 },
	{ "UINTR_HANDLER", 0x986, 0x1000 },
	{ "UINTR_MISC", 0x988, 1 },
	{ "LBR_CTL", 0x14ce, 1 },
	{ "XSS", 0xda0, 1 << 8 },
};

static void hostile_msrs(void)
{
	const size_t count = sizeof(steering) / sizeof(*steering);
	unsigned int taken = 0, refused = 0;

	for (size_t i = 0; i < count; i++) {
		struct attack a = { .op = ATTACK_MSR, .in = { steering[i].msr, steering[i].value, 1 } };

		module_do(&a);
		refused += a.out[0] != 0;
		if (a.out[0] || a.out[1] == a.out[2])
			continue;
		taken++;
		printf("# %s: %llx became %llx\n", steering[i].name, a.out[2], a.out[1]);
	}
	judge(!taken, "attack-msr", "%zu hostile writes: %u refused, %zu without effect, %u taken",
	      count, refused, count - refused - taken, taken);
}

/* --- edges of the memory map --------------------------------------------------------------- */

struct answers {
	uint64_t success, pending, owner, other;
	int64_t last;
};

/* From all CPUs at one time, twice. */
static struct answers donate(uint64_t chunk)
{
	struct attack a = { .op = ATTACK_DONATE_RACE, .in = { chunk, 2 } };

	module_do(&a);
	return (struct answers){ a.out[0], a.out[1], a.out[2], a.out[3], (int64_t)a.out[4] };
}

static bool refused(const struct answers *answers)
{
	return !answers->success && !answers->pending;
}

struct range {
	uint64_t first, last;
	bool ram;
};

static size_t memory_map(struct range *ranges, size_t room)
{
	FILE *file = fopen("/proc/iomem", "r");
	size_t count = 0;
	char line[128];

	while (file && count < room && fgets(line, sizeof(line), file)) {
		struct range *range = &ranges[count];

		if (line[0] == ' ' || sscanf(line, "%" SCNx64 "-%" SCNx64, &range->first,
					     &range->last) != 2)
			continue;
		range->ram = strstr(line, "System RAM") != NULL;
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

/* Such a chunk is this kernel's own: it would be given away. */
static bool whole_ram(const struct range *ranges, size_t count, uint64_t chunk)
{
	uint64_t first = chunk * CARREL_CHUNK_SIZE, last = first + CARREL_CHUNK_SIZE - 1;

	for (size_t i = 0; i < count; i++)
		if (ranges[i].ram && first >= ranges[i].first && last <= ranges[i].last)
			return true;
	return false;
}

/* The chunks at both ends of every range, the hypervisor's, and numbers past all memory. */
static void edges(void)
{
	static struct range ranges[256];
	size_t count = memory_map(ranges, sizeof(ranges) / sizeof(*ranges));
	unsigned int tried = 0, taken = 0;
	uint64_t chunks[4 * 256 + 4], n = 0, value[6];

	for (size_t i = 0; i < count; i++) {
		chunks[n++] = ranges[i].first / CARREL_CHUNK_SIZE;
		chunks[n++] = ranges[i].first / CARREL_CHUNK_SIZE - 1;
		chunks[n++] = ranges[i].last / CARREL_CHUNK_SIZE;
		chunks[n++] = ranges[i].last / CARREL_CHUNK_SIZE + 1;
	}
	carrel_info(CARREL_INFO_MEMORY, 0, 0, value);
	chunks[n++] = value[0] / CARREL_CHUNK_SIZE;
	chunks[n++] = value[3];
	chunks[n++] = 1UL << 43;
	for (size_t i = 0; i < n; i++) {
		struct answers answers;

		if (whole_ram(ranges, count, chunks[i]))
			continue;
		tried++;
		answers = donate(chunks[i]);
		if (refused(&answers))
			continue;
		taken++;
		printf("# chunk %" PRIx64 " was taken\n", chunks[i]);
	}
	judge(count && !taken, "attack-edges", "%u chunks at edges of the memory map, from all CPUs, "
	      "twice: %u taken", tried, taken);
}

/* A chunk that may be donated, by all CPUs at one time: it is given once. */
static void twice(void)
{
	struct attack chunk = { .op = ATTACK_CHUNK }, back;
	struct answers first, second;
	uint64_t donated = carrel_donated();
	int64_t returned;

	module_do(&chunk);
	first = donate(chunk.out[0]);
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		struct attack flush = { .op = ATTACK_HYPERCALL, .in = { CARREL_HC_FLUSH } };

		run_on(cpu);
		module_do(&flush);
	}
	run_on(0);
	second = donate(chunk.out[0]);
	back = (struct attack){ .op = ATTACK_HYPERCALL, .in = { CARREL_HC_RETURN, chunk.out[0] } };
	module_do(&back);
	returned = (int64_t)back.out[0];
	chunk.op = ATTACK_CHUNK_FREE;
	chunk.in[0] = chunk.out[0];
	module_do(&chunk);
	judge(!first.success && !first.other && second.success == 1 && !second.other && !returned &&
	      carrel_donated() == donated, "attack-donate-twice", "before the flush %" PRIu64
	      " pending, after it %" PRIu64 " of %d calls took it, %" PRIu64 " came too late",
	      first.pending, second.success, 2 * cpu_count(), second.owner);
}

/* --- CPUs ---------------------------------------------------------------------------------- */

static bool online(int cpu, bool on)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	file = fopen(path, "w");
	if (!file)
		return false;
	fputs(on ? "1" : "0", file);
	return !fclose(file);
}

/* A CPU that the victim runs on goes and comes back; then it is started in code of ours. */
static void cpus(void)
{
	struct attack a = { .op = ATTACK_START_CPU, .in = { 1 } };
	struct victim victim;
	bool moved = true;
	int error;

	if (cpu_count() < 2) {
		skip("attack-42", "one CPU: no other to take offline");
		return;
	}
	victim_start(&victim, PROTECTED);
	for (int i = 0; i < 3; i++)
		moved = online(1, false) && (usleep(100000), online(1, true)) && moved;
	victim_finish(&victim);
	judge(moved && victim_right(&victim), "attack-42", "CPU 1 offline and online three times: "
	      "victim: %s", victim_fate(&victim));
	victim_start(&victim, PROTECTED);
	online(1, false);
	error = module_try(&a);
	moved = online(1, true);
	victim_finish(&victim);
	judge(!error && a.out[0] == 1 && a.out[1] == CARREL_SIG_EBX && a.out[2] == CARREL_SIG_ECX &&
	      moved && victim_right(&victim), "attack-42-start", "INIT and SIPI into real-mode code "
	      "of ours: %s, CPUID says %.4s%.4s%.4s; victim: %s", error ? strerror(error) :
	      a.out[0] ? "it came" : "it did not come", (char *)&a.out[1], (char *)&a.out[2],
	      (char *)&a.out[3], victim_fate(&victim));
}

/* --- power --------------------------------------------------------------------------------- */

#define FADT_PM1A_CONTROL	64
#define SLEEP_ENABLE		(1 << 13 | 5 << 10)	/* a sleep type that no machine here has */

static uint32_t pm1_control(void)
{
	FILE *file = fopen("/sys/firmware/acpi/tables/FACP", "r");
	uint32_t port = 0;

	if (file && (fseek(file, FADT_PM1A_CONTROL, SEEK_SET) || fread(&port, 4, 1, file) != 1))
		port = 0;
	if (file)
		fclose(file);
	return port;
}

/*
 * The hypervisor stops the other CPUs and wipes all secrets before power goes. When
 * it does not go, the kernel must not have the machine back: this does not return,
 * and the hypervisor's log says that it reset the machine.
 */
static void false_power_off(void)
{
	struct attack a = { .op = ATTACK_PORT, .in = { pm1_control(), SLEEP_ENABLE, 2 } };
	struct victim victim;

	if (!a.in[0]) {
		skip("attack-false-power-off", "no ACPI tables on this machine");
		return;
	}
	victim_start(&victim, PROTECTED);
	module_do(&a);
	fail("attack-false-power-off", "the kernel goes on after SLP_EN at port %llxh", a.in[0]);
}

/* --- a CPU reset while it is in a view ----------------------------------------------------- */

static void report_reset(const char *name, bool plain, const struct attack *a)
{
	if (plain && a->out[0] && !a->out[4]) {
		skip(name, "this machine clears vector registers at INIT");
		return;
	}
	judge(a->out[0] && plain == (a->out[4] > 0) && a->out[1] == CARREL_SIG_EBX, name,
	      "INIT and SIPI to the victim's CPU: %s, CPUID says %.4s%.4s%.4s, %llu words in its "
	      "vector registers", a->out[0] ? "it came" : "it did not come",
	      (const char *)&a->out[1], (const char *)&a->out[2], (const char *)&a->out[3],
	      a->out[4]);
}

/* INIT clears general registers, but not all others. This kernel loses the CPU for good. */
static void reset_in(enum protection protection, const char *name)
{
	struct attack a = { .op = ATTACK_START_CPU, .in = { 1, 1 } };
	bool plain = protection == PLAIN;
	struct victim victim;

	if (cpu_count() < 2) {
		skip(name, "one CPU: no other to reset");
		return;
	}
	victim_start(&victim, protection);
	a.in[2] = victim.key;
	module_do(&a);
	report_reset(name, plain, &a);
	/* without that CPU this kernel cannot even stop: time to write, then a hard reset */
	sleep(2);
	a = (struct attack){ .op = ATTACK_PORT, .in = { 0x64, 0xfe, 1 } };
	module_do(&a);
}
static void reset_plain(void)
{
	reset_in(PLAIN, "control-42-init");
}

static void reset_protected(void)
{
	reset_in(PROTECTED, "attack-42-init");
}

/* --- address line 20 ----------------------------------------------------------------------- */

static void a20(void)
{
	static const char *const names[] = { "attack-a20-port92", "attack-a20-keyboard" };

	for (uint64_t method = 0; method < 2; method++) {
		struct attack a = { .op = ATTACK_A20, .in = { method } };

		module_do(&a);
		judge(!a.out[0], names[method], "address line 20 %s be closed: with it every second "
		      "megabyte, of the hypervisor too, becomes another", a.out[0] ? "can" : "cannot");
	}
}

/* --- a triple fault ------------------------------------------------------------------------ */

static void triple_fault(uint64_t apic_off)
{
	struct attack a = { .op = ATTACK_TRIPLE_FAULT, .in = { apic_off } };

	module_do(&a);
}

static void triple(void)
{
	triple_fault(0);
}

static void triple_apic_off(void)
{
	triple_fault(1);
}

const struct test platform_tests[] = {
	{ "attack-msr-all", every_msr },
	{ "attack-msr", hostile_msrs },
	{ "attack-edges", edges },
	{ "attack-donate-twice", twice },
	{ "attack-42", cpus },
	{ "attack-a20", a20 },
	{ 0 },
};

const struct test ending_tests[] = {
	{ "control-42-init", reset_plain },
	{ "attack-42-init", reset_protected },
	{ "attack-false-power-off", false_power_off },
	{ "attack-triple-fault", triple },
	{ "attack-triple-fault-apic-off", triple_apic_off },
	{ 0 },
};
