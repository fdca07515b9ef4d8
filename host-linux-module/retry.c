// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* What the hypervisor could not finish yet: tried again every second. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "retry.h"

static LIST_HEAD(list);
static DEFINE_SPINLOCK(lock);	/* of the list and the number */
static unsigned int waiting;	/* in the list or being tried */
module_param(waiting, uint, 0444);
MODULE_PARM_DESC(waiting, "processes and chunks that wait for a CPU's flush (read-only)");

static void try_all(struct work_struct *unused);
static DECLARE_DELAYED_WORK(work, try_all);

static void enqueue(struct retry *retry, int more)
{
	spin_lock(&lock);
	list_add_tail(&retry->list, &list);
	waiting += more;
	spin_unlock(&lock);
}

static struct retry *dequeue(void)
{
	struct retry *retry;

	spin_lock(&lock);
	retry = list_first_entry_or_null(&list, struct retry, list);
	if (retry)
		list_del(&retry->list);
	spin_unlock(&lock);
	return retry;
}

static void done(void)
{
	spin_lock(&lock);
	waiting--;
	spin_unlock(&lock);
	module_put(THIS_MODULE);
}

/* Each of those that wait now once; what comes or stays has its turn the next time. */
static void try_all(struct work_struct *unused)
{
	unsigned int turns = READ_ONCE(waiting);
	struct retry *retry;

	while (turns-- > 0 && (retry = dequeue())) {
		if (retry->try(retry))
			done();
		else
			enqueue(retry, 0);
	}
	if (READ_ONCE(waiting))
		queue_delayed_work(system_long_wq, &work, HZ);
}

void retry_later(struct retry *retry, bool (*try)(struct retry *retry))
{
	pr_warn_once("a CPU does not flush: bring CPUs that are offline online again\n");
	__module_get(THIS_MODULE);
	retry->try = try;
	enqueue(retry, 1);
	queue_delayed_work(system_long_wq, &work, HZ);
}

/* The last try may have dropped the last reference and be about to return. */
void retry_exit(void)
{
	cancel_delayed_work_sync(&work);
}
