// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * A timer on every CPU that interrupts one process, looks at everything that the
 * interrupt shows, and changes what it may. NMIs do the same from outside.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/percpu.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/fpu/xcr.h>
#include <asm/irq_regs.h>
#include <asm/nmi.h>
#include <carrel/layout.h>
#include "attacks.h"

#define PERIOD_NS	(500 * 1000)
#define VECTOR_SHOTS	5

static struct {
	pid_t pid;
	u64 key, action, argument, address;
	atomic64_t samples, general, vector, other, memory, done, left, bits;
} now;

static DEFINE_PER_CPU(struct hrtimer, timers);
static DEFINE_PER_CPU(u64, host_xcr0);		/* not 0: XCR0 is to be put back */

static bool once(void)
{
	return atomic64_cmpxchg(&now.done, 0, 1) == 0;
}

static void set_registers(struct pt_regs *regs, u64 value)
{
	regs->ax = regs->bx = regs->cx = regs->dx = regs->si = regs->di = regs->bp = value;
	regs->r8 = regs->r9 = regs->r10 = regs->r11 = value;
	regs->r12 = regs->r13 = regs->r14 = regs->r15 = value;
	atomic64_inc(&now.done);
}

/* XCR0 as the kernel had it is put back by the next interrupt, whatever that interrupts. */
static void restore_xcr0(void)
{
	u64 xcr0 = this_cpu_read(host_xcr0);

	if (xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, xcr0);
	this_cpu_write(host_xcr0, 0);
}

static void shrink_xcr0(u64 value)
{
	if (!boot_cpu_has(X86_FEATURE_OSXSAVE))
		return;
	this_cpu_write(host_xcr0, xgetbv(XCR_XFEATURE_ENABLED_MASK));
	xsetbv(XCR_XFEATURE_ENABLED_MASK, value);
	atomic64_inc(&now.done);
}

/* Taken as soon as interrupts are on, which is on the way out of this one. */
static void send_vector(void)
{
	if (gate_hits() < VECTOR_SHOTS)
		apic->send_IPI(smp_processor_id(), now.argument);
	atomic64_set(&now.done, gate_hits());
}

static void act(struct pt_regs *regs)
{
	switch (now.action) {
	case WATCH_REGISTERS:
		set_registers(regs, now.argument);
		break;
	case WATCH_IP:
		if (once())
			regs->ip = now.argument;
		break;
	case WATCH_SP:
		if (once())
			regs->sp = now.argument;
		break;
	case WATCH_FS:
		if (once())
			wrmsrl(MSR_FS_BASE, now.argument);
		break;
	case WATCH_XCR0:
		shrink_xcr0(now.argument);
		break;
	case WATCH_VECTOR:
		send_vector();
		break;
	case WATCH_STEP:
		if (once())
			regs->flags |= X86_EFLAGS_TF;
		break;
	}
}

static void look_memory(void)
{
	u64 words[8] = { 0 };

	if (now.address && !copy_from_user_nofault(words, (void __user *)now.address, sizeof(words)))
		atomic64_add(look_words(now.key, words, sizeof(words)), &now.memory);
}

/* The context that the hypervisor gives to a carrier whose thread was thrown out: constants. */
static void look_constants(const struct pt_regs *regs)
{
	u64 bits = regs->ax | regs->bx | regs->cx | regs->dx | regs->si | regs->di | regs->bp |
		regs->r8 | regs->r9 | regs->r10 | regs->r11 | regs->r12 | regs->r13 | regs->r14 |
		regs->r15 | look_vector_bits();

	if (regs->ip != CARREL_GATE_VA + CARREL_GATE_RESUME)
		return;
	atomic64_inc(&now.left);
	atomic64_or(bits | (regs->flags & ~(X86_EFLAGS_IF | X86_EFLAGS_FIXED)), &now.bits);
}

static void look(struct pt_regs *regs)
{
	atomic64_inc(&now.samples);
	atomic64_add(look_words(now.key, regs, sizeof(*regs)), &now.general);
	atomic64_add(look_vectors(now.key), &now.vector);
	atomic64_add(look_others(now.key), &now.other);
	look_constants(regs);
}

static bool is_victim(struct pt_regs *regs)
{
	return regs && user_mode(regs) && current->tgid == now.pid;
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct pt_regs *regs = get_irq_regs();

	restore_xcr0();
	if (now.action != WATCH_NMI && is_victim(regs)) {
		look(regs);
		look_memory();
		act(regs);
	}
	hrtimer_forward_now(timer, ns_to_ktime(PERIOD_NS));
	return HRTIMER_RESTART;
}

static void start_timer(void *unused)
{
	struct hrtimer *timer = this_cpu_ptr(&timers);

	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer->function = tick;
	hrtimer_start(timer, ns_to_ktime(PERIOD_NS), HRTIMER_MODE_REL_PINNED_HARD);
}

/* A tick may still have left something to put back. */
static void leave(void *unused)
{
	restore_xcr0();
}

static int nmi(unsigned int type, struct pt_regs *regs)
{
	if (is_victim(regs)) {
		look(regs);
		atomic64_inc(&now.done);
	}
	return NMI_HANDLED;
}

static void send_nmis(unsigned long deadline)
{
	unsigned int cpu;

	while (time_before(jiffies, deadline)) {
		preempt_disable();
		for_each_online_cpu(cpu)
			if (cpu != smp_processor_id())
				apic->send_IPI(cpu, NMI_VECTOR);
		preempt_enable();
		usleep_range(500, 600);
	}
}

static long watch_nmi(unsigned long deadline)
{
	long error;

	if (num_online_cpus() < 2)
		return -ENODEV;
	error = register_nmi_handler(NMI_LOCAL, nmi, 0, "attack");
	if (error)
		return error;
	send_nmis(deadline);
	unregister_nmi_handler(NMI_LOCAL, "attack");
	return 0;
}

static void watch_timer(unsigned int milliseconds)
{
	unsigned int cpu;

	on_each_cpu(start_timer, NULL, 1);
	msleep(milliseconds);
	for_each_online_cpu(cpu)
		hrtimer_cancel(per_cpu_ptr(&timers, cpu));
	on_each_cpu(leave, NULL, 1);
}

/* What our handler saw when it hit the victim. */
static long watch_vector(unsigned int milliseconds)
{
	long error = gate_install(now.argument);

	if (error)
		return error;
	watch_timer(milliseconds);
	gate_remove();
	atomic64_set(&now.done, gate_hits());
	atomic64_add(gate_look(now.key), &now.general);
	return 0;
}

long watch(struct attack *a)
{
	long error = 0;

	memset(&now, 0, sizeof(now));
	now.key = a->in[2];
	now.action = a->in[3];
	now.argument = a->in[4];
	now.address = a->in[5];
	now.pid = a->in[0];
	if (now.action == WATCH_NMI)
		error = watch_nmi(jiffies + msecs_to_jiffies(a->in[1]));
	else if (now.action == WATCH_VECTOR)
		error = watch_vector(a->in[1]);
	else
		watch_timer(a->in[1]);
	a->out[0] = atomic64_read(&now.samples);
	a->out[1] = atomic64_read(&now.general);
	a->out[2] = atomic64_read(&now.vector);
	a->out[3] = atomic64_read(&now.other);
	a->out[4] = atomic64_read(&now.memory);
	a->out[5] = atomic64_read(&now.done);
	a->out[6] = atomic64_read(&now.left);
	a->out[7] = atomic64_read(&now.bits);
	return error;
}
