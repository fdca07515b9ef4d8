/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was this launch measured? docs/measured-launch.md tells what each state means. Order: launch_begin
 * before anything is placed in memory; launch_look while memory is still protected from devices as the launch left it, so before the
 * IOMMUs are ours; launch_end when they are, before Linux's first instruction.
 */
#ifndef BOOT_LAUNCH_H
#define BOOT_LAUNCH_H

#include <boot/multiboot.h>
#include <boot/options.h>
#include <boot/place.h>
#include <drivers/acpi/acpi.h>
#include <drivers/drtm/drtm.h>

struct launch_machine {
	const struct boot_info *info;
	const struct acpi_info *acpi;
	const struct placement *place;
	struct launch_range loaded;	/* where the loader put this program: nobody's any more */
};

/* Takes memory out of the map that the hypervisor must not lie in. False: the map is full. */
bool launch_begin(struct e820_map *map);

void launch_look(const struct launch_machine *machine);

/* Unseal or not, cap, hide; tell the core, and the log. */
void launch_end(const struct options *options);

/* Linux will run without the hypervisor: nothing may be left that could unseal. False: there is. */
bool launch_bare(void);

#endif
