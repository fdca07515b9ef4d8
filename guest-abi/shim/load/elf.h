/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a program file: from the bytes of its head to a list of segments.
 * Pure: touches nothing but its arguments. The bytes are hostile.
 */
#ifndef SHIM_ELF_H
#define SHIM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS	16

struct elf_segment {
	uint64_t address;		/* of its first byte, without the load base */
	uint64_t offset, file_size;	/* its bytes in the file */
	uint64_t memory_size;		/* the rest are zeros */
	uint8_t rights;			/* CARREL_R | CARREL_W | CARREL_X */
};

struct elf_plan {
	unsigned int count;
	struct elf_segment segment[ELF_SEGMENTS];	/* ascending, no page in two */
	uint64_t low, high;		/* page-aligned bounds of all */
	uint64_t align;			/* the largest alignment asked for, at least a page */
	uint64_t entry, headers;	/* without the load base; headers 0 if not loaded */
	uint64_t interpreter, interpreter_size;	/* its name with the NUL, in a segment; 0: none */
	uint16_t header_count;
	bool relocatable;		/* ET_DYN: may lie anywhere */
	bool exec_stack;
};

/* Size of one program header in the file. */
#define ELF_HEADER_SIZE		56

/* How many bytes of the file, from its first on, hold all headers, as `head` tells; 0: no ELF file. */
uint64_t elf_head_size(const void *head, size_t head_size);

/*
 * `head` holds the first `head_size` bytes of a file of `file_size` bytes. Fills
 * `plan`, or returns what is wrong with the file, a constant string.
 */
const char *elf_read(const void *head, size_t head_size, uint64_t file_size,
		     struct elf_plan *plan);

#endif
