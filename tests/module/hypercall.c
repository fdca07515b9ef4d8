// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * A hypervisor for tests of carrel.ko on a bare kernel: takes the place of the
 * module's hypercall.c, which executes the instruction. It keeps an owner for
 * every chunk and block, answers PENDING, MORE and EBUSY before it is done,
 * poisons what it was given, and counts in `violations` whatever a module must
 * never do. Calls can be made to fail (fail_*).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
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
#include <carrel/ioctl.h>
#include "hypercall.h"

#define PROCESSES	8
#define CHUNK_PAGES	(CARREL_CHUNK_SIZE / PAGE_SIZE)
/* Of each chunk, what ADD may use: little, so that processes must grow. */
#define USABLE_PAGES	16
#define POISON		0xA5A5A5A5A5A5A5A5ULL

enum step { LEAVING, WORKING, OURS, RETURNING };

struct owned {
	enum step step;
	u64 family;	/* 0: nobody's */
	bool root;	/* CREATE was called with it */
	u64 stamp;	/* of the flush that is owed */
};

/* A process and what fork made of it. */
struct fake_family {
	u64 id;		/* 0: free */
	unsigned int members, chunks, used;
};

struct fake_process {
	u64 id;		/* 0: free */
	u64 parent;	/* of a child that was not adopted yet, else 0 */
	struct fake_family *family;
	bool started;
	enum { ALIVE, DYING, SCRUBBING } life;
	unsigned int blocks;
	u64 stamp;
	struct sha256_state measure;
};

static DEFINE_SPINLOCK(lock);
static DEFINE_XARRAY(chunks);	/* by number: struct owned */
static DEFINE_XARRAY(blocks);	/* by number: the process, as a value */
static struct fake_process processes[PROCESSES];
static struct fake_family families[PROCESSES];
static u64 next_id = 1, stamp;
static DEFINE_PER_CPU(u64, seen);
static unsigned long busy_turn;

static unsigned int violations, held, calls, fail_number, fail_skip, fail_times, kill_in;
static unsigned int stuck, stuck_after, parked, flushes;
static unsigned int dma = CARREL_DMA_PROTECTED, faulting;
static int fail_code;
module_param(parked, uint, 0444);	/* calls of PARK */
module_param(dma, uint, 0644);		/* CARREL_DMA_* */
module_param(faulting, uint, 0644);	/* there were faults */
module_param(stuck, uint, 0644);	/* a CPU does not flush */
module_param(stuck_after, uint, 0644);	/* ... from the next call of that number on */
module_param(flushes, uint, 0444);	/* calls of FLUSH */
module_param(violations, uint, 0444);
module_param(held, uint, 0444);		/* chunks and blocks that are not the kernel's */
module_param(calls, uint, 0444);
module_param(fail_number, uint, 0644);
module_param(fail_times, uint, 0644);
module_param(fail_skip, uint, 0644);	/* calls of that number that go through before */
module_param(fail_code, int, 0644);
module_param(kill_in, uint, 0644);	/* calls until the caller gets SIGKILL */

/* Requesters that ADMIT was called for, as a list of ranges; any write empties it. */
static DECLARE_BITMAP(admitted, 0x10000);

static int admitted_get(char *buffer, const struct kernel_param *unused)
{
	return bitmap_print_to_pagebuf(true, buffer, admitted, 0x10000);
}

static int admitted_set(const char *text, const struct kernel_param *unused)
{
	bitmap_zero(admitted, 0x10000);
	return 0;
}

static const struct kernel_param_ops admitted_ops = { .get = admitted_get, .set = admitted_set };
module_param_cb(admitted, &admitted_ops, NULL, 0644);

/* Written with a process: makes a child of it as FORK does. Read: the handle, 0 if there is none. */
static u64 forked;
static int fork_set(const char *text, const struct kernel_param *unused);
static int fork_get(char *buffer, const struct kernel_param *unused)
{
	return sysfs_emit(buffer, "%llu\n", forked);
}

static const struct kernel_param_ops fork_ops = { .get = fork_get, .set = fork_set };
module_param_cb(fork, &fork_ops, NULL, 0644);

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

	if (regs->rsi && (!process || process->life != ALIVE || process->parent))
		return CARREL_EDEAD;
	if (!owned && dma == CARREL_DMA_LOST)
		return CARREL_EDMA;
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
		if (process) {
			owned->family = process->family->id;
			process->family->chunks++;
		}
		return 0;
	default:
		return CARREL_EOWNER;
	}
}

static struct fake_family *find_family(u64 id)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		if (id && families[i].id == id)
			return &families[i];
	return NULL;
}

/* True if nothing is in it, and then it is nobody's. */
static bool unbind(struct owned *owned)
{
	struct fake_family *family = find_family(owned->family);

	if (!family)
		return true;
	if (owned->root || family->used > (family->chunks - 1) * USABLE_PAGES)
		return false;
	family->chunks--;
	owned->family = 0;
	return true;
}

