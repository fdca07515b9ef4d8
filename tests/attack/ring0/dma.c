// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * DMA by QEMU's `edu`: it copies between memory and a buffer of its own, 100 ms after it was asked
 * to, whatever became of the transfer. What its buffer holds comes out by a transfer to a page of
 * ours.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include "attacks.h"

/* docs/specs/edu.txt of QEMU. It aborts at a transfer that ends where its buffer does. */
#define EDU_SOURCE	0x80
#define EDU_TARGET	0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define EDU_RUN		1
#define EDU_TO_MEMORY	2
#define EDU_BUFFER	0x40000
#define EDU_MAX		2048

struct edu {
	struct pci_dev *device;
	void __iomem *registers;
	struct page *page;	/* ours */
};

static long edu_open(struct edu *edu, u64 address)
{
	long error = -ENODEV;

	edu->device = pci_get_domain_bus_and_slot(0, address >> 8 & 0xff, address & 0xff);
	if (!edu->device)
		return error;
	edu->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!edu->page || pci_enable_device(edu->device))
		goto put;
	pci_set_master(edu->device);
	edu->registers = pci_iomap(edu->device, 0, PAGE_SIZE);
	if (edu->registers)
		return 0;
	pci_disable_device(edu->device);
put:
	if (edu->page)
		__free_page(edu->page);
	pci_dev_put(edu->device);
	return error;
}

/* It stays enabled: its own configuration may be out of reach by now. */
static void edu_close(struct edu *edu)
{
	pci_iounmap(edu->device, edu->registers);
	__free_page(edu->page);
	pci_dev_put(edu->device);
}

static long edu_copy(struct edu *edu, u64 memory, u64 bytes, bool to_memory)
{
	u64 command = EDU_RUN | (to_memory ? EDU_TO_MEMORY : 0);
	unsigned int i;

	writeq(to_memory ? EDU_BUFFER : memory, edu->registers + EDU_SOURCE);
	writeq(to_memory ? memory : EDU_BUFFER, edu->registers + EDU_TARGET);
	writeq(bytes, edu->registers + EDU_COUNT);
	writeq(command, edu->registers + EDU_COMMAND);
	usleep_range(100500, 101000);
	for (i = 0; i < 5000; i++) {
		if (!(readq(edu->registers + EDU_COMMAND) & EDU_RUN))
			return 0;
		usleep_range(1000, 1500);
	}
	return -ETIMEDOUT;
}

/* Memory by way of the device to our page, which holds zeros where nothing came. */
static long edu_read(struct edu *edu, u64 memory, u64 bytes)
{
	u64 page = page_to_phys(edu->page);
	long error;

	memset(page_address(edu->page), 0, PAGE_SIZE);
	error = edu_copy(edu, page, bytes, false);
	if (!error)
		error = edu_copy(edu, memory, bytes, false);
	return error ? error : edu_copy(edu, page, bytes, true);
}

static long edu_write(struct edu *edu, u64 memory, u64 bytes)
{
	long error = edu_copy(edu, page_to_phys(edu->page), bytes, false);

	return error ? error : edu_copy(edu, memory, bytes, true);
}

static long transfer(struct edu *edu, struct attack *a)
{
	void __user *buffer = u64_to_user_ptr(a->buffer);
	void *page = page_address(edu->page);
	long error;

	if (a->in[1])
		return copy_from_user(page, buffer, a->size) ? -EFAULT :
			edu_write(edu, a->in[2], a->size);
	error = edu_read(edu, a->in[2], a->size);
	if (error)
		return error;
	return copy_to_user(buffer, page, a->size) ? -EFAULT : 0;
}

long dma_enable(struct attack *a)
{
	struct edu edu = { 0 };
	long error = edu_open(&edu, a->in[0]);

	if (!error)
		edu_close(&edu);
	return error;
}

long dma_transfer(struct attack *a)
{
	struct edu edu = { 0 };
	long error;

	if (!a->size || a->size > EDU_MAX)
		return -EINVAL;
	error = edu_open(&edu, a->in[0]);
	if (error)
		return error;
	error = transfer(&edu, a);
	edu_close(&edu);
	return error;
}

/* A page that is zero tells nothing: neither that it was reached nor that it was not. */
static long scan_piece(struct edu *edu, struct attack *a, u64 memory)
{
	const void *page = page_address(edu->page);
	unsigned int words;
	long error;

	error = edu_copy(edu, memory, EDU_MAX, false);
	if (!error)
		error = edu_copy(edu, page_to_phys(edu->page), EDU_MAX, true);
	if (error)
		return error;
	words = look_words(a->in[1], page, EDU_MAX);
	a->out[0]++;
	a->out[1] += memchr_inv(page, 0, EDU_MAX) != NULL;
	a->out[2] += words > 1 ? words : 0;
	return 0;
}

long dma_scan(struct attack *a)
{
	const u64 __user *list = u64_to_user_ptr(a->buffer);
	struct edu edu = { 0 };
	u64 i, frame;
	long error = edu_open(&edu, a->in[0]);

	if (error)
		return error;
	for (i = 0; i < a->size / sizeof(u64) && !error; i++) {
		error = get_user(frame, list + i);
		if (!error)
			error = scan_piece(&edu, a, frame << PAGE_SHIFT);
		if (!error)
			error = scan_piece(&edu, a, (frame << PAGE_SHIFT) + EDU_MAX);
		if (!error && signal_pending(current))
			error = -EINTR;
	}
	edu_close(&edu);
	return error;
}

/* --- interrupt messages -------------------------------------------------------------------- */

#define EDU_RAISE	0x60
#define EDU_LOWER	0x64

/* Straight into the capability, past what this kernel thinks of it. */
static void aim(struct pci_dev *device, u64 address, u16 data, bool on)
{
	int at = device->msi_cap;

	pci_write_config_dword(device, at + PCI_MSI_ADDRESS_LO, (u32)address);
	pci_write_config_dword(device, at + PCI_MSI_ADDRESS_HI, address >> 32);
	pci_write_config_word(device, at + PCI_MSI_DATA_64, data);
	pci_write_config_word(device, at + PCI_MSI_FLAGS,
			      PCI_MSI_FLAGS_64BIT | (on ? PCI_MSI_FLAGS_ENABLE : 0));
}

long dma_message(struct attack *a)
{
	struct edu edu = { 0 };
	long error = edu_open(&edu, a->in[0]);

	if (error)
		return error;
	if (edu.device->msi_cap) {
		aim(edu.device, a->in[1], a->in[2], true);
		writel(1, edu.registers + EDU_RAISE);
		msleep(1);
		writel(1, edu.registers + EDU_LOWER);
		aim(edu.device, 0, 0, false);
	} else {
		error = -ENXIO;
	}
	edu_close(&edu);
	return error;
}
