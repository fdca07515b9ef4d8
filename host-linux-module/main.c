// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * carrel.ko moves memory and requests between this kernel's processes and the
 * Carrel hypervisor beneath it. No secure process trusts it: it can refuse or
 * delay, nothing more.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/suspend.h>
#include "device.h"
#include "dma.h"
#include "family.h"
#include "hypercall.h"
#include "mapping.h"
#include "process.h"
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

/* Power-off and reset are the hypervisor's to make safe; after kexec the next kernel runs. */
static int end_all(struct notifier_block *unused, unsigned long event, void *data)
{
	process_end_all();
	return NOTIFY_DONE;
}

static enum cpuhp_state park_state;

static struct notifier_block sleep_notifier = { .notifier_call = refuse_sleep };
static struct notifier_block reboot_notifier = { .notifier_call = end_all };

/*
 * An offline CPU halts in the kernel and can run no FLUSH; the hypervisor takes it back until
 * it is started again. Runs on a live CPU, once the other is dead.
 */
static int park_offline(unsigned int cpu)
{
	struct hc_regs regs = { .rdi = per_cpu(x86_cpu_to_apicid, cpu) };
	long result = hc_finish(CARREL_HC_PARK, &regs);

	if (result)
		pr_warn("CPU %u is offline and the hypervisor does not get it back (%ld); donations will have to wait for it\n",
			cpu, result);
	return 0;
}

static int __init park_init(void)
{
	unsigned int cpu;
	int state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "carrel:park", NULL,
					      park_offline);

	if (state < 0)
		return state;
	park_state = state;
	cpus_read_lock();
	for_each_present_cpu(cpu) {
		if (!cpu_online(cpu))
			park_offline(cpu);
	}
	cpus_read_unlock();
	return 0;
}

static int __init carrel_init(void)
{
	int error;

	error = hc_detect();
	if (error)
		return error;
	error = mapping_init();
	if (error)
		return error;
	error = family_init();
	if (error)
		goto exit_mapping;
	error = register_pm_notifier(&sleep_notifier);
	if (error)
		goto exit_family;
	error = register_reboot_notifier(&reboot_notifier);
	if (error)
		goto unregister_pm;
	error = park_init();
	if (error)
		goto unregister_reboot;
	error = dma_init();
	if (error)
		goto unpark;
	error = device_init();
	if (error)
		goto exit_dma;
	return 0;
exit_dma:
	dma_exit();
unpark:
	cpuhp_remove_state_nocalls(park_state);
unregister_reboot:
	unregister_reboot_notifier(&reboot_notifier);
unregister_pm:
	unregister_pm_notifier(&sleep_notifier);
exit_family:
	family_exit();
exit_mapping:
	mapping_exit();
	return error;
}

static void __exit carrel_exit(void)
{
	device_exit();
	retry_exit();
	dma_exit();
	cpuhp_remove_state_nocalls(park_state);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&sleep_notifier);
	family_exit();
	mapping_exit();
}

module_init(carrel_init);
module_exit(carrel_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Memory and lifecycle requests for the Carrel hypervisor");
