/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks on memory: 1, 4, 5, 7, 11, 12, 13 of the catalogue, and the hypervisor's own memory. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include <secret.h>
#include "frames.h"
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define PTE_USER	0x267UL		/* present, writable, user, accessed, dirty, "special" */

static void set_pte(pid_t pid, uint64_t address, uint64_t entry)
{
	struct attack a = { .op = ATTACK_PTE_SET, .in = { (uint64_t)pid, address, entry } };

	module_do(&a);
}

static uint64_t make_page(const void *bytes)
{
	struct attack a = { .op = ATTACK_PAGE, .buffer = (uintptr_t)bytes, .size = PAGE };

	module_do(&a);
	return a.out[0];
}

static void free_page(uint64_t frame)
{
	struct attack a = { .op = ATTACK_PAGE_FREE, .in = { frame } };

	module_do(&a);
}

/* --- 1: direct map ------------------------------------------------------------------------- */

static void control_direct_map(void)
{
	struct victim victim;
	struct attack found;
	uint64_t frame;

	victim_start(&victim, PLAIN);
	found = scan(victim.key);
	frame = (pte(victim.pid, victim.secret) & FRAME_MASK) / PAGE;
	touch(&frame, 1, true, 0);
	victim_finish(&victim);
	judge(found.out[2] > 0 && victim.done && !victim.intact, "control-01",
	      "direct map: secret found in %llu places of %llu pages; after a write %s",
	      found.out[2], found.out[0], victim_fate(&victim));
}

static void direct_map(void)
{
	struct refused before, after;
	struct attack found, written;
	struct victim victim;

	control_direct_map();
	victim_start(&victim, PROTECTED);
	before = carrel_refused();
	found = scan(victim.key);
	written = touch(frames, refused_frames(&found), true, 0);
	after = carrel_refused();
	victim_finish(&victim);
	judge(!found.out[2] && found.out[1] && !written.out[0] && victim_right(&victim) &&
	      after.reads - before.reads >= found.out[1] &&
	      after.writes - before.writes >= written.out[1], "attack-01",
	      "direct map: found in %llu of %llu pages, %llu pages refused (counted %llu); writes: "
	      "%llu done, %llu refused (counted %llu); victim: %s", found.out[2], found.out[0],
	      found.out[1], (unsigned long long)(after.reads - before.reads), written.out[0],
	      written.out[1], (unsigned long long)(after.writes - before.writes),
	      victim_fate(&victim));
}

/* --- the hypervisor's own ------------------------------------------------------------------ */

static void hypervisor_memory(void)
{
	struct attack read, written, low_read, low_written;
	uint64_t value[6], count;

	carrel_info(CARREL_INFO_MEMORY, 0, 0, value);
	for (count = 0; count < value[1] / PAGE && count < FRAMES_MAX; count++)
		frames[count] = value[0] / PAGE + count;
	read = touch(frames, count, false, 0);
	written = touch(frames, count, true, 0);
	judge(count && !read.out[0] && !written.out[0], "attack-hypervisor-memory",
	      "%llu frames at %llxh: %llu read, %llu written", (unsigned long long)count,
	      (unsigned long long)value[0], read.out[0], written.out[0]);
	count = low_reserved(frames, FRAMES_MAX);
	low_read = touch(frames, count, false, 0);
	low_written = touch(frames, count, true, 0);
	judge(low_read.out[1] && low_read.out[1] == low_written.out[1], "attack-trampoline",
	      "%llu reserved frames below 640 KiB: %llu refuse reads, %llu writes",
	      (unsigned long long)count, low_read.out[1], low_written.out[1]);
}

/* --- 4: page table entries exchanged ------------------------------------------------------- */

static void exchange(struct victim *victim)
{
	uint64_t first = pte(victim->pid, victim->secret);
	uint64_t second = pte(victim->pid, victim->secret + PAGE);

	set_pte(victim->pid, victim->secret, second);
	set_pte(victim->pid, victim->secret + PAGE, first);
}

static void remap(void)
{
	static const uint8_t page[PAGE];
	struct victim victim;
	uint64_t frame, first, second;

	victim_start(&victim, PLAIN);
	exchange(&victim);
	victim_finish(&victim);
	judge(victim.done && !victim.intact, "control-04", "two pages exchanged: %s",
	      victim_fate(&victim));

	victim_start(&victim, PROTECTED);
	frame = make_page(page);
	first = pte(victim.pid, victim.secret);
	second = pte(victim.pid, victim.secret + PAGE);
	set_pte(victim.pid, victim.secret, frame * PAGE | PTE_USER);
	set_pte(victim.pid, victim.secret + PAGE, frame * PAGE | PTE_USER);
	usleep(100000);
	set_pte(victim.pid, victim.secret, first);
	set_pte(victim.pid, victim.secret + PAGE, second);
	free_page(frame);
	victim_finish(&victim);
	judge(victim_right(&victim), "attack-04", "the kernel's entries for two private pages "
	      "(%llx, %llx) replaced: %s", (unsigned long long)first, (unsigned long long)second,
	      victim_fate(&victim));
}

