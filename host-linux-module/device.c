// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* /dev/carrel: the node, and what user space may ask of it. */
#include <linux/capability.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <carrel/ioctl.h>
#include "device.h"
#include "hypercall.h"
#include "mapping.h"
#include "process.h"

static unsigned int gid;
module_param(gid, uint, 0444);
MODULE_PARM_DESC(gid, "group of /dev/carrel, as a number (0)");

/* HC_LOG gives its text in the first five registers. */
#define LOG_PIECE	offsetof(struct hc_regs, r9)
#define LOG_MAX		16384
#define ADD_PAGES_MAX	512

static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = process_new();
	return file->private_data ? nonseekable_open(inode, file) : -ENOMEM;
}

static int device_release(struct inode *inode, struct file *file)
{
	process_put(file->private_data);
	return 0;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return mapping_map(file->private_data, vma);
}

/* The registers of msync's caller that msync itself has no use for. */
static int adopt(const struct file *file)
{
	const struct pt_regs *user = current_pt_regs();
	struct hc_regs regs = { .rdi = user->r10, .rsi = user->r8, .rdx = user->r9 };

	return mapping_adopt(file, &regs);
}

/*
 * msync of pages of the mapping is a request; see layout.h. So is any other call that ends
 * here, with whatever its caller has in its registers: no matter, it may ask as it likes.
 */
static int device_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct process *process;
	u64 request, argument;
	int error = -EINVAL;

	if (start < 0 || end <= start || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(end + 1) ||
	    end >= CARREL_CHANNEL_VA - CARREL_BASE || !current->mm)
		return -EINVAL;
	request = start >> PAGE_SHIFT;
	argument = (end - start) >> PAGE_SHIFT;
	if (request == CARREL_REQ_ADOPT)
		return argument ? -EINVAL : adopt(file);
	process = mapping_process(file);
	if (process) {
		error = process_request(process, request, argument);
		process_put(process);
	}
	return error;
}

static long ioc_create(struct process *process, void __user *user)
{
	struct carrel_ioc_create create;
	long error;

	if (copy_from_user(&create, user, sizeof(create)))
		return -EFAULT;
	error = process_create(process, &create);
	if (error)
		return error;
	return copy_to_user(user, &create, sizeof(create)) ? -EFAULT : 0;
}

static long add_each(struct process *process, const struct carrel_ioc_add *add, struct page *page)
{
	u64 offset;
	long error;

	for (offset = 0; offset < (u64)add->pages << PAGE_SHIFT; offset += PAGE_SIZE) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_from_user(page_address(page), u64_to_user_ptr(add->source + offset),
				   PAGE_SIZE))
			return -EFAULT;
		error = process_add(process, page, add->address + offset, add->type);
		if (error)
			return error;
		cond_resched();
	}
	return 0;
}

static long ioc_add(struct process *process, void __user *user)
{
	struct carrel_ioc_add add;
	struct page *page;
	long error;

	if (copy_from_user(&add, user, sizeof(add)))
		return -EFAULT;
	if (add.pages == 0 || add.pages > ADD_PAGES_MAX)
		return -EINVAL;
	if (!PAGE_ALIGNED(add.address) || add.address > CARREL_END)
		return -EINVAL;
	if (add.source > TASK_SIZE_MAX)
		return -EFAULT;
	if (add.type & ~(CARREL_RIGHTS | CARREL_ADD_TYPES))
		return -EINVAL;
	page = alloc_page(GFP_KERNEL_ACCOUNT);
	if (!page)
		return -ENOMEM;
	error = add_each(process, &add, page);
	__free_page(page);
	return error;
}

static long ioc_init(struct process *process, void __user *user)
{
	struct carrel_ioc_init init;
	long error = process_init(process, &init);

	if (error)
		return error;
	return copy_to_user(user, &init, sizeof(init)) ? -EFAULT : 0;
}

