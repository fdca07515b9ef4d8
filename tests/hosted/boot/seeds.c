/* SPDX-License-Identifier: BSD-2-Clause */
/* seeds DIR: write what the fuzzers start from, in the form that each of them reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "make.h"

static struct block block, more;

static void save(const char *dir, const char *target, const char *name, u8 first)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	mkdir(dir, 0777);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, target, name);
	file = fopen(path, "wb");
	if (!file || fputc(first, file) == EOF ||
	    fwrite(block.bytes, 1, block.size, file) != block.size || fclose(file)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIR\n");
		return 2;
	}
	mb2_pc(&block);
	save(argv[1], "multiboot", "pc", 0);
	mb2_ovmf(&block);
	save(argv[1], "multiboot", "ovmf", 0);
	mb1_pc(&block, 0);
	save(argv[1], "multiboot", "mb1", 1);
	block.size = make_bzimage(block.bytes, 4, 0x800);
	save(argv[1], "bzimage", "small", 0);
	acpi_pc(&block, 0, false);
	save(argv[1], "acpi", "rsdt", 20);
	acpi_pc(&block, 0, true);
	save(argv[1], "acpi", "xsdt", 36);
	acpi_dmar(&more);
	acpi_pc_more(&block, 0, &more);
	save(argv[1], "acpi", "dmar-pc", 36);
	more.size = 0;
	acpi_ivrs(&more);
	acpi_pc_more(&block, 0, &more);
	save(argv[1], "acpi", "ivrs-pc", 36);
	block.size = 0;
	acpi_dmar(&block);
	save(argv[1], "acpi", "dmar", 0);
	block.size = 0;
	acpi_ivrs(&block);
	save(argv[1], "acpi", "ivrs", 1);
	return 0;
}
