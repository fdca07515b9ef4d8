// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * carrel.ko moves memory and requests between this kernel's processes and the
 * Carrel hypervisor beneath it. No secure process trusts it: it can refuse or
 * delay, nothing more.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/suspend.h>
#include "device.h"
#include "hypercall.h"
#include "mapping.h"
#include "retry.h"

/* The hypervisor and what it holds do not survive a sleep of the machine. */
static int refuse_sleep(struct notifier_block *unused, unsigned long event, void *data)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		pr_warn("suspend and hibernation are not possible under Carrel\n");
		return NOTIFY_BAD;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_notifier = { .notifier_call = refuse_sleep };

static int __init carrel_init(void)
{
	int error;

	error = hc_detect();
	if (error)
		return error;
	error = mapping_init();
	if (error)
		return error;
	error = register_pm_notifier(&sleep_notifier);
	if (error)
		goto exit_mapping;
	error = device_init();
	if (error)
		goto unregister;
	return 0;
unregister:
	unregister_pm_notifier(&sleep_notifier);
exit_mapping:
	mapping_exit();
	return error;
}

static void __exit carrel_exit(void)
{
	device_exit();
	retry_exit();
	unregister_pm_notifier(&sleep_notifier);
	mapping_exit();
}

module_init(carrel_init);
module_exit(carrel_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Memory and lifecycle requests for the Carrel hypervisor");