static long ioc_info(void __user *user)
{
	struct carrel_ioc_info info;
	struct hc_regs regs;
	long result;

	if (copy_from_user(&info, user, sizeof(info)))
		return -EFAULT;
	regs = (struct hc_regs){ .rdi = info.what, .rsi = info.index, .rdx = info.sub };
	result = hc_finish(CARREL_HC_INFO, &regs);
	/* Past the last of a list, or not to be told now: that is an answer too. */
	if (result == CARREL_EARG || result == CARREL_ESTATE)
		return -EINVAL;
	if (result)
		return hc_errno(CARREL_HC_INFO, result);
	info.value[0] = regs.rdi;
	info.value[1] = regs.rsi;
	info.value[2] = regs.rdx;
	info.value[3] = regs.r10;
	info.value[4] = regs.r8;
	info.value[5] = regs.r9;
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

/* Fills `text` with whole pieces; returns the bytes, or an errno. Moves *position on. */
static long read_log(char *text, size_t size, u64 *position)
{
	struct hc_regs regs;
	size_t done = 0;
	long bytes;

	while (size - done >= LOG_PIECE && !signal_pending(current)) {
		regs = (struct hc_regs){ .rdi = *position };
		bytes = hc_once(CARREL_HC_LOG, &regs);
		if (bytes < 0)
			return hc_errno(CARREL_HC_LOG, bytes);
		if (bytes > LOG_PIECE)
			return -EIO;
		if (bytes == 0)
			break;
		*position = regs.r9;
		memcpy(text + done, &regs, bytes);
		done += bytes;
		cond_resched();
	}
	return done;
}

static long ioc_log(void __user *user)
{
	struct carrel_ioc_log log;
	size_t size;
	char *text;
	long bytes;

	if (copy_from_user(&log, user, sizeof(log)))
		return -EFAULT;
	if (log.size < LOG_PIECE || log.reserved)
		return -EINVAL;
	size = min_t(size_t, log.size, LOG_MAX);
	text = kmalloc(size, GFP_KERNEL_ACCOUNT);
	if (!text)
		return -ENOMEM;
	bytes = read_log(text, size, &log.position);
	if (bytes >= 0) {
		log.size = bytes;
		if (copy_to_user(u64_to_user_ptr(log.buffer), text, bytes) ||
		    copy_to_user(user, &log, sizeof(log)))
			bytes = -EFAULT;
	}
	kfree(text);
	return min(bytes, 0L);
}

static long ioc_public(void __user *user)
{
	struct carrel_ioc_public public;
	struct hc_regs regs = { 0 };
	long result;

	if (copy_from_user(&public, user, sizeof(public)))
		return -EFAULT;
	memcpy(&regs, public.identity, sizeof(public.identity));
	result = hc_finish(CARREL_HC_PUBLIC, &regs);
	if (result)
		return result == CARREL_ESTATE ? -ENOKEY : hc_errno(CARREL_HC_PUBLIC, result);
	memcpy(public.key, &regs, sizeof(public.key));
	return copy_to_user(user, &public, sizeof(public)) ? -EFAULT : 0;
}

/* The hypervisor believes the signature alone; but who asks keeps the TPM busy. */
static long ioc_reseal(void __user *user)
{
	struct hc_regs regs = { 0 };
	struct page *page;
	long result = -EFAULT;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	if (!copy_from_user(page_address(page), user, sizeof(struct carrel_ioc_reseal))) {
		regs.rdi = page_to_pfn(page);
		result = hc_finish(CARREL_HC_RESEAL, &regs);
		if (result)
			result = hc_errno(CARREL_HC_RESEAL, result);
	}
	__free_page(page);
	return result;
}

/* Calls that a process is the object of. */
static long process_ioctl(struct process *process, unsigned int command, void __user *user)
{
	switch (command) {
	case CARREL_IOC_CREATE:
		return ioc_create(process, user);
	case CARREL_IOC_ADD:
		return ioc_add(process, user);
	case CARREL_IOC_INIT:
		return ioc_init(process, user);
	}
	return -ENOTTY;
}

static long device_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct process *process;
	long result;

	switch (command) {
	case CARREL_IOC_INFO:
		return ioc_info(user);
	case CARREL_IOC_LOG:
		return ioc_log(user);
	case CARREL_IOC_PUBLIC:
		return ioc_public(user);
	case CARREL_IOC_RESEAL:
		return ioc_reseal(user);
	case CARREL_IOC_CREATE: case CARREL_IOC_ADD: case CARREL_IOC_INIT:
		process = mapping_process(file);
		if (!process)
			return -EINVAL;
		result = process_ioctl(process, command, user);
		process_put(process);
		return result;
	}
	return -ENOTTY;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.mmap = device_mmap,
	.fsync = device_fsync,
	.unlocked_ioctl = device_ioctl,
	.llseek = no_llseek,
};

/* A misc device cannot choose its group, so this is a character device of its own. */
static struct class *device_class;
static struct device *device;
static struct cdev *cdev;

static char *device_node(struct device *unused, umode_t *mode, kuid_t *node_uid, kgid_t *node_gid)
{
	kgid_t kgid = make_kgid(&init_user_ns, gid);

	if (mode)
		*mode = 0660;
	if (node_gid && gid_valid(kgid))
		*node_gid = kgid;
	return NULL;
}

static const struct device_type device_type = {
	.name = "carrel",
	.devnode = device_node,
};

static void device_free(struct device *dev)
{
	kfree(dev);
}

static int add_node(dev_t number)
{
	int error;

	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;
	device_initialize(device);
	device->class = device_class;
	device->type = &device_type;
	device->devt = number;
	device->release = device_free;
	error = dev_set_name(device, "carrel");
	if (!error)
		error = device_add(device);
	if (error)
		put_device(device);
	return error;
}

int device_init(void)
{
	dev_t number;
	int error;

	error = alloc_chrdev_region(&number, 0, 1, "carrel");
	if (error)
		return error;
	device_class = class_create(THIS_MODULE, "carrel");
	if (IS_ERR(device_class)) {
		error = PTR_ERR(device_class);
		goto unregister;
	}
	error = -ENOMEM;
	cdev = cdev_alloc();
	if (!cdev)
		goto destroy_class;
	cdev->owner = THIS_MODULE;
	cdev->ops = &device_fops;
	error = cdev_add(cdev, number, 1);
	if (error)
		goto delete_cdev;
	error = add_node(number);
	if (error)
		goto delete_cdev;
	return 0;
delete_cdev:
	cdev_del(cdev);
destroy_class:
	class_destroy(device_class);
unregister:
	unregister_chrdev_region(number, 1);
	return error;
}

void device_exit(void)
{
	dev_t number = device->devt;

	device_unregister(device);
	cdev_del(cdev);
	class_destroy(device_class);
	unregister_chrdev_region(number, 1);
}
