/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks on what keeps devices in bounds: 38, 39 and 40 of the catalogue. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "dma.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define HPET		0xfed00000UL
#define IO_APIC		0xfec00000UL

/* --- registers ----------------------------------------------------------------------------- */

static bool registers(uint64_t address, bool write, uint64_t value, unsigned int bytes,
		      uint64_t *got)
{
	struct attack a = { .op = ATTACK_REGISTER, .in = { address, write, value, bytes } };

	module_do(&a);
	if (got)
		*got = a.out[1];
	return !a.out[0];
}

static unsigned int amdvi_function(void)
{
	FILE *file = popen("cd /sys/bus/pci/devices && grep -l 0x080600 */class", "r");
	unsigned int bus, slot, function, found = 0;

	if (file && fscanf(file, "0000:%x:%x.%u", &bus, &slot, &function) == 3)
		found = bus << 8 | slot << 3 | function;
	if (file)
		pclose(file);
	return found;
}

static bool amd_vi(void)
{
	return amdvi_function() != 0;
}

/* Offsets that would switch a unit off, or show it: version or table, control, tables, queues. */
static const uint16_t vtd_registers[] = { 0, 0x18, 0x20, 0x34, 0x40, 0x80, 0x88, 0x90, 0xffc };
static const uint16_t amdvi_registers[] = { 0, 8, 0x10, 0x18, 0x1ffc, 0x2000, 0x2008, 0x3ffc };

/* Each register written with zero and read; how many accesses were carried out. */
static unsigned int touch_unit(uint64_t base, unsigned int *tried)
{
	const uint16_t *offsets = amd_vi() ? amdvi_registers : vtd_registers;
	size_t count = amd_vi() ? sizeof(amdvi_registers) / 2 : sizeof(vtd_registers) / 2;
	unsigned int done = 0;

	for (size_t i = 0; i < count; i++) {
		done += registers(base + offsets[i], false, 0, 4, NULL);
		done += registers(base + offsets[i], true, 0, 4, NULL);
		*tried += 2;
	}
	return done;
}

/* By DMA: the unit's first page, its control register, the I/O APIC. */
static unsigned int touch_by_dma(unsigned int device, uint64_t base)
{
	uint8_t bytes[64], zero[4] = { 0 };
	unsigned int arrived = 0;

	for (size_t i = 0; i < 2; i++) {
		dma_read(device, i ? IO_APIC : base, bytes, sizeof(bytes));
		for (size_t j = 0; j < sizeof(bytes); j++)
			arrived += bytes[j] != 0;
	}
	dma_write(device, base + 0x18, zero, sizeof(zero));
	return arrived;
}

/* Whether a protected program is still out of a device's reach: a few frames of it, all over. */
static bool still_guarded(unsigned int device)
{
	struct attack scanned, seen;
	struct victim victim;
	size_t count;

	victim_start(&victim, PROTECTED);
	scanned = scan(victim.key);
	count = private_frames(&scanned);
	kill(victim.pid, SIGSTOP);
	seen = dma_scan(device, victim.key, frames, thin(count, count / 8 + 1));
	kill(victim.pid, SIGCONT);
	victim_finish(&victim);
	return count && seen.out[0] && !seen.out[1] && victim_right(&victim) &&
		dma_state() == CARREL_DMA_PROTECTED;
}

static void takeover(void)
{
	unsigned int list[DMA_DEVICES_MAX], done = 0, arrived = 0, tried = 0;
	struct refused before = carrel_refused(), after;
	uint64_t value[6], hpet = 0;
	bool guarded, read = registers(HPET, false, 0, 4, &hpet);

	judge(read && hpet, "control-38",
	      "the HPET's registers can be read in this way: %" PRIx64, hpet);
	if (dma_state() != CARREL_DMA_PROTECTED || !dma_devices(list)) {
		skip("attack-38", "no IOMMU, or no device that does DMA at our word");
		return;
	}
	for (uint64_t i = 0; carrel_info(CARREL_INFO_DMA_UNIT, i, 0, value); i++) {
		done += touch_unit(value[0], &tried);
		arrived += touch_by_dma(list[0], value[0]);
	}
	after = carrel_refused();
	guarded = still_guarded(list[0]);
	judge(tried && !done && !arrived && guarded &&
	      after.reads + after.writes - before.reads - before.writes == tried, "attack-38",
	      "registers of IOMMUs: %u of %u accesses done, %" PRIu64 " counted; by DMA, and of the "
	      "I/O APIC: %u bytes; afterwards a protected program is %s", done, tried,
	      after.reads + after.writes - before.reads - before.writes, arrived,
	      guarded ? "out of reach" : "NOT out of reach");
}

