/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks by devices: 37 of the catalogue, by QEMU's edu on two buses. What is refused
 * where DMA is protected is a control where it is not: the same transfers arrive there.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>
#include <carrel/hypercall.h>
#include <secret.h>
#include "dma.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

size_t dma_every = 1;

/* --- transfers ----------------------------------------------------------------------------- */

static bool dma(unsigned int device, bool write, uint64_t memory, void *bytes, size_t size)
{
	struct attack a = {
		.op = ATTACK_DMA, .in = { device, write, memory },
		.buffer = (uintptr_t)bytes, .size = size,
	};

	return !module_try(&a);
}

bool dma_read(unsigned int device, uint64_t memory, void *bytes, size_t size)
{
	memset(bytes, 0, size);
	return dma(device, false, memory, bytes, size);
}

bool dma_write(unsigned int device, uint64_t memory, const void *bytes, size_t size)
{
	return dma(device, true, memory, (void *)bytes, size);
}

struct attack dma_scan(unsigned int device, uint64_t key, const uint64_t *list, size_t count)
{
	struct attack a = {
		.op = ATTACK_DMA_SCAN, .in = { device, key },
		.buffer = (uintptr_t)list, .size = count * sizeof(*list),
	};

	if (count)
		module_do(&a);
	return a;
}

/* At most DMA_HANDFUL frames of a list, spread over it, overwritten. */
size_t dma_spoil(unsigned int device, const uint64_t *list, size_t count)
{
	uint8_t bytes[DMA_PIECE];
	size_t step = count / DMA_HANDFUL + 1, done = 0;

	memset(bytes, 0xa5, sizeof(bytes));
	for (size_t i = 0; i < count; i += step)
		done += dma_write(device, list[i] * PAGE, bytes, sizeof(bytes));
	return done;
}

/* --- what the hypervisor says -------------------------------------------------------------- */

uint64_t dma_state(void)
{
	uint64_t value[6];

	return carrel_info(CARREL_INFO_DMA, 0, 0, value) ? value[0] : CARREL_DMA_UNPROTECTED;
}

uint64_t dma_faults(unsigned int device)
{
	uint64_t value[6];

	carrel_info(CARREL_INFO_DMA, 0, 0, value);
	for (uint64_t i = 0; carrel_info(CARREL_INFO_DMA_FAULTS, i, 0, value); i++)
		if (value[0] == device)
			return value[1];
	return 0;
}

/*
 * QEMU's AMD-Vi reports nothing where an entry is all zero, as ours are: there it must suffice
 * that nothing arrives.
 */
bool dma_tells(void)
{
	uint64_t value[6] = { 0 };

	carrel_info(CARREL_INFO_DMA, 0, 0, value);
	return memcmp(&value[1], "AMD-Vi", 6) != 0;
}

bool dma_logged(void)
{
	return strstr(carrel_new_log(), "DMA") != NULL;
}

/* --- devices ------------------------------------------------------------------------------- */

size_t dma_devices(unsigned int list[DMA_DEVICES_MAX])
{
	unsigned int bus, slot, function;
	size_t count = 0;
	char line[128];
	FILE *file = popen("cd /sys/bus/pci/devices && grep -l 0x11e8 */device | sort", "r");

	while (file && count < DMA_DEVICES_MAX && fgets(line, sizeof(line), file))
		if (sscanf(line, "0000:%x:%x.%u/", &bus, &slot, &function) == 3)
			list[count++] = bus << 8 | slot << 3 | function;
	if (file)
		pclose(file);
	return count;
}

const char *dma_name(unsigned int device)
{
	static char text[20];

	snprintf(text, sizeof(text), "0000:%02x:%02x.%x", device >> 8 & 0xff,
		 device >> 3 & 0x1f, device & 7);
	return text;
}

void dma_enable(unsigned int device)
{
	struct attack a = { .op = ATTACK_DMA_ENABLE, .in = { device } };

	module_do(&a);
}

/* --- 37: reading and writing --------------------------------------------------------------- */