static long give_back(struct hc_regs *regs)
{
	struct owned *owned = xa_load(&chunks, regs->rdi);

	if (!owned)
		return CARREL_EOWNER;
	if (owned->step == LEAVING || owned->step == WORKING || !unbind(owned))
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

/* Of a family, or of a new one. */
static struct fake_process *new_process(struct fake_family *family)
{
	unsigned int i, j;

	for (i = 0; i < PROCESSES && processes[i].id; i++)
		;
	for (j = 0; j < PROCESSES && families[j].id; j++)
		;
	if (i == PROCESSES)
		return NULL;
	processes[i] = (struct fake_process){ .id = next_id++ };
	if (!family) {
		family = &families[j];
		*family = (struct fake_family){ .id = processes[i].id };
	}
	family->members++;
	processes[i].family = family;
	return &processes[i];
}

/* Takes a page of the family's; its tickets follow from its id. */
static int fork_set(const char *text, const struct kernel_param *unused)
{
	struct fake_process *parent, *child = NULL;
	unsigned long flags;
	u64 id;

	if (kstrtoull(text, 0, &id))
		return -EINVAL;
	spin_lock_irqsave(&lock, flags);
	parent = find_process(id);
	if (parent && parent->life == ALIVE && parent->started)
		child = new_process(parent->family);
	forked = 0;
	if (child) {
		forked = child->id;
		child->parent = parent->id;
		child->started = true;
		child->blocks = parent->blocks;
		child->family->used++;
	}
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static long adopt(struct hc_regs *regs)
{
	struct fake_process *child = find_process(regs->rdi);

	if (!child)
		return CARREL_EARG;
	if (regs->rsi != 0x1111 + child->id || regs->rdx != 0x2222)
		return CARREL_ETICKET;
	if (!child->parent)
		return CARREL_ESTATE;
	child->parent = 0;
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
		.blocks = regs->rdx >> 16 & 0xFFFF,
		.flags = regs->rdx >> 32,
		.entry = CARREL_SHIM_VA,
		.threads = CARREL_THREADS_VA,
		.gate = CARREL_GATE_VA,
		.channel = CARREL_CHANNEL_VA,
	};
	struct fake_process *process;

	if (regs->rsi != CARREL_ABI_VERSION)
		return CARREL_EARG;
	if (record.flags & CARREL_CREATE_DMA && dma != CARREL_DMA_PROTECTED)
		return CARREL_EDMA;
	if (!owned || owned->step != OURS || owned->family)
		return CARREL_EOWNER;
	process = new_process(NULL);
	if (!process)
		return CARREL_ELIMIT;
	owned->family = process->family->id;
	owned->root = true;
	process->family->chunks = 1;
	process->blocks = record.blocks;
	sha256_init(&process->measure);
	sha256_update(&process->measure, (u8 *)&record, sizeof(record));
	regs->rdi = process->id;
	regs->rsi = 0x1111;
	regs->rdx = 0x2222;
	return 0;
}

static long lend(struct hc_regs *regs)
{
	struct fake_process *process = find_process(regs->rdi);

	if (!process || process->life != ALIVE || process->parent)
		return CARREL_EDEAD;
	if (regs->rdx >= process->blocks)
		return CARREL_EARG;
	if (xa_load(&blocks, regs->rsi))
		VIOLATION("block %llx lent twice", regs->rsi);
	if (xa_load(&chunks, regs->rsi >> 5))
		VIOLATION("block %llx lies in a donated chunk", regs->rsi);
	if (xa_err(xa_store(&blocks, regs->rsi, xa_mk_value(process->id), GFP_ATOMIC)))
		return CARREL_ELIMIT;
	held++;
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
	if (process->family->used >= process->family->chunks * USABLE_PAGES)
		return CARREL_ENOMEM;
	if (xa_load(&chunks, regs->rsi >> 9))
		VIOLATION("ADD from a donated chunk");
	process->family->used++;
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
	process->started = true;
	sha256_update(&process->measure, (u8 *)&record, sizeof(record));
	sha256_final(&process->measure, (u8 *)regs);
	return 0;
}

static void release_blocks(u64 id)
{
	unsigned long index;
	void *entry;

	xa_for_each(&blocks, index, entry) {
		if (xa_to_value(entry) == id) {
			xa_erase(&blocks, index);
			held--;
		}
	}
}

/* What the last of a family leaves behind is nobody's. */
static void release(struct fake_process *process)
{
	struct fake_family *family = process->family;
	struct owned *owned;
	unsigned long index;

	release_blocks(process->id);
	process->id = 0;
	if (--family->members)
		return;
	xa_for_each(&chunks, index, owned)
		if (owned->family == family->id)
			owned->family = owned->root = 0;
	family->id = 0;
}

/* With its children for whom nobody came. */
static void release_all(struct fake_process *process)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		if (processes[i].id && processes[i].parent == process->id)
			release(&processes[i]);
	release(process);
}

