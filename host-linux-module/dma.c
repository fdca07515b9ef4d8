// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Devices that this kernel finds. The hypervisor lets a requester reach the host's memory by DMA
 * once it was told of it: at boot of those it found itself, here of all that are there or come
 * later (hot-plugged ones, virtual functions, buses that were numbered anew). None of them ever
 * reaches anything else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/notifier.h>
#include <linux/pci.h>
#include "dma.h"
#include "hypercall.h"

#define DEVFNS	256	/* on a bus; bits of dma_alias_mask */

static long admit(u16 requester)
{
	struct hc_regs regs = { .rdi = requester };

	return hc_finish(CARREL_HC_ADMIT, &regs);
}

/*
 * A bridge from PCI Express puts its secondary bus number and 00.0 in the place of the requesters
 * behind it (PCI Express to PCI/PCI-X Bridge Specification 1.0, 2.3).
 */
static bool renames(struct pci_dev *bridge)
{
	return pci_is_pcie(bridge) ? pci_pcie_type(bridge) == PCI_EXP_TYPE_PCI_BRIDGE :
		bridge->dev_flags & PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS;
}

static long admit_behind_bridges(struct pci_dev *dev)
{
	const struct pci_bus *bus;
	long result = 0;

	for (bus = dev->bus; bus && !result; bus = bus->parent)
		if (bus->self && renames(bus->self))
			result = admit(PCI_DEVID(bus->number, 0));
	return result;
}

/* Functions whose number a faulty device uses too; the kernel keeps a list of such devices. */
static long admit_aliases(struct pci_dev *dev)
{
	unsigned int devfn;
	long result = 0;

	if (!dev->dma_alias_mask)
		return 0;
	for (devfn = 0; devfn < DEVFNS && !result; devfn++)
		if (test_bit(devfn, dev->dma_alias_mask))
			result = admit(PCI_DEVID(dev->bus->number, devfn));
	return result;
}

/* Segments share the hypervisor's tables, so their number is left out. */
static void admit_device(struct pci_dev *dev)
{
	long result = admit(pci_dev_id(dev));

	if (!result)
		result = admit_aliases(dev);
	if (!result)
		result = admit_behind_bridges(dev);
	if (result)
		pr_warn("device %02x:%02x.%d gets no DMA: the hypervisor refuses it (%ld)\n",
			dev->bus->number, PCI_SLOT(dev->devfn), PCI_FUNC(dev->devfn), result);
}

/* Runs before a driver is bound to the device. */
static int bus_changed(struct notifier_block *unused, unsigned long event, void *data)
{
	if (event == BUS_NOTIFY_ADD_DEVICE)
		admit_device(to_pci_dev((struct device *)data));
	return NOTIFY_DONE;
}

static struct notifier_block bus_notifier = { .notifier_call = bus_changed };

/* What is added during the walk is told of twice; that does no harm. */
int dma_init(void)
{
	struct pci_dev *dev = NULL;
	int error = bus_register_notifier(&pci_bus_type, &bus_notifier);

	if (error)
		return error;
	for_each_pci_dev(dev)
		admit_device(dev);
	return 0;
}

void dma_exit(void)
{
	bus_unregister_notifier(&pci_bus_type, &bus_notifier);
}