/* Memory of this kernel, here of the runner: both ways, always. */
static void ordinary(unsigned int device)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	uint8_t got[DMA_PIECE], given[DMA_PIECE];
	uint64_t at, faults = dma_faults(device);
	bool read, written;

	if (page == MAP_FAILED)
		die("no page");
	memset(page, 0x3c, PAGE);
	memset(given, 0x5a, sizeof(given));
	at = pte(getpid(), (uintptr_t)page) & FRAME_MASK;
	read = dma_read(device, at, got, sizeof(got)) && !memcmp(got, page, sizeof(got));
	written = dma_write(device, at + DMA_PIECE, given, sizeof(given)) &&
		!memcmp(page + DMA_PIECE, given, sizeof(given)) && page[0] == 0x3c;
	judge(read && written && dma_faults(device) == faults, "control-37-memory",
	      "%s: ordinary memory %s read and %s written", dma_name(device), read ? "is" : "is not",
	      written ? "is" : "is not");
	munmap(page, PAGE);
}

static void plain(unsigned int device)
{
	uint8_t got[DMA_PIECE], zero[64] = { 0 };
	struct victim victim;
	uint64_t at;
	size_t found;

	victim_start(&victim, PLAIN);
	kill(victim.pid, SIGSTOP);
	at = pte(victim.pid, victim.secret) & FRAME_MASK;
	dma_read(device, at, got, sizeof(got));
	found = secret_pairs(victim.key, got, sizeof(got));
	dma_write(device, at, zero, sizeof(zero));
	kill(victim.pid, SIGCONT);
	victim_finish(&victim);
	judge(found && victim.done && !victim.intact, "control-37", "%s: unprotected program: %zu "
	      "words of its secret read, then overwritten: %s", dma_name(device), found,
	      victim_fate(&victim));
}

/* Those of a list that refuse to be read. */
static size_t refused_only(uint64_t *list, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		if (touch(&list[i], 1, false, 0).out[1])
			list[left++] = list[i];
	return left;
}

size_t private_frames(const struct attack *scan)
{
	uint64_t memory[6];
	size_t seen = 0, count = 0;

	carrel_info(CARREL_INFO_MEMORY, 0, 0, memory);
	for (size_t i = 0; i < refused_frames(scan); i++)
		if (frames[i] >= 0x100 && frames[i] - memory[0] / PAGE >= memory[1] / PAGE &&
		    seen++ % dma_every == 0)
			frames[count++] = frames[i];
	return count;
}

size_t thin(size_t count, size_t step)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i += step)
		frames[left++] = frames[i];
	return left;
}

/* A scan uses up all lines that a guest may cause; one more is logged each 2^32 cycles. */
static void wait_for_log(void)
{
	uint64_t begin = __rdtsc();

	while (__rdtsc() - begin < 1UL << 32)
		usleep(100000);
}

/* Every `step`th of their frames is read. */
static void guarded(unsigned int device, size_t step)
{
	bool open = dma_state() == CARREL_DMA_UNPROTECTED;
	uint64_t faults = dma_faults(device);
	struct attack scanned, seen;
	struct victim victim;
	size_t count, written = 0;

	carrel_new_log();
	victim_start(&victim, PROTECTED);
	scanned = scan(victim.key);
	count = private_frames(&scanned);
	kill(victim.pid, SIGSTOP);
	if (!open) {
		wait_for_log();
		written = dma_spoil(device, frames, count);
	}
	count = thin(count, step);
	seen = dma_scan(device, victim.key, frames, count);
	faults = dma_faults(device) - faults;
	kill(victim.pid, SIGCONT);
	victim_finish(&victim);
	if (open)
		judge(seen.out[2], "control-37-open", "%s, no IOMMU: %llu words of a protected "
		      "program's secret in %zu frames", dma_name(device), seen.out[2], count);
	else
		judge(count && !seen.out[1] && !seen.out[2] && written &&
		      (!dma_tells() || (faults && dma_logged())) && victim_right(&victim),
		      "attack-37", "%s: %zu private frames: "
		      "%llu transfers, %llu brought anything, %llu words of the secret; %zu frames "
		      "written; %" PRIu64 " faults counted; victim: %s", dma_name(device), count,
		      seen.out[0], seen.out[1], seen.out[2], written, faults, victim_fate(&victim));
}

