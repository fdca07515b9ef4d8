// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * A hypervisor for tests of carrel.ko on a bare kernel: takes the place of the
 * module's hypercall.c, which executes the instruction. It keeps an owner for
 * every chunk and block, answers PENDING, MORE and EBUSY before it is done,
 * poisons what it was given, and counts in `violations` whatever a module must
 * never do. Calls can be made to fail (fail_*).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include <asm/smp.h>
#include <crypto/sha2.h>
#include <carrel/identity.h>
#include "hypercall.h"

#define PROCESSES	8
#define CHUNK_PAGES	(CARREL_CHUNK_SIZE / PAGE_SIZE)
/* Of each chunk, what ADD may use: little, so that processes must grow. */
#define USABLE_PAGES	16
#define POISON		0xA5A5A5A5A5A5A5A5ULL

enum step { LEAVING, WORKING, OURS, RETURNING };

struct owned {
	enum step step;
	u64 process;	/* 0: no process yet */
	u64 stamp;	/* of the flush that is owed */
};

struct fake_process {
	u64 id;		/* 0: free */
	bool started;
	enum { ALIVE, DYING, SCRUBBING } life;
	unsigned int chunks, used, limit, blocks, lent;
	u64 stamp;
	struct sha256_state measure;
};

static DEFINE_SPINLOCK(lock);
static DEFINE_XARRAY(chunks);	/* by number: struct owned */
static DEFINE_XARRAY(blocks);	/* by number: the process, as a value */
static struct fake_process processes[PROCESSES];
static u64 next_id = 1, stamp;
static DEFINE_PER_CPU(u64, seen);
static unsigned long busy_turn;

static unsigned int violations, held, calls, fail_number, fail_skip, fail_times, kill_in;
static unsigned int stuck, stuck_after_lend, parked;
static int fail_code;
module_param(parked, uint, 0444);	/* calls of PARK */
module_param(stuck, uint, 0644);	/* a CPU does not flush */
module_param(stuck_after_lend, uint, 0644);	/* ... from the next LEND on */
module_param(violations, uint, 0444);
module_param(held, uint, 0444);		/* chunks and blocks that are not the kernel's */
module_param(calls, uint, 0444);
module_param(fail_number, uint, 0644);
module_param(fail_times, uint, 0644);
module_param(fail_skip, uint, 0644);	/* calls of that number that go through before */
module_param(fail_code, int, 0644);
module_param(kill_in, uint, 0644);	/* calls until the caller gets SIGKILL */

#define VIOLATION(what, ...) do {				\
	violations++;						\
	pr_err("violation: " what "\n", ##__VA_ARGS__);		\
} while (0)

int hc_detect(void)
{
	return 0;
}

bool hc_is_vmmcall(void)
{
	return true;
}

static bool flushed(u64 since)
{
	int cpu;

	if (READ_ONCE(stuck))
		return false;
	for_each_online_cpu(cpu)
		if (per_cpu(seen, cpu) < since)
			return false;
	return true;
}

static struct fake_process *find_process(u64 id)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		if (id && processes[i].id == id)
			return &processes[i];
	return NULL;
}

static void fill(u64 chunk, u64 value)
{
	u64 *words = pfn_to_kaddr(chunk << (CARREL_CHUNK_SHIFT - PAGE_SHIFT));

	memset64(words, value, CARREL_CHUNK_SIZE / sizeof(*words));
}

static void check_poison(u64 chunk)
{
	u64 *words = pfn_to_kaddr(chunk << (CARREL_CHUNK_SHIFT - PAGE_SHIFT));
	unsigned long i;

	for (i = 0; i < CARREL_CHUNK_SIZE / sizeof(*words); i++) {
		if (words[i] != POISON) {
			VIOLATION("donated chunk %llx was written", chunk);
			return;
		}
	}
}

static void check_donation(u64 chunk)
{
	struct page *page = pfn_to_page(chunk << (CARREL_CHUNK_SHIFT - PAGE_SHIFT));
	unsigned long i;

	for (i = 0; i < CHUNK_PAGES; i++) {
		if (!PageOffline(page + i)) {
			VIOLATION("page %lu of chunk %llx is not marked", i, chunk);
			return;
		}
	}
	for (i = 0; i < CARREL_CHUNK_SIZE / CARREL_BLOCK_SIZE; i++)
		if (xa_load(&blocks, (chunk << 5) + i))
			VIOLATION("chunk %llx holds a lent block", chunk);
}

