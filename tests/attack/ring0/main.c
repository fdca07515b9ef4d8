// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * attack.ko: everything that an attacker who owns ring 0 would do, for a runner
 * in user space to call by name. Never load it on a machine that matters.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include "attacks.h"

typedef long (*op_fn)(struct attack *a);

static const op_fn ops[] = {
	[ATTACK_SCAN] = physical_scan,
	[ATTACK_TOUCH] = physical_touch,
	[ATTACK_READ] = task_read,
	[ATTACK_PTE_GET] = task_pte_get,
	[ATTACK_PTE_SET] = task_pte_set,
	[ATTACK_PAGE] = physical_page,
	[ATTACK_PAGE_FREE] = physical_page_free,
	[ATTACK_WATCH] = watch,
	[ATTACK_SAVED] = task_saved,
	[ATTACK_HYPERCALL] = call_once,
	[ATTACK_FUZZ] = call_fuzz,
	[ATTACK_INSN] = insn,
	[ATTACK_MSR_SWEEP] = msr_sweep,
	[ATTACK_MSR] = msr_write,
	[ATTACK_CHUNK] = physical_chunk,
	[ATTACK_CHUNK_FREE] = physical_chunk_free,
	[ATTACK_DONATE_RACE] = call_donate_race,
	[ATTACK_START_CPU] = platform_start_cpu,
	[ATTACK_PORT] = platform_port,
	[ATTACK_A20] = platform_a20,
	[ATTACK_TRIPLE_FAULT] = platform_triple_fault,
	[ATTACK_FLIP] = task_flip,
	[ATTACK_POKE] = task_poke,
	[ATTACK_DMA] = dma_transfer,
	[ATTACK_DMA_ENABLE] = dma_enable,
	[ATTACK_DMA_SCAN] = dma_scan,
	[ATTACK_MSI] = dma_message,
	[ATTACK_REGISTER] = register_access,
	[ATTACK_CONFIG] = config_access,
	[ATTACK_TABLES] = physical_tables,
	[ATTACK_LIE] = lie_begin,
	[ATTACK_LIE_END] = lie_end,
	[ATTACK_SIGNAL] = lie_signal,
	[ATTACK_CLEAR_TID] = lie_clear_tid,
	[ATTACK_RSEQ] = lie_rseq,
};

static long attack_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct attack a;
	long error;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (command != ATTACK_IOC)
		return -ENOTTY;
	if (copy_from_user(&a, (void __user *)argument, sizeof(a)))
		return -EFAULT;
	if (a.op >= ARRAY_SIZE(ops) || !ops[a.op])
		return -EINVAL;
	memset(a.out, 0, sizeof(a.out));
	error = ops[a.op](&a);
	if (error)
		return error;
	return copy_to_user((void __user *)argument, &a, sizeof(a)) ? -EFAULT : 0;
}

static const struct file_operations attack_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = attack_ioctl,
};

static struct miscdevice attack_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "attack",
	.mode = 0600,
	.fops = &attack_fops,
};

static int __init attack_init(void)
{
	int error = symbols_init();

	if (error)
		return error;
	error = look_init();
	if (error)
		return error;
	error = misc_register(&attack_device);
	if (error)
		look_exit();
	return error;
}

static void __exit attack_exit(void)
{
	misc_deregister(&attack_device);
	look_exit();
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Attacks on programs that Carrel protects, for its tests");