/* Its code, its page tables and the IOMMU's are all there; and the page that CPUs start in.
 * Every `step`th page is read. */
static void hypervisor(unsigned int device, size_t step)
{
	bool open = dma_state() == CARREL_DMA_UNPROTECTED;
	uint64_t memory[6], faults = dma_faults(device);
	struct attack seen, low;
	size_t count, written;

	carrel_info(CARREL_INFO_MEMORY, 0, 0, memory);
	for (count = 0; count * step < memory[1] / PAGE && count < FRAMES_MAX; count++)
		frames[count] = memory[0] / PAGE + count * step;
	seen = dma_scan(device, 0, frames, count);
	if (open) {
		judge(seen.out[1], "control-37-hypervisor", "%s, no IOMMU: %llu of %llu transfers "
		      "brought the hypervisor's memory", dma_name(device), seen.out[1], seen.out[0]);
		return;
	}
	written = dma_spoil(device, frames, count);
	count = refused_only(frames, low_reserved(frames, FRAMES_MAX));
	low = dma_scan(device, 0, frames, count);
	written += dma_spoil(device, frames, count);
	faults = dma_faults(device) - faults;
	judge(seen.out[0] && low.out[0] && !seen.out[1] && !low.out[1] && written &&
	      (faults || !dma_tells()) && dma_state() == CARREL_DMA_PROTECTED,
	      "attack-37-hypervisor", "%s: the hypervisor's "
	      "range: %llu of %llu transfers brought anything; refused pages below 640 KiB: %llu "
	      "of %llu; %zu pages written; %" PRIu64 " faults counted", dma_name(device),
	      seen.out[1], seen.out[0], low.out[1], low.out[0], written, faults);
}

static void masters(void)
{
	unsigned int list[DMA_DEVICES_MAX];
	bool open = dma_state() == CARREL_DMA_UNPROTECTED;

	if (dma_devices(list) < 2) {
		skip("attack-37", "this machine has not two devices that do DMA at our word");
		return;
	}
	/* the one on bus 0 reads all; where nothing stops it, samples of what is not secret */
	for (size_t i = 0; i < 2; i++) {
		ordinary(list[i]);
		plain(list[i]);
		if (!i || !open)
			guarded(list[i], i ? 4 : 1);
		hypervisor(list[i], (i || open ? 8 : 1) * dma_every);
	}
}

/* --- a requester that nobody knows --------------------------------------------------------- */

#define BRIDGE_BUSES	0x18	/* PCI-to-PCI bridge: primary, secondary, subordinate bus number */
#define UNKNOWN_BUS	0x60
#define NEW_BUS		0x61

static bool bridge_buses(unsigned int bridge, uint64_t secondary)
{
	uint64_t value = bridge >> 8 | secondary << 8 | secondary << 16;
	struct attack a = {
		.op = ATTACK_CONFIG, .in = { bridge, BRIDGE_BUSES, 4, CONFIG_PORTS, 0, 1, value, 0 },
	};

	module_do(&a);
	return !a.out[0] && a.out[2] == value;
}

/* The bridge that has a device's bus behind it. */
static unsigned int bridge_of(unsigned int device)
{
	unsigned int domain, bus, slot, function;
	char command[128], line[64] = "";
	FILE *file;

	snprintf(command, sizeof(command), "basename $(dirname $(readlink -f "
		 "/sys/bus/pci/devices/%s))", dma_name(device));
	file = popen(command, "r");
	if (!file || !fgets(line, sizeof(line), file) ||
	    sscanf(line, "%x:%x:%x.%u", &domain, &bus, &slot, &function) != 4)
		die("no bridge above %s: %s", dma_name(device), line);
	pclose(file);
	return bus << 8 | slot << 3 | function;
}

static bool reaches(unsigned int device, uint64_t at)
{
	uint64_t got;

	return dma_read(device, at, &got, sizeof(got)) && got;
}

