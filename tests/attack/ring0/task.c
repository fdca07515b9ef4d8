// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* One process: its memory, its page tables, its saved registers, what its carrier maps. */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tlbflush.h>
#include <carrel/layout.h>
#include "attacks.h"

struct task_struct *task_get(u64 pid)
{
	return get_pid_task(find_vpid(pid), PIDTYPE_PID);
}

static struct mm_struct *mm_get(u64 pid)
{
	struct task_struct *task = task_get(pid);
	struct mm_struct *mm;

	if (!task)
		return NULL;
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm;
}

/* The leaf of `address`; NULL if there are no tables on the way. No large pages. */
static pte_t *walk(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || pud_bad(*pud))
		return NULL;
	pmd = pmd_offset(pud, address);
	if (pmd_none(*pmd) || pmd_bad(*pmd))
		return NULL;
	return pte_offset_kernel(pmd, address);
}

/* Words by the direct map, as far as they can be had. */
static size_t read_by_walk(struct mm_struct *mm, u64 address, void *to, size_t size)
{
	size_t done;
	pte_t *pte;

	for (done = 0; done + sizeof(u64) <= size; done += sizeof(u64)) {
		pte = walk(mm, address + done);
		if (!pte || !pte_present(*pte) || !pfn_valid(pte_pfn(*pte)))
			break;
		if (probe_read(frame_address(pte_pfn(*pte)) + offset_in_page(address + done),
			       to + done))
			break;
	}
	return done;
}

static size_t read_by_access(u64 pid, u64 address, void *to, size_t size)
{
	struct task_struct *task = task_get(pid);
	int done = 0;

	if (task) {
		done = access_process_vm(task, address, to, size, FOLL_FORCE);
		put_task_struct(task);
	}
	return max(done, 0);
}

long task_read(struct attack *a)
{
	size_t size = min_t(u64, a->size, SZ_64K);
	struct mm_struct *mm = mm_get(a->in[0]);
	void *copy = kzalloc(size, GFP_KERNEL);
	long error = 0;

	if (!mm || !copy) {
		error = mm ? -ENOMEM : -ESRCH;
		goto out;
	}
	if (a->in[2] == READ_ACCESS)
		a->out[0] = read_by_access(a->in[0], a->in[1], copy, size);
	else
		a->out[0] = read_by_walk(mm, a->in[1], copy, size);
	if (copy_to_user(u64_to_user_ptr(a->buffer), copy, size))
		error = -EFAULT;
out:
	kfree(copy);
	if (mm)
		mmput(mm);
	return error;
}

/* --- page tables --------------------------------------------------------------------------- */

long task_pte_get(struct attack *a)
{
	struct mm_struct *mm = mm_get(a->in[0]);
	pte_t *pte;

	if (!mm)
		return -ESRCH;
	pte = walk(mm, a->in[1]);
	a->out[0] = pte ? pte_val(*pte) : 0;
	mmput(mm);
	return 0;
}

static int set_entry(pte_t *pte, unsigned long address, void *value)
{
	WRITE_ONCE(*pte, __pte(*(u64 *)value));
	return 0;
}

static void flush(void *unused)
{
	((void (*)(void))symbol("__flush_tlb_all"))();
}

long task_pte_set(struct attack *a)
{
	struct mm_struct *mm = mm_get(a->in[0]);
	long error;

	if (!mm)
		return -ESRCH;
	error = apply_to_page_range(mm, a->in[1] & PAGE_MASK, PAGE_SIZE, set_entry, &a->in[2]);
	on_each_cpu(flush, NULL, 1);
	mmput(mm);
	return error;
}

/* --- registers ----------------------------------------------------------------------------- */

long task_saved(struct attack *a)
{
	struct task_struct *task = task_get(a->in[0]);
	struct fpstate *fpstate;

	if (!task)
		return -ESRCH;
	fpstate = task->thread.fpu.fpstate;
	a->out[0] = look_words(a->in[1], task_pt_regs(task), sizeof(struct pt_regs));
	a->out[1] = look_words(a->in[1], &fpstate->regs, fpstate->size);
	put_task_struct(task);
	return 0;
}

/* --- what the carrier shares --------------------------------------------------------------- */

static void *frame_of(struct mm_struct *mm, unsigned long address)
{
	pte_t *pte = walk(mm, address);

	return pte && pte_present(*pte) ? frame_address(pte_pfn(*pte)) : NULL;
}

static bool flip(struct mm_struct *mm, unsigned long address, size_t from, size_t to)
{
	u8 *page = frame_of(mm, address);

	if (!page)
		return false;
	get_random_bytes(page + from, to - from);
	return true;
}

/* What calls carry: the data of slot 0, and all of the arena. */
static u64 flip_data(struct mm_struct *mm)
{
	const u64 arena = CARREL_CHANNEL_VA + CARREL_SLOTS_MAX * CARREL_SLOT_STRIDE;
	u64 at, done = 0;

	for (at = CARREL_SLOT_DATA; at < CARREL_SLOT_SIZE; at += PAGE_SIZE)
		done += flip(mm, CARREL_CHANNEL_VA + at, 0, PAGE_SIZE);
	for (at = arena; at < CARREL_CHANNEL_VA + CARREL_BLOCKS_MAX * CARREL_BLOCK_SIZE; at += PAGE_SIZE)
		done += flip(mm, at, 0, PAGE_SIZE);
	cond_resched();
	return done;
}

/* Puts the page back: other carriers run by the same frame. */
long task_flip(struct attack *a)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(a->in[1]), at;
	struct mm_struct *mm = mm_get(a->in[0]);
	void *gate = mm ? frame_of(mm, CARREL_GATE_VA) : NULL, *copy = NULL;

	if (!mm)
		return -ESRCH;
	if (a->in[2] & 1 && gate)
		copy = kmemdup(gate, PAGE_SIZE, GFP_KERNEL);
	do {
		if (copy)
			a->out[0] += flip(mm, CARREL_GATE_VA, 0, PAGE_SIZE);
		for (at = 0; a->in[2] & 2 && at < CARREL_SLOT_SIZE; at += PAGE_SIZE)
			a->out[0] += flip(mm, CARREL_CHANNEL_VA + at, 0, PAGE_SIZE);
		if (a->in[2] & 4)
			a->out[0] += flip_data(mm);
		else
			usleep_range(200, 400);
	} while (time_before(jiffies, deadline));
	if (copy)
		memcpy(gate, copy, PAGE_SIZE);
	kfree(copy);
	mmput(mm);
	return 0;
}

long task_poke(struct attack *a)
{
	size_t offset = offset_in_page(a->in[1]);
	struct mm_struct *mm = mm_get(a->in[0]);
	u8 *page = mm ? frame_of(mm, a->in[1]) : NULL;
	long error = -EINVAL;

	if (page && a->size <= PAGE_SIZE - offset && offset <= PAGE_SIZE - sizeof(u64)) {
		memcpy(a->out, page + offset, sizeof(u64));
		error = copy_from_user(page + offset, u64_to_user_ptr(a->buffer), a->size) ? -EFAULT : 0;
	}
	if (mm)
		mmput(mm);
	return error;
}
