/* SPDX-License-Identifier: BSD-2-Clause */
/* Small program files to order. */
#ifndef MAKE_ELF_H
#define MAKE_ELF_H

#include <elf.h>
#include <stdint.h>
#include <stddef.h>

#define MADE_SIZE	0x6000U
#define MADE_SEGMENTS	6

/* A file with two to four loadable segments, to be spoilt by the caller. */
struct made {
	union {
		uint8_t bytes[MADE_SIZE];
		struct {
			Elf64_Ehdr header;
			Elf64_Phdr segment[MADE_SEGMENTS];
		};
	};
	size_t size;
};

/* Text at 401000h, data and .bss at 404000h; ET_EXEC; contents that differ in every byte. */
void make_elf(struct made *made);

#endif
