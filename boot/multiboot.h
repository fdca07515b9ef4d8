/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader says, taken from multiboot 1 or 2 information, checked and
 * copied. Only the EFI memory map is left where it is (inside [info_base,
 * info_end)) until boot/linux.c copies it.
 */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include <base/framebuffer.h>
#include <boot/e820.h>

#define MULTIBOOT1_MAGIC	0x2BADB002U	/* EAX at entry */
#define MULTIBOOT2_MAGIC	0x36D76289U

#define BOOT_MODULES_MAX	8U
#define BOOT_LINE_SIZE		2048U		/* longest command line, its NUL included */
#define BOOT_RSDP_SIZE		36U

enum { BOOT_KERNEL, BOOT_INITRD };		/* the order of the modules */

struct boot_module {
	u64 base, end;
	char line[BOOT_LINE_SIZE];
};

struct boot_efi {
	u64 system_table;	/* 0: not started by 64-bit EFI */
	u64 map;		/* physical address of the memory map, 0 if none was given */
	u32 map_size, descriptor_size, descriptor_version;
};

struct boot_info {
	char line[BOOT_LINE_SIZE];		/* our own command line */
	u32 module_count;
	struct boot_module module[BOOT_MODULES_MAX];
	struct e820_map map;
	struct framebuffer framebuffer;
	struct boot_efi efi;
	u8 rsdp[BOOT_RSDP_SIZE];		/* checked copy */
	u8 rsdp_size;				/* 0 (none found), 20 (ACPI 1) or 36 */
	u64 info_base, info_end;		/* the loader's block; empty for multiboot 1 */
};

/*
 * Read the loader's information at `info_pa`; `magic` is EAX at entry. phys()
 * must reach [0, reach). Fills `info` (zeroed here). Returns NULL, or what is
 * wrong and what to do about it; of `info` only the command line and the framebuffer can
 * then be used, as far as they were found.
 */
const char *multiboot_parse(struct boot_info *info, u32 magic, u64 info_pa, u64 reach);

#endif
