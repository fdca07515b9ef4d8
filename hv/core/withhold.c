/* SPDX-License-Identifier: BSD-2-Clause */
#include "withhold.h"

#include <base/lock.h>
#include <base/log.h>
#include <base/x86.h>
#include <carrel/hypercall.h>
#include <mm/frame.h>

#define RIGHTS		(TABLE_R | TABLE_W | TABLE_X)
#define LEAVE_WAIT	(1LL << 30)	/* of the TSC: some hundred milliseconds */

/* By frame_lock, as the host view. */
static enum { SHOWN, LEAVING, OURS, GONE } state;
static u64 page = ~0UL, nothing;	/* constant after boot */
static u64 owed, since;			/* LEAVING: the stamp that all have to pay; of the TSC */

/* Absence is not cached: to show it owes nothing. */
static void limit(unsigned int rights)
{
	/* the table is there since boot */
	if (view_limit_page(&machine.host_view, page, rights))
		panic("no memory to hide a device's page from Linux");
}

static void leave(void)
{
	limit(0);
	owed = machine.host_view.changed;
	since = rdtsc();
	state = LEAVING;
}

static void give_back(void)
{
	limit(RIGHTS);
	state = SHOWN;
}

static void replace(void)
{
	if (table_map(&machine.host_view.table, page, nothing, PAGE_SIZE, RIGHTS, MEMORY_WB))
		panic("no memory to replace a device's page");
	state = GONE;
	log_line("the device at %lx is kept from Linux from now on", page);
}

void withhold_boot(u64 pa, u64 zeros)
{
	page = pa;
	nothing = zeros;
	leave();
	state = OURS;
}

s64 withhold_begin(void)
{
	s64 result = CARREL_PENDING;

	lock_take(&frame_lock);
	if (state == SHOWN)
		leave();
	if (state == GONE) {
		result = CARREL_ESTATE;
	} else if (flush_paid(&machine.host_view.entered, owed)) {
		state = OURS;
		result = 0;
	}
	lock_release(&frame_lock);
	return result;
}

void withhold_cancel(void)
{
	lock_take(&frame_lock);
	if (state == LEAVING)
		give_back();
	lock_release(&frame_lock);
}

void withhold_end(bool back)
{
	lock_take(&frame_lock);
	if (back)
		give_back();
	else
		replace();
	lock_release(&frame_lock);
}

bool withhold_fault(struct cpu *cpu, const struct vt_exit *exit)
{
	if (ALIGN_DOWN(exit->address, PAGE_SIZE) != page)
		return false;
	lock_take(&frame_lock);
	if (state == LEAVING && (s64)(rdtsc() - since) > LEAVE_WAIT)	/* another CPU's TSC may lag */
		give_back();
	lock_release(&frame_lock);
	if (exit->delivering)
		machine.vt->reinject(&cpu->vt);
	return true;
}