/* --- tables -------------------------------------------------------------------------------- */

static uint64_t tables(const char *signature)
{
	struct attack a = { .op = ATTACK_TABLES };

	memcpy(a.in, signature, 4);
	module_do(&a);
	return a.out[0];
}

static bool listed(const char *signature)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/firmware/acpi/tables/%s", signature);
	return !access(path, F_OK);
}

static void hidden_tables(void)
{
	if (dma_state() != CARREL_DMA_PROTECTED) {
		skip("attack-39-tables", "no IOMMU");
		return;
	}
	judge(tables("APIC") && listed("APIC") && !tables("DMAR") && !tables("IVRS") &&
	      !listed("DMAR") && !listed("IVRS"), "attack-39-tables", "in memory: %" PRIu64 " APIC, %"
	      PRIu64 " DMAR, %" PRIu64 " IVRS; listed: DMAR %s, IVRS %s", tables("APIC"),
	      tables("DMAR"), tables("IVRS"), listed("DMAR") ? "yes" : "no",
	      listed("IVRS") ? "yes" : "no");
}

/* --- configuration ------------------------------------------------------------------------- */

static uint64_t mmconfig(void)
{
	FILE *file = popen("grep MMCONFIG /proc/iomem", "r");
	uint64_t base = 0;

	if (!file || fscanf(file, "%" SCNx64, &base) != 1)
		base = 0;
	if (file)
		pclose(file);
	return base;
}

struct setting {
	uint16_t reg, bytes;
	uint32_t value;
};

/* Written by both ways; how often that had an effect. */
static unsigned int configure(unsigned int function, const struct setting *setting,
			      unsigned int *tried)
{
	unsigned int taken = 0;

	for (uint64_t way = CONFIG_PORTS; way <= CONFIG_MEMORY; way++) {
		struct attack a = {
			.op = ATTACK_CONFIG,
			.in = { function, setting->reg, setting->bytes, way, mmconfig(), 1,
				setting->value, 1 },
		};

		if (way == CONFIG_MEMORY && !mmconfig())
			continue;
		module_do(&a);
		++*tried;
		if (a.out[0])
			printf("# %02x:%02x.%x register %x: the write by %s faults (%llu)\n",
			       function >> 8, function >> 3 & 31, function & 7, setting->reg,
			       way == CONFIG_MEMORY ? "MMCONFIG" : "ports", a.out[0] - 1);
		if (a.out[1] == a.out[2])
			continue;
		taken++;
		printf("# %02x:%02x.%x register %x: %llx became %llx by %s\n", function >> 8,
		       function >> 3 & 31, function & 7, setting->reg, a.out[1], a.out[2],
		       way == CONFIG_MEMORY ? "MMCONFIG" : "ports");
	}
	return taken;
}

/* Intel's q35: PCIEXBAR (over memory of ours), PAM, SMRAM, ESMRAMC, the command register. */
static const struct setting bridge_settings[] = {
	{ 0x60, 4, 0x20000001 }, { 0x60, 4, 0 }, { 0x64, 4, 1 }, { 0x90, 1, 0x33 },
	{ 0x90, 4, 0x33333333 },
	{ 0x94, 2, 0x3333 }, { 0x9d, 1, 0x48 }, { 0x9e, 1, 0x07 }, { 0x04, 2, 0 },
};
/* Its LPC bridge: PMBASE and ACPI_CNTL, by which the ports of sleep and power-off would move away
 * from those that the hypervisor watches. */
#define LPC_BRIDGE	0xf8
static const struct setting power_settings[] = {
	{ 0x40, 4, 0x701 }, { 0x41, 1, 0x07 }, { 0x44, 1, 0 },
};
/* The capability block of AMD-Vi is added to the register's number. */
static const struct setting unit_settings[] = {
	{ 0x04, 4, 0x20000001 }, { 0x08, 4, 1 }, { 0x0c, 4, 0 }, { 0x10, 4, 0 },
};

#define INTERRUPT_LINE	0x3c	/* to be written by whoever likes */

static void control_config(unsigned int device)
{
	const struct setting line = { INTERRUPT_LINE, 1, 0x55 };
	unsigned int tried = 0, taken = configure(device, &line, &tried);

	judge(tried == 2 && taken == tried, "control-39", "%s: %u of %u writes of its interrupt "
	      "line take effect", dma_name(device), taken, tried);
}

