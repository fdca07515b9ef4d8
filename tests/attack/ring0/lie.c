// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* A kernel that lies to the system calls of one process, by signals, by what it clears. */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/rseq.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <carrel/layout.h>
#include "attacks.h"

#define ARGUMENTS	6
#define ACTIVE		64	/* calls that are under way at one time */

static struct {
	char name[40];
	u64 flags, fd, result, pointer, value[2];
	pid_t pid;
	atomic64_t calls;
	bool there;
	struct kretprobe probe;
} lie;

/* The registers of the call, which an entry of x86-64 is given as its one argument. */
struct call {
	u64 argument[ARGUMENTS];
};

static void write_value(const struct call *call)
{
	void __user *to = (void __user *)call->argument[lie.pointer % ARGUMENTS];

	(void)!copy_to_user_nofault(to, lie.value, lie.flags & LIE_WORD ? 4 : sizeof(lie.value));
}

static bool in_channel(u64 address)
{
	return address >= CARREL_CHANNEL_VA && address < CARREL_SHIM_VA;
}

static bool is_file(u64 fd)
{
	struct file *file = fget(fd);
	bool is = file && file_inode(file)->i_ino == lie.fd;

	if (file)
		fput(file);
	return is;
}

/* Not 0: not this one. */
static int on_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct pt_regs *user = (const struct pt_regs *)regs->di;
	struct call *call = (struct call *)instance->data;

	if (current->tgid != lie.pid || (lie.flags & LIE_FD && user->di != lie.fd))
		return 1;
	if (lie.flags & LIE_INODE && !is_file(user->di))
		return 1;
	*call = (struct call){ { user->di, user->si, user->dx, user->r10, user->r8, user->r9 } };
	if (lie.flags & LIE_CHANNEL && !in_channel(call->argument[lie.pointer % ARGUMENTS]))
		return 1;
	atomic64_inc(&lie.calls);
	if (lie.flags & LIE_BEFORE)
		write_value(call);
	return 0;
}

static int on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (lie.flags & LIE_AFTER)
		write_value((const struct call *)instance->data);
	if (lie.flags & LIE_ADD && (s64)regs->ax >= 0)
		regs->ax += lie.result;
	if (lie.flags & LIE_SET)
		regs->ax = lie.result;
	return 0;
}

long lie_begin(struct attack *a)
{
	long error;

	if (lie.there)
		return -EBUSY;
	if (a->size >= sizeof(lie.name))
		return -EINVAL;
	memset(&lie, 0, sizeof(lie));
	if (copy_from_user(lie.name, u64_to_user_ptr(a->buffer), a->size))
		return -EFAULT;
	lie.pid = a->in[0];
	lie.flags = a->in[1];
	lie.fd = a->in[2];
	lie.result = a->in[3];
	lie.pointer = a->in[4];
	lie.value[0] = a->in[5];
	lie.value[1] = a->in[6];
	lie.probe.kp.symbol_name = lie.name;
	lie.probe.entry_handler = on_entry;
	lie.probe.handler = on_return;
	lie.probe.data_size = sizeof(struct call);
	lie.probe.maxactive = ACTIVE;
	error = register_kretprobe(&lie.probe);
	lie.there = !error;
	return error;
}

long lie_end(struct attack *a)
{
	if (lie.there)
		unregister_kretprobe(&lie.probe);
	lie.there = false;
	a->out[0] = atomic64_read(&lie.calls);
	return 0;
}

/* As the kernel's own handler of a page fault would send it. */
long lie_signal(struct attack *a)
{
	int (*send)(int, struct kernel_siginfo *, struct task_struct *) = symbol("send_sig_info");
	struct task_struct *task = task_get(a->in[0]);
	struct kernel_siginfo info;

	if (!task || !send) {
		if (task)
			put_task_struct(task);
		return -ESRCH;
	}
	clear_siginfo(&info);
	info.si_signo = a->in[1];
	info.si_code = a->in[2];
	info.si_addr = (void __user *)a->in[3];
	a->out[0] = send(a->in[1], &info, task);
	put_task_struct(task);
	return 0;
}

long lie_clear_tid(struct attack *a)
{
	struct task_struct *leader = task_get(a->in[0]), *task;

	if (!leader)
		return -ESRCH;
	rcu_read_lock();
	for_each_thread(leader, task) {
		a->out[0]++;
		a->out[1] += (u64)task->robust_list == a->in[2];
		a->out[2] += task->clear_child_tid && !in_channel((u64)task->clear_child_tid);
		task->clear_child_tid = (int __user *)a->in[1];
	}
	rcu_read_unlock();
	put_task_struct(leader);
	return 0;
}

/* RSEQ_SIG of x86-64, which stands before what a program wants to be resumed at. */
#define SIGNATURE	0x53053053

long lie_rseq(struct attack *a)
{
	struct task_struct *leader = task_get(a->in[0]), *task;

	if (!leader)
		return -ESRCH;
	rcu_read_lock();
	for_each_thread(leader, task) {
		a->out[0]++;
		a->out[1] += (u64)task->rseq == a->in[2];
		task->rseq = (struct rseq __user *)a->in[1];
		task->rseq_sig = SIGNATURE;
		task->rseq_event_mask = RSEQ_EVENT_PREEMPT;
		set_tsk_thread_flag(task, TIF_NOTIFY_RESUME);
	}
	rcu_read_unlock();
	put_task_struct(leader);
	return 0;
}