static int64_t admit(uint64_t requester)
{
	struct attack a = { .op = ATTACK_HYPERCALL, .in = { CARREL_HC_ADMIT, requester } };

	module_do(&a);
	return (int64_t)a.out[0];
}

/*
 * Its bridge gets another bus number, so it asks by a number that was not there at boot.
 * (It has done no DMA before: QEMU keeps the context that it found for a device.)
 */
static void stranger(unsigned int device, uint64_t page)
{
	unsigned int bridge = bridge_of(device), unknown = UNKNOWN_BUS << 8 | (device & 0xff);
	bool renumbered, before, after, hidden;
	uint64_t faults, memory[6];
	int64_t answer;

	carrel_info(CARREL_INFO_MEMORY, 0, 0, memory);
	/* Linux turns it on by the number that it knows. */
	dma_enable(device);
	renumbered = bridge_buses(bridge, UNKNOWN_BUS);
	before = reaches(device, page);
	faults = dma_faults(unknown);
	answer = admit(unknown);
	after = reaches(device, page);
	hidden = !reaches(device, memory[0]);
	bridge_buses(bridge, device >> 8);
	judge(renumbered && !before && faults && !answer && after && hidden, "attack-37-unknown",
	      "%s behind a bus %s another number: memory %s before ADMIT (%" PRIu64 " faults), which "
	      "answers %" PRId64 ", and %s after it; the hypervisor %s", dma_name(device),
	      renumbered ? "of" : "that refuses", before ? "reached" : "not reached", faults,
	      answer, after ? "reached" : "not reached",
	      hidden ? "not" : "also");
}

static bool sysfs(const char *path, const char *word)
{
	FILE *file = fopen(path, "w");
	bool good = file && fputs(word, file) >= 0;

	return file && !fclose(file) && good;
}

/*
 * As if it were plugged in: Linux forgets the bridge and finds it again with a bus number that was
 * not there at boot. Nobody but carrel.ko asks for its admission.
 */
static void newcomer(unsigned int device, uint64_t page)
{
	unsigned int bridge = bridge_of(device), now = NEW_BUS << 8 | (device & 0xff);
	bool renumbered, found, reached, hidden;
	uint64_t memory[6];
	char path[64];

	carrel_info(CARREL_INFO_MEMORY, 0, 0, memory);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", dma_name(bridge));
	renumbered = sysfs(path, "1") && bridge_buses(bridge, NEW_BUS);
	found = sysfs("/sys/bus/pci/rescan", "1") &&
		!module_try(&(struct attack){ .op = ATTACK_DMA_ENABLE, .in = { now } });
	reached = found && reaches(now, page);
	hidden = found && !reaches(now, memory[0]);
	judge(renumbered && found && reached && hidden, "attack-37-newcomer", "%s is new to Linux "
	      "(%s): carrel.ko has it admitted, memory %s; the hypervisor %s", dma_name(now),
	      found ? "found" : "not found", reached ? "reached" : "not reached",
	      hidden ? "not" : "also");
}

static void unknown(void)
{
	unsigned int list[DMA_DEVICES_MAX];
	uint64_t *page, at;

	if (dma_devices(list) < 4 || dma_state() != CARREL_DMA_PROTECTED) {
		skip("attack-37-unknown", "no third and fourth device, or no IOMMU");
		return;
	}
	if (!dma_tells()) {
		skip("attack-37-unknown", "QEMU's AMD-Vi knows devices behind bridges by bus 0");
		return;
	}
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		die("no page");
	*page = 0x1234;
	at = pte(getpid(), (uintptr_t)page) & FRAME_MASK;
	stranger(list[2], at);
	newcomer(list[3], at);
	munmap(page, PAGE);
}

/* --- what cannot be tried here ------------------------------------------------------------- */

static void not_here(void)
{
	skip("attack-37-boot", "no device of these machines transfers before Linux asks it to");
	skip("attack-40-ats", "edu cannot send translated requests; a device that can finds no unit "
	     "that lets them pass");
}

const struct test dma_tests[] = {
	{ "attack-37", masters },
	{ "attack-37-unknown", unknown },
	{ "attack-40-ats", not_here },
	{ 0 },
};
