/* SPDX-License-Identifier: BSD-2-Clause */
/* The Linux x86 boot protocol: the bzImage's header, the zero page, the 64-bit entry. */
#ifndef BOOT_LINUX_H
#define BOOT_LINUX_H

#include <boot/multiboot.h>

struct placement;

/* What the header of a bzImage says, checked. */
struct linux_image {
	u64 setup_size;		/* bytes before the protected-mode kernel */
	u64 kernel_size;	/* bytes of it, to the end of the file */
	u64 pref_address;
	u32 init_size;		/* bytes the kernel needs from its start on until it knows the map */
	u32 alignment;
	bool relocatable;
	u32 line_max;		/* longest command line, without NUL */
	u64 initrd_max;		/* highest address of an initrd's last byte */
	u16 header_size;	/* bytes of the setup header, from offset 1F1h */
};

/* How to enter Linux: 64-bit mode, interrupts off, CS 10h, data segments 18h. */
struct linux_entry {
	u64 rip, rsp;
	u64 rsi;		/* the zero page */
	u64 cr3;		/* identity map of 0 to 4 GiB */
	u64 gdt_base;
	u16 gdt_limit;
};

/* Check the `size` bytes of a bzImage at `file`. NULL, or what is wrong. */
const char *linux_check(struct linux_image *image, const void *file, u64 size);

/* Size of the host-readable range, a multiple of 64 KiB. */
u64 linux_host_size(const struct boot_info *info);

/*
 * Write zero page, command line, tables and maps into the host-readable range, then
 * move initrd and kernel to their places. The last thing to be done with the loader's
 * memory: nothing of it is valid afterwards, `info` itself excepted. NULL, or what is wrong.
 */
const char *linux_load(struct linux_entry *entry, const struct boot_info *info,
		       const struct placement *place, const struct linux_image *image);

#endif