static uint64_t config_read(unsigned int function, unsigned int reg, unsigned int bytes)
{
	struct attack a = { .op = ATTACK_CONFIG, .in = { function, reg, bytes, CONFIG_PORTS } };

	module_do(&a);
	return a.out[1];
}

#define CAPABILITY_IOMMU	0x0f

static unsigned int configure_unit(unsigned int *tried)
{
	unsigned int function = amdvi_function(), at, taken = 0;

	if (!function)
		return 0;
	for (at = config_read(function, 0x34, 1); at; at = config_read(function, at + 1, 1))
		if (config_read(function, at, 1) == CAPABILITY_IOMMU)
			break;
	for (size_t i = 0; i < sizeof(unit_settings) / sizeof(*unit_settings); i++) {
		struct setting setting = unit_settings[i];

		setting.reg += at;
		taken += configure(function, &setting, tried);
	}
	return taken;
}

static void configuration(void)
{
	unsigned int list[DMA_DEVICES_MAX], tried = 0, taken = 0, least;
	struct refused before, after;

	if (!dma_devices(list)) {
		skip("attack-39", "no device that anybody may configure");
		return;
	}
	control_config(list[0]);
	before = carrel_refused();
	for (size_t i = 0; i < sizeof(bridge_settings) / sizeof(*bridge_settings); i++)
		taken += configure(0, &bridge_settings[i], &tried);
	for (size_t i = 0; i < sizeof(power_settings) / sizeof(*power_settings); i++)
		taken += configure(LPC_BRIDGE, &power_settings[i], &tried);
	taken += configure_unit(&tried);
	after = carrel_refused();
	/* What is dropped of a header is not counted: every kernel writes there. KVM tells Intel's
	 * hypervisor inside it the page alone where a write of a device was refused, so each by
	 * MMCONFIG seems to be for a header. */
	least = carrel_is_svm() ? tried - 2 : tried / 2 - 1;
	judge(tried && !taken && after.registers - before.registers >= least, "attack-39",
	      "%u writes to the host bridge's configuration, an IOMMU's and power management's: %u took "
	      "effect, %" PRIu64 " counted as refused", tried, taken, after.registers - before.registers);
}

/* Without Carrel: MMCONFIG off, and on again; PMBASE there, and back. */
static void control_bridge(void)
{
	const struct setting off = { 0x60, 4, 0 };
	unsigned int tried = 0, taken = configure(0, &off, &tried);

	judge(taken, "control-39-bridge", "%u of %u writes switch MMCONFIG off", taken, tried);
	tried = 0;
	taken = configure(LPC_BRIDGE, &power_settings[0], &tried);
	judge(taken, "control-39-power", "%u of %u writes move the ports of power management", taken,
	      tried);
}

/* A device's own window laid over private memory: an address that only it would answer to. */
static void window(void)
{
	unsigned int list[DMA_DEVICES_MAX], tried = 0, taken;
	struct setting bar = { 0x10, 4, 0 };
	struct attack scanned, seen;
	struct victim victim;
	size_t count;

	if (!dma_devices(list)) {
		skip("attack-39-bar", "no device with a window of its own");
		return;
	}
	dma_enable(list[0]);
	victim_start(&victim, PROTECTED);
	scanned = scan(victim.key);
	count = private_frames(&scanned);
	bar.value = count ? (uint32_t)(frames[count / 2] * PAGE & -0x100000UL) : 0;
	/* for as long as a look takes: it is put back */
	taken = configure(list[0], &bar, &tried);
	kill(victim.pid, SIGSTOP);
	seen = dma_scan(list[0], victim.key, frames, count < 16 ? count : 16);
	kill(victim.pid, SIGCONT);
	victim_finish(&victim);
	judge(count && taken == tried && victim_right(&victim) &&
	      (dma_state() != CARREL_DMA_PROTECTED || !seen.out[1]), "attack-39-bar",
	      "%s: its window moved over private memory %u times: %llu words read by DMA; victim: %s",
	      dma_name(list[0]), taken, seen.out[2], victim_fate(&victim));
}

/* --- 40: interrupt messages ---------------------------------------------------------------- */

#define MESSAGES	0xfee00000UL	/* and the APIC's number << 12 */
#define MODE_FIXED	(0u << 8)
#define MODE_NMI	(4u << 8)
#define MODE_INIT	(5u << 8)
#define RESCHEDULE	0xfd		/* Linux' vector: it does nothing but count */