static long destroy(struct hc_regs *regs)
{
	struct fake_process *process = find_process(regs->rdi);

	if (!process || process->parent)
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
		break;
	}
	release_all(process);
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

/* What the text of a problem is cut into. */
static long dma_text(struct hc_regs *regs)
{
	static const char text[] = "a made-up reason that is longer than forty-eight bytes";
	u64 at = regs->rsi * sizeof(*regs);

	if (dma == CARREL_DMA_PROTECTED || at >= sizeof(text) - 1)
		return CARREL_EARG;
	memset(regs, 0, sizeof(*regs));
	memcpy(regs, text + at, min_t(u64, sizeof(text) - 1 - at, sizeof(*regs)));
	return 0;
}

/* Two units. Faults of 00:02.0, of nobody, of many: rows may be empty. */
static long dma_info(struct hc_regs *regs)
{
	static const struct hc_regs units[] = {
		{ 0xFED90000, 0 | CARREL_MSI_ANY << 16, 0xD2, 0xF4, 12, 0 },
		{ 0xFED91000, 7 | CARREL_MSI_FIXED << 16, 0, 0, 1, 0 },
	}, faults[] = {
		{ 0x10, 3, 0x12345000, 6, 0, 0 }, { 0 }, { 0xFFFF, 9, 0xFFFFFFFFF000, 0x22 | 1 << 8, 0, 0 },
	};
	u64 index = regs->rsi;
	bool on = dma != CARREL_DMA_UNPROTECTED;

	switch (regs->rdi) {
	case CARREL_INFO_DMA:
		*regs = (struct hc_regs){ .rdi = dma };
		if (on)
			*regs = (struct hc_regs){ dma, 0x642D5456, 2, faulting ? 12 : 0,
						  faulting, 19 };
		return 0;
	case CARREL_INFO_DMA_TEXT:
		return dma_text(regs);
	case CARREL_INFO_DMA_UNIT:
		if (!on || index >= ARRAY_SIZE(units))
			return CARREL_EARG;
		*regs = units[index];
		return 0;
	case CARREL_INFO_DMA_FAULTS:
		if (!on || index >= ARRAY_SIZE(faults))
			return CARREL_EARG;
		*regs = faulting ? faults[index] : (struct hc_regs){ 0 };
		return 0;
	}
	return CARREL_EARG;
}

/* Of the machine nothing is told: zeros. */
static long info(struct hc_regs *regs)
{
	switch (regs->rdi) {
	case CARREL_INFO_PROCESS:
		if (regs->rsi >= PROCESSES)
			return CARREL_EARG;
		regs->rdi = processes[regs->rsi].id;
		return 0;
	case CARREL_INFO_VERSION: case CARREL_INFO_MEMORY: case CARREL_INFO_REFUSED:
	case CARREL_INFO_PLATFORM: case CARREL_INFO_LAUNCH: case CARREL_INFO_LAUNCH_HASH:
		*regs = (struct hc_regs){ 0 };
		return 0;
	}
	return dma_info(regs);
}

/* Keys are identities turned over; of all ones there is none. */
static long public_key(struct hc_regs *regs)
{
	if (!~regs->rdi)
		return CARREL_ESTATE;
	regs->rdi = ~regs->rdi;
	regs->rsi = ~regs->rsi;
	regs->rdx = ~regs->rdx;
	regs->r10 = ~regs->r10;
	return 0;
}

/* The first byte of the request says what becomes of it, the rest is 5Ah. */
static long reseal(struct hc_regs *regs)
{
	const u8 *bytes = pfn_valid(regs->rdi) ? __va(regs->rdi << PAGE_SHIFT) : NULL;
	unsigned int i;

	for (i = 1; bytes && i < PAGE_SIZE; i++)
		if (bytes[i] != (i < sizeof(struct carrel_ioc_reseal) ? 0x5A : 0))
			VIOLATION("RESEAL with byte %u %x", i, bytes[i]);
	return !bytes ? CARREL_EARG : -(long)bytes[0];
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
	case CARREL_HC_ADOPT:
		return adopt(regs);
	case CARREL_HC_FLUSH:
		flushes++;
		this_cpu_write(seen, stamp);
		return 0;
	case CARREL_HC_PARK:
		return park(regs);
	case CARREL_HC_INFO:
		return info(regs);
	case CARREL_HC_ADMIT:
		if (regs->rdi > 0xFFFF)
			VIOLATION("ADMIT of %llx", regs->rdi);
		else
			__set_bit(regs->rdi, admitted);
		return 0;
	case CARREL_HC_PUBLIC:
		return public_key(regs);
	case CARREL_HC_RESEAL:
		return reseal(regs);
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
	stuck |= nr == stuck_after;
	spin_unlock_irqrestore(&lock, flags);
	if (kill)
		send_sig(SIGKILL, current, 1);
	return result;
}