/* A donation takes a flush, then a second call for the work. */
static long donate(struct hc_regs *regs)
{
	struct owned *owned = xa_load(&chunks, regs->rdi);
	struct fake_process *process = find_process(regs->rsi);

	if (regs->rsi && (!process || process->life != ALIVE))
		return CARREL_EDEAD;
	if (!owned) {
		check_donation(regs->rdi);
		owned = kzalloc(sizeof(*owned), GFP_ATOMIC);
		if (!owned || xa_err(xa_store(&chunks, regs->rdi, owned, GFP_ATOMIC)))
			return CARREL_ELIMIT;
		owned->stamp = ++stamp;
		held++;
		return CARREL_PENDING;
	}
	switch (owned->step) {
	case LEAVING:
		if (!flushed(owned->stamp))
			return CARREL_PENDING;
		owned->step = WORKING;
		return CARREL_MORE;
	case WORKING:
		fill(regs->rdi, POISON);
		owned->step = OURS;
		owned->process = regs->rsi;
		if (process)
			process->chunks++;
		return 0;
	default:
		return CARREL_EOWNER;
	}
}

static long give_back(struct hc_regs *regs)
{
	struct owned *owned = xa_load(&chunks, regs->rdi);

	if (!owned)
		return CARREL_EOWNER;
	if (owned->step == LEAVING || owned->step == WORKING || owned->process)
		return CARREL_ESTATE;
	if (owned->step != RETURNING) {
		check_poison(regs->rdi);
		owned->step = RETURNING;
		owned->stamp = ++stamp;
		return CARREL_PENDING;
	}
	if (!flushed(owned->stamp))
		return CARREL_PENDING;
	fill(regs->rdi, 0);
	xa_erase(&chunks, regs->rdi);
	kfree(owned);
	held--;
	return 0;
}

static long create(struct hc_regs *regs)
{
	struct owned *owned = xa_load(&chunks, regs->rdi);
	struct carrel_measure_create record = {
		.magic = CARREL_MEASURE_CREATE,
		.abi = CARREL_ABI_VERSION,
		.limit = regs->r10,
		.slots = regs->rdx & 0xFFFF,
		.blocks = regs->rdx >> 16,
		.entry = CARREL_SHIM_VA,
		.threads = CARREL_THREADS_VA,
		.gate = CARREL_GATE_VA,
		.channel = CARREL_CHANNEL_VA,
	};
	unsigned int i;

	if (regs->rsi != CARREL_ABI_VERSION)
		return CARREL_EARG;
	if (!owned || owned->step != OURS || owned->process)
		return CARREL_EOWNER;
	for (i = 0; i < PROCESSES && processes[i].id; i++)
		;
	if (i == PROCESSES)
		return CARREL_ELIMIT;
	owned->process = next_id;
	processes[i] = (struct fake_process){
		.id = next_id,
		.chunks = 1,
		.limit = regs->r10,
		.blocks = regs->rdx >> 16,
	};
	sha256_init(&processes[i].measure);
	sha256_update(&processes[i].measure, (u8 *)&record, sizeof(record));
	regs->rdi = next_id++;
	regs->rsi = 0x1111;
	regs->rdx = 0x2222;
	return 0;
}

static long lend(struct hc_regs *regs)
{
	struct fake_process *process = find_process(regs->rdi);

	if (!process || process->life != ALIVE)
		return CARREL_EDEAD;
	if (regs->rdx >= process->blocks)
		return CARREL_EARG;
	if (xa_load(&blocks, regs->rsi))
		VIOLATION("block %llx lent twice", regs->rsi);
	if (xa_load(&chunks, regs->rsi >> 5))
		VIOLATION("block %llx lies in a donated chunk", regs->rsi);
	if (xa_err(xa_store(&blocks, regs->rsi, xa_mk_value(process->id), GFP_ATOMIC)))
		return CARREL_ELIMIT;
	process->lent++;
	held++;
	stuck |= stuck_after_lend;
	return 0;
}

static long add(struct hc_regs *regs)
{
	struct fake_process *process = find_process(regs->rdi);
	struct carrel_measure_add record = {
		.magic = CARREL_MEASURE_ADD, .address = regs->rdx, .type = regs->r10,
	};

	if (!process || process->life != ALIVE)
		return CARREL_EDEAD;
	if (process->started)
		return CARREL_ESTATE;
	if (regs->rdx < CARREL_SHIM_VA)
		return CARREL_EARG;
	if (process->used == process->chunks * USABLE_PAGES)
		return CARREL_ENOMEM;
	if (xa_load(&chunks, regs->rsi >> 9))
		VIOLATION("ADD from a donated chunk");
	process->used++;
	sha256_update(&process->measure, (u8 *)&record, sizeof(record));
	sha256_update(&process->measure, pfn_to_kaddr(regs->rsi), PAGE_SIZE);
	return 0;
}