/* A row of /proc/interrupts, of the last CPU. */
static uint64_t interrupts(const char *row)
{
	FILE *file = fopen("/proc/interrupts", "r");
	uint64_t count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *at = line + strspn(line, " ");

		if (strncmp(at, row, strlen(row)))
			continue;
		at += strlen(row);
		for (int cpu = 0; cpu < cpu_count(); cpu++)
			count = strtoull(at, &at, 10);
	}
	if (file)
		fclose(file);
	return count;
}

static void message(unsigned int device, bool capability, uint32_t data)
{
	uint64_t address = MESSAGES | (uint64_t)victim_cpu() << 12;
	struct attack a = { .op = ATTACK_MSI, .in = { device, address, data } };

	if (capability)
		module_do(&a);
	else
		dma_write(device, address, &data, sizeof(data));
	usleep(20000);
}

static uint64_t arrivals(unsigned int device, bool capability, uint32_t data, const char *row)
{
	uint64_t before = interrupts(row);

	for (int i = 0; i < 5; i++)
		message(device, capability, data);
	return interrupts(row) - before;
}

/* What all units let pass; -1 if DMA is not protected. */
static int msi_policy(void)
{
	uint64_t value[6];

	if (dma_state() != CARREL_DMA_PROTECTED || !carrel_info(CARREL_INFO_DMA_UNIT, 0, 0, value))
		return -1;
	return (int)(value[1] >> 16 & 0xff);
}

static const char *policy_text(int policy)
{
	switch (policy) {
	case CARREL_MSI_ANY:
		return "units pass every message";
	case CARREL_MSI_COMPATIBLE:
		return "units pass messages in compatibility format";
	case CARREL_MSI_FIXED:
		return "units pass fixed messages alone";
	}
	return "no IOMMU";
}

/*
 * Where units pass it, an NMI of a device is no more than what the kernel's own APIC
 * can send. The victim must survive either. (No SMI: these machines have no SMM, and a CPU
 * that is told to enter it runs whatever is there.)
 */
static void spoof(void)
{
	unsigned int list[DMA_DEVICES_MAX];
	int policy = msi_policy();

	if (!dma_devices(list) || cpu_count() < 2) {
		skip("attack-40", "no device that does DMA at our word, or no second CPU");
		return;
	}
	for (int capability = 0; capability < 2; capability++) {
		uint64_t fixed, nmi;
		struct victim victim;

		victim_start(&victim, PROTECTED);
		fixed = arrivals(list[0], capability, MODE_FIXED | RESCHEDULE, "RES:");
		nmi = arrivals(list[0], capability, MODE_NMI, "NMI:");
		victim_finish(&victim);
		judge(fixed >= 4 && (nmi > 0) == (policy != CARREL_MSI_FIXED) &&
		      victim_right(&victim), policy < 0 ? "control-40" : "attack-40",
		      "%s: by %s to the victim's CPU: %" PRIu64 " of 5 fixed messages arrived, %" PRIu64
		      " of 5 NMIs; victim: %s", policy_text(policy), capability ?
		      "the device's MSI capability" : "DMA", fixed, nmi, victim_fate(&victim));
	}
}

/* Where INIT is not intercepted, the CPU is gone: then so is the victim, and nothing of it left. */
static void spoof_init(void)
{
	unsigned int list[DMA_DEVICES_MAX];
	struct attack end = { .op = ATTACK_PORT, .in = { 0x64, 0xfe, 1 } }, found;
	int policy = msi_policy();
	struct victim victim;

	if (!dma_devices(list) || cpu_count() < 2) {
		skip("attack-40-init", "no device that does DMA at our word, or no second CPU");
		return;
	}
	victim_start(&victim, PROTECTED);
	message(list[0], true, MODE_INIT);
	usleep(200000);
	found = scan(victim.key);
	if (policy == CARREL_MSI_FIXED) {
		victim_finish(&victim);
		judge(victim_right(&victim) && !found.out[2], "attack-40-init", "%s: INIT to the "
		      "victim's CPU: victim: %s", policy_text(policy), victim_fate(&victim));
		return;
	}
	judge(!found.out[2], "attack-40-init", "%s: INIT to the victim's CPU: its secret is found in "
	      "%llu places", policy_text(policy), found.out[2]);
	/* without that CPU this kernel cannot even stop */
	sleep(2);
	module_do(&end);
}

const struct test device_tests[] = {
	{ "attack-38", takeover },
	{ "attack-39-tables", hidden_tables },
	{ "attack-39", configuration },
	{ "control-39-bridge", control_bridge },
	{ "attack-39-bar", window },
	{ "attack-40", spoof },
	{ "attack-40-init", spoof_init },
	{ 0 },
};
