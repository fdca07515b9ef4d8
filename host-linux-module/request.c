// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Hypercalls that take several tries, and what their errors mean here. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/mm_types.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include "hypercall.h"

/* How long a call may stay pending or busy. A flush takes microseconds; an emulator is slow. */
#define PATIENCE	(3 * HZ)

static void flush_this_cpu(void *unused)
{
	struct hc_regs regs = { 0 };

	hc_once(CARREL_HC_FLUSH, &regs);
}

/*
 * A CPU that goes offline meanwhile pays before it next enters a view, so the
 * online ones are all that need to be asked.
 */
void hc_flush_all(void)
{
	on_each_cpu(flush_this_cpu, NULL, 1);
}

static void leave(void *unused)
{
}

/*
 * The interrupt itself is all: it takes a thread out of its view. Whoever runs one has this
 * address space, and a CPU that takes a thread over meanwhile has it look for debts itself.
 */
void hc_kick(void)
{
	on_each_cpu_mask(mm_cpumask(current->mm), leave, NULL, true);
}

long hc_finish(unsigned int nr, struct hc_regs *regs)
{
	const struct hc_regs arguments = *regs;
	unsigned long deadline = jiffies + PATIENCE;
	long result;

	for (;;) {
		*regs = arguments;
		result = hc_once(nr, regs);
		switch (result) {
		case CARREL_MORE:
			deadline = jiffies + PATIENCE;
			break;
		case CARREL_PENDING:
			hc_flush_all();
			break;
		case CARREL_EBUSY:
			break;
		default:
			return result;
		}
		if (time_after(jiffies, deadline))
			return result;
		cond_resched();
	}
}

static const char *code_name(long code)
{
	switch (code) {
	case CARREL_ECALL:	return "ECALL: no such hypercall";
	case CARREL_ECALLER:	return "ECALLER: not from this view or privilege level";
	case CARREL_EARG:	return "EARG: an argument is out of range";
	case CARREL_ESTATE:	return "ESTATE: the object's state does not allow it";
	case CARREL_EOWNER:	return "EOWNER: the frame has another owner";
	case CARREL_ENOMEM:	return "ENOMEM: the process's memory is used up";
	case CARREL_ETICKET:	return "ETICKET: wrong ticket or carrier";
	case CARREL_ELIMIT:	return "ELIMIT: a limit or a table is full";
	case CARREL_EDEAD:	return "EDEAD: the process was killed";
	case CARREL_EFLAG:	return "EFLAG: CREATE did not ask for this";
	case CARREL_ERANDOM:	return "ERANDOM: the random generator failed its health check";
	}
	return "unknown code";
}

int hc_errno(unsigned int nr, long code)
{
	switch (code) {
	case CARREL_EARG:
		return -EINVAL;
	case CARREL_ENOMEM:
		return -ENOMEM;
	case CARREL_PENDING:
	case CARREL_EBUSY:
		return -ETIMEDOUT;
	case CARREL_EDMA:
		return -EPERM;
	case CARREL_ESIGNATURE:
		return -EBADMSG;
	}
	pr_err_ratelimited("hypercall %u refused: %ld (%s)\n", nr, code, code_name(code));
	return code == CARREL_ELIMIT ? -ENOSPC : -EIO;
}