static long start(struct hc_regs *regs)
{
	struct carrel_measure_init record = { .magic = CARREL_MEASURE_INIT };
	struct fake_process *process = find_process(regs->rdi);

	if (!process || process->life != ALIVE)
		return CARREL_EDEAD;
	if (process->started)
		return CARREL_ESTATE;
	if (process->lent != process->blocks)
		VIOLATION("process started with %u of %u blocks", process->lent, process->blocks);
	process->started = true;
	sha256_update(&process->measure, (u8 *)&record, sizeof(record));
	sha256_final(&process->measure, (u8 *)regs);
	return 0;
}

static void release_all(u64 id)
{
	struct owned *owned;
	unsigned long index;
	void *entry;

	xa_for_each(&chunks, index, owned)
		if (owned->process == id)
			owned->process = 0;
	xa_for_each(&blocks, index, entry) {
		if (xa_to_value(entry) == id) {
			xa_erase(&blocks, index);
			held--;
		}
	}
}

static long destroy(struct hc_regs *regs)
{
	struct fake_process *process = find_process(regs->rdi);

	if (!process)
		return CARREL_EARG;
	switch (process->life) {
	case ALIVE:
		process->life = DYING;
		process->stamp = ++stamp;
		return CARREL_PENDING;
	case DYING:
		if (!flushed(process->stamp))
			return CARREL_PENDING;
		process->life = SCRUBBING;
		return CARREL_MORE;
	case SCRUBBING:
		if (process->chunks > 1) {
			process->chunks--;
			return CARREL_MORE;
		}
	}
	release_all(process->id);
	process->id = 0;
	return 0;
}

static long read_log(struct hc_regs *regs)
{
	static const char text[40] = "a line of forty bytes, newline included";
	u64 position = regs->rdi;

	if (position >= 3 * sizeof(text))
		return 0;
	memcpy(regs, text, sizeof(text));
	regs->r9 = position + sizeof(text);
	return sizeof(text);
}

static long park(struct hc_regs *regs)
{
	int cpu;

	for_each_online_cpu(cpu)
		if (per_cpu(x86_cpu_to_apicid, cpu) == regs->rdi)
			VIOLATION("PARK of CPU %d, which is online", cpu);
	parked++;
	return 0;
}

static long call(unsigned int nr, struct hc_regs *regs)
{
	switch (nr) {
	case CARREL_HC_DONATE:
		return donate(regs);
	case CARREL_HC_RETURN:
		return give_back(regs);
	case CARREL_HC_CREATE:
		return create(regs);
	case CARREL_HC_ADD:
		return add(regs);
	case CARREL_HC_LEND:
		return lend(regs);
	case CARREL_HC_INIT:
		return start(regs);
	case CARREL_HC_DESTROY:
		return destroy(regs);
	case CARREL_HC_FLUSH:
		this_cpu_write(seen, stamp);
		return 0;
	case CARREL_HC_PARK:
		return park(regs);
	case CARREL_HC_INFO:
		if (regs->rdi != CARREL_INFO_PROCESS || regs->rsi >= PROCESSES)
			return CARREL_EARG;
		regs->rdi = processes[regs->rsi].id;
		return 0;
	case CARREL_HC_LOG:
		return read_log(regs);
	}
	VIOLATION("unknown hypercall %u", nr);
	return CARREL_ECALL;
}

static bool injected(unsigned int nr)
{
	if (nr != READ_ONCE(fail_number))
		return false;
	if (fail_skip) {
		fail_skip--;
		return false;
	}
	if (!fail_times)
		return false;
	fail_times--;
	return true;
}

long hc_once(unsigned int nr, struct hc_regs *regs)
{
	unsigned long flags;
	long result;
	bool kill;

	spin_lock_irqsave(&lock, flags);
	calls++;
	kill = nr != CARREL_HC_FLUSH && kill_in && --kill_in == 0;
	if (nr != CARREL_HC_LOG && nr != CARREL_HC_FLUSH && ++busy_turn % 7 == 0)
		result = CARREL_EBUSY;
	else if (injected(nr))
		result = fail_code;
	else
		result = call(nr, regs);
	spin_unlock_irqrestore(&lock, flags);
	if (kill)
		send_sig(SIGKILL, current, 1);
	return result;
}