/* --- 5: the same frame in another process -------------------------------------------------- */

#define ALIAS	0x100000000000UL	/* nothing of a static program is there */

static sigjmp_buf fault_jump;

static void on_fault(int number)
{
	siglongjmp(fault_jump, number);
}

/* Copy the page at ALIAS; false if it faults. */
static bool copy_alias(uint8_t *to)
{
	bool copied = false;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	if (!sigsetjmp(fault_jump, 1)) {
		memcpy(to, (const void *)ALIAS, PAGE);
		copied = true;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return copied;
}

static size_t read_alias(uint64_t frame, uint64_t key, bool *copied)
{
	uint8_t page[PAGE] __attribute__((aligned(8))) = { 0 };

	set_pte(getpid(), ALIAS, frame * PAGE | PTE_USER);
	*copied = copy_alias(page);
	set_pte(getpid(), ALIAS, 0);
	return secret_pairs(key, page, sizeof(page));
}

static void alias(void)
{
	void *place = mmap((void *)ALIAS, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	size_t found, i, count, readable = 0;
	struct victim victim;
	struct attack scanned;
	bool copied;

	if (place == MAP_FAILED)
		die("mmap of the alias failed");
	victim_start(&victim, PLAIN);
	found = read_alias((pte(victim.pid, victim.secret) & FRAME_MASK) / PAGE, victim.key, &copied);
	victim_kill(&victim);
	judge(copied && found, "control-05", "the frame mapped into another process: %zu words seen",
	      found);

	victim_start(&victim, PROTECTED);
	scanned = scan(victim.key);
	count = refused_frames(&scanned);
	for (found = i = 0; i < count; i += 1 + count / 100) {
		found += read_alias(frames[i], victim.key, &copied);
		readable += copied;
	}
	victim_finish(&victim);
	judge(count && !found && !readable && victim_right(&victim), "attack-05",
	      "100 of %zu private frames mapped into another process: %zu readable; victim: %s",
	      count, readable, victim_fate(&victim));
	munmap(place, PAGE);
}

/* --- 7: a code page replaced --------------------------------------------------------------- */

/* incq *errors, in the eight bytes that the victim's loop offers. */
static void patch(uint8_t *page, const struct victim *victim)
{
	const uint8_t code[8] = { 0x48, 0xff, 0x04, 0x25 };
	uint32_t address = (uint32_t)victim->errors;

	memcpy(page + victim->patch % PAGE, code, sizeof(code));
	memcpy(page + victim->patch % PAGE + 4, &address, sizeof(address));
}

static void replace_code(struct victim *victim)
{
	static uint8_t page[PAGE];
	struct attack a = {
		.op = ATTACK_READ,
		.in = { (uint64_t)victim->pid, victim->patch & -PAGE, READ_WALK },
		.buffer = (uintptr_t)page, .size = PAGE,
	};
	uint64_t frame, entry = pte(victim->pid, victim->patch);

	memset(page, 0x90, sizeof(page));
	module_do(&a);
	patch(page, victim);
	frame = make_page(page);
	set_pte(victim->pid, victim->patch, frame * PAGE | PTE_USER);
	usleep(100000);
	set_pte(victim->pid, victim->patch, entry);
	victim_finish(victim);
	free_page(frame);
}

static void code_page(void)
{
	struct victim victim;

	victim_start(&victim, PLAIN);
	replace_code(&victim);
	judge(victim.done && !victim.intact, "control-07", "code page replaced for 0.1 s: %s",
	      victim_fate(&victim));
	victim_start(&victim, PROTECTED);
	replace_code(&victim);
	judge(victim_right(&victim), "attack-07", "code page replaced for 0.1 s: %s",
	      victim_fate(&victim));
}

/* --- 11: what a killed process leaves ------------------------------------------------------ */

static void residue(void)
{
	struct victim victim;
	struct attack found;
	uint64_t donated;

	victim_start(&victim, PLAIN);
	victim_kill(&victim);
	found = scan(victim.key);
	judge(found.out[2] > 0, "control-11", "killed: secret left in %llu places", found.out[2]);
	victim_start(&victim, PROTECTED);
	donated = carrel_donated();
	victim_kill(&victim);
	found = scan(victim.key);
	judge(donated && !carrel_donated() && !found.out[2], "attack-11",
	      "killed: %llu chunks came back, secret left in %llu places",
	      (unsigned long long)donated, found.out[2]);
}

/* --- 12: stale translations ---------------------------------------------------------------- */

static int64_t call(uint64_t number, uint64_t argument)
{
	struct attack a = { .op = ATTACK_HYPERCALL, .in = { number, argument } };

	module_do(&a);
	return (int64_t)a.out[0];
}

/* FLUSH on every CPU but the last, or on that one. */
static void flush(bool last)
{
	for (int cpu = 0; cpu < cpu_count(); cpu++) {
		if ((cpu == cpu_count() - 1) != last)
			continue;
		run_on(cpu);
		call(CARREL_HC_FLUSH, 0);
	}
	run_on(0);
}

/*
 * Emulators flush by themselves, so what is scored is the ledger: a donated chunk
 * is nobody's until the last CPU that may have cached it has flushed.
 */
static void stale(void)
{
	struct attack chunk = { .op = ATTACK_CHUNK }, seen;
	int64_t first, partly, now, returned;
	uint64_t frame;

	module_do(&chunk);
	frame = chunk.out[0] * 512;
	seen = touch(&frame, 1, false, 0);
	judge(seen.out[0] == 1, "control-12", "before its donation the chunk can be read");
	first = call(CARREL_HC_DONATE, chunk.out[0]);
	seen = touch(&frame, 1, false, 0);
	flush(false);
	partly = call(CARREL_HC_DONATE, chunk.out[0]);
	flush(true);
	now = call(CARREL_HC_DONATE, chunk.out[0]);
	returned = call(CARREL_HC_RETURN, chunk.out[0]);
	judge(first == CARREL_PENDING && seen.out[1] == 1 && partly == CARREL_PENDING && now == 0 &&
	      returned == 0, "attack-12", "DONATE answers %lld; after a flush of all CPUs but one "
	      "%lld; of the last %lld; RETURN %lld", (long long)first, (long long)partly,
	      (long long)now, (long long)returned);
	chunk.op = ATTACK_CHUNK_FREE;
	chunk.in[0] = chunk.out[0];
	module_do(&chunk);
}

/* --- 13: memory types, and the APIC over a private frame ----------------------------------- */

#define MSR_APIC_BASE	0x1b
#define MSR_MTRR_BASE0	0x200
#define MSR_MTRR_MASK0	0x201
#define MSR_PAT		0x277

static struct attack write_msr(uint64_t msr, uint64_t value, bool restore)
{
	struct attack a = { .op = ATTACK_MSR, .in = { msr, value, restore } };

	module_do(&a);
	return a;
}

static void memory_type(void)
{
	struct attack found, apic, base, mask, pat, again;
	struct victim victim;
	uint64_t target, entry;

	victim_start(&victim, PLAIN);
	entry = pte(victim.pid, victim.secret);
	set_pte(victim.pid, victim.secret, entry | 0x18);	/* PCD, PWT: uncached */
	found = scan(victim.key);
	set_pte(victim.pid, victim.secret, entry);
	victim_kill(&victim);
	judge(found.out[2] > 0, "control-13", "uncached by its kernel's choice: found in %llu places",
	      found.out[2]);

	victim_start(&victim, PROTECTED);
	found = scan(victim.key);
	target = refused_frames(&found) ? frames[refused_frames(&found) / 2] * PAGE : 0;
	apic = write_msr(MSR_APIC_BASE, target | 0x900, true);
	base = write_msr(MSR_MTRR_BASE0, target & -CARREL_CHUNK_SIZE, true);
	mask = write_msr(MSR_MTRR_MASK0, 0xffffe00000 | 0x800, false);
	pat = write_msr(MSR_PAT, 0, true);
	usleep(50000);
	again = scan(victim.key);
	write_msr(MSR_MTRR_MASK0, mask.out[2], false);
	victim_finish(&victim);
	judge(target && apic.out[0] && !again.out[2] && victim_right(&victim), "attack-13",
	      "APIC base over a private frame: %s; MTRR uncached over it: %s; PAT: %s; found in %llu "
	      "places; victim: %s", apic.out[0] ? "refused" : "taken",
	      base.out[0] ? "refused" : "shadowed", pat.out[0] ? "refused" : "the kernel's own",
	      again.out[2], victim_fate(&victim));
}

const struct test memory_tests[] = {
	{ "attack-01", direct_map },
	{ "attack-hypervisor-memory", hypervisor_memory },
	{ "attack-04", remap },
	{ "attack-05", alias },
	{ "attack-07", code_page },
	{ "attack-11", residue },
	{ "attack-12", stale },
	{ "attack-13", memory_type },
	{ 0 },
};
