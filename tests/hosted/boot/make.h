/* SPDX-License-Identifier: BSD-2-Clause */
/* Makers of what a loader and a firmware leave behind, right in every field unless asked. */
#ifndef MAKE_H
#define MAKE_H

#include <boot/multiboot.h>

/* A block of bytes that grows at its end. */
struct block {
	u8 bytes[65536];
	u32 size;
};

void block_put(struct block *block, const void *bytes, u32 size);
void block_put32(struct block *block, u32 value);
void block_put64(struct block *block, u64 value);

/* Multiboot 2: begin, any tags, end (the end tag and the total size). */
void mb2_begin(struct block *block);
void mb2_tag(struct block *block, u32 type, const void *content, u32 size);
void mb2_line(struct block *block, const char *line);
void mb2_module(struct block *block, u32 start, u32 end, const char *line);
void mb2_map(struct block *block, const struct e820_range *ranges, u32 count);
void mb2_rgb(struct block *block, u64 base, u32 width, u32 height, u8 bpp);
void mb2_end(struct block *block);

/* One EFI memory descriptor of 48 bytes, as OVMF's are. */
void efi_put(struct block *block, u32 type, u64 base, u64 pages, u64 attribute);
void mb2_efi(struct block *block, u64 system_table, const struct block *map);

/* The information that GRUB gives on a PC of 1 GiB (QEMU q35), complete. */
extern const struct e820_range pc_map[];
extern const u32 pc_map_count;
void mb2_pc(struct block *block);
/* The same by EFI (OVMF): conventional, boot-services, runtime and reserved memory. */
void mb2_ovmf(struct block *block);

/* Multiboot 1 at physical address `pa`, the same PC: everything in one block. */
void mb1_pc(struct block *block, u32 pa);

/* An RSDP of 20 (revision 0) or 36 bytes with right checksums. */
void make_rsdp(u8 *rsdp, bool revision2, u32 rsdt, u64 xsdt);

/* A bzImage of `setup_sects` (0: means 4) and `kernel` bytes, like Debian's. */
u64 make_bzimage(u8 *file, u8 setup_sects, u32 kernel);

/* Tables of a PC with four processors, its RSDT and XSDT, in `block`, which will lie at
 * physical address `pa`. The first 36 bytes are the RSDP. */
void acpi_pc(struct block *block, u64 pa, bool xsdt);
/* Begin a table; acpi_close sets length and checksum. */
u32 acpi_open(struct block *block, const char *signature);
void acpi_close(struct block *block, u32 offset);
/* QEMU's tables for q35 with -device intel-iommu,intremap=off and amd-iommu, added to `tables`. */
void acpi_dmar(struct block *tables);
void acpi_ivrs(struct block *tables);
/* Tables of that PC and those in `more`, all of them in an RSDT and in an XSDT. */
void acpi_pc_more(struct block *block, u64 pa, const struct block *more);
/* Set the checksum byte of the table at `offset`. */
void acpi_sum(struct block *block, u32 offset);

#endif
