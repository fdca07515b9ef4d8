/* SPDX-License-Identifier: BSD-2-Clause */
/* The input, less its first byte, is a kernel's file. What is accepted must also be loadable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/bytes.h>

#include "place_check.h"

unsigned char *phys_base;

static void demand(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "wrong: %s\n", what);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct boot_info info;
	struct linux_image image;
	struct placement place;
	u8 *file;

	if (size < 1)
		return 0;
	file = malloc(--size);
	memcpy(file, data + 1, size);
	if (!linux_check(&image, file, size)) {
		demand(image.setup_size + image.kernel_size == size, "sizes");
		demand(image.kernel_size > 0x200, "no room for the entry");
		demand(image.kernel_size <= image.init_size, "init_size");
		demand(0x1F1U + image.header_size <= 0x290, "header too long for the zero page");
		demand(0x1F1U + image.header_size <= size, "header longer than the file");
		memset(&info, 0, sizeof(info));
		e820_add(&info.map, 0, 640 * KIB, E820_RAM);
		e820_add(&info.map, MIB, 2 * GIB, E820_RAM);
		info.module_count = 2;
		info.module[0].base = 4 * MIB;
		info.module[0].end = 4 * MIB + size;
		info.module[1].base = 5 * MIB;
		info.module[1].end = 50 * MIB;
		demand(!place_hypervisor(&place, &info, &no_dma, MIB, 2 * MIB, 4 * MIB), "no place");
		if (!place_linux(&place, &info, &image)) {
			const char *wrong = check_place_linux(&place, &info, &image);

			demand(!wrong, wrong ? wrong : "");
		}
	}
	free(file);
	return 0;
}
